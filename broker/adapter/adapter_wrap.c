/* SPDX-License-Identifier: MIT */
/*
 * The way from the TUN to the Ethernet. Each packet gets its header in the room that was left
 * before it when it was read. Packets of a stream have no such room, so they are copied once, into
 * a batch of the adapter.
 */
#include <netinet/ip.h>
#include <string.h>

#include "broker/adapter/adapter_parts.h"
#include "common/clock.h"
#include "broker/engine/batch.h"
#include "broker/engine/engine.h"
#include "common/frame/frame_build.h"

/* Write the MAC address of a multicast or broadcast address. Returns false for other addresses. */
static bool group_mac(const struct adapter_config *config, const struct address *to,
		      unsigned char mac[ETH_ALEN])
{
	if (address_multicast_mac(to, mac))
		return true;
	if (to->kind != ADDRESS_IPV4 || (to->ipv4.s_addr != htonl(INADDR_BROADCAST) &&
					 !adapter_config_is_broadcast(config, to)))
		return false;
	memset(mac, 0xff, ETH_ALEN);
	return true;
}

void adapter_write_header(const struct adapter *adapter, unsigned char *frame,
			  const unsigned char *to)
{
	struct ip ip;

	memcpy(&ip, frame + ETH_HLEN, sizeof(ip));
	frame_build_ethernet(frame, ETH_HLEN, adapter->mac, to, -1,
			     ip.ip_v == 4 ? ETH_P_IP : ETH_P_IPV6);
}

/* Make room for a header before the frame, by a copy if needed. -1 with ENOMEM. */
static int frame_make_room(struct adapter *adapter, struct frame *frame, unsigned int index)
{
	unsigned char *buffer;

	if (frame->headroom >= ETH_HLEN)
		return 0;
	if (!adapter->bounce && !(adapter->bounce = batch_new()))
		return -1;
	buffer = batch_buffer(adapter->bounce, index);
	memcpy(buffer, frame->data, frame->length);
	frame->data = buffer;
	frame->headroom = FRAME_HEADROOM;
	return 0;
}

/* Change offsets from the packet to the frame. */
static void offload_shift(struct virtio_net_hdr *offload)
{
	if (offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		offload->csum_start += ETH_HLEN;
	if (offload->hdr_len)
		offload->hdr_len += ETH_HLEN;
}

/* Return the counter of the reason why the packet can make no frame, or MEMTUN_A_UNSPEC. */
static enum memtun_attribute packet_fault(const struct frame *frame)
{
	const struct virtio_net_hdr *offload = &frame->offload;

	if (frame->length > FRAME_MAX - ETH_HLEN)
		return MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE;
	/* The offsets of a frame would exceed 16 bits. */
	if (((offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	     offload->csum_start > UINT16_MAX - ETH_HLEN) ||
	    offload->hdr_len > UINT16_MAX - ETH_HLEN)
		return MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED;
	return MEMTUN_A_UNSPEC;
}

/* Make a frame of the packet, to that MAC address. Returns false if memory is short, which is
 * counted. */
static bool packet_wrap(struct adapter *adapter, struct frame *frame, unsigned int index,
			const unsigned char *to)
{
	if (frame_make_room(adapter, frame, index) < 0) {
		adapter_drop_unresolved(adapter, frame, 0);
		return false;
	}
	frame->data -= ETH_HLEN;
	adapter_write_header(adapter, frame->data, to);
	frame->length += ETH_HLEN;
	frame->headroom -= ETH_HLEN;
	return true;
}

/* Return the neighbour that is the packet's next hop, and probe it if its MAC address is unknown or
 * old. NULL: the packet cannot have one. */
static struct neighbour *packet_neighbour(struct adapter *adapter, const struct address *from,
					  const struct address *to, int64_t now)
{
	const struct adapter_config *config = adapter->config;
	const struct address *hop = adapter_config_hop(config, from, to);
	struct neighbour *neighbour = neighbour_find(&adapter->neighbours, hop);

	if (neighbour) {
		neighbour_use(&adapter->neighbours, neighbour);
		if (neighbour_is_old(neighbour, now))
			adapter_solicit(adapter, neighbour, now);
		return neighbour;
	}
	/* A solicitation from the unspecified address would mean duplicate address detection (RFC
	 * 4862, 5.4). */
	if (!address_is_host(hop) || (hop->kind == ADDRESS_IPV6 && !address_is_host(from) &&
				      !adapter_config_source(config, hop)))
		return NULL;
	neighbour = neighbour_add(&adapter->neighbours, hop, from);
	adapter_solicit(adapter, neighbour, now);
	return neighbour;
}

/* Make a frame of one packet. Returns whether it can be sent now. */
static bool adapter_wrap_one(struct adapter *adapter, struct frame *frame, unsigned int index,
			     int64_t now)
{
	enum memtun_attribute reason = packet_fault(frame);
	struct neighbour *neighbour;
	unsigned char group[ETH_ALEN];
	struct address from, to;

	if (reason) {
		adapter->operations->drop(adapter->port, MEMTUN_TUN, frame, reason);
		return false;
	}
	address_read_packet(frame->data, &from, &to);
	/* A program that sends from ever new addresses replaces old ones, and gets no more reports. */
	if (address_is_host(&from) && !adapter_config_has(adapter->config, &from) &&
	    address_ring_add(&adapter->learned, &from))
		adapter_join_group(adapter, &from);
	offload_shift(&frame->offload);
	if (group_mac(adapter->config, &to, group))
		return packet_wrap(adapter, frame, index, group);
	neighbour = packet_neighbour(adapter, &from, &to, now);
	if (!neighbour)
		adapter_drop_unresolved(adapter, frame, 0);
	else if (!neighbour->known)
		adapter_queue_pending(adapter, neighbour, frame);
	else
		return packet_wrap(adapter, frame, index, neighbour->mac);
	return false;
}

uint64_t adapter_wrap(struct adapter *adapter, struct batch *batch, uint64_t mask)
{
	int64_t now = due_now(&adapter->engine->due);
	uint64_t ready = 0;

	for (; mask; mask &= mask - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(mask);

		if (adapter_wrap_one(adapter, &batch->frames[i], i, now))
			ready |= UINT64_C(1) << i;
	}
	return ready;
}
