/* SPDX-License-Identifier: MIT */
#include "broker/control/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/control/control.h"
#include "broker/engine/engine.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/log.h"
#include "common/user.h"
#include "broker/control/session.h"
#include "broker/control/session_room.h"

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

static void listener_take(struct acceptor *acceptor, int fd)
{
	listener_admit(container_of(acceptor, struct listener, acceptor), fd);
}

static bool listener_is_full(struct acceptor *acceptor)
{
	return session_room_is_full(container_of(acceptor, struct listener, acceptor)->control);
}

static bool listener_make_room(struct acceptor *acceptor)
{
	return session_room_make(container_of(acceptor, struct listener, acceptor)->control);
}

static const struct acceptor_owner listener_acceptor_owner = {
	.what = "a client",
	.accepted = listener_take,
	.is_full = listener_is_full,
	.make_room = listener_make_room,
};

void listener_start(struct listener *listener, struct control *control,
		    struct control_socket *socket, listener_accepted *accepted, void *context)
{
	*listener = (struct listener){
		.control = control,
		.accepted = accepted,
		.context = context,
	};
	control_socket_move(&listener->socket, socket);
	acceptor_start(&listener->acceptor, &listener_acceptor_owner, control->engine->loop,
		       listener->socket.fd);
}

void listener_stop(struct listener *listener)
{
	acceptor_stop(&listener->acceptor);
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
