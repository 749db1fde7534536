/* SPDX-License-Identifier: MIT */
#include "broker/uplink/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/adapter/adapter.h"
#include "broker/engine/engine.h"
#include "broker/impair/impairment.h"
#include "broker/switch/bridges.h"
#include "broker/switch/bridge.h"
#include "broker/switch/capture.h"
#include "broker/switch/drop.h"
#include "broker/switch/port_impair.h"
#include "broker/switch/quiet.h"
#include "common/container_of.h"
#include "broker/uplink/uplink_kinds.h"
#include "broker/uplink/uplink_state.h"

/* ------------------------------------------------------------------------------ the port */

static void uplink_send(struct port *port, struct source *source, struct batch *batch,
			uint64_t mask)
{
	struct uplink *uplink = container_of(port, struct uplink, port);

	if (!LIST_EMPTY(&port->captures))
		capture_port(port, batch, mask, MEMTUN_TO_CLIENT);
	if (lane_is_open(&uplink->lane))
		lane_send(&uplink->lane, source, batch, mask);
	else
		drop_frames(port, port->mode, batch, mask, MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT);
}

static unsigned int uplink_offload(const struct port *port)
{
	return container_of(port, const struct uplink, port)->lane.format.offload;
}

static void uplink_set_reading(struct port *port, bool reading)
{
	struct uplink *uplink = container_of(port, struct uplink, port);

	lane_set_reading(&uplink->lane, reading);
	lane_set_reading(&uplink->second, reading);
}

static void uplink_resume_sources(struct port *port)
{
	backpressure_resume(&container_of(port, struct uplink, port)->lane.backpressure);
}

static void uplink_look(struct port *port, struct quiet *quiet)
{
	struct uplink *uplink = container_of(port, struct uplink, port);

	quiet_look_lane(quiet, &uplink->lane);
	quiet_look_lane(quiet, &uplink->second);
}

static bool uplink_delete_if_dead(struct port *port)
{
	struct uplink *uplink = container_of(port, struct uplink, port);

	return uplink->kind->delete_if_dead && uplink->kind->delete_if_dead(uplink);
}

static const struct port_operations uplink_port_operations = {
	.kind = "an uplink",
	.listing = "memtun uplink show",
	.send = uplink_send,
	.offload = uplink_offload,
	.set_reading = uplink_set_reading,
	.resume_sources = uplink_resume_sources,
	.look = uplink_look,
	.delete_if_dead = uplink_delete_if_dead,
};

/* ------------------------------------------------------------------------------ finding */

struct uplink *uplink_find(const struct uplinks *uplinks, const char *name)
{
	struct port *port = port_names_find(uplinks->names, name);

	if (!port || port->operations != &uplink_port_operations)
		return NULL;
	return container_of(port, struct uplink, port);
}

struct uplink *uplink_next(const struct uplinks *uplinks, uint32_t id)
{
	struct port *port = port_ids_next(&uplinks->by_id, id);

	return port ? container_of(port, struct uplink, port) : NULL;
}

/* ------------------------------------------------------------------------------ making */

void uplink_publish(struct uplink *uplink, enum memtun_event event)
{
	struct event_sink *events = &uplink->port.engine->events;
	struct attribute_set set;

	if (!event_sink_has_subscribers(events))
		return;
	uplink_describe(uplink, false, &set);
	event_publish(events, event, &set);
}

static void uplink_free(struct uplink *uplink)
{
	attribute_set_free(&uplink->options);
	port_end(&uplink->port);
	free(uplink);
}

static struct uplink *uplink_new(struct uplinks *uplinks, const struct attribute_set *options,
				 struct uplink_handed *handed, uid_t uid, struct fault *fault)
{
	const struct uplink_kind *kind = uplink_kind_for(options, fault);
	struct adapter_config *config;
	struct uplink *uplink;

