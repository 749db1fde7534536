/* SPDX-License-Identifier: MIT */
#include "broker/switch/lane.h"

#include <unistd.h>

#include "broker/engine/engine.h"
#include "broker/switch/drop.h"
#include "broker/switch/port.h"
#include "broker/switch/stream.h"
#include "broker/system/socket_diag.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/descriptor_reserve.h"

/*
 * The maximum number of batches to read after the other end was closed. There is a limit because a
 * client that only shut down its receiving side could go on writing for ever. It is above what a
 * socket can hold: 554 frames with the largest send buffer that Linux allows an ordinary user by
 * default.
 */
#define DRAIN_BATCHES 64

static void lane_ready(struct ev_loop *loop, ev_io *io, int events);

/* ------------------------------------------------------------------------------ life */

static void lane_poll(struct polled *polled)
{
	lane_close_dead(container_of(polled, struct lane, polled));
}

void lane_init(struct lane *lane, struct engine *engine, const struct lane_owner *owner)
{
	lane->engine = engine;
	lane->owner = owner;
	lane->batch_hint = 1;
	lane->polled.poll = lane_poll;
	LIST_INIT(&lane->backpressure.edges);
	ev_io_init(&lane->io, lane_ready, -1, 0);
	lane->io.data = lane;
}

int lane_open(struct lane *lane, const struct lane_link *link, int fd)
{
	if (descriptor_check_reserve(fd) < 0)
		return -1;
	if (link == &lane_stream_link && !(lane->stream = stream_new()))
		return -1;
	lane->link = link;
	lane->lacks_nowait = false;
	lane->peer_closed = false;
	lane->error = 0;
	lane->overrun = 0;
	ev_io_set(&lane->io, fd, EV_READ);
	lane_update_io(lane);
	return 0;
}

static void lane_drop_backlog(struct lane *lane)
{
	for (uint32_t i = 0; lane->port && i < lane->backlog.count; i++)
		drop_frame(lane->port, lane->port->mode, backlog_peek(&lane->backlog, i),
			   MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT);
	backlog_pop(&lane->backlog, lane->backlog.count);
	lane->sent_of_first = 0;
	backpressure_resume(&lane->backpressure);
}

int lane_release(struct lane *lane)
{
	int fd = lane->io.fd;

	lane_drop_backlog(lane);
	liveness_set(&lane->engine->liveness, &lane->polled, false);
	ev_io_stop(lane->engine->loop, &lane->io);
	ev_io_set(&lane->io, -1, 0);
	stream_free(lane->stream);
	lane->stream = NULL;
	return fd;
}

void lane_close(struct lane *lane)
{
	if (lane_is_open(lane))
		close(lane_release(lane));
}

void lane_update_io(struct lane *lane)
{
	struct ev_loop *loop = lane->engine->loop;
	int events = (lane->paused ? 0 : EV_READ) | (lane->backlog.count ? EV_WRITE : 0);
	int fed = ev_is_pending(&lane->io) ? EV_READ : 0;

	/* The loop reports the close of the other end only while it reads, and never for dgram. */
	liveness_set(&lane->engine->liveness, &lane->polled, lane->paused || lane->inode);
	if (ev_is_active(&lane->io) && events == (lane->io.events & (EV_READ | EV_WRITE)))
		return;
	ev_io_stop(loop, &lane->io);
	ev_io_set(&lane->io, lane->io.fd, events);
	if (events)
		ev_io_start(loop, &lane->io);
	/* ev_io_stop() has cleared a pending event, so feed it again. */
	if (fed && (events || lane->peer_closed))
		ev_feed_event(loop, &lane->io, fed);
}

void lane_set_port(struct lane *lane, struct port *port)
{
	/* The rest of a partly sent frame is about to be dropped, so no other frame may follow it
	 * on the stream. */
	if (lane->sent_of_first)
		lane_close_later(lane);
	lane_drop_backlog(lane);
	lane->port = port;
	lane->paused = port && source_is_paused(&port->source);
	lane_update_io(lane);
}

/* Schedule a read of frames that were already received from the stream. The socket would report no
 * event for them. */
static void lane_read_on(struct lane *lane)
{
	if (lane->stream && stream_has_whole(lane->stream))
		ev_feed_event(lane->engine->loop, &lane->io, EV_READ);
}

void lane_set_reading(struct lane *lane, bool reading)
{
	lane->paused = !reading;
	if (!lane_is_open(lane))
		return;
	lane_update_io(lane);
	if (reading)
		lane_read_on(lane);
}

void lane_close_later(struct lane *lane)
{
	if (!lane->peer_closed)
		ev_feed_event(lane->engine->loop, &lane->io, EV_READ);
	lane->peer_closed = true;
}

/* ------------------------------------------------------------------------------ what comes in */

void lane_count(struct lane *lane, enum memtun_attribute counter)
{
	if (lane->port)
		port_count(lane->port, counter, 1);
}

bool lane_check(struct lane *lane, struct frame *frame, const void *headers)
{
	enum memtun_attribute reason;

	if (!lane->port)
		return false; /* frames are discarded until the queue has a tunnel */
	reason = frame_fault(lane->port->mode, frame);
	if (!reason &&
	    frame_format_decode(&lane->format, headers, frame->length, &frame->offload) == 0)
		return true;
	frame->offload = (struct virtio_net_hdr){0};
	drop_frame(lane->port, lane->port->mode, frame,
		   reason ? reason : MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED);
	return false;
}

/* Read a batch and forward it. */
static enum lane_received lane_read(struct lane *lane)
{
	struct engine *engine = lane->engine;
	enum lane_received received;
	unsigned int count = 0;
	uint64_t mask = 0;

	received = lane->link->receive(lane, &count, &mask);
	if (mask)
		port_forward(lane->port, engine->batch, mask);
	batch_clear(engine->batch, count);
	return received;
}

void lane_drain(struct lane *lane)
{
	enum lane_received received = LANE_RECEIVED_SOME;

	for (int i = 0; i < DRAIN_BATCHES && received == LANE_RECEIVED_SOME; i++) {
		lane->batch_hint = BATCH_READ_MAX;
		received = lane_read(lane);
	}
}

bool lane_close_dead(struct lane *lane)
{
	if (!lane->peer_closed && !descriptor_hung_up(lane->io.fd) &&
	    !(lane->inode &&
	      socket_diag_peer(&lane->engine->diag, lane->inode) == SOCKET_PEER_GONE))
		return false;
	lane_drain(lane);
	lane->owner->ended(lane);
	return true;
}

/* Read and forward one batch. Read only one per iteration of the loop, so that a lane with few
 * frames waits for at most one batch of each busy lane. Returns false if the lane has ended. */
static bool lane_read_turn(struct lane *lane)
{
	if (lane->paused)
		return true;
	if (lane_read(lane) == LANE_RECEIVED_END) {
		lane->owner->ended(lane);
		return false;
	}
	if (!lane->paused)
		lane_read_on(lane);
	return true;
}

static void lane_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct lane *lane = io->data;

	(void)loop;
	if (lane->peer_closed) {
		lane_drain(lane);
		lane->owner->ended(lane);
		return;
	}
	/* Read before sending: sending to a datagram socket whose other end is closed makes the
	 * kernel discard the frames that were received (unix_dgram_disconnected). */
	if ((events & EV_READ) && !lane_read_turn(lane))
		return;
	if ((events & EV_WRITE) && lane->backlog.count)
		lane_flush(lane);
}
