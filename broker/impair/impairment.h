/* SPDX-License-Identifier: MIT */
/*
 * What impairs one port: its rules, and the frames that they keep waiting. The first rule that
 * matches a frame decides its fate. A port without rules has no impairment.
 */
#ifndef MEMTUN_IMPAIRMENT_H
#define MEMTUN_IMPAIRMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "broker/engine/backpressure.h"
#include "broker/engine/batch.h"
#include "broker/engine/due.h"
#include "broker/impair/fate.h"
#include "broker/impair/rule.h"
#include "common/attribute_set.h"

struct engine;
struct impairment;
struct port;
struct waiting;

/* The maximum of waiting frames of a port in each direction, and of the bytes that they take in
 * memory. */
#define IMPAIRMENT_FRAMES_MAX 131072
#define IMPAIRMENT_BYTES_MAX (64 * 1024 * 1024)

/* The maximum of rules of a port. It bounds the time for one frame, which is compared with each. */
#define IMPAIRMENT_RULES_MAX 64

/* What a rule has done to a frame. */
struct verdict {
	enum memtun_direction direction;
	unsigned int faults; /* enum fault_kind, or'ed */
	uint32_t rule;
	uint64_t seed;
	uint64_t number; /* the frame's, from 1, among those that have reached the rule */
};

/* What an impairment asks of its port. */
struct impairment_operations {
	/* Count frames of the port. */
	void (*count)(struct port *port, enum memtun_attribute counter, uint64_t number);

	/* Send frames that have passed on: to the client, or from the client to the bridge. */
	void (*send)(struct port *port, enum memtun_direction direction, struct source *source,
		     struct batch *batch, uint64_t mask);

	/* Return whether the port pauses sources rather than drop frames. */
	bool (*blocks)(const struct port *port);

	/* Return whether the port may send nothing to its bridge now: a backlog other than the
	 * impairment's own pauses it. */
	bool (*is_paused)(const struct port *port, const struct backpressure *own);

	/* Learn what a rule has done to a frame. A frame that waits is reported when it begins to
	 * wait, and again if it is dropped later. */
	void (*judged)(struct port *port, const struct verdict *verdict, struct frame *frame);

	/* Learn that a rule was added, has changed or is about to be deleted. */
	void (*changed)(struct port *port, const struct rule *rule, enum memtun_event event);

	/* Learn that no rule is left and no frame waits. This may call impairment_free(). */
	void (*unused)(struct port *port);
};

TAILQ_HEAD(rules, rule);
TAILQ_HEAD(waiting_list, waiting);

/* One direction. */
struct impairment_side {
	struct waiting_list delayed; /* in the order of their arrival */
	struct waiting_list ready;   /* frames that are due while the port is paused */
	struct backpressure backpressure;
	uint32_t frames; /* number of waiting frames */
	uint64_t bytes;
	struct due flush;     /* sends the ready frames */
	struct batch scratch; /* for a frame whose bytes change: room for one */
};

struct impairment {
	struct port *port;
	struct engine *engine;
	const struct impairment_operations *operations;
	enum memtun_mode mode;
	const char *name; /* the port's, which may change */
	struct rules rules;
	unsigned int rule_count;
	unsigned int carriers_off; /* rules that have the carrier off */
	uint32_t last_number;      /* the highest that a rule has had; 0: there are no rules */
	bool is_in_use;            /* fates are being carried out, so it must not be freed */
	struct waiting_list held;  /* of both directions */
	struct source source;      /* of frames to the client that were delayed */
	struct source lossless;    /* the same of frames whose source is lossless */
	struct impairment_side sides[2];
};

/* Make an impairment without rules. The name is borrowed. NULL with ENOMEM. */
struct impairment *impairment_new(struct port *port, struct engine *engine, const char *name,
				  enum memtun_mode mode,
				  const struct impairment_operations *operations);

/* Drop and count the frames that wait, and free it with its rules. */
void impairment_free(struct impairment *impairment);

/* Add a rule behind the others. NULL with the fault filled: EINVAL, ENOMEM, E2BIG. */
struct rule *impairment_add(struct impairment *impairment, const struct attribute_set *options,
			    struct fault *fault);

/* Return the rule of that number, and the one with the lowest number above it. NULL: there is none. */
struct rule *impairment_find(const struct impairment *impairment, uint32_t number);
struct rule *impairment_next(const struct impairment *impairment, uint32_t number);

/* Change keys of a rule. -1 with the fault filled: EINVAL, ENOMEM. */
int impairment_set(struct impairment *impairment, struct rule *rule,
		   const struct attribute_set *options, struct fault *fault);

/* Delete a rule. The frames that it holds go on, in their order; those that it has delayed go on
 * when they are due. May free the impairment. */
void impairment_delete(struct impairment *impairment, struct rule *rule);

/* Put the rule's keys and numbers into the set, with its held frames, for which text has room. */
void impairment_describe(const struct impairment *impairment, const struct rule *rule,
			 struct attribute_set *set, char holding[MEMTUN_TEXT_SIZE]);

/* Carry out the fates of the batch's frames in the mask, none of which is GSO or lacks its checksum.
 * Those that pass are sent on in their order. May free the impairment. */
void impairment_pass(struct impairment *impairment, enum memtun_direction direction,
		     struct source *source, struct batch *batch, uint64_t mask);

/*
 * Release held frames of that direction (0: both) in their order: the first one of that number, the
 * oldest if there is no number, or all. With `discard` they are dropped. Return how many. May free
 * the impairment.
 */
unsigned int impairment_release(struct impairment *impairment, enum memtun_direction direction,
				uint64_t number, bool all, bool discard);

/* Send the frames that are due, because the port may send to its bridge again. */
void impairment_resume(struct impairment *impairment);

/* Resume the sources that the impairment pauses, because the port leaves its bridge. */
void impairment_leave(struct impairment *impairment);

/* Return how many frames wait in a direction. */
static inline uint32_t impairment_waiting(const struct impairment *impairment,
					  enum memtun_direction direction)
{
	return impairment->sides[direction - 1].frames;
}

/* Return the port's counter of one fault in that direction. */
enum memtun_attribute fault_counter(enum memtun_direction direction, enum fault_kind fault);

#endif
