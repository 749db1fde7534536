/* SPDX-License-Identifier: MIT */
#include "broker/switch/port.h"

#include <errno.h>
#include <string.h>

#include "broker/adapter/adapter.h"
#include "broker/engine/batch.h"
#include "broker/engine/engine.h"
#include "broker/impair/impairment.h"
#include "broker/switch/bridge.h"
#include "broker/switch/bridge_forward.h"
#include "broker/switch/bridges.h"
#include "broker/switch/capture.h"
#include "broker/switch/loop_guard.h"
#include "broker/switch/vlan.h"
#include "common/container_of.h"

static void port_set_reading(struct source *source, bool reading)
{
	struct port *port = container_of(source, struct port, source);

	port->operations->set_reading(port, reading);
	if (reading && port->impairment)
		impairment_resume(port->impairment);
}

/* What waits for the client's other backlogs may be sent. */
static void port_relieved(struct source *source)
{
	struct port *port = container_of(source, struct port, source);

	if (port->impairment)
		impairment_resume(port->impairment);
}

int port_init(struct port *port, const struct port_operations *operations, struct bridges *bridges,
	      const char *name, uid_t owner, const struct attribute_set *options)
{
	port->operations = operations;
	port->engine = bridges->engine;
	port->bridges = bridges;
	port->source.set_reading = port_set_reading;
	port->source.relieved = port_relieved;
	port->id = engine_next_id(port->engine);
	port->owner = owner;
	port->overflow = MEMTUN_DROP_TAIL;
	port->backlog_max = PORT_BACKLOG_DEFAULT;
	strlcpy(port->name, name, sizeof(port->name));
	port_set(port, options);
	return name_numbers_init(&port->numbers, port->name);
}

void port_end(struct port *port)
{
	if (port->impairment)
		impairment_free(port->impairment);
	port->impairment = NULL;
	adapter_config_free(port->adapter_config);
	name_numbers_free(&port->numbers);
	adapter_config_free(port->program_config);
}

int port_check_vlan(const struct attribute_set *options, struct fault *fault)
{
	if (attribute_set_number(options, MEMTUN_A_VLAN) <= VLAN_MAX)
		return 0;
	return fault_set(fault, EINVAL, "vlan is 1 to %d, or 0 for none", VLAN_MAX);
}

void port_set(struct port *port, const struct attribute_set *options)
{
	if (attribute_set_has(options, MEMTUN_A_VLAN))
		bridge_set_vlan(port, (uint32_t)attribute_set_number(options, MEMTUN_A_VLAN));
	if (attribute_set_has(options, MEMTUN_A_MTU))
		port->mtu = (uint32_t)attribute_set_number(options, MEMTUN_A_MTU);
	if (attribute_set_has(options, MEMTUN_A_QUEUE_LIMIT))
		port->backlog_max = (uint32_t)attribute_set_number(options, MEMTUN_A_QUEUE_LIMIT);
	if (attribute_set_has(options, MEMTUN_A_OVERFLOW))
		port->overflow =
			(enum memtun_overflow)attribute_set_number(options, MEMTUN_A_OVERFLOW);
}

int port_admit(const struct port *port, uid_t uid, struct fault *fault)
{
	if (uid == 0 || uid == port->owner)
		return 0;
	return fault_set(fault, EPERM, "'%s' belongs to user %u", port->name, port->owner);
}

int port_read_config(const struct port *port, const struct attribute_set *options,
		     struct adapter_config **config, struct fault *fault)
{
	const char *addresses = attribute_set_string(options, MEMTUN_A_ADDRESS);
	const char *gateways = attribute_set_string(options, MEMTUN_A_GATEWAY);

	*config = NULL;
	if (!addresses && !gateways)
		return 0;
	if (port->mode != MEMTUN_TUN)
		return fault_set(fault, EINVAL,
				 "%s is for a tun: the frames of a tap have their own addresses",
				 addresses ? "address" : "gateway");
	if (!addresses && port->adapter_config)
		addresses = adapter_config_addresses(port->adapter_config);
	if (!gateways && port->adapter_config)
		gateways = adapter_config_gateways(port->adapter_config);
	*config = adapter_config_new(addresses, gateways, fault);
	return *config ? 0 : -1;
}

/* Replace one of the port's configurations. */
static void config_replace(struct port *port, struct adapter_config **place,
			   struct adapter_config *config)
{
	const struct adapter_config *used = port_used_config(port);
	struct adapter_config *former = *place;

	*place = config;
	if (port->adapter && port_used_config(port) != used)
		adapter_set_config(port->adapter, port_used_config(port));
	adapter_config_free(former);
}

void port_take_config(struct port *port, struct adapter_config *config)
{
	if (config)
		config_replace(port, &port->adapter_config, config);
}

