/* SPDX-License-Identifier: MIT */
/*
 * A queue's way to its client: what it can take of a batch goes out at once, or waits, or gives way
 * to something else, as its tunnel says. Each frame ends in exactly one counter.
 */
#include <errno.h>
#include <linux/if_ether.h>

#include "broker.h"
#include "queue.h"
#include "tunnel.h"

/* Bytes of packet, as the mtu counts them: without the Ethernet header and one VLAN tag. */
static uint32_t frame_packet_length(enum memtun_mode mode, const struct frame *frame)
{
	uint16_t protocol;

	if (mode == MEMTUN_TUN)
		return frame->length;
	protocol = frame_format_protocol(mode, frame->data, frame->length);
	return frame->length - ETH_HLEN -
	       (protocol == ETH_P_8021Q && frame->length >= ETH_HLEN + 4 ? 4 : 0);
}

/* What of the batch this queue can take, made as it takes it. */
static unsigned int queue_select(struct queue *queue, struct batch *batch, uint32_t mask,
				 struct frame *frames[BATCH_FRAMES])
{
	struct tunnel *tunnel = queue->tunnel;
	unsigned int count = 0;

	for (; mask; mask &= mask - 1) {
		struct frame *frame = &batch->frames[__builtin_ctz(mask)];

		if (frame_is_gso(frame) && !queue->format.vnet_size) {
			port_count(&tunnel->port, MEMTUN_A_TO_CLIENT_DROPPED_NEEDS_SEGMENTATION, 1);
			continue;
		}
		if (!frame_is_gso(frame) &&
		    frame_packet_length(tunnel->mode, frame) > tunnel->mtu) {
			port_count(&tunnel->port, MEMTUN_A_TO_CLIENT_DROPPED_MTU, 1);
			continue;
		}
		if (!queue->format.vnet_size)
			frame_complete_checksum(frame);
		frames[count++] = frame;
	}
	return count;
}

static bool backlog_is_full(const struct queue *queue)
{
	return queue->backlog.count >= queue->tunnel->queue_limit ||
	       queue->backlog.bytes >= QUEUE_MOST_BYTES;
}

static bool backlog_is_half_empty(const struct queue *queue)
{
	return queue->backlog.count <= queue->tunnel->queue_limit / 2 &&
	       queue->backlog.bytes <= QUEUE_MOST_BYTES / 2;
}

/* Must nothing of this source's be dropped here? */
static bool queue_blocks(const struct queue *queue, const struct port *source)
{
	return queue->tunnel->overflow == MEMTUN_BLOCK || source->patient;
}

void queue_give_up(struct queue *queue)
{
	if (!queue->gone)
		ev_feed_event(queue->broker->loop, &queue->io, EV_READ);
	queue->gone = true;
}

/* Keeps a frame that the socket has no room for, or makes what the tunnel wants give way. */
static void queue_keep(struct queue *queue, const struct port *source, struct frame *frame)
{
	struct tunnel *tunnel = queue->tunnel;
	struct frame *copy;

	if (!queue_blocks(queue, source) && backlog_is_full(queue)) {
		port_count(&tunnel->port, MEMTUN_A_TO_CLIENT_DROPPED_FULL, 1);
		/* A frame that is half out on a stream can't be taken back. */
		if (tunnel->overflow == MEMTUN_DROP_TAIL ||
		    (queue->sent_of_first && queue->backlog.count == 1))
			return;
		if (queue->sent_of_first)
			backlog_pop_second(&queue->backlog);
		else
			backlog_pop(&queue->backlog, 1);
	}
	copy = frame_keep(frame);
	if (copy && backlog_push(&queue->backlog, copy) == 0)
		return;
	if (copy)
		frame_release(copy);
	port_count(&tunnel->port, MEMTUN_A_TO_CLIENT_DROPPED_REFUSED, 1);
	/* Without the rest of a frame that is half out, what follows on a stream means nothing. */
	if (queue->sent_of_first && queue->backlog.count == 0)
		queue_give_up(queue);
}

void queue_send(struct queue *queue, struct port *source, struct batch *batch, uint32_t mask)
{
	struct frame *frames[BATCH_FRAMES] = {NULL};
	unsigned int count = queue_select(queue, batch, mask, frames);
	unsigned int done = 0;

	if (queue->gone) {
		port_count(&queue->tunnel->port, MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT, count);
		return;
	}
	if (queue->backlog.count == 0)
		done = queue->link->send(queue, frames, count);
	if (done == count)
		return;
	for (; done < count; done++)
		queue_keep(queue, source, frames[done]);
	if (queue_blocks(queue, source) && backlog_is_full(queue))
		valve_shut(&queue->valve, source);
	queue_watch(queue);
}

void queue_let_go(struct queue *queue)
{
	if (queue->tunnel->overflow != MEMTUN_BLOCK || backlog_is_half_empty(queue))
		valve_open(&queue->valve);
}

/* Sends what waits, as far as there is room now. */
void queue_flush(struct queue *queue)
{
	struct backlog *backlog = &queue->backlog;

	while (backlog->count) {
		struct frame *frames[BATCH_FRAMES];
		unsigned int count = 0, done;

		while (count < BATCH_FRAMES && count < backlog->count) {
			frames[count] = backlog_peek(backlog, count);
			count++;
		}
		done = queue->link->send(queue, frames, count);
		backlog_pop(backlog, done);
		if (done < count)
			break;
	}
	if (valve_is_shut(&queue->valve) && backlog_is_half_empty(queue))
		valve_open(&queue->valve);
	queue_watch(queue);
}

bool queue_send_failed(struct queue *queue)
{
	switch (errno) {
	case EAGAIN:
		return false;
	case EPIPE:
	case ECONNRESET:
	case ECONNREFUSED:
	case ENOTCONN:
		/* Its reading end tells the rest, frames that it had still sent among them. */
		queue_give_up(queue);
		port_count(&queue->tunnel->port, MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT, 1);
		return true;
	default:
		port_count(&queue->tunnel->port, MEMTUN_A_TO_CLIENT_DROPPED_REFUSED, 1);
		return true;
	}
}
