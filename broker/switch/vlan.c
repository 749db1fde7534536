/* SPDX-License-Identifier: MIT */
#include "broker/switch/vlan.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/if_ether.h>
#include <string.h>

#include "broker/engine/batch.h"
#include "broker/switch/bridge.h"
#include "broker/switch/drop.h"
#include "broker/switch/port.h"
#include "common/frame/frame_view.h"

/* The VLAN id's bits of a tag's control field: IEEE 802.1Q, 9.6. */
#define VLAN_ID_MASK 0x0fff

/* A tag is behind the MAC addresses: its type, then the control field. */
#define TAG_AT (2 * ETH_ALEN)
#define TAG_LENGTH sizeof(struct tag)

struct tag {
	uint16_t type;
	uint16_t control;
};

_Static_assert(TAG_LENGTH <= FRAME_TAG_ROOM, "a tag has room before a copied frame");

static bool frame_has_tag(const struct frame *frame, struct tag *tag)
{
	memcpy(&tag->type, frame->data + TAG_AT, sizeof(tag->type));
	if (!ethertype_is_tag(ntohs(tag->type)) || frame->length < ETH_HLEN + TAG_LENGTH)
		return false;
	memcpy(tag, frame->data + TAG_AT, sizeof(*tag));
	return true;
}

unsigned int vlan_id(const struct frame *frame)
{
	struct tag tag;

	return frame_has_tag(frame, &tag) ? ntohs(tag.control) & VLAN_ID_MASK : 0;
}

/* Return whether the bridge offers frames of that VLAN to the port. */
static bool vlan_has_port(unsigned int vlan, const struct port *port)
{
	return port->vlan == vlan || (!port->vlan && port->mode == MEMTUN_TAP);
}

uint64_t vlan_select(const struct port *port, const struct port *source, const struct batch *batch,
		     uint64_t mask)
{
	bool has_tags = port->bridge->mode == MEMTUN_TAP;
	uint64_t selected = 0;

	for (; mask; mask &= mask - 1) {
		const struct frame *frame = &batch->frames[__builtin_ctzll(mask)];

		if (vlan_has_port(has_tags ? vlan_id(frame) : source->vlan, port))
			selected |= mask & -mask;
	}
	return selected;
}

uint64_t vlan_split(struct touched *touched, struct touched *access)
{
	struct touched trunks = SLIST_HEAD_INITIALIZER(trunks);
	uint64_t leaving = 0;
	struct port *port;

	while ((port = SLIST_FIRST(touched))) {
		SLIST_REMOVE_HEAD(touched, in_touched);
		if (port->vlan) {
			leaving |= port->pending;
			SLIST_INSERT_HEAD(access, port, in_touched);
		} else {
			SLIST_INSERT_HEAD(&trunks, port, in_touched);
		}
	}
	*touched = trunks;
	return leaving;
}

/* ------------------------------------------------------------------------------ in */

/* Return the counter of the reason why the frame can get no tag, or MEMTUN_A_UNSPEC. */
static enum memtun_attribute tag_fault(const struct frame *frame)
{
	const struct virtio_net_hdr *offload = &frame->offload;

	if (frame->length > FRAME_MAX - TAG_LENGTH)
		return MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE;
	/* The offsets would exceed 16 bits. */
	if (((offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	     offload->csum_start > UINT16_MAX - TAG_LENGTH) ||
	    offload->hdr_len > UINT16_MAX - TAG_LENGTH)
		return MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED;
	return MEMTUN_A_UNSPEC;
}

/* Write a tag before the frame's type. */
static void tag_add(struct frame *frame, const struct tag *tag)
{
	unsigned char addresses[TAG_AT];

	/* Each sender to a bridge leaves room for a tag. */
	assert(frame->headroom >= TAG_LENGTH);
	memcpy(addresses, frame->data, sizeof(addresses));
	frame->data -= TAG_LENGTH;
	frame->length += TAG_LENGTH;
	frame->headroom -= TAG_LENGTH;
	memcpy(frame->data, addresses, sizeof(addresses));
	memcpy(frame->data + TAG_AT, tag, sizeof(*tag));
	if (frame->offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		frame->offload.csum_start += TAG_LENGTH;
	if (frame->offload.hdr_len)
		frame->offload.hdr_len += TAG_LENGTH;
}

/* Return the counter of the reason why the frame is dropped, or MEMTUN_A_UNSPEC: it is in the VLAN
 * now. */
static enum memtun_attribute frame_enter(struct frame *frame, unsigned int vlan)
{
	struct tag tag = {htons(ETH_P_8021Q), htons((uint16_t)vlan)}, given;
	enum memtun_attribute reason;

	if (frame_has_tag(frame, &given)) {
		if (given.type != tag.type || ntohs(given.control) & VLAN_ID_MASK)
			return MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN;
		tag.control |= given.control;
		memcpy(frame->data + TAG_AT, &tag, sizeof(tag));
		return MEMTUN_A_UNSPEC;
	}
	if (ethertype_is_tag(ntohs(given.type)))
		return MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN; /* not all of the tag is there */
	reason = tag_fault(frame);
	if (!reason)
		tag_add(frame, &tag);
	return reason;
}

uint64_t vlan_enter(struct port *source, struct batch *batch, uint64_t mask)
{
	uint64_t entered = 0;

	for (; mask; mask &= mask - 1) {
		struct frame *frame = &batch->frames[__builtin_ctzll(mask)];
		enum memtun_attribute reason = frame_enter(frame, source->vlan);

		if (reason)
			drop_frame(source, MEMTUN_TAP, frame, reason);
		else
			entered |= mask & -mask;
	}
	return entered;
}

/* ------------------------------------------------------------------------------ out */

/* Change the offsets for a frame whose tag goes. */
static void offload_leave(struct frame *frame)
{
	struct virtio_net_hdr *offload = &frame->offload;

	/* A checksum over a part of the Ethernet header or the tag is none of a packet. Complete
	 * it while the tag is there. */
	if ((offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	    offload->csum_start < ETH_HLEN + TAG_LENGTH) {
		frame_complete_checksum(frame);
		*offload = (struct virtio_net_hdr){0};
	}
	if (offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		offload->csum_start -= TAG_LENGTH;
	offload->hdr_len = offload->hdr_len > TAG_LENGTH ? offload->hdr_len - TAG_LENGTH : 0;
}

void vlan_leave(struct batch *batch, uint64_t mask)
{
	for (; mask; mask &= mask - 1) {
		struct frame *frame = &batch->frames[__builtin_ctzll(mask)];
		unsigned char addresses[TAG_AT];
		struct tag tag;

		if (!frame_has_tag(frame, &tag))
			continue;
		offload_leave(frame);
		memcpy(addresses, frame->data, sizeof(addresses));
		frame->data += TAG_LENGTH;
		frame->length -= TAG_LENGTH;
		frame->headroom += TAG_LENGTH;
		memcpy(frame->data, addresses, sizeof(addresses));
		/* A copy that waits at a trunk keeps its tag. */
		frame_release_copy(frame);
	}
}
