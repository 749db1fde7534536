/* SPDX-License-Identifier: MIT */
/*
 * Frames from the network to the program of a tunnel in memory: injecting them, and looking at
 * those that the program has not read yet.
 */
#include "client/io/io_memory_parts.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/failed.h"
#include "common/frame/frame_format.h"

/*
 * A socket does not report how many messages are in it. This file computes the number from the
 * lengths of the last messages and from FIONREAD, which for SEQPACKET is the sum of the unread
 * bytes.
 */

void memory_drop_frames(struct io_frames *frames)
{
	struct io_frame *frame;

	while ((frame = STAILQ_FIRST(frames))) {
		STAILQ_REMOVE_HEAD(frames, next);
		free(frame);
	}
}

static void note_length(struct memory_tunnel *tunnel, size_t length)
{
	tunnel->lengths[tunnel->lengths_end] = (uint32_t)length;
	tunnel->lengths_end = (tunnel->lengths_end + 1) % IO_MEMORY_IN_SOCKET;
	if (tunnel->lengths_count < IO_MEMORY_IN_SOCKET)
		tunnel->lengths_count++;
}

static int send_frame(struct memory_tunnel *tunnel, struct iovec *parts, size_t count)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	ssize_t sent = sendmsg(tunnel->network_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent >= 0)
		note_length(tunnel, (size_t)sent);
	return sent < 0 ? -1 : 0;
}

void memory_flush(struct io_tunnel *tunnel)
{
	struct memory_tunnel *self = memory_of_tunnel(tunnel);
	struct io_frame *frame;

	while ((frame = STAILQ_FIRST(&self->waiting))) {
		struct iovec part = {frame->bytes, frame->length};

		if (send_frame(self, &part, 1) < 0)
			break;
		STAILQ_REMOVE_HEAD(&self->waiting, next);
		self->waiting_count--;
		free(frame);
	}
	memory_sort(tunnel);
	atomic_store(&tunnel->has_waiting,
		     !STAILQ_EMPTY(&self->waiting) || !TAILQ_EMPTY(&self->sorters));
}

/* Copy the frame into the list of those that wait for room in the socket. */
static int wait_for_room(struct memory_tunnel *tunnel, const struct iovec parts[2])
{
	size_t length = parts[0].iov_len + parts[1].iov_len;
	struct io_frame *frame = malloc(sizeof(*frame) + length);

	if (!frame)
		return -1;
	frame->time = 0;
	frame->header_size = parts[0].iov_len;
	frame->length = length;
	memcpy(frame->bytes, parts[0].iov_base, parts[0].iov_len);
	memcpy(frame->bytes + parts[0].iov_len, parts[1].iov_base, parts[1].iov_len);
	STAILQ_INSERT_TAIL(&tunnel->waiting, frame, next);
	tunnel->waiting_count++;
	atomic_store(&tunnel->tunnel.has_waiting, true);
	return 0;
}

static int inject_locked(struct memory_tunnel *tunnel, const void *frame, size_t length)
{
	const struct tun_interface *interface = tunnel->tunnel.device.interface;
	/* The vnet header is all zero: checksums are complete, and there is no GSO. */
	unsigned char headers[IO_MEMORY_HEADERS] = {0};
	struct iovec parts[2] = {{headers, 0}, {(void *)frame, length}};
	struct frame_format format = {0};
	bool tap;

	if (tunnel->network_fd < 0)
		return failed(EPIPE);
	if (!interface || tunnel->tunnel.device.detached)
		return failed(ENODEV);
	if (!interface->carrier)
		return failed(ENETDOWN);
	tap = interface->flags & IFF_TAP;
	if (length < (tap ? ETH_HLEN : 1))
		return failed(EINVAL);
	if (interface->header_size + length > IO_TUN_SEND_SIZE)
		return failed(EMSGSIZE);
	if (tap && !tun_filter_passes(&interface->filter, frame))
		return 0;
	format.packet_information = interface->packet_information;
	frame_format_encode(&format, tap ? MEMTUN_TAP : MEMTUN_TUN, frame, length, NULL, headers);
	parts[0].iov_len = interface->header_size;
	memory_flush(&tunnel->tunnel);
	if (STAILQ_EMPTY(&tunnel->waiting) && send_frame(tunnel, parts, 2) == 0)
		return 1;
	if (STAILQ_EMPTY(&tunnel->waiting) && errno != EAGAIN && errno != ENOBUFS)
		return errno == ENOMEM ? -1 : failed(EPIPE);
	return wait_for_room(tunnel, parts) < 0 ? -1 : 1;
}

