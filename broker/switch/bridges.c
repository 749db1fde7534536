/* SPDX-License-Identifier: MIT */
#include "broker/switch/bridges.h"

#include <string.h>

#include "broker/engine/engine.h"
#include "broker/switch/bridge.h"
#include "broker/switch/capture.h"
#include "broker/switch/port.h"

static int bridge_compare_name(struct bridge *one, struct bridge *other)
{
	return strcmp(one->name, other->name);
}

static int bridge_compare_id(struct bridge *one, struct bridge *other)
{
	return one->id < other->id ? -1 : one->id > other->id;
}

RB_GENERATE_INTERNAL(bridge_name_tree, bridge, by_name, bridge_compare_name,
		     __attribute__((unused)) static)
RB_GENERATE_INTERNAL(bridge_id_tree, bridge, by_id, bridge_compare_id,
		     __attribute__((unused)) static)

struct bridge *bridges_find(struct bridges *bridges, const char *name)
{
	struct bridge key;

	strlcpy(key.name, name, sizeof(key.name));
	return RB_FIND(bridge_name_tree, &bridges->by_name, &key);
}

struct bridge *bridges_next(struct bridges *bridges, uint32_t id)
{
	struct bridge key = {.id = id + 1};

	return RB_NFIND(bridge_id_tree, &bridges->by_id, &key);
}

static void bridge_publish(struct engine *engine, const struct bridge *bridge,
			   enum memtun_event event)
{
	struct attribute_set set;

	if (!event_sink_has_subscribers(&engine->events))
		return;
	bridge_describe(bridge, &set);
	event_publish(&engine->events, event, &set);
}

struct bridge *bridges_add(struct bridges *bridges, const char *name, unsigned int options)
{
	struct engine *engine = bridges->engine;
	struct bridge *bridge = bridge_new(engine, name, options);

	if (!bridge)
		return NULL;
	RB_INSERT(bridge_name_tree, &bridges->by_name, bridge);
	RB_INSERT(bridge_id_tree, &bridges->by_id, bridge);
	engine_object_added(engine);
	bridge_publish(engine, bridge, MEMTUN_EVENT_BRIDGE_ADDED);
	return bridge;
}

void bridges_delete(struct bridges *bridges, struct bridge *bridge)
{
	struct port *port;

	while ((port = LIST_FIRST(&bridge->ports))) {
		source_forget(&port->source);
		bridge_leave(port);
	}
	capture_end_bridge(bridge);
	RB_REMOVE(bridge_name_tree, &bridges->by_name, bridge);
	RB_REMOVE(bridge_id_tree, &bridges->by_id, bridge);
	engine_object_deleted(bridges->engine);
	bridge_publish(bridges->engine, bridge, MEMTUN_EVENT_BRIDGE_DELETED);
	bridge_free(bridge);
}

void bridges_delete_if_unused(struct bridges *bridges, struct bridge *bridge)
{
	if (bridge->port_count == 0 && !bridge->persistent)
		bridges_delete(bridges, bridge);
}
