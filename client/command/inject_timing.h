/* SPDX-License-Identifier: MIT */
/*
 * When memtun inject injects each frame of a file: at a rate, at the recorded times, or at these times
 * on the broker's manual clock, which it moves.
 */
#ifndef MEMTUN_INJECT_TIMING_H
#define MEMTUN_INJECT_TIMING_H

#include <stdint.h>

#include "memtun.h"

struct invocation;

struct inject_timing {
	uint64_t rate;   /* frames per second; 0: by the next two */
	double factor;   /* how many times faster than recorded; 0: by the next */
	bool by_clock;   /* else: no waiting */
	int64_t started; /* CLOCK_MONOTONIC, nanoseconds */
	int64_t first;   /* recorded time of the first frame, nanoseconds */
	int64_t last;    /* the latest recorded time so far */
	uint64_t frames; /* so far */
};

/* Parse --rate and --timing. 0, or EXIT_USAGE after a message. */
int inject_timing_parse(struct inject_timing *timing, const struct invocation *invocation);

/*
 * Wait until the next frame is due, which was recorded at that time. On the broker's clock, that is
 * when all is quiet, and the clock is moved. 0, or -1 with memtun_error().
 */
int inject_timing_wait(struct inject_timing *timing, struct memtun *memtun, int64_t recorded);

#endif
