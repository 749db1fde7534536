/* SPDX-License-Identifier: MIT */
#include "broker/system/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/descriptor.h"
#include "common/exit_status.h"
#include "common/log.h"

static void child_ended(struct ev_loop *loop, ev_child *end, int events)
{
	struct child *child = end->data;

	(void)events;
	ev_child_stop(loop, end);
	child->pid = -1;
	if (WIFSIGNALED(end->rstatus))
		child->status = CHILD_SIGNAL + WTERMSIG(end->rstatus);
	else
		child->status = WEXITSTATUS(end->rstatus);
	ev_break(loop, EVBREAK_ALL);
}

/* In the new process: restore the inherited state, set MEMTUN_SOCKET, and execute the command. */
static _Noreturn void child_become(char *const command[], const struct child_inherited *inherited)
{
	int error;

	process_restore_signals(&inherited->signals);
	/* select(2) can't take descriptors above 1023, so the command gets the limit back. */
	if (setrlimit(RLIMIT_NOFILE, &inherited->files) < 0 ||
	    setenv("MEMTUN_SOCKET", inherited->address, 1) < 0) {
		log_line(LOG_LEVEL_ERROR, "cannot start %s: %s", command[0], strerror(errno));
		_exit(EXIT_OURS);
	}
	execvp(command[0], command);
	error = errno;
	log_line(LOG_LEVEL_ERROR, "cannot run %s: %s", command[0], strerror(error));
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/*
 * Close the descriptors that were inherited. They are those without FD_CLOEXEC: execve(2) closes
 * all others, and this process sets the flag on each of its own.
 */
static void inherited_close(void)
{
	descriptor_owned null = open("/dev/null", O_RDWR | O_CLOEXEC);
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	if (null >= 0) {
		dup3(null, STDIN_FILENO, O_CLOEXEC);
		dup3(null, STDOUT_FILENO, O_CLOEXEC);
	}
	while (directory && (entry = readdir(directory))) {
		int fd = atoi(entry->d_name);

		if (fd > STDERR_FILENO && fcntl(fd, F_GETFD) == 0)
			close(fd);
	}
	if (directory)
		closedir(directory);
}

int child_start(struct child *child, struct ev_loop *loop, char *const command[],
		const struct child_inherited *inherited)
{
	sigset_t all, before;

	child->loop = loop;
	/* A handler of memtund's must not run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	child->pid = fork();
	if (child->pid == 0)
		child_become(command, inherited);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (child->pid < 0)
		return -1;
	inherited_close();
	ev_child_init(&child->end, child_ended, child->pid, 0);
	child->end.data = child;
	ev_child_start(loop, &child->end);
	return 0;
}

void child_signal(const struct child *child, int signal)
{
	if (child->pid > 0)
		kill(child->pid, signal);
}
