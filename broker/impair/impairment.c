/* SPDX-License-Identifier: MIT */
#include "broker/impair/impairment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "broker/engine/engine.h"
#include "broker/impair/impairment_parts.h"
#include "broker/impair/path_mtu.h"
#include "common/container_of.h"
#include "common/frame/frame_format.h"
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
	/* A rule that holds frames stays until they are released, or to hold them would be in vain. */
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

/* Return the seed of a rule that is given none: the broker's, or a random one. */
static uint64_t seed_choose(const struct engine *engine)
{
	uint64_t seed = 0;

	if (engine->has_seed)
		return engine->seed;
	/* Where it fails, the seed is 0, which is told as any other is. */
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 0;
	/* People write it down. */
	return seed >> 32;
}

struct rule *impairment_add(struct impairment *impairment, const struct attribute_set *options,
			    struct fault *fault)
{
	struct rule *rule;

	if (impairment->rule_count >= IMPAIRMENT_RULES_MAX) {
		fault_set(fault, E2BIG, "'%s' has %u rules, and may have no more", impairment->name,
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
	log_line(LOG_LEVEL_INFO, "%s: rule %u impairs it with seed %" PRIu64, impairment->name,
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
	/* Frames that it held before the change go on. */
	if (!rule->values.hold)
		waiting_release_rule(impairment, rule);
	impairment->operations->changed(impairment->port, rule, MEMTUN_EVENT_IMPAIR_CHANGED);
	impairment_tidy(impairment);
	return 0;
}

void impairment_delete(struct impairment *impairment, struct rule *rule)
{
	waiting_release_rule(impairment, rule);
	TAILQ_REMOVE(&impairment->rules, rule, in_rules);
	impairment->rule_count--;
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

		if (waiting->rule != rule->number)
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

/* ------------------------------------------------------------------------------ fates */

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
	/* The second frame is one more for the client. */
	if (verdict->direction == MEMTUN_TO_CLIENT && verdict->faults & FAULT_DUPLICATED)
		impairment->operations->count(impairment->port, MEMTUN_A_TO_CLIENT_OFFERED, 1);
	impairment->operations->judged(impairment->port, verdict, frame);
}

/* Frames on their way through the rules. */
struct passage {
	struct impairment *impairment;
	enum memtun_direction direction;
	struct source *source;
	struct batch *batch;
	uint64_t passing; /* those that pass as they are, and are not sent yet */
	int64_t now;      /* -1: not known yet */
};

static void passage_send(struct passage *passage, struct batch *batch, uint64_t mask)
{
	passage->impairment->operations->send(passage->impairment->port, passage->direction,
					      passage->source, batch, mask);
}

/* Send what passes before a frame that is not sent from its batch. */
static void passage_flush(struct passage *passage)
{
	if (passage->passing)
		passage_send(passage, passage->batch, passage->passing);
	passage->passing = 0;
}

static int64_t passage_now(struct passage *passage)
{
	if (passage->now < 0)
		passage->now = due_now(&passage->impairment->engine->due);
	return passage->now;
}

/* Return when the frame is due that a rule delays, or limits to a rate. */
static int64_t passage_due(struct passage *passage, const struct rule *rule, struct rule_side *side,
			   const struct fate *fate)
{
	int64_t due = passage_now(passage);

	if (rule->rate) {
		/* Frames have at most 69632 bytes, so the product has fewer than 50 bits. */
		uint64_t time = fate->length * UINT64_C(8000000000) / rule->rate;

		due = (side->link_free > due ? side->link_free : due) + (int64_t)time;
		side->link_free = due;
	}
	if (!(fate->faults & FAULT_REORDERED))
		due += (int64_t)fate->delay;
	if (rule->ordered && due < side->last_due)
		due = side->last_due;
	side->last_due = due;
	return due;
}

/* Copy the frame into the scratch batch, and change its bytes as its fate says. */
static struct frame *scratch_fill(struct batch *scratch, const struct frame *frame,
				  const struct fate *fate)
{
	batch_set_read(scratch, 0, fate->length);
	scratch->frames[0].id = frame->id;
	memcpy(scratch->frames[0].data, frame->data, fate->length);
	if (fate->faults & FAULT_CORRUPTED)
		scratch->frames[0].data[fate->bit / 8] ^= (unsigned char)(1 << fate->bit % 8);
	return &scratch->frames[0];
}

/* Send a frame whose bytes have changed, or that passes twice, as one or two batches of one frame. */
static void passage_send_changed(struct passage *passage, const struct frame *frame,
				 const struct fate *fate)
{
	struct batch *scratch = &impairment_side(passage->impairment, passage->direction)->scratch;

	passage_flush(passage);
	for (int i = 0; i <= !!(fate->faults & FAULT_DUPLICATED); i++) {
		scratch_fill(scratch, frame, fate);
		passage_send(passage, scratch, 1);
		batch_clear(scratch, 1);
	}
}

/* Have the frame, and its duplicate, wait. Return false if there is no room. */
static bool passage_wait(struct passage *passage, const struct verdict *verdict, struct rule *rule,
			 struct frame *frame, const struct fate *fate, int64_t due)
{
	struct impairment *impairment = passage->impairment;
	struct impairment_side *side = impairment_side(impairment, passage->direction);
	const struct frame *changed = frame;

	if (fate->faults & (FAULT_CORRUPTED | FAULT_TRUNCATED))
		changed = scratch_fill(&side->scratch, frame, fate);
	if (!waiting_add(impairment, verdict, rule, passage->source, changed, due))
		return false;
	if (fate->faults & FAULT_DUPLICATED &&
	    !waiting_add(impairment, verdict, rule, passage->source, changed, due)) {
		struct verdict second = *verdict;

		second.faults = FAULT_FULL;
		impairment_judge(impairment, &second, frame);
	}
	if (waiting_is_full(side) &&
	    (passage->source->lossless || impairment->operations->blocks(impairment->port)))
		backpressure_pause(&side->backpressure, passage->source);
	return true;
}

/* Tell the sender of a packet that is longer than the path's MTU. */
static void passage_tell_pmtu(const struct passage *passage, const struct rule *rule,
			      const struct frame *frame)
{
	unsigned char error[PATH_MTU_ERROR_MAX];
	size_t length = path_mtu_error(error, passage->impairment->mode, frame->data, frame->length,
				       rule->values.pmtu);
	enum memtun_direction back =
		passage->direction == MEMTUN_TO_CLIENT ? MEMTUN_FROM_CLIENT : MEMTUN_TO_CLIENT;

	if (length)
		waiting_add_own(passage->impairment, back, error, (uint32_t)length);
}

/* Return the shortest frame that a bridge takes in place of this one, in bytes. */
static uint32_t frame_shortest(enum memtun_mode mode, const struct frame *frame)
{
	if (mode == MEMTUN_TAP)
		return ETH_HLEN;
	return frame->data[0] >> 4 == 6 ? sizeof(struct ip6_hdr) : sizeof(struct ip);
}

/* Carry out the fate of one frame, entry `index` of the batch. */
static void passage_carry_out(struct passage *passage, struct rule *rule, unsigned int index)
{
	struct impairment *impairment = passage->impairment;
	struct rule_side *side = rule_side(rule, passage->direction);
	struct frame *frame = &passage->batch->frames[index];
	const struct fate_frame measures = {
		.length = frame->length,
		.shortest = frame_shortest(impairment->mode, frame),
		.packet = (uint32_t)frame_format_packet_length(impairment->mode, frame->data,
							       frame->length),
	};
	struct verdict verdict = {
		.direction = passage->direction,
		.rule = rule->number,
		.seed = rule->seed,
	};
	int64_t due = 0;
	struct fate fate;

	fate_next(&rule->values, &side->fate, &measures, &fate);
	if (rule->carrier_off)
		fate.faults = FAULT_LINK_DOWN;
	if (!(fate.faults & (FAULTS_FINAL | FAULT_HELD)) &&
	    (rule->rate || rule->ordered || fate.delay)) {
		due = passage_due(passage, rule, side, &fate);
		if (due > passage_now(passage))
			fate.faults |= FAULT_DELAYED;
	}
	verdict.faults = fate.faults;
	verdict.number = fate.number;
	if (fate.faults & (FAULT_DELAYED | FAULT_HELD) &&
	    !passage_wait(passage, &verdict, rule, frame, &fate, due))
		verdict.faults = FAULT_FULL;
	if (verdict.faults)
		impairment_judge(impairment, &verdict, frame);
	if (verdict.faults == FAULT_PMTU && rule->icmp)
		passage_tell_pmtu(passage, rule, frame);
	if (verdict.faults & (FAULTS_FINAL | FAULT_DELAYED | FAULT_HELD))
		return;
	if (verdict.faults & (FAULT_CORRUPTED | FAULT_TRUNCATED | FAULT_DUPLICATED))
		passage_send_changed(passage, frame, &fate);
	else
		passage->passing |= UINT64_C(1) << index;
}

/* Return the rule that decides the frame's fate, or NULL. */
static struct rule *rule_choose(const struct impairment *impairment,
				enum memtun_direction direction, const struct frame *frame)
{
	struct rule *rule;

	TAILQ_FOREACH(rule, &impairment->rules, in_rules) {
		if (impairment->carriers_off ? rule->carrier_off
					     : rule_matches(rule, direction, frame))
			return rule;
	}
	return NULL;
}

void impairment_pass(struct impairment *impairment, enum memtun_direction direction,
		     struct source *source, struct batch *batch, uint64_t mask)
{
	bool was_in_use = impairment->is_in_use;
	struct passage passage = {
		.impairment = impairment,
		.direction = direction,
		.source = source,
		.batch = batch,
		.now = -1,
	};

	impairment->is_in_use = true;
	for (; mask; mask &= mask - 1) {
		unsigned int index = (unsigned int)__builtin_ctzll(mask);
		struct rule *rule = rule_choose(impairment, direction, &batch->frames[index]);

		if (rule)
			passage_carry_out(&passage, rule, index);
		else
			passage.passing |= mask & -mask;
	}
	passage_flush(&passage);
	impairment->is_in_use = was_in_use;
	impairment_tidy(impairment);
}
