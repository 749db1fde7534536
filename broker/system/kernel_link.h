/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says of a TUN or TAP interface to those who don't have it open, by rtnetlink; and
 * how such an interface is deleted whoever has. Interfaces are known by their index, as a name may
 * be another's tomorrow.
 */
#ifndef MEMTUN_KERNEL_LINK_H
#define MEMTUN_KERNEL_LINK_H

#include <stdint.h>

#include "memtun/protocol.h"

struct kernel_link {
	char name[MEMTUN_NAME_SIZE];
	uint32_t mtu;
	uint32_t queues; /* that are open; where it isn't multi_queue, its carrier tells */
};

/* -1 with ENODEV (there is none), or what netlink sockets fail with: it can't be asked. */
int kernel_link_ask(uint32_t index, struct kernel_link *link);

/* Deletes it: who has it open gets EBADFD from now on. -1 with ENODEV, EPERM, or as above. */
int kernel_link_delete(uint32_t index);

#endif
