/* SPDX-License-Identifier: MIT */
/*
 * A bridge forwards a batch in two steps: it sets the bit of each frame in the `pending` mask of its
 * port, and then calls segmenter_send() for these ports. Adapters queue their frames meanwhile,
 * because these would be bits of another batch in the same masks; bridge_flush() sends them.
 */
#include "broker/switch/bridge_forward.h"

#include "broker/adapter/adapter.h"
#include "broker/engine/batch.h"
#include "broker/engine/engine.h"
#include "broker/switch/address_table.h"
#include "broker/switch/bridge.h"
#include "broker/switch/capture.h"
#include "broker/switch/drop.h"
#include "broker/switch/frame_addresses.h"
#include "broker/switch/segmenter.h"
#include "broker/switch/vlan.h"

static void port_touch(struct touched *touched, struct port *port, uint64_t bits)
{
	if (!port->pending)
		SLIST_INSERT_HEAD(touched, port, in_touched);
	port->pending |= bits;
}

/* Send frames to all ports but their source. Return those for which there is a port. */
static uint64_t bridge_flood(struct port *source, struct touched *touched,
			     const struct batch *batch, uint64_t bits)
{
	bool has_vlans = source->bridge->vlan_ports > 0;
	uint64_t found = 0;
	struct port *port;

	LIST_FOREACH(port, &source->bridge->ports, in_bridge) {
		uint64_t here = bits;

		if (port == source || port->is_passive || loop_guard_is_shut(port))
			continue;
		if (has_vlans)
			here = vlan_select(port, source, batch, bits);
		if (here)
			port_touch(touched, port, here);
		found |= here;
	}
	return found;
}

static void bridge_learn(struct port *source, const struct address *address, int64_t now)
{
	struct bridge *bridge = source->bridge;
	struct address_move move = address_table_learn(bridge->addresses, address, source, now);

	if (move.from)
		loop_guard_count(bridge, address, &move, source);
}

/* Learn the source address, and return the port behind the destination. NULL: flood. */
static struct port *bridge_find(struct port *source, const struct frame_addresses *addresses,
				int64_t now)
{
	struct address_table *table = source->bridge->addresses;

	/* A link-local address (fe80::/10) is unique on one link only, so hosts behind different
	 * ports can have the same one. Do not learn it. */
	if (address_is_host(&addresses->from) && !address_is_link_local(&addresses->from) &&
	    !loop_guard_is_shut(source))
		bridge_learn(source, &addresses->from, now);
	if (!address_is_host(&addresses->to))
		return NULL;
	return address_table_find(table, &addresses->to, now);
}

/*
 * Learn the source address of each frame. Add the frame's bit to the port of its destination, or to
 * *flood if that port is not known. Return the frames whose destination is behind the port that they
 * came from.
 */
static uint64_t bridge_route(struct port *source, struct touched *touched, struct batch *batch,
			     uint64_t mask, uint64_t *flood, int64_t now)
{
	struct bridge *bridge = source->bridge;
	struct frame_addresses last = {0};
	struct port *port = NULL;
	uint64_t nowhere = 0;

	for (; mask; mask &= mask - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(mask);
		struct frame_addresses addresses;

		frame_addresses_read(&addresses, bridge->mode, &batch->frames[i]);
		/* The frames of a batch are mostly of one flow, so one look-up serves many. */
		if (!address_equal(&addresses.from, &last.from) ||
		    !address_equal(&addresses.to, &last.to)) {
			port = bridge_find(source, &addresses, now);
			last = addresses;
		}
		/* On an IP bridge the address may be in another VLAN. */
		if (!port || (bridge->mode != MEMTUN_TAP && port->vlan != source->vlan))
			*flood |= UINT64_C(1) << i;
		else if (port == source)
			nowhere |= UINT64_C(1) << i;
		else
			port_touch(touched, port, UINT64_C(1) << i);
	}
	return nowhere;
}

/* Send one port frames of a batch, which its client takes as they are. */
static void bridge_deliver(struct port *port, struct source *source, struct batch *batch,
			   uint64_t mask)
{
	if (!LIST_EMPTY(&port->bridge->captures))
		capture_bridge(port, batch, mask, MEMTUN_TO_CLIENT);
	if (port->adapter)
		adapter_deliver(port->adapter, source, batch, mask);
	else
		port_send(port, source, batch, mask);
}

static void drop_without_destination(struct port *source, struct batch *batch, uint64_t mask)
{
	drop_frames(source, source->bridge ? source->bridge->mode : source->mode, batch, mask,
		    MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION);
}

/* Send the frames to the ports. The trunks come first, because the frames lose their tags in place
 * for the access ports. */
static void bridge_send(struct port *source, struct touched *touched, struct batch *batch)
{
	struct touched access = SLIST_HEAD_INITIALIZER(access);
	struct bridge *bridge = source->bridge;
	uint64_t leaving = 0;

	if (bridge->vlan_ports && bridge->mode == MEMTUN_TAP)
		leaving = vlan_split(touched, &access);
	segmenter_send(touched, bridge->mode, &source->source, batch, bridge_deliver);
	if (!leaving)
		return;
	vlan_leave(batch, leaving);
	segmenter_send(&access, bridge->mode, &source->source, batch, bridge_deliver);
}

/* Forward frames of the bridge's mode: Ethernet frames on an Ethernet bridge, IP packets on an IP
 * bridge. */
static void bridge_switch(struct port *source, struct batch *batch, uint64_t mask)
{
	struct touched touched = SLIST_HEAD_INITIALIZER(touched);
	struct bridge *bridge = source->bridge;
	uint64_t flood = 0;

	if (!LIST_EMPTY(&bridge->captures))
		capture_bridge(source, batch, mask, MEMTUN_FROM_CLIENT);
	if (source->vlan && bridge->mode == MEMTUN_TAP)
		mask = vlan_enter(source, batch, mask);
	if (bridge->port_count < 2 || loop_guard_is_shut(source)) {
		drop_without_destination(source, batch, mask);
		return;
	}
	if (bridge->addresses)
		drop_without_destination(source, batch,
					 bridge_route(source, &touched, batch, mask, &flood,
						      due_now(&bridge->engine->due)));
	else
		flood = mask;
	if (flood) {
		flood &= ~bridge_flood(source, &touched, batch, flood);
		drop_without_destination(source, batch, flood);
	}
	bridge_send(source, &touched, batch);
}

/* Make the adapters send their queued frames until none is left. A frame of one adapter may make
 * another one queue a reply. */
static void bridge_flush(struct bridge *bridge)
{
	struct port *port;

	while ((port = SLIST_FIRST(&bridge->unflushed))) {
		SLIST_REMOVE_HEAD(&bridge->unflushed, in_unflushed);
		port->is_unflushed = false;
		adapter_flush(port->adapter);
	}
}

void bridge_forward(struct port *source, struct batch *batch, uint64_t mask)
{
	struct bridge *bridge = source->bridge;

	if (!bridge) {
		drop_without_destination(source, batch, mask);
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
				 uint64_t mask)
{
	port_send(port, source, batch, mask);
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
	.drop = drop_frame,
	.send_to_port = adapter_send_to_port,
	.send_to_bridge = bridge_switch,
	.is_paused = adapter_port_is_paused,
	.is_alone = adapter_port_is_alone,
	.flush_later = adapter_flush_later,
	.flush_now = adapter_flush_now,
};

struct adapter *bridge_new_adapter(struct port *port)
{
	return adapter_new(port->engine, &bridge_adapter_operations, port, port->name,
			   port_used_config(port));
}
