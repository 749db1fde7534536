/* SPDX-License-Identifier: MIT */
/*
 * The frames that wait in an adapter: packets for a neighbour's MAC address, and frames for the end
 * of the bridge's batch. An adapter never sends while the bridge forwards a batch, because each port
 * then has a mask of that batch's frames.
 */
#include "broker/adapter/adapter_parts.h"

#include <stdlib.h>
#include <string.h>

#include "broker/engine/batch.h"
#include "broker/engine/frame.h"

static void pending_frame_free(struct pending_frame *pending_frame)
{
	frame_release(pending_frame->frame);
	free(pending_frame);
}

static struct pending_frame *pending_frame_new(uint32_t length)
{
	struct pending_frame *pending_frame = calloc(1, sizeof(*pending_frame));

	if (!pending_frame)
		return NULL;
	pending_frame->frame = frame_new(length);
	if (pending_frame->frame)
		return pending_frame;
	free(pending_frame);
	return NULL;
}

void adapter_drop_unresolved(struct adapter *adapter, const struct frame *frame, uint32_t header)
{
	struct frame packet = {
		.data = frame->data + header,
		.length = frame->length - header,
		.offload = frame->offload,
		.id = frame->id,
	};

	if (packet.offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		packet.offload.csum_start = (uint16_t)(packet.offload.csum_start - ETH_HLEN);
	adapter->operations->drop(adapter->port, MEMTUN_TUN, &packet,
				  MEMTUN_A_FROM_CLIENT_DROPPED_UNRESOLVED);
}

static void waiting_remove(struct adapter *adapter, struct pending_frame *pending_frame)
{
	TAILQ_REMOVE(&adapter->waiting, pending_frame, link);
	adapter->waiting_count--;
	pending_frame->to->waiting--;
	pending_frame->to = NULL;
}

static void waiting_drop(struct adapter *adapter, struct pending_frame *pending_frame)
{
	waiting_remove(adapter, pending_frame);
	adapter_drop_unresolved(adapter, pending_frame->frame, ETH_HLEN);
	pending_frame_free(pending_frame);
}

/* Return the oldest waiting packet for that neighbour or, if it is NULL, for any neighbour. */
static struct pending_frame *waiting_oldest(struct adapter *adapter,
					    const struct neighbour *neighbour)
{
	struct pending_frame *pending_frame;

	TAILQ_FOREACH(pending_frame, &adapter->waiting, link) {
		if (!neighbour || pending_frame->to == neighbour)
			return pending_frame;
	}
	return NULL;
}

void adapter_queue_pending(struct adapter *adapter, struct neighbour *neighbour,
			   const struct frame *frame)
{
	struct pending_frame *pending_frame = pending_frame_new(ETH_HLEN + frame->length);

	if (!pending_frame) {
		adapter_drop_unresolved(adapter, frame, 0);
		return;
	}
	if (neighbour->waiting == ADAPTER_PENDING_NEIGHBOUR_MAX)
		waiting_drop(adapter, waiting_oldest(adapter, neighbour));
	else if (adapter->waiting_count == ADAPTER_PENDING_MAX)
		waiting_drop(adapter, waiting_oldest(adapter, NULL));
	memcpy(pending_frame->frame->data + ETH_HLEN, frame->data, frame->length);
	pending_frame->frame->offload = frame->offload;
	pending_frame->frame->id = frame->id;
	pending_frame->of_client = true;
	pending_frame->to = neighbour;
	neighbour->waiting++;
	adapter->waiting_count++;
	TAILQ_INSERT_TAIL(&adapter->waiting, pending_frame, link);
}

void adapter_send_pending(struct adapter *adapter, struct neighbour *neighbour)
{
	while (neighbour->waiting) {
		struct pending_frame *pending_frame = waiting_oldest(adapter, neighbour);
		struct frame *frame = pending_frame->frame;

		waiting_remove(adapter, pending_frame);
		adapter_write_header(adapter, frame->data, neighbour->mac);
		TAILQ_INSERT_TAIL(&adapter->outgoing, pending_frame, link);
		adapter->operations->flush_later(adapter->port);
	}
}

void adapter_drop_pending(struct adapter *adapter, const struct neighbour *neighbour)
{
	struct pending_frame *pending_frame;

	while ((pending_frame = waiting_oldest(adapter, neighbour)))
		waiting_drop(adapter, pending_frame);
}

void adapter_queue_control(struct adapter *adapter, const unsigned char *bytes, size_t length)
{
	struct pending_frame *pending_frame = NULL;

	if (adapter->control_count < ADAPTER_CONTROL_MAX)
		pending_frame = pending_frame_new((uint32_t)length);
	if (!pending_frame)
		return;
	memcpy(pending_frame->frame->data, bytes, length);
	adapter->control_count++;
	TAILQ_INSERT_TAIL(&adapter->outgoing, pending_frame, link);
	adapter->operations->flush_later(adapter->port);
}

/* Send a batch of the queued frames. */
static void adapter_flush_batch(struct adapter *adapter)
{
	/* If the bridge has no other port, send only the packets of the client, so that the bridge
	 * counts them as dropped. */
	bool heard = !adapter->operations->is_alone(adapter->port);
	struct pending_frame *pending_frames[BATCH_FRAMES];
	struct batch batch;
	unsigned int count = 0, sent = 0;
	struct pending_frame *pending_frame;

	while (count < BATCH_FRAMES && (pending_frame = TAILQ_FIRST(&adapter->outgoing))) {
		TAILQ_REMOVE(&adapter->outgoing, pending_frame, link);
		adapter->control_count -= !pending_frame->of_client;
		pending_frames[count++] = pending_frame;
		if (!heard && !pending_frame->of_client)
			continue;
		batch_set(&batch, sent, pending_frame->frame->data, pending_frame->frame->length);
		batch.frames[sent].headroom = pending_frame->frame->headroom;
		batch.frames[sent].id = pending_frame->frame->id;
		batch.frames[sent++].offload = pending_frame->frame->offload;
	}
	if (sent)
		adapter->operations->send_to_bridge(adapter->port, &batch,
						    UINT64_MAX >> (BATCH_FRAMES - sent));
	batch_clear(&batch, sent);
	while (count)
		pending_frame_free(pending_frames[--count]);
}

void adapter_flush(struct adapter *adapter)
{
	while (!TAILQ_EMPTY(&adapter->outgoing))
		adapter_flush_batch(adapter);
}
