/* SPDX-License-Identifier: MIT */
/*
 * The clock for all waiting: CLOCK_MONOTONIC in nanoseconds. A deadline of -1 means "none".
 */
#ifndef MEMTUN_CLOCK_H
#define MEMTUN_CLOCK_H

#include <limits.h>
#include <stdint.h>
#include <time.h>

#define CLOCK_MILLISECOND INT64_C(1000000)
#define CLOCK_SECOND INT64_C(1000000000)

static inline int64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

/* Return the earlier of two deadlines. */
static inline int64_t clock_earlier(int64_t one, int64_t other)
{
	if (one < 0)
		return other;
	return other < 0 || one < other ? one : other;
}

/* Return the timeout for poll(2) until a deadline: milliseconds, rounded up, -1 for no limit. */
static inline int clock_poll_timeout(int64_t deadline)
{
	int64_t rest;

	if (deadline < 0)
		return -1;
	rest = deadline - clock_now();
	if (rest <= 0)
		return 0;
	rest = (rest + CLOCK_MILLISECOND - 1) / CLOCK_MILLISECOND;
	return rest > INT_MAX ? INT_MAX : (int)rest;
}

#endif
