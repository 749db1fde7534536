/* SPDX-License-Identifier: MIT */
/*
 * The frames that wait. A delayed frame is an entry of the engine's due queue. If its port is paused
 * when the frame is due, the frame moves to the list of ready frames. A held frame waits for its
 * release. Each waiting frame is one allocation, which includes a copy of the frame's bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "broker/engine/engine.h"
#include "broker/impair/impairment_parts.h"
#include "common/container_of.h"

bool waiting_is_full(const struct impairment_side *side)
{
	return side->frames >= IMPAIRMENT_FRAMES_MAX || side->bytes >= IMPAIRMENT_BYTES_MAX;
}

static bool side_is_half_empty(const struct impairment_side *side)
{
	return side->frames <= IMPAIRMENT_FRAMES_MAX / 2 && side->bytes <= IMPAIRMENT_BYTES_MAX / 2;
}

static uint64_t waiting_size(const struct waiting *waiting)
{
	return sizeof(*waiting) + FRAME_HEADROOM + waiting->frame.length;
}

static struct waiting_list *waiting_list(const struct waiting *waiting)
{
	struct impairment_side *side = impairment_side(waiting->impairment, waiting->direction);

	if (waiting->is_held)
		return &waiting->impairment->held;
	return waiting->is_ready ? &side->ready : &side->delayed;
}

/* Remove the frame from its list, from the due queue and from all counts. The caller frees it. */
static void waiting_remove(struct waiting *waiting)
{
	struct impairment *impairment = waiting->impairment;
	struct impairment_side *side = impairment_side(impairment, waiting->direction);
	struct rule *rule = waiting->owner;

	TAILQ_REMOVE(waiting_list(waiting), waiting, in_list);
	due_cancel(&impairment->engine->due, &waiting->due);
	side->frames--;
	side->bytes -= waiting_size(waiting);
	if (rule) {
		rule_side(rule, waiting->direction)->waiting--;
		rule->held -= waiting->is_held;
	}
	if (backpressure_is_pausing(&side->backpressure) && side_is_half_empty(side))
		backpressure_resume(&side->backpressure);
}

static void waiting_drop(struct waiting *waiting)
{
	struct verdict verdict = {
		.direction = waiting->direction,
		.faults = FAULT_DISCARDED,
		.rule = waiting->rule,
		.seed = waiting->seed,
		.number = waiting->number,
	};

	waiting_remove(waiting);
	impairment_judge(waiting->impairment, &verdict, &waiting->frame);
	frame_release(&waiting->frame);
}

/* ------------------------------------------------------------------------------ sending on */

static struct source *waiting_source(struct waiting *waiting)
{
	return waiting->is_lossless ? &waiting->impairment->lossless : &waiting->impairment->source;
}

/* Return whether the port or that source is paused, so that a frame has to wait on. */
static bool direction_is_blocked(const struct impairment *impairment,
				 enum memtun_direction direction, const struct source *source)
{
	if (direction == MEMTUN_FROM_CLIENT)
		return impairment->operations->is_paused(
			impairment->port, &impairment->sides[MEMTUN_FROM_CLIENT - 1].backpressure);
	return source_is_paused(source);
}

static bool waiting_is_blocked(struct waiting *waiting)
{
	return direction_is_blocked(waiting->impairment, waiting->direction,
				    waiting_source(waiting));
}

/* Send a list of up to BATCH_FRAMES frames of one direction and source, and free them. */
static void waiting_send(struct impairment *impairment, struct waiting_list *list)
{
	struct waiting *first = TAILQ_FIRST(list), *waiting;
	enum memtun_direction direction = first->direction;
	struct source *source = waiting_source(first);
	struct batch batch = {0};
	unsigned int count = 0;
	uint64_t mask;

	TAILQ_FOREACH(waiting, list, in_list) {
		batch.frames[count] = waiting->frame;
		batch.frames[count].references = 0;
		/* A backlog may keep the copy instead of copying it again. Not so for packets from
		 * the client: an adapter writes a header before them, which the copy lacks. */
		if (direction == MEMTUN_TO_CLIENT) {
			batch.frames[count].copy = &waiting->frame;
			waiting->frame.references++;
		}
		count++;
	}
	mask = UINT64_MAX >> (BATCH_FRAMES - count);
	impairment->operations->send(impairment->port, direction, source, &batch, mask);
	batch_clear(&batch, count);
	while ((waiting = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, waiting, in_list);
		frame_release(&waiting->frame);
	}
}

