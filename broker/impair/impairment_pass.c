/* SPDX-License-Identifier: MIT */
/*
 * The way of frames through the rules of a port. Each frame has the fate that the first matching rule
 * decides: it passes, is changed, waits or is dropped. Frames that pass are sent in batches, in the
 * order in which they came.
 */
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>

#include "broker/engine/engine.h"
#include "broker/impair/impairment_parts.h"
#include "broker/impair/path_mtu.h"
#include "common/frame/frame_format.h"

/* Frames on their way through the rules. */
struct passage {
	struct impairment *impairment;
	enum memtun_direction direction;
	struct source *source;
	struct batch *batch;
	uint64_t passing; /* frames of the batch that pass unchanged and are not sent yet */
	int64_t now;      /* -1: not known yet */
};

static void passage_send(struct passage *passage, struct batch *batch, uint64_t mask)
{
	passage->impairment->operations->send(passage->impairment->port, passage->direction,
					      passage->source, batch, mask);
}

/* Send the passing frames, so that a later frame that is not sent from the batch stays behind them. */
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

/* Return the time at which a frame is due that the rule delays or limits to a rate. */
static int64_t passage_due(struct passage *passage, const struct rule *rule, struct rule_side *side,
			   const struct fate *fate)
{
	int64_t due = passage_now(passage);

	if (rule->rate) {
		/* Frames have at most 69632 bytes, so the product has fewer than 50 bits. */
		uint64_t time = fate->length * UINT64_C(8000000000) / rule->rate;

		due = (side->link.free > due ? side->link.free : due) + (int64_t)time;
		side->link.free = due;
	}
	if (!(fate->faults & FAULT_REORDERED))
		due += (int64_t)fate->delay;
	if (rule->ordered && due < side->link.last_due)
		due = side->link.last_due;
	side->link.last_due = due;
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

/* Keep the frame, and its duplicate, waiting. Return false if there is no room. */
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

/* Send an ICMP error to the sender of a packet that is longer than the rule's pmtu. */
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
	const struct link_state former = side->link;
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
	    !passage_wait(passage, &verdict, rule, frame, &fate, due)) {
		verdict.faults = FAULT_FULL;
		/* No other frame waits for one that is dropped. */
		side->link = former;
	}
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
