/* SPDX-License-Identifier: MIT */
/*
 * A tunnel as its bridge sees it: frames go to one of its queues, the same one for the same flow,
 * so that no flow's frames overtake each other.
 */
#include <linux/if_ether.h>

#include "bridge.h"
#include "broker.h"
#include "capture.h"
#include "flow.h"
#include "frame.h"
#include "injector.h"
#include "queue.h"
#include "tunnel.h"

/* The shortest frame that has the headers a bridge looks at. 0: no frame of this mode at all. */
static uint32_t frame_least(enum memtun_mode mode, const struct frame *frame)
{
	if (mode == MEMTUN_TAP)
		return ETH_HLEN;
	switch (frame->length ? frame->data[0] >> 4 : 4) {
	case 4:
		return 20;
	case 6:
		return 40;
	default:
		return 0;
	}
}

enum memtun_attribute tunnel_frame_fault(enum memtun_mode mode, const struct frame *frame)
{
	uint32_t least = frame_least(mode, frame);

	if (least == 0)
		return MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED;
	return frame->length < least ? MEMTUN_A_FROM_CLIENT_DROPPED_RUNT : MEMTUN_A_UNSPEC;
}

void tunnel_forward(struct tunnel *tunnel, uint32_t mask)
{
	struct broker *broker = tunnel->broker;
	struct port *port = &tunnel->port;

	for (uint32_t rest = mask; rest; rest &= rest - 1)
		port_count(port, MEMTUN_A_FROM_CLIENT_BYTES,
			   broker->batch->frames[__builtin_ctz(rest)].length);
	port_count(port, MEMTUN_A_FROM_CLIENT_FRAMES, (uint64_t)__builtin_popcount(mask));
	if (port_is_captured(port))
		capture_batch(port, broker->batch, mask, MEMTUN_FROM_CLIENT);
	bridge_forward(port, broker->batch, mask, ev_now(broker->loop));
}

static void tunnel_send(struct port *port, struct port *source, struct batch *batch, uint32_t mask)
{
	struct tunnel *tunnel = (struct tunnel *)port;
	struct queue *queue = LIST_FIRST(&tunnel->queues);
	unsigned int frames = (unsigned int)__builtin_popcount(mask);
	unsigned int chosen[BATCH_FRAMES]; /* the number of the queue a frame goes to */

	port_count(port, MEMTUN_A_TO_CLIENT_OFFERED, frames);
	if (port_is_captured(port))
		capture_batch(port, batch, mask, MEMTUN_TO_CLIENT);
	if (!queue) {
		port_count(port, MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT, frames);
		return;
	}
	if (tunnel->queue_count == 1) {
		queue_send(queue, source, batch, mask);
		return;
	}
	for (uint32_t rest = mask; rest; rest &= rest - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(rest);

		chosen[i] = flow_hash(tunnel->mode, &batch->frames[i]) % tunnel->queue_count;
	}
	for (unsigned int i = 0; i < tunnel->queue_count;
	     i++, queue = LIST_NEXT(queue, in_tunnel)) {
		uint32_t here = 0;

		for (uint32_t rest = mask; rest; rest &= rest - 1) {
			if (chosen[__builtin_ctz(rest)] == i)
				here |= rest & -rest;
		}
		if (here)
			queue_send(queue, source, batch, here);
	}
}

static void tunnel_set_reading(struct port *port, bool reading)
{
	struct tunnel *tunnel = (struct tunnel *)port;
	struct injector *injector;
	struct queue *queue;

	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		queue_set_reading(queue, reading);
	}
	/* What is injected as the client's is held as the client is. */
	LIST_FOREACH(injector, &tunnel->injectors, of_tunnel) {
		if (injector->direction == MEMTUN_FROM_CLIENT)
			injector_set_reading(injector, reading);
	}
}

const struct port_operations tunnel_port_operations = {
	.send = tunnel_send,
	.set_reading = tunnel_set_reading,
};
