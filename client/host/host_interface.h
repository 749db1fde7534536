/* SPDX-License-Identifier: MIT */
/*
 * A tunnel as lwIP's only network interface, with its addresses. One thread calls these functions.
 * Writes never block: a frame is lost if the tunnel has no room for it, as with a network card,
 * because else one reader that doesn't read would keep lwIP from answering any other peer.
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
	int fd; /* non-blocking, borrowed */
	bool ethernet;
	unsigned int mtu;
	struct host_addresses addresses;
	struct netif netif;
	ip6_addr_t gateway6;
	uint8_t sending[UINT16_MAX]; /* a frame that lwIP has in several pieces */
};

/* Return whether the MAC address to which packets for the target go is known, as always on a TUN. The
 * caller has locked lwIP's core. */
bool host_interface_has_neighbour(const struct host_interface *interface, const ip_addr_t *target);

/* Return the address as lwIP has it. */
ip_addr_t host_interface_address(const struct address *address);

/* Return whether the host has a route to the address. Without one, lwIP would try for minutes. The
 * caller has locked lwIP's core. */
bool host_interface_has_route(const ip_addr_t *target);

/* Add the interface to lwIP. The caller has locked lwIP's core. -1: out of memory. */
int host_interface_start(struct host_interface *interface);

/*
 * Pass a frame to lwIP, or drop it if a network card would. The caller has locked lwIP's core.
 */
void host_interface_take(struct host_interface *interface, uint8_t *frame, size_t length);

#endif
