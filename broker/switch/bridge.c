/* SPDX-License-Identifier: MIT */
/*
 * A batch is forwarded in two steps: each port that frames go to is marked with their bits, then
 * each marked port gets one send. Adapters must not send while ports are marked, so they queue their
 * frames, and the bridge has them sent afterwards.
 */
#include "broker/switch/bridge.h"

#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "broker/adapter/adapter.h"
#include "broker/engine/batch.h"
#include "broker/switch/address_table.h"
#include "broker/switch/capture.h"
#include "common/clock.h"

/* Where an IP header has its addresses. */
#define IPV4_FROM 12
#define IPV4_TO 16
#define IPV6_FROM 8
#define IPV6_TO 24

SLIST_HEAD(touched, port);

static const struct adapter_operations bridge_adapter_operations;

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

static struct adapter *bridge_new_adapter(struct port *port)
{
	return adapter_new(port->engine, &bridge_adapter_operations, port, port->adapter_config);
}

static void bridge_free_adapters(struct bridge *bridge)
{
	struct port *port;

	LIST_FOREACH(port, &bridge->ports, in_bridge) {
		adapter_free(port->adapter);
		port->adapter = NULL;
	}
}

int bridge_prepare_join(struct bridge *bridge, struct port *port, struct adapter **adapter)
{
	struct port *member;

	*adapter = NULL;
	if (port->mode == MEMTUN_TUN) {
		if (bridge->mode == MEMTUN_TAP)
			*adapter = bridge_new_adapter(port);
		return bridge->mode == MEMTUN_TAP && !*adapter ? -1 : 0;
	}
	/* The first TAP among TUNs: now each of them needs an adapter. */
	LIST_FOREACH(member, &bridge->ports, in_bridge) {
		if (bridge->mode == MEMTUN_TAP)
			break;
		member->adapter = bridge_new_adapter(member);
		if (!member->adapter) {
			bridge_free_adapters(bridge);
			return -1;
		}
	}
	return 0;
}

void bridge_join(struct bridge *bridge, struct port *port, struct adapter *adapter)
{
	struct port *member;

	/* A bridge of TUNs becomes one of Ethernet: the IP addresses that it has learned are void. */
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
	if (port->is_unflushed)
		SLIST_REMOVE(&bridge->unflushed, port, port, in_unflushed);
	port->is_unflushed = false;
	LIST_REMOVE(port, in_bridge);
	port->bridge = NULL;
	if (--bridge->port_count == 0)
		bridge->mode = 0;
}

void bridge_describe(const struct bridge *bridge, struct attribute_set *set)
{
	attribute_set_clear(set);
	attribute_set_put_number(set, MEMTUN_A_ID, bridge->id);
	attribute_set_put_string(set, MEMTUN_A_NAME, bridge->name);
	if (bridge->mode)
		attribute_set_put_number(set, MEMTUN_A_MODE, bridge->mode);
	attribute_set_put_number(set, MEMTUN_A_HUB, bridge->addresses == NULL);
	attribute_set_put_number(set, MEMTUN_A_PERSISTENT, bridge->persistent);
	attribute_set_put_number(set, MEMTUN_A_PORTS, bridge->port_count);
	attribute_set_put_number(
		set, MEMTUN_A_ADDRESSES,
		bridge->addresses ? address_table_count(bridge->addresses, clock_now()) : 0);
}

/* ------------------------------------------------------------------------------ addresses */

/* A frame's addresses as a bridge sees them. */
struct addresses {
	struct address from, to;
	bool learn; /* `from` is one host's address */
	bool flood; /* `to` is no single host's address */
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

/* Learn the source address, and return the port behind the destination. NULL: flood. */
static struct port *bridge_find(struct port *source, const struct addresses *addresses, int64_t now)
{
	struct address_table *table = source->bridge->addresses;

