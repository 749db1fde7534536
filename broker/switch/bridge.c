/* SPDX-License-Identifier: MIT */
/* A bridge and its members: how ports join and leave, and what it tells of itself. */
#include "broker/switch/bridge.h"

#include <stdlib.h>
#include <string.h>

#include "broker/adapter/adapter.h"
#include "broker/engine/engine.h"
#include "broker/switch/address_table.h"
#include "broker/switch/bridge_forward.h"

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
