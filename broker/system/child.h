/* SPDX-License-Identifier: MIT */
/*
 * The command that a private broker is for, `memtund -- CMD ARG...`: started once the broker
 * listens, with MEMTUN_SOCKET set; when it ends the broker does, with its status.
 */
#ifndef MEMTUN_CHILD_H
#define MEMTUN_CHILD_H

#include <ev.h>
#include <sys/resource.h>
#include <sys/types.h>

/* The exit statuses of env(1), timeout(1) and others of their kind. */
#define CHILD_OURS 125
#define CHILD_CANNOT_RUN 126
#define CHILD_NOT_FOUND 127
#define CHILD_SIGNAL 128

struct child {
	pid_t pid;
	ev_child subscriber;
	struct ev_loop *loop;
	int status; /* to exit with, once it has ended */
};

/* What it is to find: as it was for us, not as we have made it for ourselves. */
struct child_inherited {
	const char *address;      /* of the broker */
	struct rlimit files;      /* RLIMIT_NOFILE */
	void (*broken_pipe)(int); /* what SIGPIPE did */
	void (*interrupt)(int);   /* what SIGINT did */
};

/*
 * Starts it on ev_default_loop(), which is `loop`; breaks the loop when it ends. -1 with errno if
 * there can be no new process.
 */
int child_start(struct child *child, struct ev_loop *loop, char *const command[],
		const struct child_inherited *inherited);

/* Passes a signal on. */
void child_signal(const struct child *child, int signal);

#endif
