/* SPDX-License-Identifier: MIT */
/*
 * What impairment.c, impairment_pass.c and impairment_wait.c share.
 */
#ifndef MEMTUN_IMPAIRMENT_PARTS_H
#define MEMTUN_IMPAIRMENT_PARTS_H

#include "broker/engine/frame.h"
#include "broker/impair/impairment.h"

/* A frame that waits. frame_release() frees it when nothing refers to the frame any more. */
struct waiting {
	struct frame frame; /* first */
	TAILQ_ENTRY(waiting) in_list;
	struct due due;
	struct impairment *impairment;
	enum memtun_direction direction;
	struct rule *owner; /* NULL: it is deleted, or the frame is the broker's own */
	uint32_t rule;      /* 0: the broker's own frame, which no rule has judged */
	uint64_t seed;
	uint64_t number;
	bool is_held, is_ready, is_lossless;
};

/* Keep a copy of the frame: until `due`, or until it is released if the verdict is that it is held.
 * Return false if there is no room or no memory. */
bool waiting_add(struct impairment *impairment, const struct verdict *verdict, struct rule *rule,
		 const struct source *source, const struct frame *frame, int64_t due);

/* Do the same for a frame of the broker's own, which is due at once. It is dropped if frames in that
 * direction are paused. */
void waiting_add_own(struct impairment *impairment, enum memtun_direction direction,
		     const unsigned char *data, uint32_t length);

/* Return whether no further frame may wait in that direction. */
bool waiting_is_full(const struct impairment_side *side);

/* Release the frames that a rule holds. */
void waiting_release_rule(struct impairment *impairment, const struct rule *rule);

/* Do the same for a rule that is deleted. Those that it has delayed go on waiting. */
void waiting_forget_rule(struct impairment *impairment, const struct rule *rule);

/* Drop and count all frames. */
void waiting_drop_all(struct impairment *impairment);

/* Count the faults of the verdict, and report the verdict to the port. */
void impairment_judge(struct impairment *impairment, const struct verdict *verdict,
		      struct frame *frame);

/* Delete the rule if it is over, and tell the port if no rule is left and no frame waits. */
void impairment_tidy(struct impairment *impairment);

static inline struct impairment_side *impairment_side(struct impairment *impairment,
						      enum memtun_direction direction)
{
	return &impairment->sides[direction - 1];
}

#endif
