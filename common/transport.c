/* SPDX-License-Identifier: MIT */
/*
 * The transport: bytes and descriptors over a UNIX socket, with a bounded queue.
 *
 * It owns its socket and every descriptor in its queue: a queue of borrowed numbers would send
 * another file once the number was closed and reused. An entry is bytes plus descriptors and is
 * allocated before anything is sent, so that no failure can come between the two. It never peeks
 * (MSG_PEEK installs descriptors), and never sends descriptors with no bytes (on STREAM they
 * vanish).
 */
#include "memtun/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "clock.h"
#include "descriptor.h"

/* Reads and writes a turn, so that one busy peer doesn't keep the loop from the others. */
#define TURN 32

/* Waits for better weather: from a millisecond up to a second, doubling. */
#define BACKOFF_FIRST CLOCK_MILLISECOND
#define BACKOFF_MOST CLOCK_SECOND

/* The sender's pidfd, for a socket with SO_PASSPIDFD: Linux 6.5, younger than some headers. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

/* Room for all the descriptors that one message can bring, and for other ancillary data besides:
 * credentials, an LSM's label, a time stamp. */
#define CONTROL_ROOM (CMSG_SPACE(MEMTUN_TRANSPORT_MAX_FDS * sizeof(int)) + 512)

struct entry {
	STAILQ_ENTRY(entry) link;
	size_t length;
	size_t sent;
	size_t fd_count; /* 0 once they have gone with the first byte */
	unsigned char *bytes;
	int fds[];
};

struct backoff {
	int64_t until; /* -1: not waiting */
	int64_t delay; /* of the next wait */
};

struct memtun_transport {
	int fd;
	bool is_stream;
	bool reading;
	bool paused;
	bool closed;
	bool dispatching;
	bool freed; /* by a handler: dispatch does it when it is done */
	bool reset; /* ECONNRESET was seen: what the peer had sent before still follows */
	int write_error;
	size_t largest_record;
	const struct memtun_transport_handlers *handlers;
	void *context;
	struct memtun_transport_bounds bounds;
	STAILQ_HEAD(, entry) queue;
	size_t queued_bytes;
	size_t queued_fds;
	struct backoff send_backoff;
	struct backoff receive_backoff;
	uint64_t weather;
};

/* Is the system short of something that it may have again? */
static bool is_weather(int error)
{
	return error == EMFILE || error == ENFILE || error == ETOOMANYREFS || error == ENOBUFS ||
	       error == ENOMEM;
}

static void transport_notice(struct memtun_transport *transport,
			     const struct memtun_transport_notice *notice)
{
	if (transport->handlers->notice)
		transport->handlers->notice(transport, notice, transport->context);
}

static void backoff_clear(struct backoff *backoff)
{
	backoff->until = -1;
	backoff->delay = BACKOFF_FIRST;
}

static void backoff_wait(struct memtun_transport *transport, struct backoff *backoff, int error)
{
	struct memtun_transport_notice notice = {
		.kind = MEMTUN_TRANSPORT_NOTICE_WEATHER,
		.error = error,
	};

	backoff->until = clock_now() + backoff->delay;
	backoff->delay = backoff->delay * 2 > BACKOFF_MOST ? BACKOFF_MOST : backoff->delay * 2;
	transport->weather++;
	transport_notice(transport, &notice);
}

static struct entry *entry_new(const void *data, size_t length, size_t fd_count)
{
	struct entry *entry = malloc(sizeof(*entry) + fd_count * sizeof(int) + length);

	if (!entry)
		return NULL;
	entry->length = length;
	entry->sent = 0;
	entry->fd_count = 0;
	entry->bytes = (unsigned char *)(entry->fds + fd_count);
	memcpy(entry->bytes, data, length);
	return entry;
}

static void entry_close_fds(struct entry *entry)
{
	for (size_t i = 0; i < entry->fd_count; i++)
		descriptor_close(&entry->fds[i]);
	entry->fd_count = 0;
}

static void entry_free(struct entry *entry)
{
	entry_close_fds(entry);
	free(entry);
}

static void transport_drop_queue(struct memtun_transport *transport)
{
	struct entry *entry;

	while ((entry = STAILQ_FIRST(&transport->queue))) {
		STAILQ_REMOVE_HEAD(&transport->queue, link);
		entry_free(entry);
	}
	transport->queued_bytes = 0;
	transport->queued_fds = 0;
}

