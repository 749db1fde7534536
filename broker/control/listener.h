/* SPDX-License-Identifier: MIT */
/*
 * A listener accepts clients on a UNIX socket, and only those of the broker's own user and root. It
 * checks the user itself, because a socket in the abstract namespace has no mode. It owns the
 * socket and its name in the file system.
 */
#ifndef MEMTUN_LISTENER_H
#define MEMTUN_LISTENER_H

#include <stdint.h>
#include <sys/types.h>

#include "broker/engine/acceptor.h"
#include "common/control_socket.h"

struct control;
struct listener;

/* Take ownership of a new connection, also on failure. */
typedef void listener_accepted(struct listener *listener, int fd, uid_t uid, pid_t pid);

struct listener {
	struct control *control;
	struct control_socket socket;
	listener_accepted *accepted;
	void *context;
	struct acceptor acceptor;
};

/* Take ownership of *socket and accept clients. Cannot fail. */
void listener_start(struct listener *listener, struct control *control,
		    struct control_socket *socket, listener_accepted *accepted, void *context);
void listener_stop(struct listener *listener);

/* Accepts clients of the control protocol. */
listener_accepted listener_accept_session;

#endif
