/* SPDX-License-Identifier: MIT */
#include "broker/switch/drop.h"

#include "broker/engine/engine.h"
#include "broker/switch/capture.h"
#include "broker/switch/port.h"

void drop_frame(struct port *port, enum memtun_mode mode, const struct frame *frame,
		enum memtun_attribute reason)
{
	struct capture_fault fault = {
		.direction =
			reason < MEMTUN_A_TO_CLIENT_OFFERED ? MEMTUN_FROM_CLIENT : MEMTUN_TO_CLIENT,
		.mode = mode,
		.reasons = {(uint16_t)reason},
	};

	port_count(port, reason, 1);
	capture_fault(port, frame, &fault);
}

void drop_frames(struct port *port, enum memtun_mode mode, struct batch *batch, uint64_t mask,
		 enum memtun_attribute reason)
{
	if (!port->engine->captures_of_faults) {
		port_count(port, reason, (uint64_t)__builtin_popcountll(mask));
		return;
	}
	for (; mask; mask &= mask - 1)
		drop_frame(port, mode, &batch->frames[__builtin_ctzll(mask)], reason);
}
