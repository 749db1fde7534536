/* SPDX-License-Identifier: MIT */
/*
 * A resolv.conf(5) of the calling process's own, in its mount namespace: bound over the system's, so
 * that no file is changed.
 */
#ifndef MEMTUN_RESOLVER_H
#define MEMTUN_RESOLVER_H

#include "client/netns/obstacle.h"

/*
 * Have name servers looked up in `text`, the content of a resolv.conf. The process must be in a mount
 * namespace of its own. -1 with the obstacle filled.
 */
int resolver_bind(const char *text, struct obstacle *obstacle);

#endif
