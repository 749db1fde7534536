/* SPDX-License-Identifier: MIT */
/*
 * From a TUN to its Ethernet: each packet gets a header before it, in the room that was left there
 * when it was read. Where there is none, as between the frames of a stream, the packet is copied
 * once, into memory that the adapter has for a batch.
 */
#include <errno.h>
#include <string.h>

#include "broker/adapter/adapter_parts.h"
#include "common/clock.h"
#include "broker/engine/batch.h"

/* Where an IP header has its addresses. */
#define IPV4_FROM 12
#define IPV4_TO 16
#define IPV6_FROM 8
#define IPV6_TO 24

/* The packet was checked when it came in: its version holds, its fixed header is there. */
static void packet_addresses(const unsigned char *packet, struct address *from, struct address *to)
{
	bool four = packet[0] >> 4 == 4;
	size_t size = four ? 4 : 16;

	*from = (struct address){.kind = four ? ADDRESS_IPV4 : ADDRESS_IPV6};
	*to = *from;
	memcpy(from->words, packet + (four ? IPV4_FROM : IPV6_FROM), size);
	memcpy(to->words, packet + (four ? IPV4_TO : IPV6_TO), size);
}

/* The MAC address of an address that is many hosts'; false: it is one's, or none's. */
static bool group_mac(const struct adapter_config *config, const struct address *to,
		      unsigned char mac[ETH_ALEN])
{
	static const unsigned char limited[4] = {255, 255, 255, 255};
	const unsigned char *bytes = (const unsigned char *)to->words;

	if (to->kind == ADDRESS_IPV6 && bytes[0] == 0xff) {
		/* RFC 2464, 7. */
		mac[0] = 0x33;
		mac[1] = 0x33;
		memcpy(mac + 2, bytes + 12, 4);
		return true;
	}
	if (to->kind != ADDRESS_IPV4)
		return false;
	if (bytes[0] >> 4 == 14) {
		/* RFC 1112, 6.4. */
		memcpy(mac, "\x01\x00\x5e", 3);
		mac[3] = bytes[1] & 0x7f;
		memcpy(mac + 4, bytes + 2, 2);
		return true;
	}
	if (memcmp(bytes, limited, sizeof(limited)) != 0 &&
	    !adapter_config_is_broadcast(config, to))
		return false;
	memset(mac, 0xff, ETH_ALEN);
	return true;
}

void adapter_write_header(const struct adapter *adapter, unsigned char *header,
			  const unsigned char *to, const unsigned char *packet)
{
	bool four = packet[0] >> 4 == 4;

	memcpy(header, to, ETH_ALEN);
	memcpy(header + ETH_ALEN, adapter->mac, ETH_ALEN);
	header[12] = four ? ETH_P_IP >> 8 : ETH_P_IPV6 >> 8;
	header[13] = four ? ETH_P_IP & 0xff : ETH_P_IPV6 & 0xff;
}

/* Sees that there is room for a header before the frame. -1 with ENOMEM. */
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

/* Notes that the frame is longer at its front now. */
static void offload_shift(struct virtio_net_hdr *offload)
{
	if (offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		offload->csum_start += ETH_HLEN;
	if (offload->hdr_len)
		offload->hdr_len += ETH_HLEN;
}

/* Why a packet makes no frame, as a counter; MEMTUN_A_UNSPEC: it does. */
static enum memtun_attribute packet_fault(const struct frame *frame)
{
	const struct virtio_net_hdr *offload = &frame->offload;

	if (frame->length > FRAME_MAX - ETH_HLEN)
		return MEMTUN_A_FROM_CLIENT_DROPPED_OVERSIZE;
	/* No header reaches so far. */
	if (((offload->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	     offload->csum_start > UINT16_MAX - ETH_HLEN) ||
	    offload->hdr_len > UINT16_MAX - ETH_HLEN)
		return MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED;
	return MEMTUN_A_UNSPEC;
}

/* Makes a frame of it, to that MAC address. False: there is no memory for that, and it is counted.
 */
static bool packet_wrap(struct adapter *adapter, struct frame *frame, unsigned int index,
			const unsigned char *to)
{
	if (frame_make_room(adapter, frame, index) < 0) {
		adapter_count(adapter, MEMTUN_A_FROM_CLIENT_DROPPED_UNRESOLVED, 1);
		return false;
	}
	adapter_write_header(adapter, frame->data - ETH_HLEN, to, frame->data);
	frame->data -= ETH_HLEN;
	frame->length += ETH_HLEN;
	frame->headroom -= ETH_HLEN;
	return true;
}

/* The neighbour that a packet goes through, with a MAC address or asked for it; NULL: there can't
 * be one. */
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
	/* An IPv6 question without an address would be another one: is that address free? */
	if (!address_is_host(hop) || (hop->kind == ADDRESS_IPV6 && !address_is_host(from) &&
				      !adapter_config_source(config, hop)))
		return NULL;
	neighbour = neighbour_add(&adapter->neighbours, hop, from);
	adapter_solicit(adapter, neighbour, now);
	return neighbour;
}

/* Can it go now? */
static bool adapter_wrap_one(struct adapter *adapter, struct frame *frame, unsigned int index,
			     int64_t now)
{
	enum memtun_attribute reason = packet_fault(frame);
	struct neighbour *neighbour;
	unsigned char group[ETH_ALEN];
	struct address from, to;

	if (reason) {
		adapter_count(adapter, reason, 1);
		return false;
	}
	packet_addresses(frame->data, &from, &to);
	if (address_is_host(&from) && !adapter_config_has(adapter->config, &from))
		address_ring_add(&adapter->learned, &from);
	offload_shift(&frame->offload);
	if (group_mac(adapter->config, &to, group))
		return packet_wrap(adapter, frame, index, group);
	neighbour = packet_neighbour(adapter, &from, &to, now);
	if (!neighbour)
		adapter_count(adapter, MEMTUN_A_FROM_CLIENT_DROPPED_UNRESOLVED, 1);
	else if (!neighbour->known)
		adapter_queue_pending(adapter, neighbour, frame);
	else
		return packet_wrap(adapter, frame, index, neighbour->mac);
	return false;
}

uint32_t adapter_wrap(struct adapter *adapter, struct batch *batch, uint32_t mask)
{
	int64_t now = clock_now();
	uint32_t ready = 0;

	for (; mask; mask &= mask - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(mask);

		if (adapter_wrap_one(adapter, &batch->frames[i], i, now))
			ready |= UINT32_C(1) << i;
	}
	return ready;
}
