/* SPDX-License-Identifier: MIT */
/*
 * An injector puts frames that a client writes to a descriptor on a tunnel: towards the tunnel's
 * client, as if they came from its bridge, or as if the client had sent them. Frames are plain,
 * with no headers. It is held, not cheated: none of its frames is dropped for want of room.
 */
#ifndef MEMTUN_INJECTOR_H
#define MEMTUN_INJECTOR_H

#include <ev.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "memtun/protocol.h"
#include "broker/switch/port.h"

struct tunnel;

struct injector {
	struct port port; /* first: what is held, where the frames go to the client */
	LIST_ENTRY(injector) of_tunnel;
	struct tunnel *tunnel;
	ev_io io;
	enum memtun_direction direction;
};

/* Gives the writer's end to *client_fd. NULL with errno. */
struct injector *injector_new(struct tunnel *tunnel, enum memtun_direction direction,
			      int *client_fd);
void injector_free(struct injector *injector);

/* The tunnel is held, or no longer: so is what is injected as its client's. */
void injector_set_reading(struct injector *injector, bool reading);

#endif
