/* SPDX-License-Identifier: MIT */
/*
 * Gives up what the broker has no use for: capabilities, and ever getting them. One that is to make
 * interfaces of the kernel keeps CAP_NET_ADMIN for that, and passes it on to nobody.
 */
#ifndef MEMTUN_CONFINE_H
#define MEMTUN_CONFINE_H

#include <stdbool.h>

/* Has it CAP_NET_ADMIN to keep? */
bool confine_can_keep(void);

/* keep: but for CAP_NET_ADMIN. -1 with errno. */
int confine(bool keep);

#endif
