/* SPDX-License-Identifier: MIT */
/* What a tunnel tells of itself: its attributes, its counters and its events. */
#include "broker/tunnel/tunnel.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "broker/engine/engine.h"
#include "broker/impair/impairment.h"
#include "broker/tunnel/injector.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel_interface.h"

static void tunnel_describe_counters(struct tunnel *tunnel, struct attribute_set *set)
{
	struct injector *injector;
	struct queue *queue;
	uint64_t queued = 0, unread = 0;

	port_describe_counters(&tunnel->port, set);
	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		int bytes = 0;

		queued += queue->lane.backlog.count;
		if (ioctl(queue->lane.io.fd, SIOCOUTQ, &bytes) == 0)
			unread += (uint64_t)bytes;
	}
	LIST_FOREACH(injector, &tunnel->injectors, of_tunnel) {
		if (injector->direction == MEMTUN_TO_CLIENT)
			unread += injector_unread(injector);
	}
	if (tunnel->port.impairment)
		queued += impairment_waiting(tunnel->port.impairment, MEMTUN_TO_CLIENT);
	attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_QUEUED, queued);
	attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_UNREAD, unread);
}

/* Put the process that has the tunnel open into the set, if it is open. */
static void tunnel_describe_opener(struct tunnel *tunnel, struct attribute_set *set)
{
	if (!tunnel->opener || attribute_set_number(set, MEMTUN_A_STATE) != MEMTUN_OPEN)
		return;
	attribute_set_put_number(set, MEMTUN_A_PID, (uint64_t)tunnel->opener);
	if (program_name(tunnel->opener, tunnel->program) == 0)
		attribute_set_put_string(set, MEMTUN_A_PROGRAM, tunnel->program);
}

void tunnel_describe(struct tunnel *tunnel, bool statistics, struct attribute_set *set)
{
	unsigned int open = tunnel->kind->open_count ? tunnel->kind->open_count(tunnel) : 0;

	attribute_set_clear(set);
	port_describe(&tunnel->port, set);
	attribute_set_put_number(set, MEMTUN_A_SOCKET, tunnel->socket);
	attribute_set_put_number(set, MEMTUN_A_PI, tunnel->format.packet_information);
	attribute_set_put_number(set, MEMTUN_A_VNET_HDR, tunnel->format.vnet_size > 0);
	if (tunnel->format.vnet_size && !tunnel->kind->frames_bypass) {
		attribute_set_put_number(set, MEMTUN_A_VNET_HDR_SIZE, tunnel->format.vnet_size);
		attribute_set_put_number(set, MEMTUN_A_OFFLOAD, tunnel->format.offload);
	}
	attribute_set_put_number(set, MEMTUN_A_MULTI_QUEUE, tunnel->multi_queue);
	attribute_set_put_number(set, MEMTUN_A_PERSISTENT, tunnel->persistent);
	attribute_set_put_number(set, MEMTUN_A_QUEUES, open);
	attribute_set_put_number(set, MEMTUN_A_STATE, open ? MEMTUN_OPEN : MEMTUN_CLOSED);
	if (tunnel->kind->describe)
		tunnel->kind->describe(tunnel, set);
	tunnel_describe_opener(tunnel, set);
	tunnel_interface_describe(tunnel, set);
	if (tunnel->socket == MEMTUN_DGRAM)
		attribute_set_put_number(set, MEMTUN_A_HANGUP_SEEN,
					 tunnel->port.engine->diag.fd >= 0);
	if (statistics && !tunnel->kind->frames_bypass)
		tunnel_describe_counters(tunnel, set);
}

void tunnel_publish(struct tunnel *tunnel, enum memtun_event event, uint32_t queue_id)
{
	struct event_sink *events = &tunnel->port.engine->events;
	struct attribute_set set;

	if (!event_sink_has_subscribers(events))
		return;
	tunnel_describe(tunnel, false, &set);
	if (queue_id)
		attribute_set_put_number(&set, MEMTUN_A_QUEUE_ID, queue_id);
	event_publish(events, event, &set);
}

void tunnel_publish_change(struct tunnel *tunnel, const struct attribute_set *options,
			   unsigned int which)
{
	char changed[ATTRIBUTE_KEYS_SIZE];
	struct attribute_set set;

	tunnel_describe(tunnel, false, &set);
	attribute_set_put_string(&set, MEMTUN_A_CHANGED,
				 attribute_set_list(options, which, changed, sizeof(changed)));
	event_publish(&tunnel->port.engine->events, MEMTUN_EVENT_CHANGED, &set);
}
