/* SPDX-License-Identifier: MIT */
/*
 * Cuts GSO frames for the ports whose clients do not take them as they are: once for all of them, so
 * that a piece that has to wait at several ports is copied once. Captures and counters come later,
 * so they have the pieces. The pieces lie in a batch of the engine, which the next pieces use again.
 */
#ifndef MEMTUN_SEGMENTER_H
#define MEMTUN_SEGMENTER_H

#include <stdint.h>

#include "memtun/protocol.h"

struct batch;
struct engine;
struct frame;
struct port;
struct source;
struct touched;

/* Deliver frames to the port: the same as send() of a port's operations. */
typedef void segmenter_deliver(struct port *port, struct source *source, struct batch *batch,
			       uint64_t mask);

/*
 * Call `deliver` for each of the ports with the frames of its `pending` mask, in their order, and
 * clear the mask and the list. `mode` is that of the frames. A GSO frame that a port's client does
 * not take is replaced by its pieces: up to BATCH_FRAMES in one call, and more in several. A frame
 * that cannot be cut is counted as dropped.
 */
void segmenter_send(struct touched *touched, enum memtun_mode mode, struct source *source,
		    struct batch *batch, segmenter_deliver *deliver);

/* Take pieces of a frame, which the next call overwrites. */
typedef void segmenter_take(void *context, struct batch *pieces, uint64_t mask);

/* Cut one GSO frame, and call `take` for up to BATCH_FRAMES pieces at a time. -1 with EINVAL if it
 * cannot be cut. */
int segmenter_cut(struct engine *engine, enum memtun_mode mode, const struct frame *frame,
		  segmenter_take *take, void *context);

#endif
