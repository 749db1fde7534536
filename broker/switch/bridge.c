/* SPDX-License-Identifier: MIT */
#include "broker/switch/bridge.h"

#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "broker/adapter/adapter.h"
#include "broker/switch/address_table.h"
#include "broker/switch/capture.h"
#include "common/clock.h"
#include "broker/engine/frame.h"
#include "broker/switch/port.h"

/* Where an IP header has its addresses. */
#define IPV4_FROM 12
#define IPV4_TO 16
#define IPV6_FROM 8
#define IPV6_TO 24

SLIST_HEAD(touched, port);

struct bridge *bridge_new(const char *name, uint32_t id, bool hub)
{
	struct bridge *bridge = calloc(1, sizeof(*bridge));

	if (!bridge)
		return NULL;
	if (!hub) {
		bridge->addresses = address_table_new();
		if (!bridge->addresses) {
			free(bridge);
			return NULL;
		}
	}
	strlcpy(bridge->name, name, sizeof(bridge->name));
	bridge->id = id;
	LIST_INIT(&bridge->ports);
	return bridge;
}

void bridge_free(struct bridge *bridge)
{
	address_table_free(bridge->addresses);
	free(bridge);
}

static void bridge_drop_adapters(struct bridge *bridge)
{
	struct port *port;

	LIST_FOREACH(port, &bridge->ports, in_bridge) {
		adapter_free(port->adapter);
		port->adapter = NULL;
	}
}

int bridge_admit(struct bridge *bridge, struct port *port, struct adapter **adapter)
{
	struct port *member;

	*adapter = NULL;
	if (port->mode == MEMTUN_TUN) {
		if (bridge->mode == MEMTUN_TAP)
			*adapter = adapter_new(port);
		return bridge->mode == MEMTUN_TAP && !*adapter ? -1 : 0;
	}
	/* The first TAP among TUNs: now they need them. */
	LIST_FOREACH(member, &bridge->ports, in_bridge) {
		if (bridge->mode == MEMTUN_TAP)
			break;
		member->adapter = adapter_new(member);
		if (!member->adapter) {
			bridge_drop_adapters(bridge);
			return -1;
		}
	}
	return 0;
}

void bridge_join(struct bridge *bridge, struct port *port, struct adapter *adapter)
{
	struct port *member;

	/* It was one of IP, and what it knows is IP addresses. */
	if (bridge->mode == MEMTUN_TUN && port->mode == MEMTUN_TAP && bridge->addresses) {
		LIST_FOREACH(member, &bridge->ports, in_bridge) {
			address_table_forget(bridge->addresses, member);
		}
	}
	if (bridge->mode != MEMTUN_TAP)
		bridge->mode = port->mode;
	bridge->port_count++;
	LIST_INSERT_HEAD(&bridge->ports, port, in_bridge);
	port->bridge = bridge;
	port->adapter = adapter;
}

void bridge_leave(struct port *port)
{
	struct bridge *bridge = port->bridge;

	if (bridge->addresses)
		address_table_forget(bridge->addresses, port);
	adapter_free(port->adapter);
	port->adapter = NULL;
	if (port->unflushed)
		SLIST_REMOVE(&bridge->unflushed, port, port, in_unflushed);
	port->unflushed = false;
	LIST_REMOVE(port, in_bridge);
	port->bridge = NULL;
	if (--bridge->port_count == 0)
		bridge->mode = 0;
}

/* ------------------------------------------------------------------------- what frames say */

/* A frame's addresses as a bridge sees them. */
struct addresses {
	struct address from, to;
	bool learn; /* `from` is one host's */
	bool flood; /* `to` is not one host's, or can't be told */
};

static void ethernet_addresses(const struct frame *frame, struct addresses *addresses)
{
	static const unsigned char zero[ETH_ALEN];
	const unsigned char *data = frame->data;
	uint32_t kind = ADDRESS_ETHERNET;

	/* The id of an outer tag, 802.1Q's or 802.1ad's. */
	if (((data[12] == 0x81 && data[13] == 0x00) || (data[12] == 0x88 && data[13] == 0xa8)) &&
	    frame->length >= 16)
		kind |= (uint32_t)(data[14] << 8 | data[15]) & 0xfff;
	addresses->from = (struct address){.kind = kind};
	addresses->to = (struct address){.kind = kind};
	memcpy(addresses->to.words, data, ETH_ALEN);
	memcpy(addresses->from.words, data + ETH_ALEN, ETH_ALEN);
	addresses->flood = data[0] & 1;
	addresses->learn = !(data[ETH_ALEN] & 1) && memcmp(data + ETH_ALEN, zero, ETH_ALEN) != 0;
}

static void ipv4_addresses(const unsigned char *data, struct addresses *addresses)
{
	static const unsigned char unspecified[4];

	addresses->from = (struct address){.kind = ADDRESS_IPV4};
	addresses->to = (struct address){.kind = ADDRESS_IPV4};
	memcpy(addresses->from.words, data + IPV4_FROM, 4);
	memcpy(addresses->to.words, data + IPV4_TO, 4);
	/* 224.0.0.0/4 is multicast, and what is above it never one host's. */
	addresses->flood = data[IPV4_TO] >= 224;
	addresses->learn = data[IPV4_FROM] < 224 && memcmp(data + IPV4_FROM, unspecified, 4) != 0;
}