	if (!kind || port_check_vlan(options, fault) < 0)
		return NULL;
	uplink = calloc(1, kind->size);
	if (!uplink || attribute_set_copy(&uplink->options, options) < 0) {
		fault_set(fault, ENOMEM, "out of memory");
		goto fail;
	}
	uplink->uplinks = uplinks;
	uplink->kind = kind;
	uplink->handed = handed;
	uplink->port.mode = MEMTUN_TAP;
	uplink->port.mtu = kind->mtu;
	uplink->port.is_passive = kind->listens;
	if (port_init(&uplink->port, &uplink_port_operations, uplinks->bridges,
		      attribute_set_string(options, MEMTUN_A_NAME), uid, options) < 0) {
		fault_set(fault, ENOMEM, "out of memory");
		goto fail;
	}
	uplink_init_state(uplink);
	if (kind->prepare(uplink, &uplink->options, fault) < 0 ||
	    port_read_config(&uplink->port, options, &config, fault) < 0)
		goto fail;
	port_take_config(&uplink->port, config);
	return uplink;

fail:
	if (uplink)
		uplink_free(uplink);
	return NULL;
}

/* Return whether the error means that the peer isn't there, or is busy. */
static bool error_is_absence(int error)
{
	return error == ENOENT || error == ECONNREFUSED || error == ECONNRESET || error == EAGAIN ||
	       error == ETIMEDOUT;
}

/* Check that no other uplink joins that bridge to the same place: frames would loop forever. */
static int uplink_check_loop(const struct uplink *uplink, const char *bridge, struct fault *fault)
{
	struct uplink *other;

	for (other = uplink_next(uplink->uplinks, 0); other;
	     other = uplink_next(uplink->uplinks, other->port.id)) {
		if (other != uplink && other->port.bridge &&
		    strcmp(other->port.bridge->name, bridge) == 0 && other->kind == uplink->kind &&
		    uplink->kind->same && uplink->kind->same(other, uplink))
			return fault_set(fault, EEXIST,
					 "uplink '%s' joins bridge '%s' to the same place: "
					 "a second way would be a loop",
					 other->port.name, bridge);
	}
	return 0;
}

struct uplink *uplink_add(struct uplinks *uplinks, const struct attribute_set *options,
			  struct uplink_handed *handed, uid_t uid, struct fault *fault)
{
	const char *name = attribute_set_string(options, MEMTUN_A_NAME);
	struct attribute_set own = *options;
	struct uplink *uplink;
	bool opened;

	if (engine_check_room(uplinks->bridges->engine, fault) < 0 ||
	    port_names_check(uplinks->names, name, uid, fault) < 0)
		return NULL;
	/* The keys of a rule belong to the port, whatever the uplink's kind. */
	attribute_set_remove_options(&own, OPTION_IMPAIR_SPEC);
	uplink = uplink_new(uplinks, &own, handed, uid, fault);
	if (!uplink)
		return NULL;
	if (uplink_check_loop(uplink, attribute_set_string(options, MEMTUN_A_BRIDGE), fault) < 0) {
		uplink_free(uplink);
		return NULL;
	}
	/* Count it now, because joining may make a bridge, for which there must be room too. */
	engine_object_added(uplink->port.engine);
	/* Open first, because joining may turn a bridge of TUNs into an Ethernet bridge. */
	opened = uplink_try(uplink, fault) == 0;
	uplink->handed = NULL;
	if ((!opened && (!uplink->kind->awaits_peer || !error_is_absence(fault->error))) ||
	    port_join(&uplink->port, attribute_set_string(options, MEMTUN_A_BRIDGE), fault) < 0 ||
	    port_impair_new(&uplink->port, NULL, options, fault) < 0) {
		uplink_end(uplink);
		port_leave(&uplink->port);
		engine_object_deleted(uplink->port.engine);
		uplink_free(uplink);
		return NULL;
	}
	if (!opened)
		uplink_wait(uplink);
	port_names_add(uplinks->names, &uplink->port);
	port_ids_add(&uplinks->by_id, &uplink->port);
	if (uplink->up)
		bridge_announce(uplink->port.bridge);
	uplink_publish(uplink, MEMTUN_EVENT_UPLINK_ADDED);
	return uplink;
}

