/* SPDX-License-Identifier: MIT */
/*
 * Backpressure: a full backlog that must lose no frame pauses each source that sent to it, and
 * resumes them when it is half empty. Several backlogs may pause one source; it is read again when
 * the last of them has resumed it.
 */
#ifndef MEMTUN_BACKPRESSURE_H
#define MEMTUN_BACKPRESSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct pause_edge;

/* Where frames come from: a port, or an injector. */
struct source {
	/* Stop reading frames (pause_count has become 1), or read again (pause_count is 0). */
	void (*set_reading)(struct source *source, bool reading);

	/* A backlog pauses it no longer, but others do. NULL: nothing follows from it. */
	void (*relieved)(struct source *source);
	unsigned int pause_count;          /* edges in paused_by */
	unsigned int held_count;           /* those of them whose backpressure is held */
	LIST_HEAD(, pause_edge) paused_by; /* one edge for each backlog that pauses it */
	bool lossless;                     /* pause it instead of dropping its frames */
};

/* Where frames wait: the sources that one backlog pauses. */
struct backpressure {
	LIST_HEAD(, pause_edge) edges;
	/* The frames wait for the logical clock or a command, and not for a program to read them.
	 * Unread frames of the paused sources then do not keep a bridge from being quiet. */
	bool is_held;
};

static inline bool backpressure_is_pausing(const struct backpressure *backpressure)
{
	return !LIST_EMPTY(&backpressure->edges);
}

static inline bool source_is_paused(const struct source *source)
{
	return source->pause_count > 0;
}

static inline bool source_is_held(const struct source *source)
{
	return source->held_count > 0;
}

/* Return whether backlogs other than this one pause the source. */
bool source_is_paused_by_others(const struct source *source,
				const struct backpressure *backpressure);

/*
 * Pause the source. Where memory is short it is not paused, and the backlog grows by the frames
 * that it goes on sending.
 */
void backpressure_pause(struct backpressure *backpressure, struct source *source);

/* Resume all sources that this backlog pauses. */
void backpressure_resume(struct backpressure *backpressure);

/* Remove all edges to a source that is deleted, or moves to another bridge. */
void source_forget(struct source *source);

#endif
