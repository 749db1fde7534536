/* SPDX-License-Identifier: MIT */
/*
 * The network's side of tunnels in memory: frames to the program and from it.
 *
 * Two things a socket does not report directly. How many messages are in it follows from the
 * lengths of the last messages and from FIONREAD, which for SEQPACKET is the sum of all that are
 * unread. When a message was written follows from the kernel's time stamp.
 */
#include "client/io/io_memory_parts.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/failed.h"
#include "common/frame/frame_format.h"

/* Bytes of the longest message that a plain write(2) can put into a socket: its SO_SNDBUF. */
#define MESSAGE_MAX 212992

void memory_drop_frames(struct io_frames *frames)
{
	struct io_frame *frame;

	while ((frame = STAILQ_FIRST(frames))) {
		STAILQ_REMOVE_HEAD(frames, next);
		free(frame);
	}
}

/* ------------------------------------------------------------------------------ to the program */

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

/* Return a copy of the frame with that number in the list; NULL with EAGAIN or ENOMEM. */
static struct io_frame *copy_listed(const struct io_frames *frames, unsigned int index)
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
 * Return a copy of a message in the program's socket. With SO_PEEK_OFF each MSG_PEEK goes on where the
 * one before ended.
 */
static struct io_frame *copy_in_socket(struct memory_tunnel *tunnel, unsigned int index)
{
	const struct tun_interface *interface = tunnel->tunnel.device.interface;
	const int number = io_tunnel_number(&tunnel->tunnel), from_start = 0, off = -1;
	struct io_frame *frame = malloc(sizeof(*frame) + MESSAGE_MAX);
	ssize_t got = -1;

	if (!frame)
		return NULL;
	if (setsockopt(number, SOL_SOCKET, SO_PEEK_OFF, &from_start, sizeof(from_start)) < 0) {
		free(frame);
		return NULL;
	}
	for (unsigned int i = 0; i <= index; i++)
		got = recv(number, frame->bytes, MESSAGE_MAX, MSG_PEEK | MSG_DONTWAIT);
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
				  : copy_listed(&self->waiting, index - in_socket);
	pthread_mutex_unlock(&tunnel->system->lock);
	return frame;
}

void io_memory_clear_unread(struct io_tunnel *tunnel)
{
	pthread_mutex_lock(&tunnel->system->lock);
	memory_drop_unread(memory_of_tunnel(tunnel));
	pthread_mutex_unlock(&tunnel->system->lock);
}

/* ------------------------------------------------------------------------------ from it */

/*
 * Return CLOCK_REALTIME, by which sockets are stamped, less CLOCK_MONOTONIC. The two cannot be read
 * at once, so a reading that took more than 10 microseconds is repeated.
 */
static int64_t realtime_lead(void)
{
	struct timespec now;
	int64_t before, after;
	int tries = 10;

	do {
		before = clock_now();
		clock_gettime(CLOCK_REALTIME, &now);
		after = clock_now();
	} while (after - before > CLOCK_MILLISECOND / 100 && --tries);
	return now.tv_sec * CLOCK_SECOND + now.tv_nsec - (before + (after - before) / 2);
}

/*
 * Convert a stamp to CLOCK_MONOTONIC. The difference of the clocks is kept while it is right to a
 * millisecond, so that times stay in order. It changes when the time of day is set.
 */
static int64_t monotonic_time(struct memory *memory, const struct timespec *stamp)
{
	int64_t lead = realtime_lead();

	if (llabs(lead - memory->realtime_lead) > CLOCK_MILLISECOND)
		memory->realtime_lead = lead;
	return stamp->tv_sec * CLOCK_SECOND + stamp->tv_nsec - memory->realtime_lead;
}

static int64_t message_time(struct memory *memory, struct msghdr *message)
{
	struct timespec stamp;

	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control;
	     control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&stamp, CMSG_DATA(control), sizeof(stamp));
			return monotonic_time(memory, &stamp);
		}
	}
	return clock_now();
}

