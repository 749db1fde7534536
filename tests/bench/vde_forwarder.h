/* SPDX-License-Identifier: MIT */
/*
 * The baseline of users of VDE: a vde_switch, and libvdeplug at both ends. Senders wait until the
 * switch reads their frames; frames for which a receiver has no room are dropped.
 */
#ifndef MEMTUN_BENCH_VDE_FORWARDER_H
#define MEMTUN_BENCH_VDE_FORWARDER_H

#include <sys/types.h>

#include "tests/bench/delivery.h"

struct vde_forwarder {
	char directory[40];
	int console; /* closing it ends the switch */
	struct wire wire;
	pid_t pid;
};

/* Start the switch. Return NULL, or the reason why it cannot run here. */
const char *vde_forwarder_start(struct vde_forwarder *forwarder);
void vde_forwarder_end(struct vde_forwarder *forwarder);

#endif
