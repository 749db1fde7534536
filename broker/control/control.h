/* SPDX-License-Identifier: MIT */
/*
 * The control side of the broker: the objects that requests act on, and the sessions that send
 * them. It owns the sessions; the objects are the broker's.
 */
#ifndef MEMTUN_CONTROL_H
#define MEMTUN_CONTROL_H

#include <sys/queue.h>
#include <sys/types.h>

#include "common/message.h"

struct bridges;
struct engine;
struct port_names;
struct session;
struct tunnels;
struct uplinks;

struct control {
	struct engine *engine;
	struct port_names *names;
	struct bridges *bridges;
	struct tunnels *tunnels;
	struct uplinks *uplinks;
	uid_t uid; /* the user that it serves, besides root */
	LIST_HEAD(, session) sessions;
	int64_t stall_limit; /* nanoseconds after which a client that reads nothing is ended; 0: none */
	unsigned int session_count;
	unsigned int spare_count;       /* those of them that are spare sessions */
	struct message_builder builder; /* the record that is being answered with */
};

#endif
