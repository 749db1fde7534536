/* SPDX-License-Identifier: MIT */
/* What the files of the connector share. */
#ifndef MEMTUN_CONNECTOR_PARTS_H
#define MEMTUN_CONNECTOR_PARTS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/frame/frame_format.h"
#include "common/multicast.h"
#include "memtun/connector.h"

/*
 * A frame is read into a buffer for the largest frame. If the frame is kept, its buffer is cut to
 * the frame's size. At any time a frame is in one place: waiting (read, but not returned yet),
 * given (returned to the caller, until the next call that reads), or spare (an unused buffer).
 */

/*
 * Max frames that one call reads after its timeout. A socket buffer of 4 MiB has room for fewer, as
 * the kernel counts at least 768 bytes for a message. So a call looks at every frame that had
 * arrived, and a LAN that is never silent cannot delay its end.
 */
#define CONNECTOR_DRAIN_MAX 8192

struct connector_frame {
	TAILQ_ENTRY(connector_frame) entry; /* in `waiting` */
	struct memtun_packet packet;
	bool kept; /* the buffer was cut */
	uint8_t bytes[];
};

TAILQ_HEAD(connector_frames, connector_frame);

enum connector_kind {
	CONNECTOR_SOCKET,
	CONNECTOR_DEVICE,
	CONNECTOR_MULTICAST,
};

struct memtun_connector {
	enum connector_kind kind;
	enum memtun_mode mode;
	struct frame_format format;
	int fd; /* the tunnel's descriptor, owned; -1: a LAN */
	struct multicast multicast;
	bool ended; /* the tunnel's peer has closed */
	struct connector_frames waiting;
	struct connector_frame **given; /* given_count frames, room for given_room */
	size_t given_count;
	size_t given_room;
	struct connector_frame *spare;
	char error[384];
};

/* Return the events that poll(2) finds on the descriptor, 0 after the timeout, or -1. */
static inline int connector_poll(int fd, short events, int timeout)
{
	struct pollfd polled = {.fd = fd, .events = events};
	int ready = poll(&polled, 1, timeout);

	return ready > 0 ? polled.revents : ready;
}

/* Return the deadline of a timeout in milliseconds: CLOCK_MONOTONIC, nanoseconds; -1: none. */
int64_t connector_deadline(int timeout);

/*
 * Read the next frame without waiting. The caller owns it. NULL with EAGAIN (none has arrived),
 * EPIPE (the tunnel has ended), ENOMEM or another errno.
 */
struct connector_frame *connector_receive(struct memtun_connector *connector);

/*
 * Return the oldest waiting frame, or read one before the deadline. The caller owns it. NULL as
 * above, but ETIMEDOUT instead of EAGAIN.
 */
struct connector_frame *connector_next(struct memtun_connector *connector, int64_t deadline);

/*
 * Add the frame to the given ones. It is then the connector's. Without memory for that, add it to
 * the waiting frames, and return -1 with ENOMEM.
 */
int connector_give(struct memtun_connector *connector, struct connector_frame *frame);

/* Add the frame, which is then the connector's, behind the waiting ones. */
void connector_keep_waiting(struct memtun_connector *connector, struct connector_frame *frame);

/* Make the frame the spare one, or free it. */
void connector_recycle(struct memtun_connector *connector, struct connector_frame *frame);

/* Recycle all given frames. */
void connector_release(struct memtun_connector *connector);

/* Set all members of *packet but data, length and time, which are set. `cut` may be set too. */
void packet_parse(struct memtun_packet *packet, enum memtun_mode mode);

#endif
