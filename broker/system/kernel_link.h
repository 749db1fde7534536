/* SPDX-License-Identifier: MIT */
/*
 * The state of a TUN or TAP interface, which rtnetlink tells to a process that does not have it
 * open, and the deletion of such an interface. Interfaces are identified by their index, because
 * another interface may get the name later.
 */
#ifndef MEMTUN_KERNEL_LINK_H
#define MEMTUN_KERNEL_LINK_H

#include <stdint.h>

#include "memtun/protocol.h"

struct kernel_link {
	char name[MEMTUN_NAME_SIZE];
	uint32_t mtu;
	uint32_t queues; /* open queues; without multi_queue 0 or 1, by the carrier */
};

/* Get the state of the interface. -1 with ENODEV if it does not exist, or an errno of netlink
 * sockets if the kernel can't be asked. */
int kernel_link_ask(uint32_t index, struct kernel_link *link);

/* Delete the interface. A program that has it open gets EBADFD from then on. -1 with ENODEV, EPERM
 * or an errno of netlink sockets. */
int kernel_link_delete(uint32_t index);

#endif
