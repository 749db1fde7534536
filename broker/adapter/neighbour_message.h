/* SPDX-License-Identifier: MIT */
/* ARP (RFC 826) and IPv6 neighbour solicitations and advertisements (RFC 4861): reading, with all
 * checks, and writing. */
#ifndef MEMTUN_NEIGHBOUR_MESSAGE_H
#define MEMTUN_NEIGHBOUR_MESSAGE_H

#include <linux/if_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

/* The content of a message of either protocol. A request has both: the address that it looks for,
 * and its sender's. */
struct neighbour_message {
	bool asks;             /* it is a request for the MAC address of `target` */
	bool tells;            /* it says that `host` is at mac, or is still reachable */
	bool has_mac;          /* an advertisement may leave it out */
	bool overrides;        /* replaces a known MAC address; a proxy's advertisement does not */
	struct address target; /* a unicast address, as is `host` */
	struct address host;
	unsigned char mac[ETH_ALEN];    /* a unicast address */
	unsigned char sender[ETH_ALEN]; /* the frame's source, to which a reply can be sent */
};

enum neighbour_reading {
	NEIGHBOUR_OTHER, /* another kind of frame */
	NEIGHBOUR_BAD,   /* ARP or neighbour discovery, but invalid */
	NEIGHBOUR_GOOD,
};

/* Read an Ethernet frame in no VLAN, which is at least as long as its header. */
enum neighbour_reading neighbour_message_read(struct neighbour_message *message,
					      const unsigned char *frame, size_t length);

/* The longest message that is written, bytes: headers of Ethernet and IPv6, a solicitation, an
 * option. */
#define NEIGHBOUR_MESSAGE_SIZE (14 + 40 + 24 + 8)

/* Write a request for the MAC address of target, from the address `from` at mac. It is sent to
 * to_mac, or to all hosts if that is NULL. Returns its length. */
size_t neighbour_request_write(unsigned char frame[NEIGHBOUR_MESSAGE_SIZE],
			       const unsigned char mac[ETH_ALEN], const struct address *from,
			       const struct address *target, const unsigned char *to_mac);

/* Write a reply that `address` is at mac, for the host `to` at to_mac. `to` is NULL if the request
 * had no source address. Returns its length. */
size_t neighbour_reply_write(unsigned char frame[NEIGHBOUR_MESSAGE_SIZE],
			     const unsigned char mac[ETH_ALEN], const struct address *address,
			     const struct address *to, const unsigned char *to_mac);

/*
 * Write the frame by which a host announces that `address` is at mac: an ARP announcement (RFC
 * 5227, 2.3), or an unsolicited neighbour advertisement (RFC 4861, 7.2.6). Returns its length.
 */
size_t neighbour_announcement_write(unsigned char frame[NEIGHBOUR_MESSAGE_SIZE],
				    const unsigned char mac[ETH_ALEN],
				    const struct address *address);

/* Return the solicited-node group of an IPv6 address: RFC 4291, 2.7.1. */
struct address neighbour_group(const struct address *address);

#endif
