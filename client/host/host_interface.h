/* SPDX-License-Identifier: MIT */
/*
 * A tunnel as lwIP's one network interface, with its addresses. It is asked by one thread, which
 * holds lwIP's core lock where it says so.
 *
 * It never waits: a frame that the tunnel has no room for is lost, as a network card would lose it.
 * Else whoever doesn't read would stop lwIP, and with it all that others ask of this host.
 */
#ifndef MEMTUN_HOST_INTERFACE_H
#define MEMTUN_HOST_INTERFACE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <lwip/netif.h>

#include "common/host_addresses.h"

struct host_interface {
	int fd; /* not blocking, borrowed */
	bool ethernet;
	unsigned int mtu;
	struct host_addresses addresses;
	struct netif netif;
	ip6_addr_t gateway6;
	uint8_t sending[UINT16_MAX]; /* a frame that lwIP has in pieces */
};

/* Plugs it into lwIP: it answers from now on. With the core lock. -1: lwIP takes no more. */
int host_interface_start(struct host_interface *interface);

/* Hands lwIP a frame that was read, or drops what a card would not take. With the core lock. */
void host_interface_take(struct host_interface *interface, const uint8_t *frame, size_t length);

#endif
