/* SPDX-License-Identifier: MIT */
/*
 * Back-pressure: a full queue that must lose nothing shuts its valve against each port that sent to
 * it, and those are not read until it opens again. A port may be held by several valves.
 */
#ifndef MEMTUN_VALVE_H
#define MEMTUN_VALVE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct hold;
struct port;

struct valve {
	LIST_HEAD(, hold) holds;
};

static inline bool valve_is_shut(const struct valve *valve)
{
	return !LIST_EMPTY(&valve->holds);
}

/* Holds the port. If memory is short it is not held, and the queue grows by what it sends on. */
void valve_shut(struct valve *valve, struct port *port);

/* Lets go of all ports. */
void valve_open(struct valve *valve);

/* Takes a port that goes away, or changes bridges, out of all valves. */
void valve_forget(struct port *port);

#endif
