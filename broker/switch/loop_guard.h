/* SPDX-License-Identifier: MIT */
/*
 * The loop guard of a bridge watches addresses that move between the bridge's ports. In a loop of
 * bridges, a frame returns by another port than the one that sent it. Its source address therefore
 * moves each time. The guard counts moves and reports a loop.
 */
#ifndef MEMTUN_LOOP_GUARD_H
#define MEMTUN_LOOP_GUARD_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/switch/port.h"

struct address;
struct address_move;
struct bridge;

/*
 * If the bridge was made with `loop-guard`, the guard shuts the port to which the address has
 * moved: the bridge drops the port's frames and sends it none, until the port leaves the bridge or
 * its time is over. As the guard protects the broker, its times are real also with a manual clock.
 */

/*
 * If an address moves more often than this within a second, the guard takes it for a loop. A host
 * that is moved to another port moves once. In a loop of two bridges that two udp uplinks join, an
 * address moved 90,000 times a second (measured with one broadcast of 24 bytes).
 */
#define LOOP_GUARD_MOVES 10

/* How long a port is shut, in seconds. If the loop is still there, the port is shut again. */
#define LOOP_GUARD_SHUT 10.0

struct loop_guard {
	bool shuts_ports;
	uint64_t moves;   /* of all addresses since the bridge was made */
	int64_t reported; /* when the last loop was reported, by clock_now() */
};

/* Count that the address has moved to the port `to`, and report or shut if that is a loop. */
void loop_guard_count(struct bridge *bridge, const struct address *address,
		      const struct address_move *move, struct port *to);

/* Return whether the guard has shut the port. */
static inline bool loop_guard_is_shut(const struct port *port)
{
	return ev_is_active(&port->loop_shut);
}

/* Open the port, which leaves its bridge. */
void loop_guard_leave(struct port *port);

#endif
