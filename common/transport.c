/* SPDX-License-Identifier: MIT */
/*
 * The transport: bytes and descriptors over a UNIX socket, with a bounded send queue. This file
 * makes and frees a transport. It tells the caller's event loop what to wait for, and dispatches
 * the events. transport_send.c and transport_receive.c are the transport's two sides.
 */
#include "memtun/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/descriptor.h"
#include "common/failed.h"
#include "common/transport_parts.h"

/* The delay between two tries after transient errors: it doubles up to the maximum. */
#define BACKOFF_FIRST CLOCK_MILLISECOND
#define BACKOFF_MAX CLOCK_SECOND

bool transport_is_transient(int error)
{
	return error == EMFILE || error == ENFILE || error == ETOOMANYREFS || error == ENOBUFS ||
	       error == ENOMEM;
}

void transport_notice(struct memtun_transport *transport,
		      const struct memtun_transport_notice *notice)
{
	if (transport->handlers->notice)
		transport->handlers->notice(transport, notice, transport->context);
}

void transport_wait_over(struct backoff *backoff)
{
	backoff->until = -1;
	backoff->delay = BACKOFF_FIRST;
}

void transport_wait(struct memtun_transport *transport, struct backoff *backoff, int error)
{
	struct memtun_transport_notice notice = {
		.kind = MEMTUN_TRANSPORT_NOTICE_RETRY,
		.error = error,
	};

	backoff->until = clock_now() + backoff->delay;
	backoff->delay = backoff->delay * 2 > BACKOFF_MAX ? BACKOFF_MAX : backoff->delay * 2;
	transport->retries++;
	transport_notice(transport, &notice);
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
	transport_wait_over(&transport->send_backoff);
	transport_wait_over(&transport->receive_backoff);
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
	if (bounds->hard_fds < bounds->pause_fds || bounds->hard_bytes < bounds->pause_bytes)
		return failed(EINVAL);
	transport->bounds = *bounds;
	return 0;
}

void transport_end(struct memtun_transport *transport, int error)
{
	if (transport->closed)
		return;
	transport->closed = true;
	transport_drop_queue(transport);
	if (transport->handlers->closed)
		transport->handlers->closed(transport, error, transport->context);
}

void memtun_transport_shutdown(struct memtun_transport *transport)
{
	if (transport->closed || transport->ending != TRANSPORT_STAYS)
		return;
	transport->ending = TRANSPORT_SHUTS_DOWN;
	transport_shut_down_when_flushed(transport);
}

void memtun_transport_close(struct memtun_transport *transport)
{
	transport->ending = TRANSPORT_CLOSES;
}

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
	if (transport->reading && !transport->read_ended && transport->receive_backoff.until < 0)
		events |= POLLIN;
	if (!STAILQ_EMPTY(&transport->queue) && transport->send_backoff.until < 0)
		events |= POLLOUT;
	return events;
}

/* Return whether the next dispatch has to report an orderly end. */
static bool transport_is_complete(const struct memtun_transport *transport)
{
	if (transport->write_error || !STAILQ_EMPTY(&transport->queue))
		return false;
	return transport->ending == TRANSPORT_CLOSES ||
	       (transport->read_ended && transport->write_ended);
}

int64_t memtun_transport_deadline(const struct memtun_transport *transport)
{
	if (transport->closed)
		return -1;
	/* The next dispatch has to report the end, and is due now, because the socket may never
	 * become readable. */
	if (transport_is_complete(transport) ||
	    (transport->write_error &&
	     (!transport->reading || transport->receive_backoff.until < 0)))
		return 0;
	return clock_earlier(transport->send_backoff.until, transport->receive_backoff.until);
}

static void transport_end_backoff(struct memtun_transport *transport)
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

static void transport_report_drained(struct memtun_transport *transport)
{
	if (!transport->undrained || !STAILQ_EMPTY(&transport->queue))
		return;
	transport->undrained = false;
	if (transport->handlers->drained)
		transport->handlers->drained(transport, transport->context);
}

/* Read up to TRANSPORT_TURN times. Return whether more may follow: all these reads got data, or a
 * transient error delays the next one. */
static bool transport_read_turn(struct memtun_transport *transport)
{
	for (int i = 0; i < TRANSPORT_TURN && !transport->closed && transport->reading &&
			!transport->read_ended && transport->receive_backoff.until < 0;
	     i++) {
		if (!transport_receive(transport))
			break;
		if (i == TRANSPORT_TURN - 1)
			return true;
	}
	return transport->reading && !transport->read_ended &&
	       transport->receive_backoff.until >= 0;
}

void memtun_transport_dispatch(struct memtun_transport *transport, short revents)
{
	bool more = false;

	if (transport->closed || transport->dispatching)
		return;
	transport->dispatching = true;
	if (transport->send_backoff.until >= 0 || transport->receive_backoff.until >= 0)
		transport_end_backoff(transport);
	if (transport->send_backoff.until < 0)
		transport_flush(transport);
	if (!transport->write_error)
		transport_resume(transport);
	if (!transport->closed && !transport->write_error)
		transport_report_drained(transport);
	if (!transport->closed)
		transport_shut_down_when_flushed(transport);
	if ((revents & (POLLIN | POLLHUP | POLLERR)) || transport->write_error)
		more = transport_read_turn(transport);
	/* After a write error the connection ends when all that the peer sent was read, or at once
	 * if the caller doesn't read. */
	if (!transport->closed && transport->write_error && !more)
		transport_end(transport, transport->write_error);
	if (!transport->closed && transport_is_complete(transport))
		transport_end(transport, 0);
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

uint64_t memtun_transport_retries(const struct memtun_transport *transport)
{
	return transport->retries;
}
