/* SPDX-License-Identifier: MIT */
/*
 * Records the frames of a port, or of all ports of a bridge, as a pcapng file or as lines. memtun
 * capture and memtun extcap are two ways to ask for it. A recording ends when the port or the bridge
 * is deleted, after a number of frames, by a signal, or when the reader of the output ends.
 */
#ifndef MEMTUN_RECORDING_H
#define MEMTUN_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "memtun.h"

/* What frames are recorded of. */
enum recorded {
	RECORDED_ANY, /* a tunnel or an uplink with the name, else a bridge */
	RECORDED_PORT,
	RECORDED_BRIDGE,
};

struct recording {
	enum recorded of;
	const char *name;
	const char *path; /* of the file, NULL: lines */
	int fd;           /* to write the file to, which the recording closes; -1: open the path */
	const char *filter; /* NULL: all frames */
	bool faults;        /* record what was dropped, too */
	uint64_t max;       /* number of frames, 0: no limit */
	int ready_fd;       /* -1: none */
	bool quiet;         /* print no totals at the end */
};

/* Record as struct recording says. Return the exit status, or -1 with memtun_error(). */
int recording_run(struct memtun *memtun, const struct recording *recording);

/*
 * Find out what `of` names, for RECORDED_ANY, and the mode of its frames. Return the exit status
 * after a message.
 */
int recording_find(struct memtun *memtun, const char *name, enum recorded *of,
		   enum memtun_mode *mode);

#endif
