/* SPDX-License-Identifier: MIT */
/*
 * The frames that wait in one lane for the other side: a ring of references, bounded by its user.
 * It takes no memory while nothing waits.
 */
#ifndef MEMTUN_BACKLOG_H
#define MEMTUN_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

struct frame;

struct backlog {
	struct frame **ring;
	uint32_t capacity; /* a power of two, or 0 */
	uint32_t first;
	uint32_t count;
	size_t bytes;
};

/* Adds the frame, taking the reference. -1 with ENOMEM: it is still the caller's. */
int backlog_push(struct backlog *backlog, struct frame *frame);

/* The frame that has waited `index` places behind the longest. */
static inline struct frame *backlog_peek(const struct backlog *backlog, uint32_t index)
{
	return backlog->ring[(backlog->first + index) & (backlog->capacity - 1)];
}

/* Releases the `number` frames that have waited longest. */
void backlog_pop(struct backlog *backlog, uint32_t number);

/* Releases the second longest waiting one: the first may be half sent. */
void backlog_pop_second(struct backlog *backlog);

#endif
