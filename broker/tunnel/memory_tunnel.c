/* SPDX-License-Identifier: MIT */
/*
 * A tunnel of queues: each open makes a queue, and the broker forwards the frames. Frames of one
 * flow go to one queue, so that they don't overtake each other. Such a tunnel is deleted with its
 * last queue, attached or detached, unless it is persistent.
 */
#include <errno.h>
#include <string.h>

#include "broker/engine/batch.h"
#include "broker/switch/capture.h"
#include "broker/switch/drop.h"
#include "broker/switch/quiet.h"
#include "broker/tunnel/flow.h"
#include "broker/tunnel/injector.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel.h"
#include "common/container_of.h"

/* ------------------------------------------------------------------------------ as a port */

/* Send each frame of the mask to the queue that its flow belongs to. */
static void tunnel_send_by_flow(struct tunnel *tunnel, struct source *source, struct batch *batch,
				uint64_t mask)
{
	unsigned int chosen[BATCH_FRAMES]; /* for each frame, the index of its queue */
	unsigned int index = 0;
	struct queue *queue;

	for (uint64_t rest = mask; rest; rest &= rest - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(rest);

		chosen[i] = flow_hash(tunnel->port.mode, &batch->frames[i]) % tunnel->queue_count;
	}
	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		uint64_t here = 0;

		for (uint64_t rest = mask; rest; rest &= rest - 1) {
			if (chosen[__builtin_ctzll(rest)] == index)
				here |= rest & -rest;
		}
		if (here)
			lane_send(&queue->lane, source, batch, here);
		index++;
	}
}

static void tunnel_send(struct port *port, struct source *source, struct batch *batch,
			uint64_t mask)
{
	struct tunnel *tunnel = container_of(port, struct tunnel, port);

	if (!LIST_EMPTY(&port->captures))
		capture_port(port, batch, mask, MEMTUN_TO_CLIENT);
	if (tunnel->queue_count == 0)
		drop_frames(port, port->mode, batch, mask, MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT);
	else if (tunnel->queue_count == 1)
		lane_send(&LIST_FIRST(&tunnel->queues)->lane, source, batch, mask);
	else
		tunnel_send_by_flow(tunnel, source, batch, mask);
}

static unsigned int tunnel_offload(const struct port *port)
{
	return container_of(port, const struct tunnel, port)->format.offload;
}

static void tunnel_set_reading(struct port *port, bool reading)
{
	struct tunnel *tunnel = container_of(port, struct tunnel, port);
	struct injector *injector;
	struct queue *queue;

	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		lane_set_reading(&queue->lane, reading);
	}
	/* Frames that are injected as the client's are paused with the client. */
	LIST_FOREACH(injector, &tunnel->injectors, of_tunnel) {
		if (injector->direction == MEMTUN_FROM_CLIENT)
			injector_set_reading(injector, reading);
	}
}

static void tunnel_resume_sources(struct port *port)
{
	struct tunnel *tunnel = container_of(port, struct tunnel, port);
	struct queue *queue;

	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		backpressure_resume(&queue->lane.backpressure);
	}
}

static bool tunnel_port_delete_if_dead(struct port *port)
{
	return tunnel_delete_if_dead(container_of(port, struct tunnel, port));
}

static void tunnel_look(struct port *port, struct quiet *quiet)
{
	struct tunnel *tunnel = container_of(port, struct tunnel, port);
	struct injector *injector;
	struct queue *queue;

	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		quiet_look_lane(quiet, &queue->lane);
	}
	LIST_FOREACH(injector, &tunnel->injectors, of_tunnel) {
		injector_look(injector, quiet);
	}
	if (tunnel->kind->look)
		tunnel->kind->look(tunnel, quiet);
}

const struct port_operations tunnel_port_operations = {
	.kind = "a tunnel",
	.listing = "memtun show",
	.send = tunnel_send,
	.offload = tunnel_offload,
	.set_reading = tunnel_set_reading,
	.resume_sources = tunnel_resume_sources,
	.look = tunnel_look,
	.delete_if_dead = tunnel_port_delete_if_dead,
};

/* ------------------------------------------------------------------------------ as a kind */

/* Close the queues whose clients are gone, without deleting the tunnel. */
static void memory_close_dead(struct tunnel *tunnel)
{
	bool persistent = tunnel->persistent;
	struct queue *queue, *next;

	tunnel->persistent = true; /* or the last queue would delete the tunnel */
	LIST_FOREACH_SAFE(queue, &tunnel->queues, in_tunnel, next) {
		lane_close_dead(&queue->lane);
	}
	LIST_FOREACH_SAFE(queue, &tunnel->detached, in_tunnel, next) {
		lane_close_dead(&queue->lane);
	}
	tunnel->persistent = persistent;
}

static int memory_check_room(const struct tunnel *tunnel, struct fault *fault)
{
	if (tunnel->queue_count && !tunnel->multi_queue)
		return fault_set(fault, EBUSY, "'%s' is open, and not multi_queue",
				 tunnel->port.name);
	if (tunnel->queue_count >= TUNNEL_QUEUES_MAX)
		return fault_set(fault, E2BIG, "'%s' is open %u times", tunnel->port.name,
				 TUNNEL_QUEUES_MAX);
	return 0;
}

static bool memory_is_unused(const struct tunnel *tunnel)
{
	return tunnel->queue_count == 0 && LIST_EMPTY(&tunnel->detached) && !tunnel->persistent;
}

static bool memory_delete_if_dead(struct tunnel *tunnel)
{
	memory_close_dead(tunnel);
	if (!memory_is_unused(tunnel))
		return false;
	tunnel_delete(tunnel);
	return true;
}

static int memory_open(struct tunnel *tunnel, struct queue **queue, int *client_fd,
		       struct fault *fault)
{
	*queue = queue_new(tunnel->tunnels, tunnel->socket, &tunnel->format, client_fd);
	if (!*queue)
		return fault_set(fault, errno, "cannot open '%s': %s", tunnel->port.name,
				 strerror(errno));
	queue_attach(*queue, tunnel);
	return 0;
}

static unsigned int memory_open_count(const struct tunnel *tunnel)
{
	return tunnel->queue_count;
}

const struct tunnel_kind memory_tunnel_kind = {
	.check_room = memory_check_room,
	.open = memory_open,
	.is_unused = memory_is_unused,
	.delete_if_dead = memory_delete_if_dead,
	.open_count = memory_open_count,
};
