/* SPDX-License-Identifier: MIT */
/* The flow that a frame belongs to, as a number that is equal for all frames of one connection. */
#ifndef MEMTUN_FLOW_H
#define MEMTUN_FLOW_H

#include <stdint.h>

#include "broker/engine/frame.h"

uint32_t flow_hash(enum memtun_mode mode, const struct frame *frame);

#endif
