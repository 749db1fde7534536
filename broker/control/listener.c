/* SPDX-License-Identifier: MIT */
#include "broker/control/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/control/control.h"
#include "broker/engine/engine.h"
#include "common/descriptor.h"
#include "common/log.h"
#include "common/user.h"
#include "broker/control/session.h"
#include "broker/control/session_room.h"

/* Connections to accept per iteration of the loop. */
#define TURN 16

/* Seconds to wait while there is no room for a client, or after accept4() has failed. */
#define BACKOFF .1

/* Send an error of the control protocol. A client of the plain handoff, which does not use that
 * protocol, sees that the connection is closed. */
static void listener_refuse(struct listener *listener, int fd, uid_t uid)
{
	struct message_builder *builder = &listener->control->builder;
	struct message request = {.type = MEMTUN_CMD_HELLO};
	struct fault fault = {0};

	log_line(LOG_LEVEL_WARNING, "refused a client of user %u", uid);
	if (user_is_unmapped(uid))
		fault_set(&fault, EPERM,
			  "the broker's user namespace does not map this user (user %u there)",
			  uid);
	else
		fault_set(&fault, EPERM, "this broker serves user %u only", listener->control->uid);
	message_build_error(builder, &request, &fault);
	/* The connection is closed next in any case, so a failure to send is ignored. */
	(void)!send(fd, builder->bytes, message_end(builder), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void listener_admit(struct listener *listener, int fd)
{
	descriptor_owned owned = fd;
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
		log_line(LOG_LEVEL_WARNING, "cannot tell who connects: %s", strerror(errno));
		return;
	}
	if (!user_is(peer.uid, 0) && !user_is(peer.uid, listener->control->uid)) {
		listener_refuse(listener, fd, peer.uid);
		return;
	}
	listener->accepted(listener, descriptor_take(&owned), peer.uid, peer.pid);
}

/* Leave the connections in the listener's backlog for a while. The socket stays readable, so the
 * loop would spin otherwise. */
static void listener_wait(struct listener *listener)
{
	struct ev_loop *loop = listener->control->engine->loop;

	ev_io_stop(loop, &listener->io);
	ev_timer_set(&listener->timer, BACKOFF, 0.);
	ev_timer_start(loop, &listener->timer);
}

static void listener_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct listener *listener = io->data;
	struct control *control = listener->control;

	(void)loop;
	(void)events;
	if (session_room_is_full(control) && !session_room_make(control)) {
		listener_wait(listener);
		return;
	}
	for (int i = 0; i < TURN && !session_room_is_full(control); i++) {
		int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			listener_admit(listener, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EMFILE && session_room_make(control))
			continue;
		log_line(LOG_LEVEL_WARNING, "cannot accept a client: %s", strerror(errno));
		listener_wait(listener);
		return;
	}
}

static void listener_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct listener *listener = timer->data;

	(void)events;
	ev_io_start(loop, &listener->io);
}

void listener_start(struct listener *listener, struct control *control,
		    struct control_socket *socket, listener_accepted *accepted, void *context)
{
	*listener = (struct listener){
		.control = control,
		.accepted = accepted,
		.context = context,
	};
	control_socket_move(&listener->socket, socket);
	ev_io_init(&listener->io, listener_ready, listener->socket.fd, EV_READ);
	listener->io.data = listener;
	ev_io_start(control->engine->loop, &listener->io);
	ev_init(&listener->timer, listener_due);
	listener->timer.data = listener;
}

void listener_stop(struct listener *listener)
{
	ev_io_stop(listener->control->engine->loop, &listener->io);
	ev_timer_stop(listener->control->engine->loop, &listener->timer);
	control_socket_close(&listener->socket);
}

void listener_accept_session(struct listener *listener, int fd, uid_t uid, pid_t pid)
{
	descriptor_owned owned = fd;

	if (!session_new(listener->control, fd, uid, pid)) {
		log_line(LOG_LEVEL_WARNING, "cannot serve client %d: %s", pid, strerror(errno));
		return;
	}
	descriptor_take(&owned);
}
