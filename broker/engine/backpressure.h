/* SPDX-License-Identifier: MIT */
/*
 * Back-pressure: a full queue that must lose nothing shuts its valve against each port that sent to
 * it, and those are not read until it opens again. A port may be held by several valves.
 */
#ifndef MEMTUN_BACKPRESSURE_H
#define MEMTUN_BACKPRESSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct pause_edge;
struct port;

struct backpressure {
	LIST_HEAD(, pause_edge) edges;
};

static inline bool backpressure_is_pausing(const struct backpressure *backpressure)
{
	return !LIST_EMPTY(&backpressure->edges);
}

/* Holds the port. If memory is short it is not held, and the queue grows by what it sends on. */
void backpressure_pause(struct backpressure *backpressure, struct port *port);

/* Lets go of all ports. */
void backpressure_resume(struct backpressure *backpressure);

/* Takes a port that goes away, or changes bridges, out of all valves. */
void backpressure_forget(struct port *port);

#endif
