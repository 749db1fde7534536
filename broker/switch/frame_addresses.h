/* SPDX-License-Identifier: MIT */
/*
 * The addresses by which a bridge forwards a frame: the MAC addresses of an Ethernet frame with its
 * outer VLAN, or the IP addresses of a packet.
 */
#ifndef MEMTUN_FRAME_ADDRESSES_H
#define MEMTUN_FRAME_ADDRESSES_H

#include "common/address.h"
#include "memtun/protocol.h"

struct frame;

struct frame_addresses {
	struct address from, to;
};

/* Read them from a frame that was checked when it came in, so that its fixed header is there. */
void frame_addresses_read(struct frame_addresses *addresses, enum memtun_mode mode,
			  const struct frame *frame);

#endif
