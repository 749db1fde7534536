/* SPDX-License-Identifier: MIT */
/* How a function fails in one statement. */
#ifndef MEMTUN_FAILED_H
#define MEMTUN_FAILED_H

#include <errno.h>

/* Set errno and return -1: `return failed(EINVAL);`. */
static inline int failed(int error)
{
	errno = error;
	return -1;
}

#endif
