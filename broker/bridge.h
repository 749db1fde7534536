/* SPDX-License-Identifier: MIT */
/*
 * A bridge joins ports: a frame that one of them brings goes to the port its destination was seen
 * behind, or to all others. Between TAPs addresses are MACs, per VLAN; between TUNs IP addresses.
 * Frames never go back out of the port they came in by. It owns no port.
 */
#ifndef MEMTUN_BRIDGE_H
#define MEMTUN_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include "memtun/protocol.h"

struct address_table;
struct batch;
struct capture;
struct port;

struct bridge {
	RB_ENTRY(bridge) by_name;
	char name[MEMTUN_NAME_SIZE];
	uint32_t id;
	enum memtun_mode mode; /* of its ports; 0 while it has none */
	bool persistent;       /* made by name, not by being named: stays when empty */
	unsigned int port_count;
	LIST_HEAD(, port) ports;
	LIST_HEAD(, capture) captures;   /* of all that its ports see */
	struct address_table *addresses; /* NULL: a hub, which floods */
};

/* NULL with ENOMEM. */
struct bridge *bridge_new(const char *name, uint32_t id, bool hub);

/* Its ports must have left. */
void bridge_free(struct bridge *bridge);

/* The port must be in no bridge, and of the mode that the bridge has. */
void bridge_join(struct bridge *bridge, struct port *port, enum memtun_mode mode);
void bridge_leave(struct port *port);

/*
 * Forwards the frames of a batch whose bits are set in mask, which came from `source`, in order,
 * and counts what goes nowhere. now: seconds.
 */
void bridge_forward(struct port *source, struct batch *batch, uint32_t mask, double now);

#endif
