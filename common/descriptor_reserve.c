/* SPDX-License-Identifier: MIT */
#include "common/descriptor_reserve.h"

#include <errno.h>
#include <sys/resource.h>

#include "common/failed.h"

/* The size of the reserve: eight clients, and as many descriptors for short use. */
#define RESERVE_MAX 16

/* The reserve is at most this part of the limit. */
#define RESERVE_PART 4

bool descriptor_is_reserved(int fd)
{
	struct rlimit limit;
	rlim_t reserve;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	reserve = limit.rlim_cur / RESERVE_PART;
	if (reserve > RESERVE_MAX)
		reserve = RESERVE_MAX;
	return (rlim_t)fd >= limit.rlim_cur - reserve;
}

int descriptor_check_reserve(int fd)
{
	return descriptor_is_reserved(fd) ? failed(EMFILE) : 0;
}
