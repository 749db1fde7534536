/* SPDX-License-Identifier: MIT */
/*
 * How fast the counters of ports grow: two samples of all tunnels and uplinks, and for each port of
 * the later one what happened in between, a second. A port that wasn't there before has counted
 * from 0. Tunnels with a peer have no counters, and no row.
 */
#ifndef MEMTUN_RATES_H
#define MEMTUN_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attribute_set.h"
#include "memtun.h"

enum {
	RATES_FIRST_COUNTER = MEMTUN_A_FROM_CLIENT_FRAMES,
	RATES_LAST_COUNTER = MEMTUN_A_TO_CLIENT_DROPPED_NOT_IP,
	RATES_COUNTERS = RATES_LAST_COUNTER - RATES_FIRST_COUNTER + 1,
};

enum rates_order {
	RATES_BY_NAME,
	RATES_BY_RATE,  /* frames in and out, most first */
	RATES_BY_DROPS, /* most first */
};

/* One port at one time. */
struct rates_port {
	uint32_t id;
	int64_t time; /* when its counters came, CLOCK_MONOTONIC */
	char name[MEMTUN_NAME_SIZE];
	char bridge[MEMTUN_NAME_SIZE];
	uint64_t counters[RATES_COUNTERS];
};

struct rates_sample {
	int64_t time;             /* when it was asked for */
	struct rates_port *ports; /* owned; by id */
	size_t count;
	size_t room;
};

/* What is said of one direction, a second. */
struct rates_direction {
	double frames, bytes, drops;
	const char *reason; /* of most drops; "": there were none */
};

struct rates_row {
	char name[MEMTUN_NAME_SIZE];
	char bridge[MEMTUN_NAME_SIZE];
	struct rates_direction from, to;
	uint64_t queued;
};

struct rates {
	struct memtun_options *options;
	struct rates_sample now, before;
	struct rates_row *rows; /* owned */
	size_t row_count;
	unsigned int asked; /* requests without their answer */
	unsigned int samples;
	bool failed; /* the last sample; fault says why */
	struct fault fault;
};

/* -1 with ENOMEM. To be freed by rates_free() in any case. */
int rates_init(struct rates *rates);
void rates_free(struct rates *rates);

/*
 * Asks for a sample: it is there when memtun_dispatch() has brought `asked` down to 0, with
 * `failed` and `fault` set if it was none; and from the second one on there are rows. -1 with
 * errno, as memtun_request().
 */
int rates_ask(struct rates *rates, struct memtun *memtun);

/* Sorts the rows; those that are equal by name. */
void rates_sort(struct rates *rates, enum rates_order order);

#endif
