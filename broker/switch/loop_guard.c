/* SPDX-License-Identifier: MIT */
#include "broker/switch/loop_guard.h"

#include "broker/engine/engine.h"
#include "broker/switch/address_table.h"
#include "broker/switch/bridge.h"
#include "common/address.h"
#include "common/attribute_set.h"
#include "common/clock.h"
#include "common/container_of.h"
#include "common/log.h"

static void publish_port(struct port *port, enum memtun_event event)
{
	struct attribute_set set;

	if (!event_sink_has_subscribers(&port->engine->events))
		return;
	attribute_set_clear(&set);
	port_describe(port, &set);
	event_publish(&port->engine->events, event, &set);
}

/* ------------------------------------------------------------------------------ shutting */

static void port_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct port *port = container_of(timer, struct port, loop_shut);

	(void)loop;
	(void)events;
	log_line(LOG_LEVEL_INFO, "bridge '%s': '%s' is open again", port->bridge->name, port->name);
	publish_port(port, MEMTUN_EVENT_PORT_REOPENED);
}

static void port_shut(struct port *port)
{
	struct bridge *bridge = port->bridge;

	address_table_forget(bridge->addresses, port);
	ev_timer_init(&port->loop_shut, port_due, LOOP_GUARD_SHUT, 0.0);
	ev_timer_start(port->engine->loop, &port->loop_shut);
	log_line(LOG_LEVEL_WARNING, "bridge '%s': '%s' is shut for %.0f seconds, to end a loop",
		 bridge->name, port->name, LOOP_GUARD_SHUT);
	publish_port(port, MEMTUN_EVENT_PORT_SHUT);
}

void loop_guard_leave(struct port *port)
{
	/* A timer that has expired is not active, but libev may still be about to call port_due(). */
	if (!ev_is_active(&port->loop_shut) && !ev_is_pending(&port->loop_shut))
		return;
	ev_timer_stop(port->engine->loop, &port->loop_shut);
	publish_port(port, MEMTUN_EVENT_PORT_REOPENED);
}

/* ------------------------------------------------------------------------------ reporting */

static void report_loop(const struct bridge *bridge, const struct address *address,
			const struct port *from, const struct port *to)
{
	struct event_sink *events = &to->engine->events;
	char text[ADDRESS_TEXT_SIZE];
	struct attribute_set set;

	address_format(address, text);
	log_line(LOG_LEVEL_WARNING,
		 "bridge '%s': %s moves between '%s' and '%s' more than %d times a second, "
		 "as in a loop",
		 bridge->name, text, from->name, to->name, LOOP_GUARD_MOVES);
	if (!event_sink_has_subscribers(events))
		return;
	attribute_set_clear(&set);
	attribute_set_put_number(&set, MEMTUN_A_ID, to->id);
	attribute_set_put_string(&set, MEMTUN_A_NAME, to->name);
	attribute_set_put_string(&set, MEMTUN_A_BRIDGE, bridge->name);
	attribute_set_put_string(&set, MEMTUN_A_ADDRESS, text);
	if (address_vlan(address) >= 0)
		attribute_set_put_number(&set, MEMTUN_A_VLAN, (uint64_t)address_vlan(address));
	event_publish(events, MEMTUN_EVENT_ADDRESS_MOVING, &set);
}

void loop_guard_count(struct bridge *bridge, const struct address *address,
		      const struct address_move *move, struct port *to)
{
	struct loop_guard *guard = &bridge->loop_guard;
	int64_t now;

	guard->moves++;
	if (move->count <= LOOP_GUARD_MOVES)
		return;
	now = clock_now();
	if (!guard->reported || now - guard->reported >= CLOCK_SECOND) {
		guard->reported = now;
		report_loop(bridge, address, move->from, to);
	}
	if (guard->shuts_ports)
		port_shut(to);
}
