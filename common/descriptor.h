/* SPDX-License-Identifier: MIT */
/*
 * Owned descriptors. A variable that owns a descriptor is declared with `descriptor_owned`, so that
 * each way out of its scope closes it, and holds -1 once it has been given away.
 */
#ifndef MEMTUN_DESCRIPTOR_H
#define MEMTUN_DESCRIPTOR_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Closes *fd if it is one, leaves -1 there, and keeps errno as it was. */
static inline void descriptor_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* Gives the descriptor away: returns its number and leaves -1 behind. */
static inline int descriptor_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void memory_free(void *pointer)
{
	free(*(void **)pointer);
}

#define descriptor_owned __attribute__((cleanup(descriptor_close))) int
#define memory_owned __attribute__((cleanup(memory_free)))

#endif
