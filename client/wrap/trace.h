/* SPDX-License-Identifier: MIT */
/*
 * memtun wrap --trace: one line for each call that the supervisor has answered itself, as strace(1)
 * prints it.
 */
#ifndef MEMTUN_TRACE_H
#define MEMTUN_TRACE_H

#include <net/if.h>

struct call;
struct device;

/* Print an open of a device. `result` is the descriptor or a negative errno. */
void trace_open(const struct call *call, const char *path, long result);

/* Print an ioctl, of a device or, with NULL, of the interface with that name. */
void trace_ioctl(const struct call *call, const struct device *device, const char *interface,
		 long result);

#endif