/* Take the frames that can go with `first` from its list, in their order, and send them. */
static void waiting_send_from(struct waiting *first)
{
	struct waiting_list sending = TAILQ_HEAD_INITIALIZER(sending);
	struct impairment *impairment = first->impairment;
	struct waiting *waiting = first, *next;
	unsigned int count = 0;
	int64_t time = first->due.time;
	bool ready = first->is_ready;

	while (waiting && count < BATCH_FRAMES) {
		next = TAILQ_NEXT(waiting, in_list);
		if (waiting->is_lossless != first->is_lossless ||
		    (waiting != first && !ready &&
		     (!due_is_set(&waiting->due) || waiting->due.time != time)))
			break;
		waiting_remove(waiting);
		TAILQ_INSERT_TAIL(&sending, waiting, in_list);
		count++;
		waiting = next;
	}
	waiting_send(impairment, &sending);
}

static void side_flush(struct due *due)
{
	struct impairment_side *side = container_of(due, struct impairment_side, flush);
	struct waiting *first = TAILQ_FIRST(&side->ready);
	struct impairment *impairment;

	if (!first || waiting_is_blocked(first))
		return;
	impairment = first->impairment;
	impairment->is_in_use = true;
	waiting_send_from(first);
	impairment->is_in_use = false;
	if (!TAILQ_EMPTY(&side->ready))
		due_set(&impairment->engine->due, due, due_now(&impairment->engine->due),
			side_flush);
	impairment_tidy(impairment);
}

static void waiting_due(struct due *due)
{
	struct waiting *waiting = container_of(due, struct waiting, due);
	struct impairment *impairment = waiting->impairment;
	struct impairment_side *side = impairment_side(impairment, waiting->direction);

	/* The ready frames were due earlier, so they go first. */
	if (!TAILQ_EMPTY(&side->ready) || waiting_is_blocked(waiting)) {
		TAILQ_REMOVE(&side->delayed, waiting, in_list);
		waiting->is_ready = true;
		TAILQ_INSERT_TAIL(&side->ready, waiting, in_list);
		return;
	}
	impairment->is_in_use = true;
	waiting_send_from(waiting);
	impairment->is_in_use = false;
	impairment_tidy(impairment);
}

void impairment_resume(struct impairment *impairment)
{
	for (int i = 0; i < 2; i++) {
		struct impairment_side *side = &impairment->sides[i];

		if (!TAILQ_EMPTY(&side->ready))
			due_set(&impairment->engine->due, &side->flush,
				due_now(&impairment->engine->due), side_flush);
	}
}

/* ------------------------------------------------------------------------------ waiting */

/* Copy the frame, with room for a header before it. NULL with ENOMEM. */
static struct waiting *waiting_new(struct impairment *impairment, enum memtun_direction direction,
				   const unsigned char *data, uint32_t length)
{
	struct waiting *waiting = malloc(sizeof(*waiting) + FRAME_HEADROOM + length);

	if (!waiting)
		return NULL;
	*waiting = (struct waiting){
		.frame.data = (unsigned char *)(waiting + 1) + FRAME_HEADROOM,
		.frame.length = length,
		.frame.references = 1,
		.frame.headroom = FRAME_HEADROOM,
		.impairment = impairment,
		.direction = direction,
	};
	memcpy(waiting->frame.data, data, length);
	return waiting;
}

static void waiting_insert(struct waiting *waiting, int64_t due)
{
	struct impairment *impairment = waiting->impairment;
	struct impairment_side *side = impairment_side(impairment, waiting->direction);

	TAILQ_INSERT_TAIL(waiting_list(waiting), waiting, in_list);
	side->frames++;
	side->bytes += waiting_size(waiting);
	if (!waiting->is_held)
		due_set(&impairment->engine->due, &waiting->due, due, waiting_due);
}