struct memtun_transport *
memtun_transport_new(int fd, const struct memtun_transport_handlers *handlers, void *context)
{
	struct memtun_transport *transport;
	int type, domain, send_buffer, flags;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, &size) < 0)
		return NULL;
	if (domain != AF_UNIX || (type != SOCK_SEQPACKET && type != SOCK_STREAM)) {
		errno = EPROTOTYPE;
		return NULL;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return NULL;
	transport = calloc(1, sizeof(*transport));
	if (!transport)
		return NULL;
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		free(transport);
		return NULL;
	}
	transport->fd = fd;
	transport->is_stream = type == SOCK_STREAM;
	transport->reading = true;
	/* unix(7)'s limit for one record is the send buffer less 32 bytes. */
	transport->largest_record = transport->is_stream ? SIZE_MAX : (size_t)send_buffer - 32;
	transport->handlers = handlers;
	transport->context = context;
	transport->bounds = (struct memtun_transport_bounds){
		.pause_fds = 64,
		.pause_bytes = 65536,
		.hard_fds = 1024,
		.hard_bytes = 1048576,
	};
	STAILQ_INIT(&transport->queue);
	backoff_clear(&transport->send_backoff);
	backoff_clear(&transport->receive_backoff);
	return transport;
}

void memtun_transport_free(struct memtun_transport *transport)
{
	if (!transport)
		return;
	transport_drop_queue(transport);
	descriptor_close(&transport->fd);
	transport->closed = true;
	transport->freed = true;
	if (!transport->dispatching)
		free(transport);
}

int memtun_transport_set_bounds(struct memtun_transport *transport,
				const struct memtun_transport_bounds *bounds)
{
	if (bounds->hard_fds < bounds->pause_fds || bounds->hard_bytes < bounds->pause_bytes) {
		errno = EINVAL;
		return -1;
	}
	transport->bounds = *bounds;
	return 0;
}

/* ------------------------------------------------------------------------------------- sending */

/* One sendmsg of an entry: its rest, and its descriptors if this is its first byte. */
static ssize_t entry_send(struct entry *entry, int fd)
{
	union {
		char room[CMSG_SPACE(MEMTUN_TRANSPORT_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec bytes = {
		.iov_base = entry->bytes + entry->sent,
		.iov_len = entry->length - entry->sent,
	};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
	ssize_t sent;

	if (entry->fd_count) {
		size_t size = entry->fd_count * sizeof(int);
		struct cmsghdr *header;

		memset(control.room, 0, CMSG_SPACE(size));
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(size);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(header), entry->fds, size);
	}
	do {
		sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return sent;
}

/* Sends what the kernel takes. An error is kept for dispatch; what can't be sent any more goes. */
static void transport_flush(struct memtun_transport *transport)
{
	struct entry *entry;

	for (int i = 0; i < TURN && (entry = STAILQ_FIRST(&transport->queue)); i++) {
		ssize_t sent = entry_send(entry, transport->fd);

		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0 && is_weather(errno)) {
			backoff_wait(transport, &transport->send_backoff, errno);
			return;
		}
		if (sent < 0) {
			transport->write_error = errno;
			transport_drop_queue(transport);
			return;
		}
		backoff_clear(&transport->send_backoff);
		transport->queued_fds -= entry->fd_count;
		entry_close_fds(entry);
		entry->sent += (size_t)sent;
		transport->queued_bytes -= (size_t)sent;
		if (entry->sent == entry->length) {
			STAILQ_REMOVE_HEAD(&transport->queue, link);
			entry_free(entry);
		}
	}
}

/* Queues an entry whose descriptors are already its own. */
static void transport_queue(struct memtun_transport *transport, struct entry *entry)
{
	bool was_empty = STAILQ_EMPTY(&transport->queue);

	STAILQ_INSERT_TAIL(&transport->queue, entry, link);
	transport->queued_bytes += entry->length;
	transport->queued_fds += entry->fd_count;
	if (was_empty)
		transport_flush(transport);
	if (!transport->paused && (transport->queued_fds > transport->bounds.pause_fds ||
				   transport->queued_bytes > transport->bounds.pause_bytes)) {
		transport->paused = true;
		if (transport->handlers->pause)
			transport->handlers->pause(transport, transport->context);
	}
}

/* What every send checks before it takes anything: -1 with errno. */
static int transport_admit(const struct memtun_transport *transport, size_t length, size_t count)
{
	if (length == 0 || count > MEMTUN_TRANSPORT_MAX_FDS)
		errno = EINVAL;
	else if (transport->closed || transport->write_error)
		errno = EPIPE;
	else if (length > transport->largest_record)
		errno = EMSGSIZE;
	else if (transport->queued_fds + count > transport->bounds.hard_fds ||
		 length > transport->bounds.hard_bytes ||
		 transport->queued_bytes > transport->bounds.hard_bytes - length)
		errno = ENOBUFS;
	else
		return 0;
	return -1;
}

/* A number that is no descriptor would only be found by sendmsg, and end the connection. */
static int fds_check(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] < 0) {
			errno = EBADF;
			return -1;
		}
	}
	return 0;
}

