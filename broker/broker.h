/* SPDX-License-Identifier: MIT */
/*
 * The broker: everything that one memtund owns, put together. One thread, one loop.
 */
#ifndef MEMTUN_BROKER_H
#define MEMTUN_BROKER_H

struct bridges;
struct control;
struct engine;
struct ev_loop;
struct port_names;
struct tunnels;
struct uplinks;

struct broker {
	struct engine *engine;
	struct port_names *names;
	struct bridges *bridges;
	struct tunnels *tunnels;
	struct uplinks *uplinks;
	struct control *control;
};

/* Make a broker on that loop, which it takes and which may be NULL where it could not be made. NULL
 * with ENOMEM or an errno of socketpair(2). */
struct broker *broker_new(struct ev_loop *loop);

/* End all sessions, delete all objects, and free the broker and its loop. */
void broker_free(struct broker *broker);

#endif
