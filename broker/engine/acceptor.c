/* SPDX-License-Identifier: MIT */
#include "broker/engine/acceptor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"

/* Connections to accept per iteration of the loop. */
#define TURN 16

/* Seconds to wait while there is no room for a connection, or after accept4() has failed. */
#define BACKOFF .1

static bool acceptor_is_full(struct acceptor *acceptor)
{
	return acceptor->owner->is_full && acceptor->owner->is_full(acceptor);
}

static bool acceptor_make_room(struct acceptor *acceptor)
{
	return acceptor->owner->make_room && acceptor->owner->make_room(acceptor);
}

/* Leave the connections in the socket's backlog for a while. The socket stays readable, so the loop
 * would spin otherwise. */
static void acceptor_wait(struct acceptor *acceptor)
{
	ev_io_stop(acceptor->loop, &acceptor->io);
	ev_timer_set(&acceptor->timer, BACKOFF, 0.);
	ev_timer_start(acceptor->loop, &acceptor->timer);
}

static void acceptor_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct acceptor *acceptor = io->data;

	(void)loop;
	(void)events;
	if (acceptor_is_full(acceptor) && !acceptor_make_room(acceptor)) {
		acceptor_wait(acceptor);
		return;
	}
	for (int i = 0; i < TURN && !acceptor_is_full(acceptor); i++) {
		int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			acceptor->owner->accepted(acceptor, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EMFILE && acceptor_make_room(acceptor))
			continue;
		log_line(LOG_LEVEL_WARNING, "cannot accept %s: %s", acceptor->owner->what,
			 strerror(errno));
		acceptor_wait(acceptor);
		return;
	}
}

static void acceptor_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct acceptor *acceptor = timer->data;

	(void)events;
	ev_io_start(loop, &acceptor->io);
}

void acceptor_start(struct acceptor *acceptor, const struct acceptor_owner *owner,
		    struct ev_loop *loop, int fd)
{
	acceptor->owner = owner;
	acceptor->loop = loop;
	ev_io_init(&acceptor->io, acceptor_ready, fd, EV_READ);
	acceptor->io.data = acceptor;
	ev_io_start(loop, &acceptor->io);
	ev_init(&acceptor->timer, acceptor_due);
	acceptor->timer.data = acceptor;
}

void acceptor_stop(struct acceptor *acceptor)
{
	ev_io_stop(acceptor->loop, &acceptor->io);
	ev_timer_stop(acceptor->loop, &acceptor->timer);
}