static void ipv6_addresses(const unsigned char *data, struct addresses *addresses)
{
	static const unsigned char unspecified[16];
	const unsigned char *from = data + IPV6_FROM;

	addresses->from = (struct address){.kind = ADDRESS_IPV6};
	addresses->to = (struct address){.kind = ADDRESS_IPV6};
	memcpy(addresses->from.words, from, 16);
	memcpy(addresses->to.words, data + IPV6_TO, 16);
	addresses->flood = data[IPV6_TO] == 0xff;
	/* fe80::/10 says on which link a host is, and so not which port. */
	addresses->learn = from[0] != 0xff && !(from[0] == 0xfe && (from[1] & 0xc0) == 0x80) &&
			   memcmp(from, unspecified, 16) != 0;
}

/* The frame was checked when it came in: its version holds, its fixed header is there. */
static void frame_addresses(enum memtun_mode mode, const struct frame *frame,
			    struct addresses *addresses)
{
	if (mode == MEMTUN_TAP)
		ethernet_addresses(frame, addresses);
	else if (frame->data[0] >> 4 == 4)
		ipv4_addresses(frame->data, addresses);
	else
		ipv6_addresses(frame->data, addresses);
}

/* ------------------------------------------------------------------------------ forwarding */

static void port_touch(struct touched *touched, struct port *port, uint32_t bits)
{
	if (!port->pending)
		SLIST_INSERT_HEAD(touched, port, in_touched);
	port->pending |= bits;
}

static void bridge_flood(struct port *source, struct touched *touched, uint32_t bits)
{
	struct port *port;

	LIST_FOREACH(port, &source->bridge->ports, in_bridge) {
		if (port != source)
			port_touch(touched, port, bits);
	}
}

/* Learns where a frame is from; the port that it goes to, or NULL: to all. */
static struct port *bridge_find(struct port *source, const struct addresses *addresses, int64_t now)
{
	struct address_table *table = source->bridge->addresses;

	if (addresses->learn)
		address_table_learn(table, &addresses->from, source, now);
	return addresses->flood ? NULL : address_table_find(table, &addresses->to, now);
}

/* Learns from each frame, sends it on or adds it to the flood; returns what went nowhere. */
static unsigned int bridge_route(struct port *source, struct touched *touched, struct batch *batch,
				 uint32_t mask, uint32_t *flood, int64_t now)
{
	struct bridge *bridge = source->bridge;
	struct addresses last = {0};
	struct port *port = NULL;
	unsigned int nowhere = 0;

	for (; mask; mask &= mask - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(mask);
		struct addresses addresses;

		frame_addresses(bridge->mode, &batch->frames[i], &addresses);
		/* Most batches are of one flow: what was found for a frame holds for the next. */
		if (!address_equal(&addresses.from, &last.from) ||
		    !address_equal(&addresses.to, &last.to)) {
			port = bridge_find(source, &addresses, now);
			last = addresses;
		}
		if (!port)
			*flood |= UINT32_C(1) << i;
		else if (port == source)
			nowhere++;
		else
			port_touch(touched, port, UINT32_C(1) << i);
	}
	return nowhere;
}

/* One port's part of a batch. */
static void bridge_send(struct port *port, struct port *source, struct batch *batch, uint32_t mask)
{
	if (!LIST_EMPTY(&port->bridge->captures))
		capture_bridge(port, batch, mask, MEMTUN_TO_CLIENT);
	if (port->adapter)
		adapter_deliver(port->adapter, source, batch, mask);
	else
		port->operations->send(port, source, batch, mask);
}

void bridge_switch(struct port *source, struct batch *batch, uint32_t mask)
{
	struct touched touched = SLIST_HEAD_INITIALIZER(touched);
	struct bridge *bridge = source->bridge;
	unsigned int nowhere = 0;
	uint32_t flood = 0;
	struct port *port;

	if (!LIST_EMPTY(&bridge->captures))
		capture_bridge(source, batch, mask, MEMTUN_FROM_CLIENT);
	if (bridge->port_count < 2) {
		port_count(source, MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION,
			   (uint64_t)__builtin_popcount(mask));
		return;
	}
	if (bridge->addresses)
		nowhere = bridge_route(source, &touched, batch, mask, &flood, clock_now());
	else
		flood = mask;
	if (flood)
		bridge_flood(source, &touched, flood);
	if (nowhere)
		port_count(source, MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION, nowhere);
	/* One send a port for the whole batch; bits go in order, so each port's frames do. */
	while ((port = SLIST_FIRST(&touched))) {
		uint32_t pending = port->pending;

		SLIST_REMOVE_HEAD(&touched, in_touched);
		port->pending = 0;
		bridge_send(port, source, batch, pending);
	}
}

void bridge_flush_later(struct port *port)
{
	if (port->unflushed)
		return;
	port->unflushed = true;
	SLIST_INSERT_HEAD(&port->bridge->unflushed, port, in_unflushed);
}

void bridge_flush(struct bridge *bridge)
{
	struct port *port;

	while ((port = SLIST_FIRST(&bridge->unflushed))) {
		SLIST_REMOVE_HEAD(&bridge->unflushed, in_unflushed);
		port->unflushed = false;
		adapter_flush(port->adapter);
	}
}

void bridge_forward(struct port *source, struct batch *batch, uint32_t mask)
{
	struct bridge *bridge = source->bridge;

	if (!bridge) {
		port_count(source, MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION,
			   (uint64_t)__builtin_popcount(mask));
		return;
	}
	if (source->adapter)
		mask = adapter_wrap(source->adapter, batch, mask);
	if (mask)
		bridge_switch(source, batch, mask);
	/* Not before, as each port's part of a batch is noted in the port. */
	bridge_flush(bridge);
}
