/* SPDX-License-Identifier: MIT */
/*
 * A bridge joins ports, which it does not own. A frame goes to the port behind which its
 * destination was seen, or to all others; never back out of its own. Addresses are MACs per VLAN
 * between TAPs, IP addresses between TUNs. It owns the adapter that a TUN among TAPs has.
 */
#ifndef MEMTUN_BRIDGE_H
#define MEMTUN_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include "broker/switch/loop_guard.h"
#include "broker/switch/port.h"
#include "memtun/protocol.h"

struct address_table;
struct engine;

struct bridge {
	RB_ENTRY(bridge) by_name;
	RB_ENTRY(bridge) by_id;
	struct engine *engine;
	char name[MEMTUN_NAME_SIZE];
	uint32_t id;
	enum memtun_mode mode; /* TAP once a TAP has joined; 0 while it has no port */
	bool persistent;       /* stays when its last port leaves */
	unsigned int port_count;
	unsigned int vlan_ports; /* those of them that have a VLAN */
	LIST_HEAD(, port) ports;
	SLIST_HEAD(, port) unflushed;    /* ports whose adapters have frames to send */
	struct captures captures;        /* of all frames at its ports */
	struct address_table *addresses; /* NULL: a hub, which floods */
	struct loop_guard loop_guard;
};

/* How a bridge is made, or'ed. */
enum bridge_option {
	BRIDGE_HUB = 1 << 0,        /* it floods */
	BRIDGE_PERSISTENT = 1 << 1, /* it stays when its last port leaves */
	BRIDGE_LOOP_GUARD = 1 << 2, /* it shuts ports to end a loop; not of a hub */
};

/* Allocate a bridge without ports. NULL with ENOMEM. */
struct bridge *bridge_new(struct engine *engine, const char *name, unsigned int options);

/* Free a bridge whose ports have left. */
void bridge_free(struct bridge *bridge);

/*
 * Make the adapters that the bridge needs for this port to join; *adapter is the port's own, or
 * NULL. -1 with ENOMEM. bridge_join() follows, which takes the adapter, and for which the port must
 * be on no bridge.
 */
int bridge_prepare_join(struct bridge *bridge, struct port *port, struct adapter **adapter);
void bridge_join(struct bridge *bridge, struct port *port, struct adapter *adapter);
void bridge_leave(struct port *port);

/* Put the port, which may be on a bridge, into that VLAN; 0: into none. */
void bridge_set_vlan(struct port *port, uint32_t vlan);

/* Have all adapters of the bridge announce their addresses: a part of its Ethernet is new. */
void bridge_announce(struct bridge *bridge);

/* Describe the bridge in the set, which is cleared first. */
void bridge_describe(const struct bridge *bridge, struct attribute_set *set);

#endif
