/* SPDX-License-Identifier: MIT */
#include "broker/switch/segmenter.h"

#include "broker/engine/batch.h"
#include "broker/engine/engine.h"
#include "broker/switch/port.h"
#include "common/frame/frame_segment.h"

/* The pieces of one call begin at multiples of this, bytes. */
#define PIECE_ALIGNMENT 16

_Static_assert(FRAME_MAX + BATCH_FRAMES * (FRAME_SEGMENT_HEADERS_MAX + 2 * PIECE_ALIGNMENT) <=
		       BATCH_READ_MAX * BATCH_STRIDE,
	       "a batch has room for its pieces");

/* Return the frames of the mask that the port's client does not take as they are. */
static uint64_t frames_to_cut(const struct port *port, const struct batch *batch, uint64_t mask)
{
	uint64_t found = 0;

	for (; mask; mask &= mask - 1) {
		const struct frame *frame = &batch->frames[__builtin_ctzll(mask)];

		if (frame_is_gso(frame) && !frame_segment_is_taken(frame->offload.gso_type,
								   port->operations->offload(port)))
			found |= mask & -mask;
	}
	return found;
}

/* Fill the batch with the next pieces, and return their number. */
static unsigned int pieces_fill(struct batch *pieces, struct frame_segment *segment)
{
	unsigned char *at = pieces->buffers;
	unsigned int count = 0;
	size_t length;

	while (count < BATCH_FRAMES && (length = frame_segment_next(segment, at)) > 0) {
		batch_set(pieces, count++, at, (uint32_t)length);
		at += (length + PIECE_ALIGNMENT - 1) / PIECE_ALIGNMENT * PIECE_ALIGNMENT;
	}
	return count;
}

static void frame_cut(struct port *port, enum memtun_mode mode, struct source *source,
		      const struct frame *frame, segmenter_deliver *deliver)
{
	struct engine *engine = port->engine;
	struct batch *pieces = engine->pieces;
	struct frame_segment segment;
	unsigned int count;

	if (frame_segment_begin(&segment, mode, frame->data, frame->length, &frame->offload,
				++engine->fragment_id) < 0) {
		port_count(port, MEMTUN_A_TO_CLIENT_OFFERED, 1);
		port_count(port, MEMTUN_A_TO_CLIENT_DROPPED_NEEDS_SEGMENTATION, 1);
		return;
	}
	while ((count = pieces_fill(pieces, &segment)) > 0) {
		deliver(port, source, pieces, UINT64_MAX >> (BATCH_FRAMES - count));
		batch_clear(pieces, count);
	}
}

void segmenter_send(struct port *port, enum memtun_mode mode, struct source *source,
		    struct batch *batch, uint64_t mask, segmenter_deliver *deliver)
{
	uint64_t to_cut = frames_to_cut(port, batch, mask);

	for (; to_cut; to_cut &= to_cut - 1) {
		uint64_t bit = to_cut & -to_cut;
		uint64_t before = mask & (bit - 1);

		if (before)
			deliver(port, source, batch, before);
		frame_cut(port, mode, source, &batch->frames[__builtin_ctzll(bit)], deliver);
		mask &= ~(before | bit);
	}
	if (mask)
		deliver(port, source, batch, mask);
}
