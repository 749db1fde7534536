/* SPDX-License-Identifier: MIT */
/*
 * A tunnel as its bridge sees it: frames go to one of its queues, the same one for the same flow,
 * so that no flow's frames overtake each other.
 */
#include "flow.h"
#include "frame.h"
#include "queue.h"
#include "tunnel.h"

static void tunnel_send(struct port *port, struct port *source, struct batch *batch, uint32_t mask)
{
	struct tunnel *tunnel = (struct tunnel *)port;
	struct queue *queue = LIST_FIRST(&tunnel->queues);
	unsigned int frames = (unsigned int)__builtin_popcount(mask);

	port_count(port, MEMTUN_A_TO_CLIENT_OFFERED, frames);
	if (!queue) {
		port_count(port, MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT, frames);
		return;
	}
	if (tunnel->queue_count == 1) {
		queue_send(queue, source, batch, mask);
		return;
	}
	for (unsigned int i = 0; i < tunnel->queue_count;
	     i++, queue = LIST_NEXT(queue, in_tunnel)) {
		uint32_t here = 0;

		for (uint32_t rest = mask; rest; rest &= rest - 1) {
			uint32_t bit = rest & -rest;
			struct frame *frame = &batch->frames[__builtin_ctz(rest)];

			if (flow_hash(tunnel->mode, frame) % tunnel->queue_count == i)
				here |= bit;
		}
		if (here)
			queue_send(queue, source, batch, here);
	}
}

static void tunnel_set_reading(struct port *port, bool reading)
{
	struct tunnel *tunnel = (struct tunnel *)port;
	struct queue *queue;

	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		queue_set_reading(queue, reading);
	}
}

const struct port_operations tunnel_port_operations = {
	.send = tunnel_send,
	.set_reading = tunnel_set_reading,
};
