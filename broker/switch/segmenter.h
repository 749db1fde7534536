/* SPDX-License-Identifier: MIT */
/*
 * Cuts GSO frames for a port whose client does not take them as they are. Captures and counters
 * come later, so they have the pieces. The pieces lie in a batch of the engine, which the next
 * frame that is cut uses again. A frame for several ports is cut for each of them.
 */
#ifndef MEMTUN_SEGMENTER_H
#define MEMTUN_SEGMENTER_H

#include <stdint.h>

#include "memtun/protocol.h"

struct batch;
struct port;
struct source;

/* Deliver frames to the port: the same as send() of a port's operations. */
typedef void segmenter_deliver(struct port *port, struct source *source, struct batch *batch,
			       uint64_t mask);

/*
 * Call `deliver` for the frames of the mask, in their order. `mode` is that of the frames. A GSO
 * frame that the port's client does not take is replaced by its pieces: up to BATCH_FRAMES in one
 * call, and more in several. A frame that cannot be cut is counted as dropped.
 */
void segmenter_send(struct port *port, enum memtun_mode mode, struct source *source,
		    struct batch *batch, uint64_t mask, segmenter_deliver *deliver);

#endif
