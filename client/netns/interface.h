/* SPDX-License-Identifier: MIT */
/*
 * An interface of memtun netns: a TUN or TAP device in the network namespace of the calling
 * process. It is made down and without addresses, so that its descriptor can be handed to the
 * broker before the kernel sends the first frame; then it is set up.
 */
#ifndef MEMTUN_INTERFACE_H
#define MEMTUN_INTERFACE_H

#include <stdint.h>

#include "client/netns/obstacle.h"
#include "client/netns/rtnetlink.h"
#include "common/address_config.h"
#include "memtun/protocol.h"

struct interface {
	char name[MEMTUN_NAME_SIZE]; /* after interface_make() without %d */
	enum memtun_mode mode;
	uint32_t mtu;                /* 0: the kernel's default */
	unsigned char mac[ETH_ALEN]; /* of a TAP; a TUN has none */
	struct address_config addresses;
};

/*
 * Make the interface, with a vnet header of the kernel's default size before each frame, and
 * return its descriptor, close-on-exec. If the name has a %d, the kernel chooses the number, and
 * the chosen name is written to it. -1 with the obstacle filled.
 */
int interface_make(struct interface *interface, struct obstacle *obstacle);

/* Change the interface's name, before it is set up. */
int interface_rename(struct interface *interface, struct rtnetlink *rtnetlink, const char *name,
		     struct obstacle *obstacle);

/* Set the MAC address and the MTU, bring it up, and add the addresses and routes. */
int interface_set_up(const struct interface *interface, struct rtnetlink *rtnetlink,
		     struct obstacle *obstacle);

/* Bring the loopback interface up. */
int interface_set_up_loopback(struct rtnetlink *rtnetlink, struct obstacle *obstacle);

#endif
