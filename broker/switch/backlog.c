/* SPDX-License-Identifier: MIT */
#include "broker/switch/backlog.h"

#include <stdlib.h>

#include "broker/engine/frame.h"

/* The first size of the ring, in frames: one batch. */
#define FIRST_CAPACITY 32

static int backlog_grow(struct backlog *backlog)
{
	uint32_t capacity = backlog->capacity ? backlog->capacity * 2 : FIRST_CAPACITY;
	struct frame **ring = calloc(capacity, sizeof(struct frame *));

	if (!ring)
		return -1;
	for (uint32_t i = 0; i < backlog->count; i++)
		ring[i] = backlog_peek(backlog, i);
	free(backlog->ring);
	backlog->ring = ring;
	backlog->capacity = capacity;
	backlog->first = 0;
	return 0;
}

int backlog_push(struct backlog *backlog, struct frame *frame)
{
	if (backlog->count == backlog->capacity && backlog_grow(backlog) < 0)
		return -1;
	backlog->ring[(backlog->first + backlog->count) & (backlog->capacity - 1)] = frame;
	backlog->count++;
	backlog->bytes += frame->length;
	return 0;
}

void backlog_pop(struct backlog *backlog, uint32_t number)
{
	for (; number; number--) {
		struct frame *frame = backlog_peek(backlog, 0);

		backlog->bytes -= frame->length;
		backlog->first = (backlog->first + 1) & (backlog->capacity - 1);
		backlog->count--;
		frame_release(frame);
	}
	if (backlog->count == 0) {
		free(backlog->ring);
		*backlog = (struct backlog){0};
	}
}

void backlog_pop_second(struct backlog *backlog)
{
	uint32_t second = (backlog->first + 1) & (backlog->capacity - 1);
	struct frame *first = backlog_peek(backlog, 0);

	backlog->ring[backlog->first] = backlog->ring[second];
	backlog->ring[second] = first;
	backlog_pop(backlog, 1);
}
