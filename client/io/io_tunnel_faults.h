/* SPDX-License-Identifier: MIT */
/* Faults that a test puts on one tunnel. The caller has the lock, but for tunnel_faults_have(). */
#ifndef MEMTUN_IO_TUNNEL_FAULTS_H
#define MEMTUN_IO_TUNNEL_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "client/io/io_parts.h"

struct tunnel_fault;

struct tunnel_faults {
	atomic_uint calls; /* bits of the calls that have a pending fault */
	STAILQ_HEAD(, tunnel_fault) pending[IO_CALLS];
};

void tunnel_faults_init(struct tunnel_faults *faults);

/* Return whether the call has a pending fault. */
static inline bool tunnel_faults_have(struct tunnel_faults *faults, enum memtun_io_call call)
{
	return atomic_load_explicit(&faults->calls, memory_order_relaxed) & call;
}

/* Make `count` more calls fail, after those that are to fail already. -1 with ENOMEM. */
int tunnel_faults_add(struct tunnel_faults *faults, enum memtun_io_call call, unsigned int count,
		      int error);

/* Return how many calls are to fail. */
unsigned int tunnel_faults_count(const struct tunnel_faults *faults, enum memtun_io_call call);

/* Use up one fault and return its errno; 0 if there is none. */
int tunnel_faults_take(struct tunnel_faults *faults, enum memtun_io_call call);

/* Free the call's pending faults. */
void tunnel_faults_clear(struct tunnel_faults *faults, enum memtun_io_call call);

#endif
