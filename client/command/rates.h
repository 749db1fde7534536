/* SPDX-License-Identifier: MIT */
/*
 * The growth of the counters of ports per second, from two samples of all tunnels and uplinks. Each
 * port of the later sample has a row. The counters of a port that is not in the earlier sample
 * began at 0. Tunnels with a peer have no counters and no row.
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
	/* What the port's rules did. */
	RATES_FIRST_FAULT = MEMTUN_A_FROM_CLIENT_DROPPED_LOSS,
	RATES_LAST_FAULT = MEMTUN_A_TO_CLIENT_WAITING,
};

enum rates_order {
	RATES_BY_NAME,
	RATES_BY_RATE,  /* frames in both directions, largest first */
	RATES_BY_DROPS, /* largest first */
};

/* One port at one time. */
struct rates_port {
	uint32_t id;
	int64_t time; /* CLOCK_MONOTONIC, when its counters arrived */
	char name[MEMTUN_NAME_SIZE];
	char bridge[MEMTUN_NAME_SIZE];
	uint64_t counters[RATES_LAST_COUNTER - RATES_FIRST_COUNTER + 1];
	uint64_t faults[RATES_LAST_FAULT - RATES_FIRST_FAULT + 1];
};

struct rates_sample {
	int64_t time;             /* when it was requested */
	struct rates_port *ports; /* owned; sorted by id */
	size_t count;
	size_t room;
};

/* The rates of one direction, per second. */
struct rates_direction {
	double frames, bytes, drops;
	const char *reason; /* the most frequent one of drops; "": no drops */
	double faults;      /* what rules did to frames besides drops */
	const char *fault;  /* the most frequent one of these; "": none */
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
	unsigned int asked; /* requests without an answer */
	unsigned int samples;
	bool failed; /* the last sample failed; fault says why */
	struct fault fault;
};

/* Initialize. The caller frees it by rates_free(), also after an error. -1 with ENOMEM. */
int rates_init(struct rates *rates);
void rates_free(struct rates *rates);

/*
 * Request a sample. It has arrived when memtun_dispatch() has brought `asked` down to 0; `failed`
 * and `fault` say whether it failed. From the second sample on there are rows. -1 with the errno of
 * memtun_request().
 */
int rates_ask(struct rates *rates, struct memtun *memtun);

/* Sort the rows; equal ones by name. */
void rates_sort(struct rates *rates, enum rates_order order);

#endif
