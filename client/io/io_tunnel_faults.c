/* SPDX-License-Identifier: MIT */
/*
 * The faults of one tunnel: a list for each call, from which each call takes the oldest. The calls of
 * other tunnels are not affected. Faults of the whole system are in io_checks.c.
 */
#include "client/io/io_tunnel_faults.h"

#include <errno.h>
#include <stdlib.h>

struct tunnel_fault {
	STAILQ_ENTRY(tunnel_fault) next;
	unsigned int count; /* calls that are to fail */
	int error;
};

static unsigned int call_index(enum memtun_io_call call)
{
	return (unsigned int)__builtin_ctz(call);
}

void tunnel_faults_init(struct tunnel_faults *faults)
{
	for (unsigned int i = 0; i < IO_CALLS; i++)
		STAILQ_INIT(&faults->pending[i]);
	atomic_init(&faults->calls, 0);
}

void tunnel_faults_clear(struct tunnel_faults *faults, enum memtun_io_call call)
{
	struct tunnel_fault *fault;

	while ((fault = STAILQ_FIRST(&faults->pending[call_index(call)]))) {
		STAILQ_REMOVE_HEAD(&faults->pending[call_index(call)], next);
		free(fault);
	}
	atomic_fetch_and(&faults->calls, ~(unsigned int)call);
}

int tunnel_faults_add(struct tunnel_faults *faults, enum memtun_io_call call, unsigned int count,
		      int error)
{
	struct tunnel_fault *fault = count ? malloc(sizeof(*fault)) : NULL;

	if (!fault)
		return count ? -1 : 0;
	fault->count = count;
	fault->error = error;
	STAILQ_INSERT_TAIL(&faults->pending[call_index(call)], fault, next);
	atomic_fetch_or(&faults->calls, (unsigned int)call);
	return 0;
}

unsigned int tunnel_faults_count(const struct tunnel_faults *faults, enum memtun_io_call call)
{
	const struct tunnel_fault *fault;
	unsigned int count = 0;

	STAILQ_FOREACH(fault, &faults->pending[call_index(call)], next)
		count += fault->count;
	return count;
}

int tunnel_faults_take(struct tunnel_faults *faults, enum memtun_io_call call)
{
	struct tunnel_fault *fault = STAILQ_FIRST(&faults->pending[call_index(call)]);
	int error;

	if (!fault)
		return 0;
	error = fault->error;
	if (--fault->count == 0) {
		STAILQ_REMOVE_HEAD(&faults->pending[call_index(call)], next);
		free(fault);
	}
	if (STAILQ_EMPTY(&faults->pending[call_index(call)]))
		atomic_fetch_and(&faults->calls, ~(unsigned int)call);
	return error;
}
