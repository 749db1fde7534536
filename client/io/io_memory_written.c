/* SPDX-License-Identifier: MIT */
/*
 * Frames that the program of a tunnel in memory has written: taking them out of its socket, with
 * the kernel's time stamp of each, and giving them to sorters and to tests.
 */
#include "client/io/io_memory_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"

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
	struct iovec part = {NULL, IO_MEMORY_MESSAGE_MAX};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct io_frame *frame;
	ssize_t got;

	if (!memory->message)
		memory->message = malloc(IO_MEMORY_MESSAGE_MAX);
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
	frame = memory_copy_listed(&self->written, index);
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