int memtun_transport_send(struct memtun_transport *transport, const void *data, size_t length,
			  const int *fds, size_t count)
{
	struct entry *entry;

	if (transport_admit(transport, length, count) < 0 || fds_check(fds, count) < 0)
		return -1;
	entry = entry_new(data, length, count);
	if (!entry)
		return -1;
	for (size_t i = 0; i < count; i++)
		entry->fds[i] = fds[i];
	entry->fd_count = count;
	transport_queue(transport, entry);
	return 0;
}

int memtun_transport_send_copies(struct memtun_transport *transport, const void *data,
				 size_t length, const int *fds, size_t count)
{
	struct entry *entry;

	if (transport_admit(transport, length, count) < 0)
		return -1;
	entry = entry_new(data, length, count);
	if (!entry)
		return -1;
	while (entry->fd_count < count) {
		int copy = fcntl(fds[entry->fd_count], F_DUPFD_CLOEXEC, 0);

		if (copy < 0) {
			entry_free(entry);
			return -1;
		}
		entry->fds[entry->fd_count++] = copy;
	}
	transport_queue(transport, entry);
	return 0;
}

/* ----------------------------------------------------------------------------------- receiving */

struct received_fds {
	int fds[MEMTUN_TRANSPORT_MAX_FDS];
	size_t count;
};

static void received_fds_close(struct received_fds *received)
{
	for (size_t i = 0; i < received->count; i++)
		descriptor_close(&received->fds[i]);
	received->count = 0;
}

/* Takes the descriptors out of every control message; what is no SCM_RIGHTS is only reported. */
static void transport_take_fds(struct memtun_transport *transport, struct msghdr *message,
			       struct received_fds *received)
{
	struct cmsghdr *header;

	received->count = 0;
	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
			struct memtun_transport_notice notice = {
				.kind = MEMTUN_TRANSPORT_NOTICE_ANCILLARY,
				.level = header->cmsg_level,
				.type = header->cmsg_type,
			};

			if (notice.level == SOL_SOCKET && notice.type == SCM_PIDFD) {
				int pidfd;

				memcpy(&pidfd, CMSG_DATA(header), sizeof(pidfd));
				descriptor_close(&pidfd);
			}
			transport_notice(transport, &notice);
			continue;
		}
		memcpy(received->fds + received->count, CMSG_DATA(header), count * sizeof(int));
		received->count += count;
	}
}

/* Hands over one piece: its descriptors, then its data. A handler may free the transport. */
static void transport_deliver(struct memtun_transport *transport, const void *data, size_t length,
			      int message_flags, struct received_fds *received)
{
	const struct memtun_transport_handlers *handlers = transport->handlers;
	struct memtun_transport_notice notice = {.fds = received->count};
	unsigned int flags = 0;

	/* The flag comes first: with it there may be no control message at all. */
	if (message_flags & MSG_CTRUNC) {
		flags |= MEMTUN_TRANSPORT_FDS_LOST;
		notice.kind = MEMTUN_TRANSPORT_NOTICE_FDS_LOST;
		received_fds_close(received);
		transport_notice(transport, &notice);
	} else if (received->count && !handlers->fd_received) {
		flags |= MEMTUN_TRANSPORT_FDS_SURPLUS;
		notice.kind = MEMTUN_TRANSPORT_NOTICE_FDS_SURPLUS;
		received_fds_close(received);
		transport_notice(transport, &notice);
	}
	if (message_flags & MSG_TRUNC)
		flags |= MEMTUN_TRANSPORT_DATA_CUT;
	for (size_t i = 0; i < received->count; i++) {
		int fd = descriptor_take(&received->fds[i]);

		if (transport->freed)
			descriptor_close(&fd);
		else
			handlers->fd_received(transport, fd, transport->context);
	}
	if (!transport->freed && handlers->data_received)
		handlers->data_received(transport, data, length, flags, transport->context);
}

static void transport_end(struct memtun_transport *transport, int error)
{
	if (transport->closed)
		return;
	transport->closed = true;
	transport_drop_queue(transport);
	if (transport->handlers->closed)
		transport->handlers->closed(transport, error, transport->context);
}

/* Is a SEQPACKET read of length 0 the end, or an empty record? The end if the peer has closed or
 * shut down its sending side, and nothing is left of what it sent before. */
static bool transport_peer_ended(const struct memtun_transport *transport)
{
	struct pollfd poll_fd = {.fd = transport->fd, .events = POLLRDHUP};
	int left = 0;

	if (poll(&poll_fd, 1, 0) <= 0 || !(poll_fd.revents & (POLLRDHUP | POLLHUP)))
		return false;
	return ioctl(transport->fd, FIONREAD, &left) < 0 || left == 0;
}

