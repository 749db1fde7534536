/* SPDX-License-Identifier: MIT */
/*
 * The baseline of a bridge: a process that only moves frames from one SEQPACKET socket to another,
 * with recvmmsg and sendmmsg. It loses no frame: while one socket is full, it does not read the
 * other.
 */
#ifndef MEMTUN_BENCH_BARE_FORWARDER_H
#define MEMTUN_BENCH_BARE_FORWARDER_H

#include <sys/types.h>

struct bare_forwarder {
	pid_t pid;
	int in, out; /* the clients' ends, blocking */
};

void bare_forwarder_start(struct bare_forwarder *forwarder);
void bare_forwarder_end(struct bare_forwarder *forwarder);

#endif
