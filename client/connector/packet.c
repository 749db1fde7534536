/* SPDX-License-Identifier: MIT */
/*
 * Makes the public view of a frame, which has an offset for each kind of header.
 */
#include <net/ethernet.h>
#include <stddef.h>

#include "client/connector/connector_parts.h"
#include "common/frame/frame_view.h"

static const ssize_t tag_offset = offsetof(struct ether_header, ether_type);
static const ssize_t tag_size = sizeof(struct vlan_tag);

static ssize_t offset_if(bool there, ssize_t offset)
{
	return there ? offset : -1;
}

void packet_parse(struct memtun_packet *packet, enum memtun_mode mode)
{
	struct frame_view view;
	bool malformed = frame_view_parse(&view, mode, packet->data, packet->length) < 0;
	ssize_t network = (ssize_t)view.network;

	packet->mode = mode;
	packet->malformed = malformed;
	packet->cut |= view.cut;
	packet->ethernet =
		offset_if(mode == MEMTUN_TAP && packet->length >= sizeof(struct ether_header), 0);
	packet->vlan = offset_if(view.vlan >= 0, tag_offset);
	packet->inner_vlan = offset_if(view.inner_vlan >= 0, tag_offset + tag_size);
	packet->vlan_id = view.vlan;
	packet->inner_vlan_id = view.inner_vlan;
	packet->ethertype = view.ethertype;
	packet->arp = offset_if(view.kind == FRAME_ARP, network);
	packet->ipv4 = offset_if(view.ip_version == 4, network);
	packet->ipv6 = offset_if(view.ip_version == 6, network);
	packet->protocol = view.protocol;
	packet->fragment = view.fragment;
	packet->fragment_offset = view.fragment_offset;
	packet->icmp = offset_if(view.kind == FRAME_ICMP, view.transport);
	packet->icmpv6 = offset_if(view.kind == FRAME_ICMPV6, view.transport);
	packet->tcp = offset_if(view.kind == FRAME_TCP, view.transport);
	packet->udp = offset_if(view.kind == FRAME_UDP, view.transport);
	packet->payload = view.payload;
	packet->payload_length = view.payload_length;
}
