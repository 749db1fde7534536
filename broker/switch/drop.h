/* SPDX-License-Identifier: MIT */
/*
 * Drops frames: counts each for a reason, and shows it to the captures that see faults. A frame whose
 * bytes the broker does not have, or that may be no frame, is only counted, and not by this file.
 */
#ifndef MEMTUN_DROP_H
#define MEMTUN_DROP_H

#include <stdint.h>

#include "broker/engine/batch.h"
#include "memtun/protocol.h"

struct port;

/* Drop a frame of that mode; the reason is one of the port's counters of drops. */
void drop_frame(struct port *port, enum memtun_mode mode, const struct frame *frame,
		enum memtun_attribute reason);

/* Drop frames of the batch. */
void drop_frames(struct port *port, enum memtun_mode mode, struct batch *batch, uint64_t mask,
		 enum memtun_attribute reason);

#endif
