/* SPDX-License-Identifier: MIT */
/* The frames that wait in one lane: a ring of references to frames. The caller bounds it. An empty
 * backlog has no memory allocated. */
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

/* Add the frame, taking ownership of its reference. -1 with ENOMEM, and then the caller still owns
 * the reference. */
int backlog_push(struct backlog *backlog, struct frame *frame);

/* Return the frame at `index`, where 0 is the oldest. */
static inline struct frame *backlog_peek(const struct backlog *backlog, uint32_t index)
{
	return backlog->ring[(backlog->first + index) & (backlog->capacity - 1)];
}

/* Remove the `number` oldest frames, and release their references. */
void backlog_pop(struct backlog *backlog, uint32_t number);

/* Remove the second oldest frame. For streams, where a part of the oldest may already be sent. */
void backlog_pop_second(struct backlog *backlog);

#endif
