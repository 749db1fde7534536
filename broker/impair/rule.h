/* SPDX-License-Identifier: MIT */
/*
 * A rule: what happens to the frames of a port that match its filter, in one direction or both. The
 * rule checks its keys against each other, and counts its frames in each direction.
 */
#ifndef MEMTUN_RULE_H
#define MEMTUN_RULE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "broker/engine/due.h"
#include "broker/impair/fate.h"
#include "common/attribute_set.h"

struct filter;
struct impairment;
struct frame;

/* What the next frame waits for, as times of the logical clock. */
struct link_state {
	int64_t free;     /* `rate`: when the last frame has been sent */
	int64_t last_due; /* `ordered`: when the last frame that waits is due */
};

/* One direction of a rule. */
struct rule_side {
	struct fate_side fate;
	struct link_state link;
	uint32_t waiting; /* frames of the rule that wait */
};

struct rule {
	TAILQ_ENTRY(rule) in_rules;
	uint32_t number;
	uint64_t seed;
	struct attribute_set given; /* a copy of the keys */
	struct filter *filter;      /* NULL: all frames */
	struct fate_values values;
	bool ordered;
	bool icmp;
	bool carrier_off;
	uint64_t rate;       /* bits per second; 0: not limited */
	uint64_t until;      /* the last frame's number; 0: none */
	uint64_t until_time; /* nanoseconds that the rule lasts; 0: for ever */
	uint32_t limit;      /* frames that may wait in each direction; 0: the port's limit */
	uint32_t held;       /* frames that it holds in both directions */
	struct rule_side sides[2];
	struct due end; /* until_time is over */
	struct impairment *impairment;
};

/* Make a rule for the port of that name. The seed is that of the options, or the other one. NULL with
 * the fault filled: EINVAL, ENOMEM. */
struct rule *rule_new(const char *port, uint32_t number, uint64_t seed,
		      const struct attribute_set *options, struct fault *fault);
void rule_free(struct rule *rule);

/*
 * Change keys of OPTION_IMPAIR_SET: all of them, or none. The count of frames
 * continues, but a seed begins with frame 1 again. -1 with the fault filled: EINVAL, ENOMEM.
 */
int rule_set(struct rule *rule, const char *port, const struct attribute_set *options,
	     struct fault *fault);

static inline struct rule_side *rule_side(struct rule *rule, enum memtun_direction direction)
{
	return &rule->sides[direction - 1];
}

/* Return whether the rule is for this frame. */
bool rule_matches(const struct rule *rule, enum memtun_direction direction,
		  const struct frame *frame);

/* Return whether its last frame has come in each of its directions. */
bool rule_is_over(const struct rule *rule);

/* Put the keys, the seed and the numbers of frames into the set. */
void rule_describe(const struct rule *rule, struct attribute_set *set);

#endif
