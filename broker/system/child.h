/* SPDX-License-Identifier: MIT */
/*
 * The command of a private broker, `memtund -- CMD ARG...`. It is started once the broker listens,
 * with MEMTUN_SOCKET set. The broker ends with it, and exits with its status.
 */
#ifndef MEMTUN_CHILD_H
#define MEMTUN_CHILD_H

#include <ev.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "common/process.h"

/* The exit status of a command that a signal has ended, less the signal's number: as shells have it. */
#define CHILD_SIGNAL 128

struct child {
	pid_t pid;
	ev_child end;
	struct ev_loop *loop;
	int status; /* to exit with, once the command has ended */
};

/* The state that memtund inherited and has changed for itself: the command gets it back. */
struct child_inherited {
	const char *address; /* of the broker */
	struct rlimit files; /* RLIMIT_NOFILE */
	struct process_signals signals;
};

/*
 * Start the command, and break the loop, which must be ev_default_loop(), when it ends. Then close
 * each descriptor that this process has inherited, except for standard error, so that a reader of a
 * pipe sees its end once the command has closed it. -1 with an errno of fork(2).
 */
int child_start(struct child *child, struct ev_loop *loop, char *const command[],
		const struct child_inherited *inherited);

/* Send the command a signal, if it still runs. */
void child_signal(const struct child *child, int signal);

#endif