/* One read. False: there is nothing more to read for now. */
static bool transport_receive(struct memtun_transport *transport)
{
	_Alignas(8) unsigned char data[MEMTUN_TRANSPORT_MAX_READ];
	union {
		char room[CONTROL_ROOM];
		struct cmsghdr align;
	} control;
	struct iovec bytes = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct received_fds received;
	ssize_t length;

	do {
		length = recvmsg(transport->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (length < 0 && errno == EINTR);

	if (length < 0 && errno == EAGAIN)
		return false;
	if (length < 0 && is_weather(errno)) {
		backoff_wait(transport, &transport->receive_backoff, errno);
		return false;
	}
	if (length < 0 && errno == ECONNRESET && !transport->reset) {
		transport->reset = true;
		return true;
	}
	if (length < 0) {
		transport_end(transport, errno);
		return false;
	}
	backoff_clear(&transport->receive_backoff);
	transport_take_fds(transport, &message, &received);
	/* An empty SEQPACKET record also has length 0, and may even carry descriptors. */
	if (length == 0 && received.count == 0 && !(message.msg_flags & MSG_CTRUNC) &&
	    (transport->is_stream || transport_peer_ended(transport))) {
		transport_end(transport, transport->reset         ? ECONNRESET
					 : transport->write_error ? transport->write_error
								  : 0);
		return false;
	}
	transport_deliver(transport, data, (size_t)length, message.msg_flags, &received);
	return true;
}

/* --------------------------------------------------------------------------------- event loops */

void memtun_transport_set_reading(struct memtun_transport *transport, bool reading)
{
	transport->reading = reading;
}

int memtun_transport_fd(const struct memtun_transport *transport)
{
	return transport->fd;
}

short memtun_transport_events(const struct memtun_transport *transport)
{
	short events = 0;

	if (transport->closed)
		return 0;
	if (transport->reading && transport->receive_backoff.until < 0)
		events |= POLLIN;
	if (!STAILQ_EMPTY(&transport->queue) && transport->send_backoff.until < 0)
		events |= POLLOUT;
	return events;
}

int64_t memtun_transport_deadline(const struct memtun_transport *transport)
{
	if (transport->closed)
		return -1;
	/* The end is due, and the socket need not become readable to tell of it. */
	if (transport->write_error && (!transport->reading || transport->receive_backoff.until < 0))
		return 0;
	return clock_earlier(transport->send_backoff.until, transport->receive_backoff.until);
}

static void transport_weather_over(struct memtun_transport *transport)
{
	struct backoff *waiting[] = {&transport->send_backoff, &transport->receive_backoff};
	int64_t now = clock_now();

	for (size_t i = 0; i < 2; i++) {
		if (waiting[i]->until >= 0 && waiting[i]->until <= now)
			waiting[i]->until = -1;
	}
}

static void transport_resume(struct memtun_transport *transport)
{
	if (!transport->paused || transport->queued_fds > transport->bounds.pause_fds / 2 ||
	    transport->queued_bytes > transport->bounds.pause_bytes / 2)
		return;
	transport->paused = false;
	if (transport->handlers->resume)
		transport->handlers->resume(transport, transport->context);
}

/* Reads a turn. False: nothing more is to be read, as far as that can be known now. */
static bool transport_read_turn(struct memtun_transport *transport)
{
	for (int i = 0; i < TURN && !transport->closed && transport->reading &&
			transport->receive_backoff.until < 0;
	     i++) {
		if (!transport_receive(transport))
			break;
		if (i == TURN - 1)
			return true;
	}
	return transport->reading && transport->receive_backoff.until >= 0;
}

void memtun_transport_dispatch(struct memtun_transport *transport, short revents)
{
	bool more = false;

	if (transport->closed || transport->dispatching)
		return;
	transport->dispatching = true;
	if (transport->send_backoff.until >= 0 || transport->receive_backoff.until >= 0)
		transport_weather_over(transport);
	if (transport->send_backoff.until < 0)
		transport_flush(transport);
	if (!transport->write_error)
		transport_resume(transport);
	if ((revents & (POLLIN | POLLHUP | POLLERR)) || transport->write_error)
		more = transport_read_turn(transport);
	/* What can't be written to ends, once what it had sent is read (or nobody wants it). */
	if (!transport->closed && transport->write_error && !more)
		transport_end(transport, transport->write_error);
	transport->dispatching = false;
	if (transport->freed)
		free(transport);
}

bool memtun_transport_is_paused(const struct memtun_transport *transport)
{
	return transport->paused;
}

size_t memtun_transport_queued_bytes(const struct memtun_transport *transport)
{
	return transport->queued_bytes;
}

size_t memtun_transport_queued_fds(const struct memtun_transport *transport)
{
	return transport->queued_fds;
}

uint64_t memtun_transport_weather(const struct memtun_transport *transport)
{
	return transport->weather;
}
