/* SPDX-License-Identifier: MIT */
/*
 * A life: a descriptor that a client hands in with the one of an uplink. When the life hangs up,
 * the broker deletes the uplink. A TUN device needs one because it keeps its network namespace
 * alive, and does not hang up when the last process of that namespace has ended.
 */
#ifndef MEMTUN_LIFE_H
#define MEMTUN_LIFE_H

#include <ev.h>
#include <stdbool.h>

#include "memtun/protocol.h"

/*
 * The broker never reads from a life. An epoll instance of its own waits for the hang-up, because
 * libev has no event for that: a pipe or a socket with unread bytes would be readable all the time.
 */

struct life {
	int fd; /* -1: there is none */
	ev_io io;
	struct ev_loop *loop;
	void (*ended)(struct life *life);
};

/* Initialize a life without a descriptor. `ended` is called once; it closes the life. */
void life_init(struct life *life, struct ev_loop *loop, void (*ended)(struct life *life));

/* Take ownership of the descriptor, and wait for its end. -1 with an errno of epoll_create1(2) or
 * epoll_ctl(2), and then the caller still owns it. */
int life_open(struct life *life, enum memtun_life kind, int fd);

/* Return whether the life has ended, also if the loop has not called `ended` yet. */
bool life_has_ended(const struct life *life);

/* Close the descriptor. Does nothing if there is none. */
void life_close(struct life *life);

#endif