int uplink_set(struct uplink *uplink, const struct attribute_set *options, struct fault *fault)
{
	const char *bridge = attribute_set_string(options, MEMTUN_A_BRIDGE);
	struct adapter_config *config;
	struct attribute_set set;
	char changed[MEMTUN_TEXT_SIZE];

	if (uplink_kind_check_mtu(uplink->kind, &uplink->options, options, fault) < 0 ||
	    port_check_vlan(options, fault) < 0 ||
	    (bridge && uplink_check_loop(uplink, bridge, fault) < 0) ||
	    port_read_config(&uplink->port, options, &config, fault) < 0)
		return -1;
	if (bridge && port_join(&uplink->port, bridge, fault) < 0) {
		adapter_config_free(config);
		return -1;
	}
	port_take_config(&uplink->port, config);
	port_set(&uplink->port, options);
	lane_resume_sources(&uplink->lane);
	uplink_describe(uplink, false, &set);
	attribute_set_put_string(
		&set, MEMTUN_A_CHANGED,
		attribute_set_list(options, OPTION_UPLINK_SET, changed, sizeof(changed)));
	event_publish(&uplink->port.engine->events, MEMTUN_EVENT_UPLINK_CHANGED, &set);
	return 0;
}

int uplink_check_frames(const struct uplink *uplink, struct fault *fault)
{
	if (!uplink->kind->listens)
		return 0;
	return fault_set(fault, EINVAL,
			 "'%s' listens and carries no frames: its ports and its bridge do",
			 uplink->port.name);
}

void uplink_delete(struct uplink *uplink)
{
	struct uplinks *uplinks = uplink->uplinks;

	uplink_end(uplink);
	uplink_publish(uplink, MEMTUN_EVENT_UPLINK_DELETED);
	capture_end_port(&uplink->port);
	port_leave(&uplink->port);
	port_names_remove(uplinks->names, &uplink->port);
	port_ids_remove(&uplinks->by_id, &uplink->port);
	engine_object_deleted(uplink->port.engine);
	uplink_free(uplink);
}

void uplink_delete_ended(struct uplink *uplink, const char *reason)
{
	uplink_set_reason(uplink, reason);
	uplink_delete(uplink);
}

/* ------------------------------------------------------------------------------ telling */

void uplink_describe(struct uplink *uplink, bool statistics, struct attribute_set *set)
{
	*set = uplink->options;
	/* The present values are the port's. */
	attribute_set_remove(set, MEMTUN_A_BRIDGE);
	attribute_set_remove(set, MEMTUN_A_ADDRESS);
	attribute_set_remove(set, MEMTUN_A_GATEWAY);
	attribute_set_remove(set, MEMTUN_A_VLAN);
	port_describe(&uplink->port, set);
	attribute_set_put_number(set, MEMTUN_A_STATE, uplink->up ? MEMTUN_UP : MEMTUN_DOWN);
	attribute_set_put_number(set, MEMTUN_A_CONNECTS, uplink->connects);
	if (attribute_set_has(set, MEMTUN_A_PID) &&
	    program_name((pid_t)attribute_set_number(set, MEMTUN_A_PID), uplink->program) == 0)
		attribute_set_put_string(set, MEMTUN_A_PROGRAM, uplink->program);
	if (!uplink->up && uplink->reason[0])
		attribute_set_put_string(set, MEMTUN_A_REASON, uplink->reason);
	if (uplink->kind->describe)
		uplink->kind->describe(uplink, set);
	if (!statistics || uplink->kind->listens)
		return;
	port_describe_counters(&uplink->port, set);
	attribute_set_put_number(
		set, MEMTUN_A_TO_CLIENT_QUEUED,
		uplink->lane.backlog.count +
			(uplink->port.impairment
				 ? impairment_waiting(uplink->port.impairment, MEMTUN_TO_CLIENT)
				 : 0));
}
