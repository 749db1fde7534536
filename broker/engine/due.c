/* SPDX-License-Identifier: MIT */
#include "broker/engine/due.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/container_of.h"
#include "common/log.h"

/* Bits of a digit: 64 slots. */
#define DIGIT_BITS 6

/* The maximum of entries that run in one iteration of the loop, so that the frames of the lanes do not
 * wait for more of them. */
#define TURN_MAX 64

/* ------------------------------------------------------------------------------ the wheel */

static struct due_slot *queue_slot(struct due_queue *queue, int64_t time, unsigned int *level,
				   uint64_t *bit)
{
	uint64_t differs = (uint64_t)(time ^ queue->base);
	unsigned int digit;

	*level = differs ? (unsigned int)(63 - __builtin_clzll(differs)) / DIGIT_BITS : 0;
	digit = (unsigned int)((uint64_t)time >> (*level * DIGIT_BITS)) % DUE_SLOTS;
	*bit = UINT64_C(1) << digit;
	return &queue->slots[*level][digit];
}

static void queue_insert(struct due_queue *queue, struct due *due)
{
	unsigned int level;
	uint64_t bit;
	struct due_slot *slot = queue_slot(queue, due->time, &level, &bit);

	if (!(queue->occupied[level] & bit)) {
		TAILQ_INIT(&slot->list);
		slot->earliest = due->time;
		queue->occupied[level] |= bit;
	} else if (due->time < slot->earliest) {
		slot->earliest = due->time;
	}
	TAILQ_INSERT_TAIL(&slot->list, due, in_slot);
}

static void queue_remove(struct due_queue *queue, struct due *due)
{
	unsigned int level;
	uint64_t bit;
	struct due_slot *slot = queue_slot(queue, due->time, &level, &bit);

	TAILQ_REMOVE(&slot->list, due, in_slot);
	if (TAILQ_EMPTY(&slot->list))
		queue->occupied[level] &= ~bit;
	due->run = NULL;
	queue->count--;
}

/* Return the level of the slot with the first entry, -1 if there are no entries, and the slot. */
static int queue_first_slot(const struct due_queue *queue, unsigned int *digit)
{
	for (int level = 0; level < DUE_LEVELS; level++) {
		if (!queue->occupied[level])
			continue;
		*digit = (unsigned int)__builtin_ctzll(queue->occupied[level]);
		return level;
	}
	return -1;
}

/* Move the entries of a slot to lower levels. They keep their order, so that entries of the same
 * time do too. */
static void queue_cascade(struct due_queue *queue, int level, unsigned int digit)
{
	struct due_slot *slot = &queue->slots[level][digit];
	struct due_list list = TAILQ_HEAD_INITIALIZER(list);
	struct due *due;

	queue->occupied[level] &= ~(UINT64_C(1) << digit);
	TAILQ_CONCAT(&list, &slot->list, in_slot);
	queue->base = slot->earliest;
	while ((due = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, due, in_slot);
		queue_insert(queue, due);
	}
}

/* Return a time that no entry is before, or -1 if there are no entries. */
static int64_t queue_earliest(const struct due_queue *queue)
{
	unsigned int digit;
	int level = queue_first_slot(queue, &digit);

	return level < 0 ? -1 : queue->slots[level][digit].earliest;
}

/* Return the first entry that is not after `limit`, or NULL. */
static struct due *queue_first(struct due_queue *queue, int64_t limit)
{
	unsigned int digit;
	int level;

	while ((level = queue_first_slot(queue, &digit)) >= 0 &&
	       queue->slots[level][digit].earliest <= limit) {
		if (level == 0)
			return TAILQ_FIRST(&queue->slots[0][digit].list);
		queue_cascade(queue, level, digit);
	}
	return NULL;
}

bool due_is_late(const struct due_queue *queue)
{
	int64_t earliest = queue_earliest(queue);

	return earliest >= 0 && earliest <= due_now(queue);
}

