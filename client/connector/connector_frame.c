/* SPDX-License-Identifier: MIT */
/* Receives frames, and keeps them until they are freed. */
#include <errno.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "client/connector/connector_parts.h"
#include "common/clock.h"
#include "common/descriptor.h"
#include "common/failed.h"

/*
 * A tunnel has ended when its peer has hung up and no frame is left to read. A read of length 0
 * before that is an empty message, which is no frame. ECONNRESET means that the peer closed with
 * frames unread; the frames that the peer had sent follow.
 */

/* --- keeping --- */

static struct connector_frame *frame_take_spare(struct memtun_connector *connector)
{
	struct connector_frame *frame = connector->spare;

	connector->spare = NULL;
	if (!frame)
		frame = malloc(sizeof(*frame) + FRAME_MAX);
	if (frame)
		frame->kept = false;
	return frame;
}

void connector_recycle(struct memtun_connector *connector, struct connector_frame *frame)
{
	if (frame->kept || connector->spare)
		free(frame);
	else
		connector->spare = frame;
}

/* Cut the buffer of a frame that is kept for longer than until the next one is read. */
static struct connector_frame *frame_cut(struct connector_frame *frame)
{
	struct connector_frame *cut;

	if (frame->kept)
		return frame;
	cut = realloc(frame, sizeof(*frame) + frame->packet.length);
	if (!cut)
		return frame;
	cut->packet.data = cut->bytes;
	cut->kept = true;
	return cut;
}

void connector_keep_waiting(struct memtun_connector *connector, struct connector_frame *frame)
{
	frame = frame_cut(frame);
	TAILQ_INSERT_TAIL(&connector->waiting, frame, entry);
}

int connector_give(struct memtun_connector *connector, struct connector_frame *frame)
{
	if (connector->given_count == connector->given_room) {
		size_t room = connector->given_room ? 2 * connector->given_room : 16;
		void *given = reallocarray(connector->given, room, sizeof(*connector->given));

		if (!given) {
			connector_keep_waiting(connector, frame);
			return -1;
		}
		connector->given = given;
		connector->given_room = room;
	}
	/* A frame that is given alone keeps its buffer, which becomes the spare one. */
	if (connector->given_count > 0)
		frame = frame_cut(frame);
	connector->given[connector->given_count++] = frame;
	return 0;
}

void connector_release(struct memtun_connector *connector)
{
	while (connector->given_count > 0)
		connector_recycle(connector, connector->given[--connector->given_count]);
}

/* --- receiving --- */

static ssize_t end_reached(struct memtun_connector *connector)
{
	connector->ended = true;
	return failed(EPIPE);
}

static ssize_t socket_read(struct memtun_connector *connector, struct msghdr *message)
{
	ssize_t length;

	do {
		message->msg_flags = 0;
		length = recvmsg(connector->fd, message, MSG_DONTWAIT);
	} while (length < 0 && (errno == EINTR || errno == ECONNRESET));
	if (length == 0 && descriptor_at_end(connector->fd))
		return end_reached(connector);
	/* A SOCK_DGRAM socket reports no hang-up. A write has found that the peer closed. */
	if (length < 0 && errno == EAGAIN && connector->ended)
		errno = EPIPE;
	return length;
}

/* The read may wait if another process takes the device's frame after the poll. */
static ssize_t device_read(struct memtun_connector *connector, const struct msghdr *message)
{
	int revents = connector_poll(connector->fd, POLLIN, 0);
	ssize_t length;

	if (revents == 0)
		errno = EAGAIN;
	if (revents <= 0)
		return -1;
	length = readv(connector->fd, message->msg_iov, (int)message->msg_iovlen);
	/* EBADFD: the kernel's interface was deleted, or the descriptor is not attached. */
	if (length == 0 || (length < 0 && (errno == EBADFD || errno == ENODEV)))
		return end_reached(connector);
	return length;
}

static ssize_t multicast_read(struct memtun_connector *connector, struct msghdr *message)
{
	struct mmsghdr received = {.msg_hdr = *message};

	if (multicast_receive(&connector->multicast, &received, 1) < 0)
		return -1;
	message->msg_flags = received.msg_hdr.msg_flags;
	return received.msg_len;
}

static ssize_t message_read(struct memtun_connector *connector, struct msghdr *message)
{
	switch (connector->kind) {
	case CONNECTOR_SOCKET:
		return socket_read(connector, message);
	case CONNECTOR_DEVICE:
		return device_read(connector, message);
	default:
		return multicast_read(connector, message);
	}
}

/* Read one message. Return 1 if it is a frame, 0 if it is empty or this connector's own; or -1. */
static int frame_read(struct memtun_connector *connector, struct connector_frame *frame)
{
	size_t header_size = frame_format_size(&connector->format);
	struct tun_pi information = {0};
	struct iovec parts[] = {{&information, header_size}, {frame->bytes, FRAME_MAX}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t length = message_read(connector, &message);

	if (length < 0)
		return -1;
	if ((size_t)length <= header_size)
		return 0;
	frame->packet = (struct memtun_packet){
		.size = sizeof(frame->packet),
		.data = frame->bytes,
		.length = (size_t)length - header_size,
		.time = clock_now(),
		.cut = message.msg_flags & MSG_TRUNC || information.flags & TUN_PKT_STRIP,
	};
	packet_parse(&frame->packet, connector->mode);
	return 1;
}

struct connector_frame *connector_receive(struct memtun_connector *connector)
{
	struct connector_frame *frame = frame_take_spare(connector);
	int result = 0;

	if (!frame)
		return NULL;
	for (int i = 0; i < CONNECTOR_DRAIN_MAX && result == 0; i++)
		result = frame_read(connector, frame);
	if (result > 0)
		return frame;
	if (result == 0)
		errno = EAGAIN;
	connector->spare = frame;
	return NULL;
}

int64_t connector_deadline(int timeout)
{
	return timeout < 0 ? -1 : clock_now() + timeout * CLOCK_MILLISECOND;
}

/* Wait until a frame may have arrived. -1 with ETIMEDOUT at the deadline, or another errno. */
static int connector_wait(const struct memtun_connector *connector, int64_t deadline)
{
	int revents;

	if (deadline >= 0 && clock_now() >= deadline)
		return failed(ETIMEDOUT);
	revents = connector_poll(memtun_connector_fd(connector), POLLIN | POLLRDHUP,
				 clock_poll_timeout(deadline));
	return revents < 0 && errno != EINTR ? -1 : 0;
}

struct connector_frame *connector_next(struct memtun_connector *connector, int64_t deadline)
{
	struct connector_frame *frame = TAILQ_FIRST(&connector->waiting);

	if (frame) {
		TAILQ_REMOVE(&connector->waiting, frame, entry);
		return frame;
	}
	for (;;) {
		frame = connector_receive(connector);
		if (frame || errno != EAGAIN)
			return frame;
		if (connector_wait(connector, deadline) < 0)
			return NULL;
	}
}
