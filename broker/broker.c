/* SPDX-License-Identifier: MIT */
#include "broker/broker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/switch/address_table.h"
#include "broker/switch/bridge.h"
#include "broker/switch/capture.h"
#include "common/clock.h"
#include "common/descriptor.h"
#include "broker/engine/frame.h"
#include "broker/engine/packet_io.h"
#include "broker/control/session.h"
#include "broker/engine/backpressure.h"

/* Seconds between two looks at what ends without telling. */
#define LIVENESS_INTERVAL 1.

int bridge_compare(struct bridge *one, struct bridge *other)
{
	return strcmp(one->name, other->name);
}

RB_GENERATE(bridge_tree, bridge, by_name, bridge_compare)

static void liveness_poll(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct broker *broker = timer->data;
	struct kernel_tunnel *kernel, *next_kernel;
	struct lane *lane, *next;

	(void)loop;
	(void)events;
	LIST_FOREACH_SAFE(lane, &broker->polled, in_polled, next) {
		/* The end of another may have closed it. */
		if (lane->polled)
			lane_close_dead(lane);
	}
	LIST_FOREACH_SAFE(kernel, &broker->kernel_tunnels, in_broker, next_kernel) {
		kernel_tunnel_look(kernel);
	}
}

void broker_arm_liveness(struct broker *broker)
{
	if (LIST_EMPTY(&broker->polled) && LIST_EMPTY(&broker->kernel_tunnels))
		ev_timer_stop(broker->loop, &broker->liveness_timer);
	else if (!ev_is_active(&broker->liveness_timer))
		ev_timer_again(broker->loop, &broker->liveness_timer);
}

/* Does a new socket have the send buffer that tunnels have? Then none need be set. */
static int default_buffer_fits(bool *fits)
{
	socklen_t size = sizeof(int);
	int buffer = 0;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	*fits = getsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &buffer, &size) == 0 &&
		buffer == QUEUE_SOCKET_BUFFER;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

struct broker *broker_new(struct ev_loop *loop)
{
	struct broker *broker = calloc(1, sizeof(*broker));

	if (!broker) {
		if (loop)
			ev_loop_destroy(loop);
		return NULL;
	}
	broker->uid = geteuid();
	broker->diag.fd = -1;
	broker->loop = loop;
	broker->batch = batch_new();
	broker->packet_io = calloc(1, sizeof(*broker->packet_io));
	if (!broker->loop || !broker->batch || !broker->packet_io ||
	    default_buffer_fits(&broker->default_buffer_fits) < 0) {
		broker_free(broker);
		return NULL;
	}
	socket_diag_open(&broker->diag);
	ev_init(&broker->liveness_timer, liveness_poll);
	broker->liveness_timer.repeat = LIVENESS_INTERVAL;
	broker->liveness_timer.data = broker;
	return broker;
}

void broker_free(struct broker *broker)
{
	struct session *session;
	struct bridge *bridge;
	struct tunnel *tunnel;
	struct uplink *uplink;
	struct queue *queue;

	if (!broker)
		return;
	while ((session = LIST_FIRST(&broker->sessions)))
		session_free(session);
	while ((tunnel = tunnel_next(broker, 0)))
		tunnel_delete(tunnel);
	while ((queue = RB_MIN(queue_tree, &broker->queues)))
		queue_free(queue);
	while ((uplink = RB_MIN(uplink_tree, &broker->uplinks)))
		uplink_delete(uplink);
	while ((bridge = RB_MIN(bridge_tree, &broker->bridges)))
		broker_delete_bridge(broker, bridge);
	socket_diag_close(&broker->diag);
	batch_free(broker->batch);
	free(broker->packet_io);
	if (broker->loop)
		ev_loop_destroy(broker->loop);
	free(broker);
}

uint32_t broker_next_id(struct broker *broker)
{
	return ++broker->last_id;
}

int broker_check_name(struct broker *broker, const char *name, uid_t uid, struct fault *fault)
{
	struct tunnel *tunnel = tunnel_find(broker, name);
	struct queue *queue = tunnel ? LIST_FIRST(&tunnel->queues) : NULL;
	struct uplink *uplink = uplink_find(broker, name);

	while (queue) {
		struct queue *next = LIST_NEXT(queue, in_tunnel);

		lane_close_dead(&queue->lane);
		queue = next;
	}
	if (tunnel)
		tunnel = tunnel_find(broker, name); /* it may have gone with them */
	if (tunnel && tunnel->kernel && kernel_tunnel_delete_dead(tunnel))
		tunnel = NULL;
	if ((tunnel && tunnel_admit(tunnel, uid, fault) < 0) ||
	    (uplink && uplink_admit(uplink, uid, fault) < 0))
		return -1;
	if (tunnel || uplink)
		return fault_set(fault, EBUSY, "'%s' exists%s", name,
				 uplink ? ", as an uplink" : "");
	return 0;
}

void broker_publish(struct broker *broker, enum memtun_event event, struct attribute_set *set)
{
	struct session *session, *next;

	attribute_set_put_number(set, MEMTUN_A_EVENT, event);
	/* One that can't take it may end. */
	LIST_FOREACH_SAFE(session, &broker->subscribed, in_subscribers, next) {
		session_publish(session, set);
	}
}

/* ------------------------------------------------------------------------------ bridges */

struct bridge *broker_find_bridge(struct broker *broker, const char *name)
{
	struct bridge key;

	strlcpy(key.name, name, sizeof(key.name));
	return RB_FIND(bridge_tree, &broker->bridges, &key);
}

struct bridge *broker_next_bridge(struct broker *broker, uint32_t id)
{
	struct bridge *bridge, *next = NULL;

	RB_FOREACH(bridge, bridge_tree, &broker->bridges) {
		if (bridge->id > id && (!next || bridge->id < next->id))
			next = bridge;
	}
	return next;
}

void broker_describe_bridge(const struct bridge *bridge, struct attribute_set *set)
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

static void bridge_publish(struct broker *broker, const struct bridge *bridge,
			   enum memtun_event event)
{
	struct attribute_set set;

	broker_describe_bridge(bridge, &set);
	broker_publish(broker, event, &set);
}

struct bridge *broker_add_bridge(struct broker *broker, const char *name, bool hub, bool persistent)
{
	struct bridge *bridge = bridge_new(name, broker_next_id(broker), hub);

	if (!bridge)
		return NULL;
	bridge->persistent = persistent;
	RB_INSERT(bridge_tree, &broker->bridges, bridge);
	broker->generation++;
	bridge_publish(broker, bridge, MEMTUN_EVENT_BRIDGE_ADDED);
	return bridge;
}

void broker_delete_bridge(struct broker *broker, struct bridge *bridge)
{
	struct port *port;

	while ((port = LIST_FIRST(&bridge->ports))) {
		backpressure_forget(port);
		bridge_leave(port);
	}
	capture_end_bridge(bridge);
	RB_REMOVE(bridge_tree, &broker->bridges, bridge);
	broker->generation++;
	bridge_publish(broker, bridge, MEMTUN_EVENT_BRIDGE_DELETED);
	bridge_free(bridge);
}

void broker_delete_bridge_if_unused(struct broker *broker, struct bridge *bridge)
{
	if (bridge->port_count == 0 && !bridge->persistent)
		broker_delete_bridge(broker, bridge);
}