int64_t due_next(const struct due_queue *queue)
{
	unsigned int digit;
	int level = queue_first_slot(queue, &digit);
	const struct due *due;
	int64_t next = -1;

	if (level < 0)
		return -1;
	TAILQ_FOREACH(due, &queue->slots[level][digit].list, in_slot) {
		next = clock_earlier(next, due->time);
	}
	return next;
}

/* ------------------------------------------------------------------------------ the timer */

/* Make the timer expire at that time, at once if that has passed, or never if it is -1. This also
 * clears an expiration that was not read. */
static void timer_arm(struct due_queue *queue, int64_t time)
{
	struct itimerspec at = {0};

	queue->armed = time;
	if (time >= 0) {
		/* time_t may have 32 bits. */
		at.it_value.tv_sec =
			time / CLOCK_SECOND < INT32_MAX ? time / CLOCK_SECOND : INT32_MAX;
		at.it_value.tv_nsec = time % CLOCK_SECOND;
		/* A value of zero would disarm the timer. */
		if (time == 0)
			at.it_value.tv_nsec = 1;
	}
	if (timerfd_settime(queue->io.fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
		log_line(LOG_LEVEL_ERROR, "cannot set the timer of delayed frames: %s",
			 strerror(errno));
}

/* Arm the timer for entries that are due at that time. */
static void queue_wake(struct due_queue *queue, int64_t time)
{
	if (!queue->is_manual)
		timer_arm(queue, time);
	else
		timer_arm(queue, time >= 0 && time <= queue->now ? 0 : -1);
}

/* Run at most `max` entries that are not after `limit`. Returns true if it is known that there are no
 * more of them. */
static bool queue_run(struct due_queue *queue, int64_t limit, unsigned int max)
{
	struct due *due;

	queue->is_running = true;
	for (; max > 0 && (due = queue_first(queue, limit)); max--) {
		due_function *run = due->run;

		queue->base = due->time;
		if (queue->is_manual && due->time > queue->now)
			queue->now = due->time;
		queue_remove(queue, due);
		run(due);
	}
	queue->is_running = false;
	return max > 0;
}

static void queue_due(struct ev_loop *loop, ev_io *io, int events)
{
	struct due_queue *queue = container_of(io, struct due_queue, io);

	(void)loop;
	(void)events;
	queue_run(queue, due_now(queue), TURN_MAX);
	queue_wake(queue, queue_earliest(queue));
}

/* ------------------------------------------------------------------------------ for owners */

int due_init(struct due_queue *queue, struct ev_loop *loop)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	queue->loop = loop;
	queue->armed = -1;
	ev_io_init(&queue->io, queue_due, fd, EV_READ);
	if (fd < 0)
		return -1;
	ev_io_start(loop, &queue->io);
	return 0;
}

void due_end(struct due_queue *queue)
{
	if (!queue->loop || queue->io.fd < 0)
		return;
	ev_io_stop(queue->loop, &queue->io);
	close(queue->io.fd);
	ev_io_set(&queue->io, -1, 0);
}

void due_use_manual_clock(struct due_queue *queue)
{
	queue->is_manual = true;
}

void due_set(struct due_queue *queue, struct due *due, int64_t time, due_function *run)
{
	if (due_is_set(due))
		queue_remove(queue, due);
	if (queue->count == 0 && !queue->is_running)
		queue->base = due_now(queue);
	due->time = time > queue->base ? time : queue->base;
	due->run = run;
	queue->count++;
	queue_insert(queue, due);
	if (!queue->is_running && (queue->armed < 0 || due->time < queue->armed))
		queue_wake(queue, due->time);
}

void due_cancel(struct due_queue *queue, struct due *due)
{
	/* The timer stays armed: a wake-up without work costs no more than setting the timer. */
	if (due_is_set(due))
		queue_remove(queue, due);
}

bool due_advance(struct due_queue *queue, int64_t to, unsigned int max)
{
	bool arrived = queue_run(queue, to, max);

	if (arrived && to > queue->now)
		queue->now = to;
	queue_wake(queue, queue_earliest(queue));
	return arrived;
}
