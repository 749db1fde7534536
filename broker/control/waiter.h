/* SPDX-License-Identifier: MIT */
/*
 * A waiter looks at ports until they are quiet. The kernel reports no event when a program has read
 * a frame, so the waiter looks repeatedly. The intervals grow while nothing changes, and are longer if
 * a look takes long. A broker without waiting clients does not look.
 */
#ifndef MEMTUN_WAITER_H
#define MEMTUN_WAITER_H

#include <stdbool.h>
#include <stdint.h>

struct control;
struct fault;
struct quiet;

/* All times are real ones of CLOCK_MONOTONIC, in nanoseconds. */
struct waiter {
	unsigned int parts; /* enum quiet_part, or'ed */
	int64_t idle;       /* the time during which no frame may come */
	int64_t deadline;   /* -1: none */
	int64_t interval;   /* between the last look and the next one */
	int64_t next;       /* time of the next look */
	int64_t active;     /* time of the last look that saw a new frame */
	uint64_t activity;  /* quiet.activity of the last look */
	bool was_quiet;     /* the last look found the ports quiet */
};

/* Begin to wait; `limit` is in nanoseconds, -1 for none. */
void waiter_begin(struct waiter *waiter, unsigned int parts, int64_t idle, int64_t limit);

/*
 * Look at the ports of these names, which commas separate, and of the bridges among them; NULL is
 * all ports. Returns 1 if they are quiet, 0 if the next look is due at waiter->next, -1 with the
 * fault filled: ENOENT (no such name), ENODEV (an object was deleted since the first look), ETIMEDOUT
 * (the text says what it still waits for), EOPNOTSUPP (the kernel cannot tell).
 */
int waiter_look(struct waiter *waiter, const struct control *control, const char *names,
		struct fault *fault);

#endif
