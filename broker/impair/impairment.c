/* SPDX-License-Identifier: MIT */
#include "broker/impair/impairment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "broker/engine/engine.h"
#include "broker/impair/impairment_parts.h"
#include "common/container_of.h"
#include "common/log.h"

/* ------------------------------------------------------------------------------ the whole */

static void source_set_reading(struct source *source, bool reading)
{
	struct impairment *impairment = container_of(source, struct impairment, source);

	if (reading)
		impairment_resume(impairment);
}

static void lossless_set_reading(struct source *source, bool reading)
{
	struct impairment *impairment = container_of(source, struct impairment, lossless);

	if (reading)
		impairment_resume(impairment);
}

struct impairment *impairment_new(struct port *port, struct engine *engine, const char *name,
				  enum memtun_mode mode,
				  const struct impairment_operations *operations)
{
	struct impairment *impairment = calloc(1, sizeof(*impairment));

	if (!impairment)
		return NULL;
	impairment->port = port;
	impairment->engine = engine;
	impairment->operations = operations;
	impairment->name = name;
	impairment->mode = mode;
	TAILQ_INIT(&impairment->rules);
	TAILQ_INIT(&impairment->held);
	impairment->source.set_reading = source_set_reading;
	impairment->lossless.set_reading = lossless_set_reading;
	impairment->lossless.lossless = true;
	for (int i = 0; i < 2; i++) {
		TAILQ_INIT(&impairment->sides[i].delayed);
		TAILQ_INIT(&impairment->sides[i].ready);
		impairment->sides[i].backpressure.is_held = true;
		impairment->sides[i].scratch.buffers = malloc(FRAME_HEADROOM + FRAME_MAX);
		if (!impairment->sides[i].scratch.buffers) {
			impairment_free(impairment);
			return NULL;
		}
	}
	return impairment;
}

void impairment_free(struct impairment *impairment)
{
	struct rule *rule;

	impairment_leave(impairment);
	waiting_drop_all(impairment);
	while ((rule = TAILQ_FIRST(&impairment->rules))) {
		TAILQ_REMOVE(&impairment->rules, rule, in_rules);
		due_cancel(&impairment->engine->due, &rule->end);
		rule_free(rule);
	}
	for (int i = 0; i < 2; i++)
		free(impairment->sides[i].scratch.buffers);
	free(impairment);
}

void impairment_leave(struct impairment *impairment)
{
	source_forget(&impairment->source);
	source_forget(&impairment->lossless);
	for (int i = 0; i < 2; i++)
		backpressure_resume(&impairment->sides[i].backpressure);
}

void impairment_tidy(struct impairment *impairment)
{
	struct rule *rule, *next;

	if (impairment->is_in_use)
		return;
	/* impairment_delete() releases held frames, so a rule stays while it holds some. */
	TAILQ_FOREACH_SAFE(rule, &impairment->rules, in_rules, next) {
		if (rule_is_over(rule) && rule->held == 0) {
			impairment_delete(impairment, rule);
			return;
		}
	}
	if (TAILQ_EMPTY(&impairment->rules) && impairment->sides[0].frames == 0 &&
	    impairment->sides[1].frames == 0)
		impairment->operations->unused(impairment->port);
}

/* ------------------------------------------------------------------------------ rules */

static void rule_ends(struct due *due)
{
	struct rule *rule = container_of(due, struct rule, end);

	impairment_delete(rule->impairment, rule);
}

/* Have the rule deleted after its time, which begins now. */
static void rule_arm(struct impairment *impairment, struct rule *rule)
{
	struct due_queue *queue = &impairment->engine->due;

	due_cancel(queue, &rule->end);
	if (rule->until_time)
		due_set(queue, &rule->end, due_now(queue) + (int64_t)rule->until_time, rule_ends);
}

/* Return the seed for a rule without the option `seed`: the broker's, or a random one. */
static uint64_t seed_choose(const struct engine *engine)
{
	uint64_t seed = 0;

	if (engine->has_seed)
		return engine->seed;
	/* If getrandom(2) fails, the seed is 0, which is shown as any other seed. */
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 0;
	/* A number of 32 bits is short enough to be copied by hand. */
	return seed >> 32;
}

struct rule *impairment_add(struct impairment *impairment, const struct attribute_set *options,
			    struct fault *fault)
{
	struct rule *rule;

	if (impairment->rule_count >= IMPAIRMENT_RULES_MAX) {
		fault_set(fault, E2BIG, "'%s' has the maximum of %u rules", impairment->name,
			  impairment->rule_count);
		return NULL;
	}
	rule = rule_new(impairment->name, impairment->last_number + 1,
			seed_choose(impairment->engine), options, fault);
	if (!rule)
		return NULL;
	rule->impairment = impairment;
	impairment->last_number++;
	impairment->rule_count++;
	impairment->carriers_off += rule->carrier_off;
	TAILQ_INSERT_TAIL(&impairment->rules, rule, in_rules);
	rule_arm(impairment, rule);
	log_line(LOG_LEVEL_INFO, "%s: rule %u is added, with seed %" PRIu64, impairment->name,
		 rule->number, rule->seed);
	impairment->operations->changed(impairment->port, rule, MEMTUN_EVENT_IMPAIR_ADDED);
	return rule;
}