bool waiting_add(struct impairment *impairment, const struct verdict *verdict, struct rule *rule,
		 const struct source *source, const struct frame *frame, int64_t due)
{
	struct impairment_side *side = impairment_side(impairment, verdict->direction);
	bool blocks = source->lossless || impairment->operations->blocks(impairment->port);
	uint32_t limit = rule->limit ? rule->limit : IMPAIRMENT_FRAMES_MAX;
	struct waiting *waiting;

	if (!blocks &&
	    (waiting_is_full(side) || rule_side(rule, verdict->direction)->waiting >= limit))
		return false;
	waiting = waiting_new(impairment, verdict->direction, frame->data, frame->length);
	if (!waiting)
		return false;
	if (verdict->direction == MEMTUN_TO_CLIENT)
		impairment->operations->count(impairment->port, MEMTUN_A_TO_CLIENT_COPIED_BYTES,
					      frame->length);
	waiting->frame.id = frame->id;
	waiting->owner = rule;
	waiting->rule = verdict->rule;
	waiting->seed = verdict->seed;
	waiting->number = verdict->number;
	waiting->is_held = verdict->faults & FAULT_HELD;
	waiting->is_lossless = source->lossless;
	waiting_insert(waiting, due);
	rule_side(rule, verdict->direction)->waiting++;
	rule->held += waiting->is_held;
	return true;
}

void waiting_add_own(struct impairment *impairment, enum memtun_direction direction,
		     const unsigned char *data, uint32_t length)
{
	struct waiting *waiting;

	/* Nothing pauses the senders of the frames that these answer, so that they would pile up
	 * without a limit. */
	if (direction_is_blocked(impairment, direction, &impairment->source) ||
	    waiting_is_full(impairment_side(impairment, direction)))
		return;
	waiting = waiting_new(impairment, direction, data, length);
	if (!waiting)
		return;
	if (direction == MEMTUN_TO_CLIENT)
		impairment->operations->count(impairment->port, MEMTUN_A_TO_CLIENT_OFFERED, 1);
	waiting_insert(waiting, due_now(&impairment->engine->due));
}

/* ------------------------------------------------------------------------------ releasing */

/* Have the held frame sent on in the next iteration of the loop, behind what was released before. */
static void waiting_release(struct waiting *waiting)
{
	struct impairment *impairment = waiting->impairment;

	TAILQ_REMOVE(&impairment->held, waiting, in_list);
	waiting->is_held = false;
	waiting->owner->held--;
	TAILQ_INSERT_TAIL(waiting_list(waiting), waiting, in_list);
	due_set(&impairment->engine->due, &waiting->due, due_now(&impairment->engine->due),
		waiting_due);
}

unsigned int impairment_release(struct impairment *impairment, enum memtun_direction direction,
				uint64_t number, bool all, bool discard)
{
	struct waiting *waiting = TAILQ_FIRST(&impairment->held), *next;
	unsigned int released = 0;

	for (; waiting && (all || released == 0); waiting = next) {
		next = TAILQ_NEXT(waiting, in_list);
		if ((direction && waiting->direction != direction) ||
		    (number && waiting->number != number))
			continue;
		released++;
		if (discard)
			waiting_drop(waiting);
		else
			waiting_release(waiting);
	}
	impairment_tidy(impairment);
	return released;
}

void waiting_release_rule(struct impairment *impairment, const struct rule *rule)
{
	struct waiting *waiting = TAILQ_FIRST(&impairment->held), *next;

	for (; waiting; waiting = next) {
		next = TAILQ_NEXT(waiting, in_list);
		if (waiting->owner == rule)
			waiting_release(waiting);
	}
}

static void waiting_list_forget(const struct waiting_list *list, const struct rule *rule)
{
	struct waiting *waiting;

	TAILQ_FOREACH(waiting, list, in_list) {
		if (waiting->owner == rule)
			waiting->owner = NULL;
	}
}

void waiting_forget_rule(struct impairment *impairment, const struct rule *rule)
{
	waiting_release_rule(impairment, rule);
	for (int i = 0; i < 2; i++) {
		waiting_list_forget(&impairment->sides[i].ready, rule);
		waiting_list_forget(&impairment->sides[i].delayed, rule);
	}
}

void waiting_drop_all(struct impairment *impairment)
{
	struct waiting *waiting;

	while ((waiting = TAILQ_FIRST(&impairment->held)))
		waiting_drop(waiting);
	for (int i = 0; i < 2; i++) {
		struct impairment_side *side = &impairment->sides[i];

		while ((waiting = TAILQ_FIRST(&side->ready)))
			waiting_drop(waiting);
		while ((waiting = TAILQ_FIRST(&side->delayed)))
			waiting_drop(waiting);
		due_cancel(&impairment->engine->due, &side->flush);
	}
}
