/* SPDX-License-Identifier: MIT */
#include "broker/system/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"

static void child_ended(struct ev_loop *loop, ev_child *watcher, int events)
{
	struct child *child = watcher->data;

	(void)events;
	ev_child_stop(loop, watcher);
	child->pid = -1;
	if (WIFSIGNALED(watcher->rstatus))
		child->status = CHILD_SIGNAL + WTERMSIG(watcher->rstatus);
	else
		child->status = WEXITSTATUS(watcher->rstatus);
	ev_break(loop, EVBREAK_ALL);
}

/* In the new process: everything as it was for us, and MEMTUN_SOCKET besides. */
static _Noreturn void child_become(char *const command[],
				   const struct child_surroundings *surroundings)
{
	sigset_t none;
	int error;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, surroundings->broken_pipe);
	signal(SIGINT, surroundings->interrupt);
	/* Limits that were raised for the broker would upset programs that use select(2). */
	if (setrlimit(RLIMIT_NOFILE, &surroundings->files) < 0 ||
	    setenv("MEMTUN_SOCKET", surroundings->address, 1) < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot start %s: %s", command[0], strerror(errno));
		_exit(CHILD_OURS);
	}
	execvp(command[0], command);
	error = errno;
	log_line(LOG_LEVEL_ERROR, "cannot run %s: %s", command[0], strerror(error));
	_exit(error == ENOENT ? CHILD_NOT_FOUND : CHILD_CANNOT_RUN);
}

int child_start(struct child *child, struct ev_loop *loop, char *const command[],
		const struct child_surroundings *surroundings)
{
	child->loop = loop;
	child->pid = fork();
	if (child->pid < 0)
		return -1;
	if (child->pid == 0)
		child_become(command, surroundings);
	ev_child_init(&child->watcher, child_ended, child->pid, 0);
	child->watcher.data = child;
	ev_child_start(loop, &child->watcher);
	return 0;
}

void child_signal(const struct child *child, int signal)
{
	if (child->pid > 0)
		kill(child->pid, signal);
}
