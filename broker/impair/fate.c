/* SPDX-License-Identifier: MIT */
#include "broker/impair/fate.h"

#include <string.h>

#include "broker/impair/distribution.h"

/* The words that are hashed for the draws. */
static const char *const key_words[FATE_KEYS] = {
	[FATE_LOSS] = "loss",         [FATE_DUPLICATE] = "duplicate",
	[FATE_CORRUPT] = "corrupt",   [FATE_CORRUPT_BIT] = "corrupt-bit",
	[FATE_TRUNCATE] = "truncate", [FATE_TRUNCATE_LENGTH] = "truncate-length",
	[FATE_REORDER] = "reorder",   [FATE_JITTER] = "jitter",
};

bool fate_set_burst(struct fate_values *values, uint64_t mean)
{
	uint64_t leave = 1000 * DRAW_BILLION / mean;
	uint64_t kept = DRAW_BILLION - values->loss;

	/* In the long run, a share of loss = enter / (enter + leave) is lost. */
	if (kept == 0 || values->loss * leave / kept > DRAW_BILLION)
		return false;
	values->loss_leave = (uint32_t)leave;
	values->loss_enter = (uint32_t)(values->loss * leave / kept);
	return true;
}

void fate_side_init(struct fate_side *side, uint64_t seed, const char *port,
		    enum memtun_direction direction, uint32_t rule)
{
	*side = (struct fate_side){0};
	for (int key = 0; key < FATE_KEYS; key++)
		draw_stream_init(&side->streams[key], seed, port, direction, rule, key_words[key]);
}

/* Return whether the event of the key happens to the current frame. */
static bool key_happens(const struct fate_side *side, enum fate_key key, uint32_t probability)
{
	return probability && draw_happens(draw(&side->streams[key], side->number), probability);
}

/* A burst loses its frames, and ends with the probability loss_leave after each. Frame 1 is in a burst
 * with the probability that holds for all frames in the long run. */
static bool fate_loses(const struct fate_values *values, struct fate_side *side)
{
	uint32_t probability = values->loss;

	if (values->loss_leave && side->number > 1)
		probability = side->losing ? (uint32_t)DRAW_BILLION - values->loss_leave
					   : values->loss_enter;
	side->losing = key_happens(side, FATE_LOSS, probability);
	return side->losing;
}

/* Of each `gap` frames in a row, all but the last are never reordered. */
static bool fate_reorders(const struct fate_values *values, struct fate_side *side)
{
	if (!values->reorder)
		return false;
	if (++side->passed < values->gap || !key_happens(side, FATE_REORDER, values->reorder))
		return false;
	side->passed = 0;
	return true;
}

static uint64_t fate_delay(const struct fate_values *values, const struct fate_side *side)
{
	int64_t delay = (int64_t)values->delay;

	if (values->jitter)
		delay += distribution_offset(values->distribution,
					     draw(&side->streams[FATE_JITTER], side->number),
					     values->jitter);
	return delay > 0 ? (uint64_t)delay : 0;
}

/* Decide how the bytes of a frame change. */
static void fate_change(const struct fate_values *values, const struct fate_side *side,
			const struct fate_frame *frame, struct fate *fate)
{
	if (frame->length > frame->shortest && key_happens(side, FATE_TRUNCATE, values->truncate)) {
		fate->faults |= FAULT_TRUNCATED;
		fate->length = frame->shortest +
			       (uint32_t)draw_below(
				       draw(&side->streams[FATE_TRUNCATE_LENGTH], side->number),
				       frame->length - frame->shortest);
	}
	if (key_happens(side, FATE_CORRUPT, values->corrupt)) {
		fate->faults |= FAULT_CORRUPTED;
		fate->bit = draw_below(draw(&side->streams[FATE_CORRUPT_BIT], side->number),
				       UINT64_C(8) * fate->length);
	}
}

void fate_next(const struct fate_values *values, struct fate_side *side,
	       const struct fate_frame *frame, struct fate *fate)
{
	bool loses, reorders;

	side->number++;
	*fate = (struct fate){.number = side->number, .length = frame->length};
	/* These states change with each frame, whatever else happens to it. */
	loses = fate_loses(values, side);
	reorders = fate_reorders(values, side);
	if (number_list_has(&values->drop, side->number))
		fate->faults = FAULT_LISTED;
	else if (loses)
		fate->faults = FAULT_LOSS;
	else if (values->pmtu && frame->packet > values->pmtu)
		fate->faults = FAULT_PMTU;
	if (fate->faults)
		return;
	fate_change(values, side, frame, fate);
	if (key_happens(side, FATE_DUPLICATE, values->duplicate))
		fate->faults |= FAULT_DUPLICATED;
	if (values->hold) {
		fate->faults |= FAULT_HELD;
		return;
	}
	if (reorders) {
		fate->faults |= FAULT_REORDERED;
		return;
	}
	if (!values->delay && !values->jitter)
		return;
	fate->delay = fate_delay(values, side);
	if (fate->delay)
		fate->faults |= FAULT_DELAYED;
}
