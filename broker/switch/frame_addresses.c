/* SPDX-License-Identifier: MIT */
#include "broker/switch/frame_addresses.h"

#include <linux/if_ether.h>
#include <string.h>

#include "broker/engine/frame.h"
#include "common/frame/frame_view.h"

/* The VLAN id's bits of a tag's first 16: IEEE 802.1Q, 9.6. */
#define VLAN_ID_MASK 0x0fff

/* Return the VLAN id of the outer tag, 0: there is none. */
static unsigned int vlan_read(const struct ethhdr *ethernet, const struct frame *frame)
{
	uint16_t control;

	if (!ethertype_is_tag(ntohs(ethernet->h_proto)) ||
	    frame->length < sizeof(*ethernet) + sizeof(control))
		return 0;
	memcpy(&control, frame->data + sizeof(*ethernet), sizeof(control));
	return ntohs(control) & VLAN_ID_MASK;
}

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
	vlan = vlan_read(&ethernet, frame);
	addresses->from = address_ethernet(ethernet.h_source, vlan);
	addresses->to = address_ethernet(ethernet.h_dest, vlan);
}
