/* SPDX-License-Identifier: MIT */
/*
 * libev aborts if it cannot enlarge one of its tables. The reserve prevents that: untouched address
 * space for the time when no other memory is left, and a table of descriptors that is large from
 * the start. The broker fills the reserve up again once there is memory.
 */
#ifndef MEMTUN_LOOP_RESERVE_H
#define MEMTUN_LOOP_RESERVE_H

struct ev_loop;

/* Make the reserve. To be called before the first loop is made. */
void loop_reserve_prepare(void);

/* Enlarge the loop's table of descriptors now, for numbers below `max`, or below 65,536. */
void loop_reserve_descriptors(struct ev_loop *loop, unsigned long max);

#endif
