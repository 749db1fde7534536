/* SPDX-License-Identifier: MIT */
/*
 * A tunnel as its bridge sees it: frames go to one of its queues, the same one for the same flow,
 * so that no flow's frames overtake each other.
 */
#include "broker/broker.h"
#include "broker/switch/capture.h"
#include "broker/tunnel/flow.h"
#include "broker/engine/frame.h"
#include "broker/tunnel/injector.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel.h"

static void tunnel_send(struct port *port, struct port *source, struct batch *batch, uint32_t mask)
{
	struct tunnel *tunnel = (struct tunnel *)port;
	struct queue *queue = LIST_FIRST(&tunnel->queues);
	unsigned int frames = (unsigned int)__builtin_popcount(mask);
	unsigned int chosen[BATCH_FRAMES]; /* the number of the queue a frame goes to */

	port_count(port, MEMTUN_A_TO_CLIENT_OFFERED, frames);
	if (!LIST_EMPTY(&port->captures))
		capture_port(port, batch, mask, MEMTUN_TO_CLIENT);
	if (!queue) {
		port_count(port, MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT, frames);
		return;
	}
	if (tunnel->queue_count == 1) {
		lane_send(&queue->lane, source, batch, mask);
		return;
	}
	for (uint32_t rest = mask; rest; rest &= rest - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(rest);

		chosen[i] = flow_hash(port->mode, &batch->frames[i]) % tunnel->queue_count;
	}
	for (unsigned int i = 0; i < tunnel->queue_count;
	     i++, queue = LIST_NEXT(queue, in_tunnel)) {
		uint32_t here = 0;

		for (uint32_t rest = mask; rest; rest &= rest - 1) {
			if (chosen[__builtin_ctz(rest)] == i)
				here |= rest & -rest;
		}
		if (here)
			lane_send(&queue->lane, source, batch, here);
	}
}

static void tunnel_set_reading(struct port *port, bool reading)
{
	struct tunnel *tunnel = (struct tunnel *)port;
	struct injector *injector;
	struct queue *queue;

	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		lane_set_reading(&queue->lane, reading);
	}
	/* What is injected as the client's is held as the client is. */
	LIST_FOREACH(injector, &tunnel->injectors, of_tunnel) {
		if (injector->direction == MEMTUN_FROM_CLIENT)
			injector_set_reading(injector, reading);
	}
}

static void tunnel_resume_sources(struct port *port)
{
	struct tunnel *tunnel = (struct tunnel *)port;
	struct queue *queue;

	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		backpressure_resume(&queue->lane.backpressure);
	}
}

const struct port_operations tunnel_port_operations = {
	.send = tunnel_send,
	.set_reading = tunnel_set_reading,
	.resume_sources = tunnel_resume_sources,
};