struct rule *impairment_find(const struct impairment *impairment, uint32_t number)
{
	struct rule *rule;

	TAILQ_FOREACH(rule, &impairment->rules, in_rules) {
		if (rule->number == number)
			return rule;
	}
	return NULL;
}

struct rule *impairment_next(const struct impairment *impairment, uint32_t number)
{
	struct rule *rule;

	TAILQ_FOREACH(rule, &impairment->rules, in_rules) {
		if (rule->number > number)
			return rule;
	}
	return NULL;
}

int impairment_set(struct impairment *impairment, struct rule *rule,
		   const struct attribute_set *options, struct fault *fault)
{
	bool was_off = rule->carrier_off;

	if (rule_set(rule, impairment->name, options, fault) < 0)
		return -1;
	impairment->carriers_off += rule->carrier_off - was_off;
	if (attribute_set_has(options, MEMTUN_A_UNTIL_TIME) || !rule->until_time)
		rule_arm(impairment, rule);
	/* A rule that no longer holds frames lets go of those that it has. */
	if (!rule->values.hold)
		waiting_release_rule(impairment, rule);
	impairment->operations->changed(impairment->port, rule, MEMTUN_EVENT_IMPAIR_CHANGED);
	impairment_tidy(impairment);
	return 0;
}

void impairment_delete(struct impairment *impairment, struct rule *rule)
{
	waiting_forget_rule(impairment, rule);
	TAILQ_REMOVE(&impairment->rules, rule, in_rules);
	/* Draws depend on the number, so it must not depend on whether frames wait still. */
	if (--impairment->rule_count == 0)
		impairment->last_number = 0;
	impairment->carriers_off -= rule->carrier_off;
	due_cancel(&impairment->engine->due, &rule->end);
	impairment->operations->changed(impairment->port, rule, MEMTUN_EVENT_IMPAIR_DELETED);
	rule_free(rule);
	impairment_tidy(impairment);
}

void impairment_describe(const struct impairment *impairment, const struct rule *rule,
			 struct attribute_set *set, char holding[MEMTUN_TEXT_SIZE])
{
	const struct waiting *waiting;
	size_t used = 0;

	rule_describe(rule, set);
	TAILQ_FOREACH(waiting, &impairment->held, in_list) {
		int length;

		if (waiting->owner != rule)
			continue;
		length = snprintf(holding + used, MEMTUN_TEXT_SIZE - used, "%s%" PRIu64,
				  used ? "+" : "", waiting->number);
		/* The list ends where the text is full. */
		if (length < 0 || used + (size_t)length >= MEMTUN_TEXT_SIZE) {
			holding[used] = '\0';
			break;
		}
		used += (size_t)length;
	}
	if (used)
		attribute_set_put_string(set, MEMTUN_A_HOLDING, holding);
}

/* ------------------------------------------------------------------------------ faults */

static const enum memtun_attribute counters[FAULT_KINDS] = {
	MEMTUN_A_FROM_CLIENT_DROPPED_LOSS,      MEMTUN_A_FROM_CLIENT_DROPPED_LISTED,
	MEMTUN_A_FROM_CLIENT_DROPPED_PMTU,      MEMTUN_A_FROM_CLIENT_DROPPED_LINK_DOWN,
	MEMTUN_A_FROM_CLIENT_DROPPED_DISCARDED, MEMTUN_A_FROM_CLIENT_DROPPED_WAITING_FULL,
	MEMTUN_A_FROM_CLIENT_DUPLICATED,        MEMTUN_A_FROM_CLIENT_CORRUPTED,
	MEMTUN_A_FROM_CLIENT_TRUNCATED,         MEMTUN_A_FROM_CLIENT_DELAYED,
	MEMTUN_A_FROM_CLIENT_REORDERED,         MEMTUN_A_FROM_CLIENT_HELD,
};

enum memtun_attribute fault_counter(enum memtun_direction direction, enum fault_kind fault)
{
	int shift = direction == MEMTUN_TO_CLIENT
			    ? MEMTUN_A_TO_CLIENT_DROPPED_LOSS - MEMTUN_A_FROM_CLIENT_DROPPED_LOSS
			    : 0;

	return (enum memtun_attribute)((int)counters[__builtin_ctz(fault)] + shift);
}

void impairment_judge(struct impairment *impairment, const struct verdict *verdict,
		      struct frame *frame)
{
	for (unsigned int rest = verdict->faults; rest; rest &= rest - 1)
		impairment->operations->count(
			impairment->port,
			fault_counter(verdict->direction, (enum fault_kind)(rest & -rest)), 1);
	/* The duplicate is one more frame that is offered to the client. */
	if (verdict->direction == MEMTUN_TO_CLIENT && verdict->faults & FAULT_DUPLICATED)
		impairment->operations->count(impairment->port, MEMTUN_A_TO_CLIENT_OFFERED, 1);
	impairment->operations->judged(impairment->port, verdict, frame);
}
