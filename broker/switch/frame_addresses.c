/* SPDX-License-Identifier: MIT */
#include "broker/switch/frame_addresses.h"

#include <linux/if_ether.h>
#include <string.h>

#include "broker/engine/frame.h"
#include "broker/switch/vlan.h"

void frame_addresses_read(struct frame_addresses *addresses, enum memtun_mode mode,
			  const struct frame *frame)
{
	struct ethhdr ethernet;
	unsigned int vlan;

	if (mode != MEMTUN_TAP) {
		address_read_packet(frame->data, &addresses->from, &addresses->to);
		return;
	}
	memcpy(&ethernet, frame->data, sizeof(ethernet));
	vlan = vlan_id(frame);
	addresses->from = address_ethernet(ethernet.h_source, vlan);
	addresses->to = address_ethernet(ethernet.h_dest, vlan);
}
