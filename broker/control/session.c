/* SPDX-License-Identifier: MIT */
#include "broker/control/session_parts.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/control/control.h"
#include "broker/engine/engine.h"
#include "common/clock.h"
#include "common/container_of.h"
#include "broker/control/request.h"
#include "broker/control/session_room.h"
#include "common/descriptor.h"
#include "common/log.h"
#include "memtun/transport.h"

/* ------------------------------------------------------------------------------ the loop's side */

void session_update(struct session *session)
{
	struct ev_loop *loop = session->control->engine->loop;
	int64_t deadline = memtun_transport_deadline(session->transport);
	short wanted = memtun_transport_events(session->transport);
	int events = ((wanted & POLLIN) ? EV_READ : 0) | ((wanted & POLLOUT) ? EV_WRITE : 0);

	if (session->ended) {
		session_free(session);
		return;
	}
	if (!ev_is_active(&session->io) || events != (session->io.events & (EV_READ | EV_WRITE))) {
		ev_io_stop(loop, &session->io);
		ev_io_set(&session->io, session->io.fd, events);
		if (events)
			ev_io_start(loop, &session->io);
	}
	if ((session->step || session->events_lost) &&
	    !memtun_transport_is_paused(session->transport))
		deadline = session->events_lost ? 0 : clock_earlier(deadline, session->wake);
	if (deadline < 0 && !ev_is_active(&session->timer))
		return;
	ev_timer_stop(loop, &session->timer);
	if (deadline < 0)
		return;
	deadline = deadline ? deadline - clock_now() : 0;
	ev_timer_set(&session->timer, deadline > 0 ? (double)deadline / CLOCK_SECOND : 0., 0.);
	ev_timer_start(loop, &session->timer);
}

static void session_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct session *session = io->data;

	(void)loop;
	/* libev reports a hang-up as all events that were waited for. */
	memtun_transport_dispatch(session->transport, (short)(((events & EV_READ) ? POLLIN : 0) |
							      ((events & EV_WRITE) ? POLLOUT : 0)));
	session_update(session);
}

static void session_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct session *session = timer->data;

	(void)loop;
	(void)events;
	memtun_transport_dispatch(session->transport, 0);
	if (!session->ended && session->events_lost &&
	    !memtun_transport_is_paused(session->transport))
		session_tell_lost(session);
	if (!session->ended)
		session_run(session);
	session_update(session);
}

/* ------------------------------------------------------------------------------ answering */

void session_send(struct session *session, int fd)
{
	descriptor_owned owned = fd;
	size_t length = message_end(&session->control->builder);

	/* Once an answer could not be sent, no later answer may follow, because the client counts
	 * answers. */
	if (session->ended)
		return;
	if (length && memtun_transport_send(session->transport, session->control->builder.bytes,
					    length, &fd, fd >= 0) == 0) {
		descriptor_take(&owned);
		return;
	}
	/* The client has closed its end. The session goes on: it carries out the requests that the
	 * client sent before, and then the transport reports the end. */
	if (errno == EPIPE)
		return;
	/* Without its answer the client would wait for ever, so close the connection. */
	log_line(LOG_LEVEL_WARNING, "cannot answer client %d: %s", session->pid, strerror(errno));
	session->ended = true;
}

void session_answer(struct session *session, const struct fault *fault)
{
	message_build_error(&session->control->builder, &session->request, fault);
	session_send(session, -1);
}

/*
 * Disconnect a client that has read nothing for too long. Such a client may have sent the
 * descriptor of its own connection to the broker. Until the broker receives that descriptor, it
 * keeps the connection open, and the broker gets no hang-up when the client's process ends.
 */
static void session_check_stall(struct polled *polled)
{
	struct session *session = container_of(polled, struct session, stall);
	size_t unread = memtun_transport_queued_bytes(session->transport);
	int64_t now = clock_now();

	/* While a request takes long, a client that has read all answers waits for the next. */
	if (unread == 0 || unread != session->unread) {
		session->unread = unread;
		session->progress = now;
	}
	if (now - session->progress < session->control->stall_limit)
		return;
	log_line(LOG_LEVEL_WARNING, "client %d is disconnected: it has read nothing for %d seconds",
		 session->pid, (int)(session->control->stall_limit / CLOCK_SECOND));
	session_free(session);
}

void session_read_or_not(struct session *session)
{
	bool reads = !session->step && !session->ended &&
		     !memtun_transport_is_paused(session->transport);

	memtun_transport_set_reading(session->transport, reads);
	if (!session->control->stall_limit)
		return;
	if (!session->stall.is_listed) {
		session->unread = memtun_transport_queued_bytes(session->transport);
		session->progress = clock_now();
	}
	liveness_set(&session->control->engine->liveness, &session->stall, !reads);
}

/* ------------------------------------------------------------------------------ the transport's */

/* Check that the record was received whole and without descriptors, and parse it. -1 with the fault
 * filled. */
static int session_check(struct session *session, size_t length, unsigned int flags,
			 struct fault *fault)
{
	struct message *request = &session->request;
	int parsed = message_parse(request, session->record, length, MESSAGE_STRICT, fault);