	if (addresses->learn)
		address_table_learn(table, &addresses->from, source, now);
	return addresses->flood ? NULL : address_table_find(table, &addresses->to, now);
}

/*
 * Learn from each frame, and mark the port that it goes to or add its bit to *flood. Returns how
 * many frames have their destination behind the port that they came from.
 */
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
		/* The frames of a batch are mostly of one flow, so one look-up serves many. */
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

/* Send one port its frames of a batch. */
static void bridge_send(struct port *port, struct port *source, struct batch *batch, uint32_t mask)
{
	if (!LIST_EMPTY(&port->bridge->captures))
		capture_bridge(port, batch, mask, MEMTUN_TO_CLIENT);
	if (port->adapter)
		adapter_deliver(port->adapter, &source->source, batch, mask);
	else
		port->operations->send(port, &source->source, batch, mask);
}

static void count_no_destination(struct port *source, unsigned int frames)
{
	port_count(source, MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION, frames);
}

/* Forward frames that have the bridge's mode. */
static void bridge_switch(struct port *source, struct batch *batch, uint32_t mask)
{
	struct touched touched = SLIST_HEAD_INITIALIZER(touched);
	struct bridge *bridge = source->bridge;
	uint32_t flood = 0;
	struct port *port;

	if (!LIST_EMPTY(&bridge->captures))
		capture_bridge(source, batch, mask, MEMTUN_FROM_CLIENT);
	if (bridge->port_count < 2) {
		count_no_destination(source, (unsigned int)__builtin_popcount(mask));
		return;
	}
	if (bridge->addresses)
		count_no_destination(
			source, bridge_route(source, &touched, batch, mask, &flood, clock_now()));
	else
		flood = mask;
	if (flood)
		bridge_flood(source, &touched, flood);
	/* The bits of a mask are sent from the lowest up, so each port gets its frames in order. */
	while ((port = SLIST_FIRST(&touched))) {
		uint32_t pending = port->pending;

		SLIST_REMOVE_HEAD(&touched, in_touched);
		port->pending = 0;
		bridge_send(port, source, batch, pending);
	}
}

/* Have all adapters send the frames that they have queued, replies to each other included. */
static void bridge_flush(struct bridge *bridge)
{
	struct port *port;

	while ((port = SLIST_FIRST(&bridge->unflushed))) {
		SLIST_REMOVE_HEAD(&bridge->unflushed, in_unflushed);
		port->is_unflushed = false;
		adapter_flush(port->adapter);
	}
}

void bridge_forward(struct port *source, struct batch *batch, uint32_t mask)
{
	struct bridge *bridge = source->bridge;

	if (!bridge) {
		count_no_destination(source, (unsigned int)__builtin_popcount(mask));
		return;
	}
	if (source->adapter)
		mask = adapter_wrap(source->adapter, batch, mask);
	if (mask)
		bridge_switch(source, batch, mask);
	bridge_flush(bridge);
}

/* ------------------------------------------------------------------------------ adapters */

static void adapter_count(struct port *port, enum memtun_attribute counter, uint64_t number)
{
	port_count(port, counter, number);
}

static void adapter_send_to_port(struct port *port, struct source *source, struct batch *batch,
				 uint32_t mask)
{
	port->operations->send(port, source, batch, mask);
}

static bool adapter_port_is_paused(const struct port *port)
{
	return source_is_paused(&port->source);
}

static bool adapter_port_is_alone(const struct port *port)
{
	return port->bridge->port_count < 2;
}

static void adapter_flush_later(struct port *port)
{
	if (port->is_unflushed)
		return;
	port->is_unflushed = true;
	SLIST_INSERT_HEAD(&port->bridge->unflushed, port, in_unflushed);
}

static void adapter_flush_now(struct port *port)
{
	bridge_flush(port->bridge);
}

static const struct adapter_operations bridge_adapter_operations = {
	.count = adapter_count,
	.send_to_port = adapter_send_to_port,
	.send_to_bridge = bridge_switch,
	.is_paused = adapter_port_is_paused,
	.is_alone = adapter_port_is_alone,
	.flush_later = adapter_flush_later,
	.flush_now = adapter_flush_now,
};
