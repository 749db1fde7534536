/* SPDX-License-Identifier: MIT */
/*
 * A resolv.conf(5) for the calling process alone. It is bound over the system's file in the mount
 * namespace of the process, so that no file changes.
 */
#ifndef MEMTUN_RESOLVER_H
#define MEMTUN_RESOLVER_H

#include "client/netns/obstacle.h"

/*
 * Bind a file with this text over /etc/resolv.conf. The process must be in a mount namespace of
 * its own. -1 with the obstacle filled.
 */
int resolver_bind(const char *text, struct obstacle *obstacle);

#endif
