/* SPDX-License-Identifier: MIT */
/*
 * What the broker says has become of a tunnel's frames. Each look at it is also a check: what was
 * offered to the tunnel is delivered, waiting or dropped for a reason, or the benchmark ends.
 */
#ifndef MEMTUN_BENCH_ACCOUNT_H
#define MEMTUN_BENCH_ACCOUNT_H

#include <stdint.h>

struct memtun;

struct account {
	uint64_t sent; /* by its client: taken, or dropped as they came in */
	uint64_t offered, delivered, queued, dropped;
};

struct account account_read(struct memtun *memtun, const char *name);

/* Waits until so many frames were offered, counted from `before`, and none of them waits any more.
 */
struct account account_quiesce(struct memtun *memtun, const char *name,
			       const struct account *before, uint64_t offered);

#endif