	if ((flags & MEMTUN_TRANSPORT_DATA_CUT) || length > MEMTUN_PROTOCOL_RECORD_MAX)
		return fault_set(fault, EMSGSIZE, "a record is longer than %d bytes",
				 MEMTUN_PROTOCOL_RECORD_MAX);
	if (flags & (MEMTUN_TRANSPORT_FDS_SURPLUS | MEMTUN_TRANSPORT_FDS_LOST))
		return fault_set(fault, EINVAL, "requests carry no descriptors");
	return parsed;
}

static void session_data(struct memtun_transport *transport, const void *data, size_t length,
			 unsigned int flags, void *context)
{
	struct session *session = context;
	struct fault fault = {0};
	enum request_result result = REQUEST_FAILED;

	(void)transport;
	if (session->ended)
		return;
	session->record = (void *)(uintptr_t)data; /* borrowed, for the time of this call */
	if (session_check(session, length, flags, &fault) == 0)
		result = request_run(session, &fault);
	if (!session->step)
		session->record = NULL;
	if (result == REQUEST_FAILED) {
		log_line(LOG_LEVEL_DEBUG, "client %d: request %#x: %s", session->pid,
			 session->request.type, fault.text);
		session_answer(session, &fault);
	} else if (result == REQUEST_DONE) {
		session_answer(session, NULL);
	}
	session_read_or_not(session);
}

static void session_pause(struct memtun_transport *transport, void *context)
{
	struct session *session = context;

	(void)transport;
	session_read_or_not(session);
}

static void session_resume(struct memtun_transport *transport, void *context)
{
	struct session *session = context;

	(void)transport;
	if (session->events_lost)
		session_tell_lost(session);
	session_run(session);
}

static void session_closed(struct memtun_transport *transport, int error, void *context)
{
	struct session *session = context;

	(void)transport;
	log_line(LOG_LEVEL_DEBUG, "client %d has left%s%s", session->pid, error ? ": " : "",
		 error ? strerror(error) : "");
	session->ended = true;
}

static void session_notice(struct memtun_transport *transport,
			   const struct memtun_transport_notice *notice, void *context)
{
	struct session *session = context;

	(void)transport;
	switch (notice->kind) {
	case MEMTUN_TRANSPORT_NOTICE_FDS_LOST:
	case MEMTUN_TRANSPORT_NOTICE_FDS_SURPLUS:
		log_line(LOG_LEVEL_WARNING,
			 "client %d sent descriptors, which were closed: requests carry none",
			 session->pid);
		break;
	case MEMTUN_TRANSPORT_NOTICE_ANCILLARY:
		log_line(LOG_LEVEL_INFO, "client %d sent ancillary data of level %d, type %d",
			 session->pid, notice->level, notice->type);
		break;
	case MEMTUN_TRANSPORT_NOTICE_RETRY:
		log_line(LOG_LEVEL_WARNING, "cannot read from or send to client %d for now: %s",
			 session->pid, strerror(notice->error));
		break;
	}
}

static const struct memtun_transport_handlers session_handlers = {
	.data_received = session_data,
	.pause = session_pause,
	.resume = session_resume,
	.closed = session_closed,
	.notice = session_notice,
};

/* ------------------------------------------------------------------------------ life and death */

struct session *session_new(struct control *control, int fd, uid_t uid, pid_t pid)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->account =
		account_open(&control->engine->accounts, engine_next_id(control->engine), uid, pid);
	if (session->account)
		session->transport = memtun_transport_new(fd, &session_handlers, session);
	if (!session->transport) {
		int error = errno;

		if (session->account)
			account_close(session->account);
		free(session);
		errno = error;
		return NULL;
	}
	session->control = control;
	session->uid = uid;
	session->pid = pid;
	session->since = clock_now();
	session->is_spare = session_room_is_spare(control, fd);
	control->session_count++;
	control->spare_count += session->is_spare;
	LIST_INSERT_HEAD(&control->sessions, session, in_control);
	ev_io_init(&session->io, session_ready, fd, EV_READ);
	session->io.data = session;
	ev_io_start(control->engine->loop, &session->io);
	session->stall.poll = session_check_stall;
	ev_init(&session->timer, session_due);
	session->timer.data = session;
	return session;
}

void session_free(struct session *session)
{
	ev_io_stop(session->control->engine->loop, &session->io);
	ev_timer_stop(session->control->engine->loop, &session->timer);
	liveness_set(&session->control->engine->liveness, &session->stall, false);
	LIST_REMOVE(session, in_control);
	session->control->session_count--;
	session->control->spare_count -= session->is_spare;
	session_unsubscribe(session);
	account_end_item(session->account, ACCOUNT_HAND_INS);
	account_close(session->account);
	memtun_transport_free(session->transport);
	if (session->step)
		free(session->record);
	free(session);
}

void sessions_free(struct control *control)
{
	while (!LIST_EMPTY(&control->sessions))
		session_free(LIST_FIRST(&control->sessions));
}
