/* SPDX-License-Identifier: MIT */
/*
 * The bridge forwards a batch in two steps. First it finds the port of each frame and sets the
 * frame's bit in that port's `pending` mask. Then it calls segmenter_send() for the ports that have
 * bits. Adapters must not send in between, because their frames would be bits of another batch in
 * the same masks. They queue their frames, and bridge_flush() sends them afterwards.
 */
#include "broker/switch/bridge.h"

#include <stdlib.h>
#include <string.h>

#include "broker/adapter/adapter.h"
#include "broker/engine/batch.h"
#include "broker/engine/engine.h"
#include "broker/switch/address_table.h"
#include "broker/switch/capture.h"
#include "broker/switch/drop.h"
#include "broker/switch/frame_addresses.h"
#include "broker/switch/segmenter.h"
#include "broker/switch/vlan.h"

static const struct adapter_operations bridge_adapter_operations;

struct bridge *bridge_new(struct engine *engine, const char *name, unsigned int options)
{
	struct bridge *bridge = calloc(1, sizeof(*bridge));

	if (!bridge)
		return NULL;
	if (!(options & BRIDGE_HUB)) {
		bridge->addresses = address_table_new();
		if (!bridge->addresses) {
			free(bridge);
			return NULL;
		}
		if (engine->due.is_manual)
			address_table_count_real_moves(bridge->addresses);
	}
	strlcpy(bridge->name, name, sizeof(bridge->name));
	bridge->engine = engine;
	bridge->id = engine_next_id(engine);
	bridge->persistent = options & BRIDGE_PERSISTENT;
	bridge->loop_guard.shuts_ports = options & BRIDGE_LOOP_GUARD;
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
	return adapter_new(port->engine, &bridge_adapter_operations, port, port->name,
			   port_used_config(port));
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
	/* If the port is the first TAP of the bridge, each TUN on the bridge needs an adapter from
	 * now on. */
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

void bridge_announce(struct bridge *bridge)
{
	struct port *member;

	LIST_FOREACH(member, &bridge->ports, in_bridge) {
		if (member->adapter)
			adapter_announce(member->adapter);
	}
}

void bridge_join(struct bridge *bridge, struct port *port, struct adapter *adapter)
{
	bool became_ethernet = bridge->mode != MEMTUN_TAP && port->mode == MEMTUN_TAP;
	struct port *member;

	/* The IP bridge becomes an Ethernet bridge, which has no use for the IP addresses that it
	 * has learned. */
	if (bridge->mode == MEMTUN_TUN && port->mode == MEMTUN_TAP && bridge->addresses) {
		LIST_FOREACH(member, &bridge->ports, in_bridge) {
			address_table_forget(bridge->addresses, member);
		}
	}
	if (bridge->mode != MEMTUN_TAP)
		bridge->mode = port->mode;
	bridge->port_count++;
	bridge->vlan_ports += port->vlan != 0;
	LIST_INSERT_HEAD(&bridge->ports, port, in_bridge);
	port->bridge = bridge;
	port->adapter = adapter;
	if (adapter)
		adapter_announce(adapter);
	else if (became_ethernet)
		bridge_announce(bridge);
}

void bridge_leave(struct port *port)
{
	struct bridge *bridge = port->bridge;

	loop_guard_leave(port);
	if (bridge->addresses)
		address_table_forget(bridge->addresses, port);
	adapter_free(port->adapter);
	port->adapter = NULL;
	if (port->is_unflushed)
		SLIST_REMOVE(&bridge->unflushed, port, port, in_unflushed);
	port->is_unflushed = false;
	LIST_REMOVE(port, in_bridge);
	port->bridge = NULL;
	bridge->vlan_ports -= port->vlan != 0;
	if (--bridge->port_count == 0)
		bridge->mode = 0;
}

void bridge_set_vlan(struct port *port, uint32_t vlan)
{
	struct bridge *bridge = port->bridge;
	uint32_t old = port->vlan;

	port->vlan = vlan;
	if (!bridge || vlan == old)
		return;
	bridge->vlan_ports += (vlan != 0);
	bridge->vlan_ports -= (old != 0);
	if (bridge->addresses)
		address_table_forget(bridge->addresses, port);
	if (port->adapter)
		adapter_move(port->adapter);
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
	attribute_set_put_number(set, MEMTUN_A_LOOP_GUARD, bridge->loop_guard.shuts_ports);
	attribute_set_put_number(set, MEMTUN_A_ADDRESS_MOVES, bridge->loop_guard.moves);
	attribute_set_put_number(set, MEMTUN_A_PORTS, bridge->port_count);
	attribute_set_put_number(
		set, MEMTUN_A_ADDRESSES,
		bridge->addresses
			? address_table_count(bridge->addresses, due_now(&bridge->engine->due))
			: 0);
}

/* ------------------------------------------------------------------------------ forwarding */

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