void port_take_program_config(struct port *port, struct adapter_config *config)
{
	config_replace(port, &port->program_config, config);
}

void port_leave(struct port *port)
{
	struct bridge *bridge = port->bridge;

	if (!bridge)
		return;
	/* The port neither pauses nor is paused by members of a bridge that it has left. */
	port->operations->resume_sources(port);
	source_forget(&port->source);
	if (port->impairment)
		impairment_leave(port->impairment);
	bridge_leave(port);
	bridges_delete_if_unused(port->bridges, bridge);
}

int port_join(struct port *port, const char *name, struct fault *fault)
{
	struct bridges *bridges = port->bridges;
	struct adapter *adapter;
	struct bridge *bridge;

	if (name[0] == '\0') {
		port_leave(port);
		return 0;
	}
	bridge = bridges_find(bridges, name);
	if (bridge && bridge == port->bridge)
		return 0;
	if (!bridge) {
		if (engine_check_room(port->engine, fault) < 0)
			return -1;
		bridge = bridges_add(bridges, name, 0);
	}
	if (!bridge || bridge_prepare_join(bridge, port, &adapter) < 0) {
		fault_set(fault, errno, "cannot join '%s' to bridge '%s': %s", port->name, name,
			  strerror(errno));
		if (bridge)
			bridges_delete_if_unused(bridges, bridge);
		return -1;
	}
	port_leave(port);
	bridge_join(bridge, port, adapter);
	return 0;
}

void port_forward(struct port *port, struct batch *batch, uint64_t mask)
{
	for (uint64_t rest = mask; rest; rest &= rest - 1)
		port_count(port, MEMTUN_A_FROM_CLIENT_BYTES,
			   batch->frames[__builtin_ctzll(rest)].length);
	port_count(port, MEMTUN_A_FROM_CLIENT_FRAMES, (uint64_t)__builtin_popcountll(mask));
	if (port->engine->captures_detailed)
		capture_number(port->engine, batch, mask);
	if (__builtin_expect(port->impairment != NULL, 0))
		port_impair_from_client(port, batch, mask);
	else
		port_forward_passed(port, batch, mask);
}

void port_forward_passed(struct port *port, struct batch *batch, uint64_t mask)
{
	if (!LIST_EMPTY(&port->captures))
		capture_port(port, batch, mask, MEMTUN_FROM_CLIENT);
	bridge_forward(port, batch, mask);
}

static void describe_text(struct attribute_set *set, enum memtun_attribute which, const char *text)
{
	if (text)
		attribute_set_put_string(set, which, text);
}

void port_describe(const struct port *port, struct attribute_set *set)
{
	attribute_set_put_number(set, MEMTUN_A_ID, port->id);
	attribute_set_put_string(set, MEMTUN_A_NAME, port->name);
	attribute_set_put_number(set, MEMTUN_A_MODE, port->mode);
	attribute_set_put_number(set, MEMTUN_A_OWNER, port->owner);
	if (port->bridge)
		attribute_set_put_string(set, MEMTUN_A_BRIDGE, port->bridge->name);
	if (port->vlan)
		attribute_set_put_number(set, MEMTUN_A_VLAN, port->vlan);
	attribute_set_put_number(set, MEMTUN_A_MTU, port->mtu);
	attribute_set_put_number(set, MEMTUN_A_QUEUE_LIMIT, port->backlog_max);
	attribute_set_put_number(set, MEMTUN_A_OVERFLOW, port->overflow);
	if (port->adapter)
		attribute_set_put_string(set, MEMTUN_A_MAC, adapter_mac(port->adapter));
	if (port->impairment)
		attribute_set_put_number(set, MEMTUN_A_RULES, port->impairment->rule_count);
	if (loop_guard_is_shut(port))
		attribute_set_put_number(set, MEMTUN_A_LOOP_SHUT, 1);
	if (!port->adapter_config)
		return;
	describe_text(set, MEMTUN_A_ADDRESS, adapter_config_addresses(port->adapter_config));
	describe_text(set, MEMTUN_A_GATEWAY, adapter_config_gateways(port->adapter_config));
}

void port_describe_counters(const struct port *port, struct attribute_set *set)
{
	for (int i = PORT_FIRST_COUNTER; i <= PORT_LAST_FAULT; i++) {
		enum memtun_attribute counter = (enum memtun_attribute)i;

		if (i <= PORT_LAST_COUNTER || i >= PORT_FIRST_FAULT)
			attribute_set_put_number(set, counter, port_counter(port, counter));
	}
	if (!port->impairment)
		return;
	attribute_set_put_number(set, MEMTUN_A_FROM_CLIENT_WAITING,
				 impairment_waiting(port->impairment, MEMTUN_FROM_CLIENT));
	attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_WAITING,
				 impairment_waiting(port->impairment, MEMTUN_TO_CLIENT));
}
