/* SPDX-License-Identifier: MIT */
/*
 * The messages by which hosts of an Ethernet find each other: ARP (RFC 826) and IPv6's neighbour
 * solicitations and advertisements (RFC 4861), read and written. What was read has been checked:
 * it comes from anybody.
 */
#ifndef MEMTUN_NEIGHBOUR_MESSAGE_H
#define MEMTUN_NEIGHBOUR_MESSAGE_H

#include <linux/if_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

/* What both kinds say. A request may do both: ask, and tell who asks. */
struct neighbour_message {
	bool asks;             /* where `target` is */
	bool tells;            /* that `host` is at mac, or is still there */
	bool has_mac;          /* an advertisement may leave it out */
	bool overrides;        /* what was known before; not if it speaks for another */
	struct address target; /* one host's, as is `host` */
	struct address host;
	unsigned char mac[ETH_ALEN];    /* one host's */
	unsigned char sender[ETH_ALEN]; /* the frame's, to whom an answer can go */
};

enum neighbour_reading {
	NEIGHBOUR_OTHER, /* another kind of frame */
	NEIGHBOUR_BAD,   /* of that kind, but not to be believed */
	NEIGHBOUR_GOOD,
};

/* Reads an untagged Ethernet frame, whose header is there. */
enum neighbour_reading neighbour_message_read(struct neighbour_message *message,
					      const unsigned char *frame, size_t length);

/* The longest message that is written: headers of Ethernet and IPv6, a solicitation, an option. */
#define NEIGHBOUR_MESSAGE_SIZE (14 + 40 + 24 + 8)

/*
 * Writes the frame that asks where target is: for `from`, which is at mac; to_mac is who is asked,
 * NULL for everybody. Returns its length.
 */
size_t neighbour_request_write(unsigned char frame[NEIGHBOUR_MESSAGE_SIZE],
			       const unsigned char mac[ETH_ALEN], const struct address *from,
			       const struct address *target, const unsigned char *to_mac);

/*
 * Writes the frame that says that `address` is at mac, to the host `to` at to_mac; `to` is NULL for
 * one without an address. Returns its length.
 */
size_t neighbour_reply_write(unsigned char frame[NEIGHBOUR_MESSAGE_SIZE],
			     const unsigned char mac[ETH_ALEN], const struct address *address,
			     const struct address *to, const unsigned char *to_mac);

#endif
