/* SPDX-License-Identifier: MIT */
/*
 * What a test can do to a call before the device sees it: withdraw the permission, or make the call
 * fail. `checks` has a bit for each call that is affected, so that the others cost one comparison.
 */
#include "client/io/io_parts.h"

#include <errno.h>

#include "common/failed.h"

static struct io_fault *io_fault(struct memtun_io *io, enum memtun_io_call call)
{
	return &io->faults[__builtin_ctz(call)];
}

/* Set `checks` from the permissions and the faults. The caller has the lock. */
static void io_update_checks(struct memtun_io *io)
{
	unsigned int checks = MEMTUN_IO_ALL & ~io->permitted;

	for (unsigned int i = 0; i < IO_CALLS; i++) {
		if (io->faults[i].next || io->faults[i].every)
			checks |= 1u << i;
	}
	atomic_store(&io->checks, checks);
}

int io_check_slowly(struct memtun_io *io, enum memtun_io_call call)
{
	struct io_fault *fault = io_fault(io, call);
	int error = 0;

	pthread_mutex_lock(&io->lock);
	if (!(io->permitted & call)) {
		error = EPERM;
	} else if (fault->next) {
		error = fault->next_error;
		fault->next--;
		io_update_checks(io);
	} else if (fault->every && ++fault->calls % fault->every == 0) {
		error = fault->every_error;
	}
	pthread_mutex_unlock(&io->lock);
	return error ? failed(error) : 0;
}

void memtun_io_permit(struct memtun_io *io, unsigned int calls)
{
	pthread_mutex_lock(&io->lock);
	io->permitted = calls & MEMTUN_IO_ALL;
	io_update_checks(io);
	pthread_mutex_unlock(&io->lock);
}

void io_fail_next(struct memtun_io *io, enum memtun_io_call call, unsigned int count, int error)
{
	struct io_fault *fault = io_fault(io, call);

	pthread_mutex_lock(&io->lock);
	fault->next = count;
	fault->next_error = error;
	io_update_checks(io);
	pthread_mutex_unlock(&io->lock);
}

void io_fail_every(struct memtun_io *io, enum memtun_io_call call, unsigned int count, int error)
{
	struct io_fault *fault = io_fault(io, call);

	pthread_mutex_lock(&io->lock);
	fault->every = count;
	fault->calls = 0;
	fault->every_error = error;
	io_update_checks(io);
	pthread_mutex_unlock(&io->lock);
}
