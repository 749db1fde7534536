/* SPDX-License-Identifier: MIT */
/*
 * The broker's counters of a tunnel's frames. Each reading is also a check: a frame that was
 * offered to the tunnel is delivered, queued or dropped for a reason, or the benchmark ends.
 */
#ifndef MEMTUN_BENCH_ACCOUNT_H
#define MEMTUN_BENCH_ACCOUNT_H

#include <stdint.h>

struct memtun;

struct account {
	uint64_t sent; /* by its client: accepted, or dropped at once */
	uint64_t offered, delivered, queued, dropped;
};

struct account account_read(struct memtun *memtun, const char *name);

/* Wait until that many frames were offered since `before`, and none of them is queued any more. */
struct account account_quiesce(struct memtun *memtun, const char *name,
			       const struct account *before, uint64_t offered);

#endif
