/* SPDX-License-Identifier: MIT */
/*
 * The baseline of who has the right to it: two of the kernel's TAPs on a bridge of the kernel's, in
 * a network namespace that a process makes for it, and that goes with that process.
 */
#ifndef MEMTUN_BENCH_KERNEL_BRIDGE_H
#define MEMTUN_BENCH_KERNEL_BRIDGE_H

#include <sys/types.h>

#include "tests/bench/delivery.h"

struct kernel_bridge {
	struct wire wire;
	pid_t pid; /* holds the namespace */
};

/* NULL, or why there can be none here. */
const char *kernel_bridge_start(struct kernel_bridge *bridge);
void kernel_bridge_end(struct kernel_bridge *bridge);

#endif
