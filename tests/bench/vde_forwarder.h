/* SPDX-License-Identifier: MIT */
/*
 * The baseline of who uses VDE: a vde_switch of its own, and libvdeplug at both ends. It reads what
 * senders send when it gets to it, so they wait; what a receiver has no room for it drops.
 */
#ifndef MEMTUN_BENCH_VDE_FORWARDER_H
#define MEMTUN_BENCH_VDE_FORWARDER_H

#include <sys/types.h>

#include "tests/bench/delivery.h"

struct vde_forwarder {
	char directory[40];
	int console; /* it ends when this does */
	struct wire wire;
	pid_t pid;
};

/* NULL, or why there can be none here. */
const char *vde_forwarder_start(struct vde_forwarder *forwarder);
void vde_forwarder_end(struct vde_forwarder *forwarder);

#endif
