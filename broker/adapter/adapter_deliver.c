/* SPDX-License-Identifier: MIT */
/*
 * The way from the Ethernet to the TUN. The IP packets in frames for this host go to the port
 * without a copy, as views of the frames, which other ports may receive too. The adapter answers
 * ARP and neighbour discovery itself, and learns from them. Other frames are dropped.
 */
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>

#include "broker/adapter/adapter_parts.h"
#include "common/frame/frame_view.h"
#include "broker/engine/batch.h"
#include "broker/engine/engine.h"
#include "broker/adapter/multicast_listener.h"
#include "broker/adapter/neighbour_message.h"

/* ------------------------------------------------------------------------------ neighbours */

/* Learn the MAC address of the host that a message is about. */
static void adapter_learn(struct adapter *adapter, const struct neighbour_message *message,
			  bool asks_us, int64_t now)
{
	struct neighbour *neighbour = neighbour_find(&adapter->neighbours, &message->host);

	if (memcmp(message->mac, adapter->mac, ETH_ALEN) == 0 ||
	    adapter_config_has(adapter->config, &message->host))
		return;
	/* The host was behind this port before, and has moved. */
	if (message->has_mac)
		address_ring_remove(&adapter->learned, &message->host);
	/* A host that looks for this one will be sent packets, so add it. Other hosts are not
	 * added. */
	if (!neighbour && asks_us)
		neighbour = neighbour_add(&adapter->neighbours, &message->host, &message->target);
	if (!neighbour)
		return;
	if (!message->has_mac && !neighbour->known)
		return;
	if (neighbour->known && !message->overrides && message->has_mac &&
	    memcmp(neighbour->mac, message->mac, ETH_ALEN) != 0)
		return;
	neighbour_confirm(&adapter->neighbours, neighbour,
			  message->has_mac ? message->mac : neighbour->mac, now);
	adapter_send_pending(adapter, neighbour);
}

/* Return whether the frame may be a query of MLD: IPv6 with hop-by-hop options. */
static bool frame_is_query(const struct frame *frame)
{
	size_t header = ethernet_header_length(frame->data, frame->length);
	struct ip6_hdr ip;

	if (frame->length < header + sizeof(ip))
		return false;
	memcpy(&ip, frame->data + header, sizeof(ip));
	return ip.ip6_vfc >> 4 == 6 && ip.ip6_nxt == IPPROTO_HOPOPTS;
}

/* Handle a frame of ARP or neighbour discovery. Returns false if it is another frame. */
static bool adapter_take(struct adapter *adapter, struct frame *frame, int64_t now)
{
	struct neighbour_message message;
	struct address group;
	bool asks_us;

	switch (neighbour_message_read(&message, frame->data, frame->length)) {
	case NEIGHBOUR_OTHER:
		/* The program gets a query too: it may have joined groups itself. */
		if (frame_is_query(frame) &&
		    multicast_query_read(&group, frame->data, frame->length))
			adapter_report_groups(adapter, &group);
		return false;
	case NEIGHBOUR_BAD:
		return true;
	case NEIGHBOUR_GOOD:
		break;
	}
	asks_us = message.asks && adapter_has(adapter, &message.target);
	if (message.tells)
		adapter_learn(adapter, &message, asks_us, now);
	if (asks_us)
		adapter_reply(adapter, &message.target,
			      address_is_host(&message.host) ? &message.host : NULL,
			      message.has_mac ? message.mac : message.sender);
	return true;
}

/* ------------------------------------------------------------------------------ packets */

/*
 * Return the packet's length by its IPv4 header, which may be less than the bytes that are there.
 * 0: this is no IPv4 packet, or it is incomplete. A GSO packet may be longer than the header's
 * length field can express.
 */
static uint32_t ipv4_length(const unsigned char *packet, uint32_t there, bool gso)
{
	struct ip ip;
	uint32_t length;

	if (there < sizeof(ip))
		return 0;
	memcpy(&ip, packet, sizeof(ip));
	length = gso ? there : ntohs(ip.ip_len);
	return ip.ip_v != 4 || length < sizeof(ip) || length > there ? 0 : length;
}

