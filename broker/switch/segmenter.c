/* SPDX-License-Identifier: MIT */
#include "broker/switch/segmenter.h"

#include "broker/engine/batch.h"
#include "broker/engine/engine.h"
#include "broker/switch/drop.h"
#include "broker/switch/port.h"
#include "common/frame/frame_segment.h"

/* The pieces of one call begin at multiples of this, bytes. */
#define PIECE_ALIGNMENT 16

_Static_assert(FRAME_MAX + BATCH_FRAMES * (FRAME_SEGMENT_HEADERS_MAX + 2 * PIECE_ALIGNMENT) <=
		       BATCH_READ_MAX * BATCH_STRIDE,
	       "a batch has room for its pieces");

/* Return the GSO frames of the mask that the port's client does not take as they are. */
static uint64_t frames_to_cut(const struct port *port, const struct batch *batch, uint64_t mask)
{
	uint64_t found = 0;

	for (; mask; mask &= mask - 1) {
		const struct frame *frame = &batch->frames[__builtin_ctzll(mask)];

		if (!frame_segment_is_taken(frame->offload.gso_type, port_offload(port)))
			found |= mask & -mask;
	}
	return found;
}

/* Return which frames that go to one of the ports are GSO frames. */
static uint64_t frames_gso(const struct touched *touched, const struct batch *batch)
{
	const struct port *port;
	uint64_t all = 0, found = 0;

	SLIST_FOREACH(port, touched, in_touched) {
		all |= port->pending;
	}
	for (; all; all &= all - 1) {
		if (frame_is_gso(&batch->frames[__builtin_ctzll(all)]))
			found |= all & -all;
	}
	return found;
}

/* Fill the batch with the next pieces, and return their number. */
static unsigned int pieces_fill(struct batch *pieces, struct frame_segment *segment, uint64_t id)
{
	unsigned char *at = pieces->buffers;
	unsigned int count = 0;
	size_t length;

	while (count < BATCH_FRAMES && (length = frame_segment_next(segment, at)) > 0) {
		batch_set(pieces, count, at, (uint32_t)length);
		pieces->frames[count++].id = id;
		at += (length + PIECE_ALIGNMENT - 1) / PIECE_ALIGNMENT * PIECE_ALIGNMENT;
	}
	return count;
}

/* Deliver what is to arrive before the frame `bit` to the ports that need that frame cut. */
static void ports_deliver_before(struct touched *ports, uint64_t bit, struct source *source,
				 struct batch *batch, segmenter_deliver *deliver)
{
	struct port *port;

	SLIST_FOREACH(port, ports, in_touched) {
		uint64_t before = port->pending & (bit - 1);

		if (!(port->to_cut & bit))
			continue;
		port->pending &= ~(before | bit);
		if (before)
			deliver(port, source, batch, before);
	}
}

static void ports_drop_uncuttable(struct touched *ports, uint64_t bit, enum memtun_mode mode,
				  const struct frame *frame)
{
	struct port *port;

	SLIST_FOREACH(port, ports, in_touched) {
		if (!(port->to_cut & bit))
			continue;
		port_count(port, MEMTUN_A_TO_CLIENT_OFFERED, 1);
		drop_frame(port, mode, frame, MEMTUN_A_TO_CLIENT_DROPPED_NEEDS_SEGMENTATION);
	}
}

int segmenter_cut(struct engine *engine, enum memtun_mode mode, const struct frame *frame,
		  segmenter_take *take, void *context)
{
	struct batch *pieces = engine->pieces;
	struct frame_segment segment;
	unsigned int count;

	if (frame_segment_begin(&segment, mode, frame->data, frame->length, &frame->offload,
				++engine->fragment_id) < 0)
		return -1;
	while ((count = pieces_fill(pieces, &segment, frame->id)) > 0) {
		take(context, pieces, UINT64_MAX >> (BATCH_FRAMES - count));
		batch_clear(pieces, count);
	}
	return 0;
}

/* The ports that pieces of a frame go to. */
struct cutting {
	struct touched *ports;
	uint64_t bit; /* the frame */
	struct source *source;
	segmenter_deliver *deliver;
};

static void cutting_take(void *context, struct batch *pieces, uint64_t mask)
{
	struct cutting *cutting = context;
	struct port *port;

	SLIST_FOREACH(port, cutting->ports, in_touched) {
		if (port->to_cut & cutting->bit)
			cutting->deliver(port, cutting->source, pieces, mask);
	}
}

/* Deliver the pieces of the frame `bit` to the ports that need it cut. */
static void ports_deliver_pieces(struct touched *ports, uint64_t bit, enum memtun_mode mode,
				 struct source *source, const struct frame *frame,
				 segmenter_deliver *deliver)
{
	struct cutting cutting = {ports, bit, source, deliver};

	if (segmenter_cut(SLIST_FIRST(ports)->engine, mode, frame, cutting_take, &cutting) < 0)
		ports_drop_uncuttable(ports, bit, mode, frame);
}

/* Deliver to the ports that take all of their frames as they are. Move the others to *cutting, and
 * return the frames that one of them needs cut. */
static uint64_t ports_deliver_whole(struct touched *touched, struct touched *cutting,
				    struct source *source, struct batch *batch,
				    segmenter_deliver *deliver)
{
	uint64_t gso = frames_gso(touched, batch), cut = 0;
	struct port *port;

	while ((port = SLIST_FIRST(touched))) {
		uint64_t pending = port->pending;

		SLIST_REMOVE_HEAD(touched, in_touched);
		port->to_cut = frames_to_cut(port, batch, pending & gso);
		cut |= port->to_cut;
		if (port->to_cut) {
			SLIST_INSERT_HEAD(cutting, port, in_touched);
			continue;
		}
		port->pending = 0;
		deliver(port, source, batch, pending);
	}
	return cut;
}

/* A port's frames stay in order, because `deliver` goes through its mask from the lowest bit up,
 * and so does this. */
void segmenter_send(struct touched *touched, enum memtun_mode mode, struct source *source,
		    struct batch *batch, segmenter_deliver *deliver)
{
	struct touched cutting = SLIST_HEAD_INITIALIZER(cutting);
	uint64_t cut = ports_deliver_whole(touched, &cutting, source, batch, deliver);
	struct port *port;

	for (; cut; cut &= cut - 1) {
		uint64_t bit = cut & -cut;

		ports_deliver_before(&cutting, bit, source, batch, deliver);
		ports_deliver_pieces(&cutting, bit, mode, source,
				     &batch->frames[__builtin_ctzll(bit)], deliver);
	}
	while ((port = SLIST_FIRST(&cutting))) {
		uint64_t pending = port->pending;

		SLIST_REMOVE_HEAD(&cutting, in_touched);
		port->pending = 0;
		port->to_cut = 0;
		if (pending)
			deliver(port, source, batch, pending);
	}
}
