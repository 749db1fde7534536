/* SPDX-License-Identifier: MIT */
/*
 * A bridge joins ports: a frame that one of them brings goes to the port its destination was seen
 * behind, or to all others. Between TAPs addresses are MACs, per VLAN; between TUNs IP addresses; a
 * TUN among TAPs has an adapter. Frames never go back out of the port they came in by. It owns the
 * adapters, and no port.
 */
#ifndef MEMTUN_BRIDGE_H
#define MEMTUN_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include "memtun/protocol.h"
#include "broker/switch/port.h"

struct address_table;
struct batch;

struct bridge {
	RB_ENTRY(bridge) by_name;
	char name[MEMTUN_NAME_SIZE];
	uint32_t id;
	enum memtun_mode mode; /* TAP: since a port of it was; 0 while it has none */
	bool persistent;       /* made by name, not by being named: stays when empty */
	unsigned int port_count;
	LIST_HEAD(, port) ports;
	SLIST_HEAD(, port) unflushed;    /* whose adapters have something to say */
	struct captures captures;        /* of all that its ports see */
	struct address_table *addresses; /* NULL: a hub, which floods */
};

/* NULL with ENOMEM. */
struct bridge *bridge_new(const char *name, uint32_t id, bool hub);

/* Its ports must have left. */
void bridge_free(struct bridge *bridge);

/*
 * Makes the adapters that are needed for the port to join: *adapter is its own, or NULL. -1 with
 * ENOMEM. To be followed by bridge_join(), which takes it, and for which the port must be in no
 * bridge.
 */
int bridge_admit(struct bridge *bridge, struct port *port, struct adapter **adapter);
void bridge_join(struct bridge *bridge, struct port *port, struct adapter *adapter);
void bridge_leave(struct port *port);

/*
 * Forwards the frames of a batch whose bits are set in mask, which came from `source`, in order,
 * and counts what goes nowhere.
 */
void bridge_forward(struct port *source, struct batch *batch, uint32_t mask);

/* The same for frames of an adapter, which are the bridge's own kind already. */
void bridge_switch(struct port *source, struct batch *batch, uint32_t mask);

/* Has the port's adapter_flush() called by the next bridge_flush(). */
void bridge_flush_later(struct port *port);

/* Lets the adapters say what they have to say, answers to each other included. The bridge forwards
 * nothing meanwhile: bridge_forward() ends with this, and adapters' timers do. */
void bridge_flush(struct bridge *bridge);

#endif