static uint32_t ipv6_length(const unsigned char *packet, uint32_t there, bool gso)
{
	struct ip6_hdr ip;
	uint32_t length;

	if (there < sizeof(ip))
		return 0;
	memcpy(&ip, packet, sizeof(ip));
	length = sizeof(ip) + ntohs(ip.ip6_plen);
	/* The length of a jumbogram is in an option (RFC 2675). */
	if (gso || (ip.ip6_plen == 0 && ip.ip6_nxt == IPPROTO_HOPOPTS))
		length = there;
	return ip.ip6_vfc >> 4 != 6 || length > there ? 0 : length;
}

/* Return the ethertype of the packet behind a header of that length. */
static uint16_t frame_ethertype(const struct frame *frame, uint32_t header)
{
	uint16_t ethertype;

	memcpy(&ethertype, frame->data + header - sizeof(ethertype), sizeof(ethertype));
	return ntohs(ethertype);
}

static uint32_t packet_length(const struct frame *frame, uint32_t header)
{
	const unsigned char *packet = frame->data + header;
	uint32_t there = frame->length - header;

	switch (frame_ethertype(frame, header)) {
	case ETH_P_IP:
		return ipv4_length(packet, there, frame_is_gso(frame));
	case ETH_P_IPV6:
		return ipv6_length(packet, there, frame_is_gso(frame));
	default:
		return 0;
	}
}

/* Change offsets from the frame to the packet. Returns false if they are outside of the packet. */
static bool offload_strip(struct virtio_net_hdr *offload, uint32_t header, uint32_t length)
{
	offload->hdr_len = offload->hdr_len > header ? (uint16_t)(offload->hdr_len - header) : 0;
	if (offload->hdr_len > length)
		offload->hdr_len = (uint16_t)length;
	if (!(offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	if (offload->csum_start < header)
		return false;
	offload->csum_start = (uint16_t)(offload->csum_start - header);
	return (uint32_t)offload->csum_start + offload->csum_offset + 2 <= length;
}

/* Make a view of the IP packet in the frame. Returns false if the frame has none. */
static bool view_make(const struct frame *frame, struct frame *view)
{
	uint32_t header = (uint32_t)ethernet_header_length(frame->data, frame->length);
	uint32_t length = packet_length(frame, header);

	*view = (struct frame){
		.data = frame->data + header,
		.length = length,
		.offload = frame->offload,
		.id = frame->id,
	};
	return length && offload_strip(&view->offload, header, length);
}

/* The view shares the frame's bytes, so copy its checksum state back. */
static void view_copy_checksum_state(struct frame *view, struct frame *frame)
{
	if (!((view->offload.flags ^ frame->offload.flags) & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return;
	frame->offload.flags = view->offload.flags;
	frame_release_copy(frame);
}

/* ------------------------------------------------------------------------------ all */

static bool frame_is_for(const struct adapter *adapter, const struct frame *frame)
{
	return (frame->data[0] & 1) || memcmp(frame->data, adapter->mac, ETH_ALEN) == 0;
}

/* Drop a frame that has no packet for the port's client. */
static void drop_other(struct adapter *adapter, const struct frame *frame)
{
	adapter_count(adapter, MEMTUN_A_TO_CLIENT_OFFERED, 1);
	adapter->operations->drop(adapter->port, MEMTUN_TAP, frame,
				  MEMTUN_A_TO_CLIENT_DROPPED_NOT_IP);
}

void adapter_deliver(struct adapter *adapter, struct source *source, struct batch *batch,
		     uint64_t mask)
{
	struct frame *frames[BATCH_FRAMES];
	struct batch views;
	unsigned int count = 0;
	int64_t now = due_now(&adapter->engine->due);

	for (; mask; mask &= mask - 1) {
		struct frame *frame = &batch->frames[__builtin_ctzll(mask)];

		if (frame_is_for(adapter, frame) && !adapter_take(adapter, frame, now) &&
		    view_make(frame, &views.frames[count]))
			frames[count++] = frame;
		else
			drop_other(adapter, frame);
	}
	if (count == 0)
		return;
	adapter->operations->send_to_port(adapter->port, source, &views,
					  UINT64_MAX >> (BATCH_FRAMES - count));
	for (unsigned int i = 0; i < count; i++)
		view_copy_checksum_state(&views.frames[i], frames[i]);
	batch_clear(&views, count);
}
