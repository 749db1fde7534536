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

static void child_ended(struct ev_loop *loop, ev_child *subscriber, int events)
{
	struct child *child = subscriber->data;

	(void)events;
	ev_child_stop(loop, subscriber);
	child->pid = -1;
	if (WIFSIGNALED(subscriber->rstatus))
		child->status = CHILD_SIGNAL + WTERMSIG(subscriber->rstatus);
	else
		child->status = WEXITSTATUS(subscriber->rstatus);
	ev_break(loop, EVBREAK_ALL);
}

/* In the new process: everything as it was for us, and MEMTUN_SOCKET besides. */
static _Noreturn void child_become(char *const command[], const struct child_inherited *inherited)
{
	sigset_t none;
	int error;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, inherited->broken_pipe);
	signal(SIGINT, inherited->interrupt);
	/* Limits that were raised for the broker would upset programs that use select(2). */
	if (setrlimit(RLIMIT_NOFILE, &inherited->files) < 0 ||
	    setenv("MEMTUN_SOCKET", inherited->address, 1) < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot start %s: %s", command[0], strerror(errno));
		_exit(CHILD_OURS);
	}
	execvp(command[0], command);
	error = errno;
	log_line(LOG_LEVEL_ERROR, "cannot run %s: %s", command[0], strerror(error));
	_exit(error == ENOENT ? CHILD_NOT_FOUND : CHILD_CANNOT_RUN);
}

int child_start(struct child *child, struct ev_loop *loop, char *const command[],
		const struct child_inherited *inherited)
{
	child->loop = loop;
	child->pid = fork();
	if (child->pid < 0)
		return -1;
	if (child->pid == 0)
		child_become(command, inherited);
	ev_child_init(&child->subscriber, child_ended, child->pid, 0);
	child->subscriber.data = child;
	ev_child_start(loop, &child->subscriber);
	return 0;
}

void child_signal(const struct child *child, int signal)
{
	if (child->pid > 0)
		kill(child->pid, signal);
}
