/* SPDX-License-Identifier: MIT */
/* The frames of a pcap or pcapng file that memtun inject injects. */
#ifndef MEMTUN_INJECT_FILE_H
#define MEMTUN_INJECT_FILE_H

#include <stdbool.h>

#include "client/command/inject_timing.h"

struct injection;
struct memtun;

struct inject_file {
	const struct injection *injection;
	struct memtun *memtun;
	const char *path; /* "-": standard input */
	struct inject_timing timing;
	bool allow_truncated; /* inject what there is of cut frames */
};

/* Inject all frames of the file. Return 0, the exit status after a message, or -1 with
 * memtun_error(). */
int inject_file(struct inject_file *file);

#endif
