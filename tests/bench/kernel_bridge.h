/* SPDX-License-Identifier: MIT */
/*
 * The baseline of users with CAP_NET_ADMIN: two TAPs on a bridge of the kernel, in a network
 * namespace that a process makes for them and that ends with that process.
 */
#ifndef MEMTUN_BENCH_KERNEL_BRIDGE_H
#define MEMTUN_BENCH_KERNEL_BRIDGE_H

#include <sys/types.h>

#include "tests/bench/delivery.h"

struct kernel_bridge {
	struct wire wire;
	pid_t pid; /* of the process in the namespace */
};

/* Make the bridge. Return NULL, or the reason why it cannot be made here. */
const char *kernel_bridge_start(struct kernel_bridge *bridge);
void kernel_bridge_end(struct kernel_bridge *bridge);

#endif
