/* SPDX-License-Identifier: MIT */
/* Sending to a lane. A frame is sent at once, waits in the backlog, or is dropped by the port's
 * overflow policy. Each frame ends in exactly one counter. */
#include <errno.h>

#include "broker/engine/engine.h"
#include "broker/switch/drop.h"
#include "broker/switch/lane.h"
#include "broker/switch/port.h"
#include "common/frame/frame_segment.h"

static void lane_drop(struct lane *lane, const struct frame *frame, enum memtun_attribute reason)
{
	drop_frame(lane->port, lane->port->mode, frame, reason);
}

/* Return the bytes of packet that the port's mtu limits: of a GSO frame those of its longest
 * piece. */
static size_t frame_mtu_length(enum memtun_mode mode, const struct frame *frame)
{
	size_t length = frame->length;

	if (frame_is_gso(frame))
		length = frame_segment_piece_length(frame->data, length, &frame->offload);
	return frame_format_packet_length(mode, frame->data, length);
}

/* Collect the frames of the batch that this lane can take, and complete their checksums if it needs
 * that. Counts the others as dropped. */
static unsigned int lane_select(struct lane *lane, struct batch *batch, uint64_t mask,
				struct frame *frames[BATCH_FRAMES])
{
	unsigned int count = 0;

	frames[0] = NULL;
	for (; mask; mask &= mask - 1) {
		struct frame *frame = &batch->frames[__builtin_ctzll(mask)];

		if (frame_mtu_length(lane->port->mode, frame) > lane->port->mtu) {
			lane_drop(lane, frame, MEMTUN_A_TO_CLIENT_DROPPED_MTU);
			continue;
		}
		if (!(lane->format.offload & TUN_F_CSUM))
			frame_complete_checksum(frame);
		frames[count++] = frame;
	}
	return count;
}

static bool backlog_is_full(const struct lane *lane)
{
	return lane->backlog.count >= lane->port->backlog_max ||
	       lane->backlog.bytes >= LANE_BYTES_MAX;
}

static bool backlog_is_half_empty(const struct lane *lane)
{
	return lane->backlog.count <= lane->port->backlog_max / 2 &&
	       lane->backlog.bytes <= LANE_BYTES_MAX / 2;
}

/* Return whether a full backlog pauses the source instead of dropping its frames. */
static bool lane_blocks(const struct lane *lane, const struct source *source)
{
	return lane->port->overflow == MEMTUN_BLOCK || source->lossless;
}

/* With drop-head: drop the oldest frames until there is room. Returns false if there is no room. */
static bool lane_make_room(struct lane *lane)
{
	/* A frame that was sent in part on a stream must be completed, so it stays. */
	unsigned int held = lane->sent_of_first ? 1 : 0;

	while (backlog_is_full(lane)) {
		if (lane->port->overflow == MEMTUN_DROP_TAIL || lane->backlog.count <= held)
			return false;
		lane_drop(lane, backlog_peek(&lane->backlog, held),
			  MEMTUN_A_TO_CLIENT_DROPPED_FULL);
		if (held)
			backlog_pop_second(&lane->backlog);
		else
			backlog_pop(&lane->backlog, 1);
	}
	return true;
}

/*
 * Put a frame into the backlog, or drop it or the oldest one, as the port's overflow policy says.
 */
static void lane_keep(struct lane *lane, const struct source *source, struct frame *frame)
{
	struct frame *copy;

	if (!lane_blocks(lane, source) && !lane_make_room(lane)) {
		lane_drop(lane, frame, MEMTUN_A_TO_CLIENT_DROPPED_FULL);
		return;
	}
	if (!frame->references && !frame->copy)
		port_count(lane->port, MEMTUN_A_TO_CLIENT_COPIED_BYTES, frame->length);
	copy = frame_keep(frame);
	if (copy && backlog_push(&lane->backlog, copy) == 0)
		return;
	if (copy)
		frame_release(copy);
	lane_drop(lane, frame, MEMTUN_A_TO_CLIENT_DROPPED_REFUSED);
	/* The rest of a partly sent frame is lost, so the receiver could not find the next frame on
	 * the stream. Close the lane. */
	if (lane->sent_of_first && lane->backlog.count == 0)
		lane_close_later(lane);
}

void lane_send(struct lane *lane, struct source *source, struct batch *batch, uint64_t mask)
{
	struct frame *frames[BATCH_FRAMES];
	unsigned int count = lane_select(lane, batch, mask, frames);
	unsigned int done = 0;

	if (lane->peer_closed) {
		for (; done < count; done++)
			lane_drop(lane, frames[done], MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT);
		return;
	}
	if (lane->backlog.count == 0)
		done = lane->link->send(lane, frames, count);
	if (done == count)
		return;
	for (; done < count; done++)
		lane_keep(lane, source, frames[done]);
	if (lane_blocks(lane, source) && backlog_is_full(lane))
		backpressure_pause(&lane->backpressure, source);
	lane_update_io(lane);
}

void lane_resume_sources(struct lane *lane)
{
	if (lane->port->overflow != MEMTUN_BLOCK || backlog_is_half_empty(lane))
		backpressure_resume(&lane->backpressure);
}

/* Send frames of the backlog until the descriptor has no room. */
void lane_flush(struct lane *lane)
{
	struct backlog *backlog = &lane->backlog;

	while (backlog->count) {
		struct frame *frames[BATCH_FRAMES];
		unsigned int count = 0, done;

		while (count < BATCH_FRAMES && count < backlog->count) {
			frames[count] = backlog_peek(backlog, count);
			count++;
		}
		done = lane->link->send(lane, frames, count);
		backlog_pop(backlog, done);
		if (done < count)
			break;
	}
	if (backpressure_is_pausing(&lane->backpressure) && backlog_is_half_empty(lane))
		backpressure_resume(&lane->backpressure);
	lane_update_io(lane);
}

bool lane_send_failed(struct lane *lane, const struct frame *frame)
{
	switch (errno) {
	case EAGAIN:
		return false;
	case EPIPE:
	case ECONNRESET:
	case ECONNREFUSED:
	case ENOTCONN:
	case EBADFD: /* a device that was deleted */
		if (lane->envelope && lane->envelope->connectionless)
			break;
		lane->error = errno;
		/* The next read forwards the frames that the other end had sent, and then finds the
		 * end. */
		lane_close_later(lane);
		lane_drop(lane, frame, MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT);
		return true;
	default:
		break;
	}
	lane_drop(lane, frame, MEMTUN_A_TO_CLIENT_DROPPED_REFUSED);
	return true;
}
