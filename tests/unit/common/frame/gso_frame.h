/* SPDX-License-Identifier: MIT */
/* GSO frames as a sender writes them: with the pseudo header's sum in the checksum field. */
#ifndef MEMTUN_GSO_FRAME_H
#define MEMTUN_GSO_FRAME_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtun/protocol.h"

/* Extension headers of IPv6, in this order. */
enum {
	GSO_FRAME_HOP_BY_HOP = 1 << 0,
	GSO_FRAME_ROUTING = 1 << 1, /* type 2, with no segments left */
	GSO_FRAME_DESTINATION = 1 << 2,
	GSO_FRAME_AUTHENTICATION = 1 << 3,
	GSO_FRAME_FRAGMENT = 1 << 4, /* of a packet that is whole */
};

struct gso_frame {
	const char *name;
	enum memtun_mode mode; /* 0: MEMTUN_TAP */
	unsigned int tags;     /* 802.1Q tags, at most 2 */
	uint8_t ip_version;
	unsigned int extensions;
	uint8_t ip_options;  /* bytes, a multiple of 4 */
	uint8_t tcp_options; /* bytes, a multiple of 4 */
	uint8_t flags;       /* of TCP, such as TH_FIN; ECE and CWR are 0x40 and 0x80 */
	bool dont_fragment;
	uint16_t id; /* of IPv4 */
	uint8_t gso_type;
	uint16_t gso_size;
	size_t payload; /* bytes */
};

/* Write the frame, which has at most FRAME_MAX bytes, and its vnet header. Return its length. */
size_t gso_frame_make(const struct gso_frame *gso, unsigned char *frame,
		      struct virtio_net_hdr *offload);

#endif