int io_memory_inject(struct io_tunnel *tunnel, const void *frame, size_t length)
{
	int result;

	pthread_mutex_lock(&tunnel->system->lock);
	result = inject_locked(memory_of_tunnel(tunnel), frame, length);
	pthread_mutex_unlock(&tunnel->system->lock);
	return result;
}

/* Return how many of the last messages have together as many bytes as are unread. */
static unsigned int count_in_socket(struct memory_tunnel *tunnel)
{
	unsigned int place = tunnel->lengths_end, count = 0;
	int unread = 0;

	if (ioctl(io_tunnel_number(&tunnel->tunnel), FIONREAD, &unread) < 0)
		return 0;
	while (unread > 0 && count < tunnel->lengths_count) {
		place = (place + IO_MEMORY_IN_SOCKET - 1) % IO_MEMORY_IN_SOCKET;
		unread -= (int)tunnel->lengths[place];
		count++;
	}
	return count;
}

unsigned int io_memory_count_unread(struct io_tunnel *tunnel)
{
	unsigned int count;

	pthread_mutex_lock(&tunnel->system->lock);
	count = count_in_socket(memory_of_tunnel(tunnel)) + memory_of_tunnel(tunnel)->waiting_count;
	pthread_mutex_unlock(&tunnel->system->lock);
	return count;
}

struct io_frame *memory_copy_listed(const struct io_frames *frames, unsigned int index)
{
	const struct io_frame *frame;
	struct io_frame *copy;

	STAILQ_FOREACH(frame, frames, next) {
		if (index-- == 0)
			break;
	}
	if (!frame) {
		errno = EAGAIN;
		return NULL;
	}
	copy = malloc(sizeof(*copy) + frame->length);
	if (copy)
		memcpy(copy, frame, sizeof(*copy) + frame->length);
	return copy;
}

/*
 * Return a copy of a message in the program's socket. With SO_PEEK_OFF each MSG_PEEK goes on where
 * the one before ended.
 */
static struct io_frame *copy_in_socket(struct memory_tunnel *tunnel, unsigned int index)
{
	const struct tun_interface *interface = tunnel->tunnel.device.interface;
	const int number = io_tunnel_number(&tunnel->tunnel), from_start = 0, off = -1;
	struct io_frame *frame = malloc(sizeof(*frame) + IO_MEMORY_MESSAGE_MAX);
	ssize_t got = -1;

	if (!frame)
		return NULL;
	if (setsockopt(number, SOL_SOCKET, SO_PEEK_OFF, &from_start, sizeof(from_start)) < 0) {
		free(frame);
		return NULL;
	}
	for (unsigned int i = 0; i <= index; i++)
		got = recv(number, frame->bytes, IO_MEMORY_MESSAGE_MAX, MSG_PEEK | MSG_DONTWAIT);
	setsockopt(number, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off));
	if (got <= 0) {
		free(frame);
		errno = EAGAIN;
		return NULL;
	}
	frame->time = 0;
	frame->length = (size_t)got;
	frame->header_size =
		interface && interface->header_size < frame->length ? interface->header_size : 0;
	return frame;
}

struct io_frame *io_memory_peek_unread(struct io_tunnel *tunnel, unsigned int index)
{
	struct memory_tunnel *self = memory_of_tunnel(tunnel);
	struct io_frame *frame;
	unsigned int in_socket;

	pthread_mutex_lock(&tunnel->system->lock);
	in_socket = count_in_socket(self);
	frame = index < in_socket ? copy_in_socket(self, index)
				  : memory_copy_listed(&self->waiting, index - in_socket);
	pthread_mutex_unlock(&tunnel->system->lock);
	return frame;
}

void io_memory_clear_unread(struct io_tunnel *tunnel)
{
	pthread_mutex_lock(&tunnel->system->lock);
	memory_drop_unread(memory_of_tunnel(tunnel));
	pthread_mutex_unlock(&tunnel->system->lock);
}