/* Take one message out of the socket. NULL with EAGAIN (there is none) or ENOMEM. */
static struct io_frame *receive_frame(struct memory_tunnel *tunnel)
{
	const struct tun_interface *interface = tunnel->tunnel.device.interface;
	struct memory *memory = io_tunnel_context(&tunnel->tunnel);
	char control[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec part = {NULL, MESSAGE_MAX};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct io_frame *frame;
	ssize_t got;

	if (!memory->message)
		memory->message = malloc(MESSAGE_MAX);
	if (!memory->message)
		return NULL;
	part.iov_base = memory->message;
	got = recvmsg(tunnel->network_fd, &message, MSG_DONTWAIT);
	if (got <= 0) {
		if (got == 0 || errno == ECONNRESET || tunnel->network_fd < 0)
			errno = EAGAIN; /* at its end, or an empty message, which is no frame */
		return NULL;
	}
	frame = malloc(sizeof(*frame) + (size_t)got);
	if (!frame)
		return NULL;
	frame->time = message_time(memory, &message);
	frame->length = (size_t)got;
	frame->header_size = interface ? interface->header_size : 0;
	if (frame->header_size > frame->length)
		frame->header_size = frame->length; /* a plain write(2) may be shorter */
	memcpy(frame->bytes, memory->message, frame->length);
	return frame;
}

static void sorters_turn(struct memory_tunnel *tunnel)
{
	struct io_sorter *sorter, *next;

	for (sorter = TAILQ_FIRST(&tunnel->sorters); sorter; sorter = next) {
		next = TAILQ_NEXT(sorter, next);
		if (sorter->turn(sorter))
			continue;
		TAILQ_REMOVE(&tunnel->sorters, sorter, next);
		sorter->end(sorter);
	}
	atomic_store(&tunnel->tunnel.is_sorted, !TAILQ_EMPTY(&tunnel->sorters));
}

void memory_end_sorters(struct memory_tunnel *tunnel)
{
	struct io_sorter *sorter;

	while ((sorter = TAILQ_FIRST(&tunnel->sorters))) {
		TAILQ_REMOVE(&tunnel->sorters, sorter, next);
		sorter->end(sorter);
	}
}

static bool sorters_take(struct memory_tunnel *tunnel, struct io_frame *frame)
{
	struct io_sorter *sorter;

	TAILQ_FOREACH(sorter, &tunnel->sorters, next) {
		if (sorter->take(sorter, frame))
			return true;
	}
	return false;
}

/* Take frames out of the socket until `max` are kept here. Return whether there were any. */
static bool collect(struct memory_tunnel *tunnel, unsigned int max)
{
	bool any = false;

	sorters_turn(tunnel);
	while (tunnel->written_count < max) {
		struct io_frame *frame = receive_frame(tunnel);

		if (!frame)
			break;
		any = true;
		if (sorters_take(tunnel, frame))
			continue;
		STAILQ_INSERT_TAIL(&tunnel->written, frame, next);
		tunnel->written_count++;
	}
	return any;
}

void memory_collect(struct memory_tunnel *tunnel)
{
	collect(tunnel, UINT32_MAX);
}

void memory_sort(struct io_tunnel *tunnel)
{
	if (!TAILQ_EMPTY(&memory_of_tunnel(tunnel)->sorters))
		collect(memory_of_tunnel(tunnel), IO_MEMORY_WRITTEN);
}

void io_memory_add_sorter(struct io_tunnel *tunnel, struct io_sorter *sorter)
{
	struct memory_tunnel *self = memory_of_tunnel(tunnel);
	struct io_frames left = STAILQ_HEAD_INITIALIZER(left);
	struct io_frame *frame;

	pthread_mutex_lock(&tunnel->system->lock);
	memory_sort(tunnel);
	while ((frame = STAILQ_FIRST(&self->written))) {
		STAILQ_REMOVE_HEAD(&self->written, next);
		if (sorter->take(sorter, frame))
			self->written_count--;
		else
			STAILQ_INSERT_TAIL(&left, frame, next);
	}
	STAILQ_CONCAT(&self->written, &left);
	TAILQ_INSERT_TAIL(&self->sorters, sorter, next);
	memory_sort(tunnel);
	atomic_store(&tunnel->has_waiting, true);
	pthread_mutex_unlock(&tunnel->system->lock);
}

bool memory_make_room(struct io_tunnel *tunnel)
{
	return collect(memory_of_tunnel(tunnel), IO_MEMORY_WRITTEN);
}

struct io_frame *io_memory_take(struct io_tunnel *tunnel)
{
	struct memory_tunnel *self = memory_of_tunnel(tunnel);
	struct io_frame *frame;

	pthread_mutex_lock(&tunnel->system->lock);
	memory_sort(tunnel);
	frame = STAILQ_FIRST(&self->written);
	if (frame) {
		STAILQ_REMOVE_HEAD(&self->written, next);
		self->written_count--;
	} else {
		/* If there are sorters, memory_sort() has emptied the socket. */
		frame = receive_frame(self);
	}
	pthread_mutex_unlock(&tunnel->system->lock);
	return frame;
}

struct io_frame *io_memory_choose(struct io_tunnel *tunnel,
				  bool (*chosen)(struct io_frame *frame, void *context),
				  void *context)
{
	struct memory_tunnel *self = memory_of_tunnel(tunnel);
	struct io_frame *frame;

	pthread_mutex_lock(&tunnel->system->lock);
	collect(self, UINT32_MAX);
	STAILQ_FOREACH(frame, &self->written, next) {
		if (chosen(frame, context))
			break;
	}
	if (frame) {
		STAILQ_REMOVE(&self->written, frame, io_frame, next);
		self->written_count--;
	}
	pthread_mutex_unlock(&tunnel->system->lock);
	if (!frame)
		errno = EAGAIN;
	return frame;
}

unsigned int io_memory_count_written(struct io_tunnel *tunnel)
{
	struct memory_tunnel *self = memory_of_tunnel(tunnel);
	unsigned int count;

	pthread_mutex_lock(&tunnel->system->lock);
	collect(self, UINT32_MAX);
	count = self->written_count;
	pthread_mutex_unlock(&tunnel->system->lock);
	return count;
}

struct io_frame *io_memory_peek_written(struct io_tunnel *tunnel, unsigned int index)
{
	struct memory_tunnel *self = memory_of_tunnel(tunnel);
	struct io_frame *frame;

	pthread_mutex_lock(&tunnel->system->lock);
	collect(self, UINT32_MAX);
	frame = copy_listed(&self->written, index);
	pthread_mutex_unlock(&tunnel->system->lock);
	return frame;
}

void io_memory_clear_written(struct io_tunnel *tunnel)
{
	struct memory_tunnel *self = memory_of_tunnel(tunnel);

	pthread_mutex_lock(&tunnel->system->lock);
	collect(self, UINT32_MAX);
	memory_drop_frames(&self->written);
	self->written_count = 0;
	pthread_mutex_unlock(&tunnel->system->lock);
}
