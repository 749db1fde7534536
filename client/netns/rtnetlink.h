/* SPDX-License-Identifier: MIT */
/*
 * Requests to the kernel that set up an interface: its link, addresses and routes (rtnetlink(7)).
 * Each function waits for the kernel's answer, and returns -1 with errno, which is the kernel's if
 * the kernel refuses.
 */
#ifndef MEMTUN_RTNETLINK_H
#define MEMTUN_RTNETLINK_H

#include <linux/if_ether.h>
#include <stdint.h>

#include "common/address.h"

struct rtnetlink {
	int fd;
	uint32_t sequence; /* of the last request */
};

/* Open a socket in the network namespace of the calling process. */
int rtnetlink_open(struct rtnetlink *rtnetlink);
void rtnetlink_close(struct rtnetlink *rtnetlink);

int rtnetlink_set_name(struct rtnetlink *rtnetlink, unsigned int index, const char *name);
int rtnetlink_set_mac(struct rtnetlink *rtnetlink, unsigned int index,
		      const unsigned char mac[ETH_ALEN]);
int rtnetlink_set_mtu(struct rtnetlink *rtnetlink, unsigned int index, uint32_t mtu);
int rtnetlink_set_up(struct rtnetlink *rtnetlink, unsigned int index);

/*
 * Keep the kernel from making a link-local IPv6 address, which would be usable only after a second
 * of duplicate address detection. Addresses from router advertisements still end in the MAC
 * address.
 */
int rtnetlink_refuse_link_local(struct rtnetlink *rtnetlink, unsigned int index);

/* Add an address, usable at once: without duplicate address detection. */
int rtnetlink_add_address(struct rtnetlink *rtnetlink, unsigned int index,
			  const struct address *address, unsigned int prefix_length);

/* Add a default route. */
int rtnetlink_add_gateway(struct rtnetlink *rtnetlink, unsigned int index,
			  const struct address *gateway);

#endif
