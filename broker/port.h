/* SPDX-License-Identifier: MIT */
/*
 * A port: what a bridge can send frames to and get frames from. A tunnel is one. It counts every
 * frame: what was offered to it is delivered, waiting or dropped for a reason that has a counter.
 */
#ifndef MEMTUN_PORT_H
#define MEMTUN_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "memtun/protocol.h"

struct batch;
struct bridge;
struct capture;
struct hold;
struct port;

enum {
	PORT_FIRST_COUNTER = MEMTUN_A_FROM_CLIENT_FRAMES,
	PORT_LAST_COUNTER = MEMTUN_A_TO_CLIENT_DROPPED_REFUSED,
};

struct port_operations {
	/* Delivers, queues or drops, and counts, the batch's frames whose bits are set in mask. */
	void (*send)(struct port *port, struct port *source, struct batch *batch, uint32_t mask);

	/* Reads no more (port->holds has become 1), or again (0). */
	void (*set_reading)(struct port *port, bool reading);
};

struct port {
	const struct port_operations *operations;
	struct bridge *bridge; /* NULL: what comes from here goes nowhere */
	LIST_ENTRY(port) in_bridge;
	SLIST_ENTRY(port) in_touched; /* while a batch is being forwarded */
	uint32_t pending;             /* the batch's frames that go here, as bits */
	unsigned int holds;           /* full queues that wait for this port to be quiet */
	LIST_HEAD(, hold) held_by;    /* those, see valve.h */
	unsigned int addresses;       /* that its bridge has learned from it */
	bool patient;                 /* what it sends is never dropped: it is held instead */
	LIST_HEAD(, capture) captures;
	uint64_t counters[PORT_LAST_COUNTER - PORT_FIRST_COUNTER + 1];
};

static inline void port_count(struct port *port, enum memtun_attribute counter, uint64_t number)
{
	port->counters[counter - PORT_FIRST_COUNTER] += number;
}

#endif
