/* SPDX-License-Identifier: MIT */
/*
 * The fate of a frame under one rule: what the rule does to frame n. It follows from the rule's
 * values, the draws for n and a state that each frame updates. This file knows no clock, no port
 * and no frame's bytes, so that a test, or another program, can compute the fates of a run.
 */
#ifndef MEMTUN_FATE_H
#define MEMTUN_FATE_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/impair/draw.h"
#include "broker/impair/number_list.h"
#include "memtun/protocol.h"

/* What can happen to a frame; or'ed. A frame that has one of FAULTS_FINAL goes no further. */
enum fault_kind {
	FAULT_LOSS = 1 << 0,
	FAULT_LISTED = 1 << 1,    /* its number is in `drop` */
	FAULT_PMTU = 1 << 2,      /* longer than the path's MTU */
	FAULT_LINK_DOWN = 1 << 3, /* carrier off */
	FAULT_DISCARDED = 1 << 4, /* it waited, and was dropped on request or with its rule */
	FAULT_FULL = 1 << 5,      /* too many frames wait */
	FAULT_DUPLICATED = 1 << 6,
	FAULT_CORRUPTED = 1 << 7,
	FAULT_TRUNCATED = 1 << 8,
	FAULT_DELAYED = 1 << 9,
	FAULT_REORDERED = 1 << 10, /* it passes those that are delayed */
	FAULT_HELD = 1 << 11,
	FAULTS_FINAL = (1 << 6) - 1,
};

/* The number of kinds. */
#define FAULT_KINDS 12

/* The draws that a rule needs. */
enum fate_key {
	FATE_LOSS,
	FATE_DUPLICATE,
	FATE_CORRUPT,
	FATE_CORRUPT_BIT,
	FATE_TRUNCATE,
	FATE_TRUNCATE_LENGTH,
	FATE_REORDER,
	FATE_JITTER,
	FATE_KEYS,
};

/* The values of a rule's keys. Probabilities are billionths, times nanoseconds; 0 is none. */
struct fate_values {
	uint64_t delay, jitter;
	enum memtun_distribution distribution;
	uint32_t loss;
	uint32_t loss_leave; /* that a burst of losses ends; 0: no loss-burst */
	uint32_t loss_enter; /* that a burst of losses begins */
	uint32_t duplicate, corrupt, truncate, reorder;
	uint32_t gap; /* one in `gap` frames may be reordered */
	uint32_t pmtu;
	bool hold;
	struct number_list drop;
};

/* One direction of a rule. */
struct fate_side {
	struct draw_stream streams[FATE_KEYS];
	uint64_t number; /* of the last frame that reached the rule */
	bool losing;     /* the last frame was in a burst of losses */
	uint32_t passed; /* frames since the last one that was reordered */
};

/* What a frame's fate depends on besides its number: lengths in bytes. */
struct fate_frame {
	uint32_t length;
	uint32_t shortest; /* the minimum for a frame of its kind */
	uint32_t packet;   /* the length that an mtu bounds */
};

struct fate {
	uint64_t number;
	unsigned int faults; /* enum fault_kind, or'ed */
	uint64_t bit;        /* FAULT_CORRUPTED: which one changes, from the first byte's lowest */
	uint32_t length;     /* FAULT_TRUNCATED: what is left */
	uint64_t delay;      /* FAULT_DELAYED: nanoseconds, without what `rate` adds */
};

/* Compute loss_leave and loss_enter for bursts of that mean length, in thousandths of a frame.
 * Return false if no such bursts make that loss. */
bool fate_set_burst(struct fate_values *values, uint64_t mean);

/* Begin the draws and the states with frame 1. */
void fate_side_init(struct fate_side *side, uint64_t seed, const char *port,
		    enum memtun_direction direction, uint32_t rule);

/* Store the fate of the next frame. */
void fate_next(const struct fate_values *values, struct fate_side *side,
	       const struct fate_frame *frame, struct fate *fate);

#endif
