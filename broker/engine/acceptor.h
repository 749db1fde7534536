/* SPDX-License-Identifier: MIT */
/*
 * An acceptor takes the connections of a listening socket, which it does not own, a few in each
 * iteration of the loop. After a transient error, such as EMFILE, and while its owner has no room,
 * it leaves them in the backlog for a short time, so that the loop does not spin.
 */
#ifndef MEMTUN_ACCEPTOR_H
#define MEMTUN_ACCEPTOR_H

#include <ev.h>
#include <stdbool.h>

struct acceptor;

struct acceptor_owner {
	const char *what; /* is accepted, for the log: "a client" */

	/* Take ownership of a new connection, which is close-on-exec and non-blocking. */
	void (*accepted)(struct acceptor *acceptor, int fd);

	/* Return whether there is no room for one more connection. NULL: there always is. */
	bool (*is_full)(struct acceptor *acceptor);

	/* End a connection that can make room for a new one. Return false if there is none. NULL:
	 * there never is. */
	bool (*make_room)(struct acceptor *acceptor);
};

struct acceptor {
	const struct acceptor_owner *owner;
	struct ev_loop *loop;
	ev_io io;
	ev_timer timer; /* until the next try */
};

/* Accept connections of the listening socket, which must stay open until acceptor_stop(). */
void acceptor_start(struct acceptor *acceptor, const struct acceptor_owner *owner,
		    struct ev_loop *loop, int fd);
void acceptor_stop(struct acceptor *acceptor);

#endif
