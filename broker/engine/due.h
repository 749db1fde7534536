/* SPDX-License-Identifier: MIT */
/*
 * The queue of everything that is due on the logical clock: delayed frames, the timers of adapters.
 * An entry is part of its owner, so to set one allocates nothing and cannot fail. Entries run in
 * the order of their times, and entries of the same nanosecond in the order in which they were set.
 */
#ifndef MEMTUN_DUE_H
#define MEMTUN_DUE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/clock.h"

/*
 * The logical clock is CLOCK_MONOTONIC, and one timerfd wakes the loop when an entry is due.
 * libev's own timers are later: their median error was 669 us, and that of a timerfd 57 us
 * (measured). With `memtund --clock manual`, the clock begins at 0 and moves only by due_advance().
 *
 * The queue is a timing wheel. On level n, a slot holds the entries of 64^n nanoseconds; an entry
 * is on the level of the most significant digit (of 6 bits) in which its time differs from `base`,
 * a time that no entry is before. An entry moves to a lower level at most ten times, so that to
 * set, cancel and run an entry costs the same however many there are.
 */

/* Levels of 6 bits for times of 63 bits. */
#define DUE_LEVELS 11
#define DUE_SLOTS 64

/* The manual clock shows no later time, 146 years, so that no sum of it and a delay overflows. */
#define DUE_TIME_MAX (INT64_C(1) << 62)

struct due;

typedef void due_function(struct due *due);

/* An entry. Its owner zeroes it, and cancels it before the owner is freed. */
struct due {
	TAILQ_ENTRY(due) in_slot;
	int64_t time;      /* on the logical clock, in nanoseconds */
	due_function *run; /* NULL: the entry is not set */
};

TAILQ_HEAD(due_list, due);

struct due_slot {
	struct due_list list;
	int64_t earliest; /* no entry of the slot is before it */
};

struct due_queue {
	struct ev_loop *loop;
	ev_io io; /* the timerfd; -1: none */
	bool is_manual;
	bool is_running; /* entries run, and the timer is armed afterwards */
	int64_t now;     /* of the manual clock */
	int64_t armed;   /* when the timer expires; -1: never */
	int64_t base;
	uint32_t count;
	uint64_t occupied[DUE_LEVELS]; /* a bit for each slot that has entries */
	struct due_slot slots[DUE_LEVELS][DUE_SLOTS];
};

/* Initialize zeroed memory as an empty queue, which runs on that loop. -1 with an errno of
 * timerfd_create(2); then the queue can be ended, but not used. */
int due_init(struct due_queue *queue, struct ev_loop *loop);

/* Close the timer. The queue has no entries any more. */
void due_end(struct due_queue *queue);

/* Replace the clock by the manual one, at 0. Call it before an entry is set. */
void due_use_manual_clock(struct due_queue *queue);

/* Return the time of the logical clock in nanoseconds. Of the manual clock, it is that of the entry
 * that runs. */
static inline int64_t due_now(const struct due_queue *queue)
{
	return queue->is_manual ? queue->now : clock_now();
}

/*
 * Run the function at that time, or in the next iteration of the loop if that has passed. An entry
 * that is set already is moved. The function may set and cancel any entry, and free the owner of its
 * own. It is called from the loop while no batch is being forwarded.
 */
void due_set(struct due_queue *queue, struct due *due, int64_t time, due_function *run);

/* Cancel the entry, if it is set. */
void due_cancel(struct due_queue *queue, struct due *due);

static inline bool due_is_set(const struct due *due)
{
	return due->run != NULL;
}

/* Return the number of entries that are set. */
static inline uint32_t due_count(const struct due_queue *queue)
{
	return queue->count;
}

/* Return whether entries are due that have not run yet. */
bool due_is_late(const struct due_queue *queue);

/* Return the time of the first entry, or -1 if there is none. This looks at all entries of one
 * slot. */
int64_t due_next(const struct due_queue *queue);

/*
 * Move the manual clock to `to`, and run what is due until then, each entry at its time: at most
 * `max` entries. Returns true if the clock has arrived. If not, call this again: the clock is at the
 * time of the last entry that has run.
 */
bool due_advance(struct due_queue *queue, int64_t to, unsigned int max);

#endif
