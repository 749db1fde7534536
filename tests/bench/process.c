/* SPDX-License-Identifier: MIT */
#include "tests/bench/process.h"

#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memtun.h"

const char *process_memtund;

pid_t process_fork(void)
{
	pid_t parent = getpid();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

static cpu_set_t usable; /* the CPUs before any process was pinned */

void process_pin(pid_t pid, int index)
{
	cpu_set_t one;

	if (CPU_COUNT(&usable) == 0 && sched_getaffinity(0, sizeof(usable), &usable) < 0)
		err(1, "sched_getaffinity");
	if (CPU_COUNT(&usable) < 2)
		return;
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &usable) && index-- == 0)
			CPU_SET(cpu, &one);
	}
	if (sched_setaffinity(pid, sizeof(one), &one) < 0)
		err(1, "sched_setaffinity");
}

void process_unpin(pid_t pid)
{
	if (CPU_COUNT(&usable) && sched_setaffinity(pid, sizeof(usable), &usable) < 0)
		err(1, "sched_setaffinity");
}

bool process_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void process_end(pid_t pid)
{
	kill(pid, SIGTERM);
	process_wait(pid);
}

void broker_start(struct broker_process *broker)
{
	static unsigned int number;
	int ready[2];
	char text[12], byte;

	/* An abstract name, so that no file has to be removed. */
	snprintf(broker->address, sizeof(broker->address), "@memtun-bench-%d-%u", getpid(),
		 number++);
	if (pipe(ready) < 0)
		err(1, "pipe");
	broker->pid = process_fork();
	if (broker->pid == 0) {
		close(ready[0]);
		snprintf(text, sizeof(text), "%d", ready[1]);
		execl(process_memtund, "memtund", "--socket", broker->address, "--ready-fd", text,
		      (char *)NULL);
		err(1, "cannot run %s", process_memtund);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		errx(1, "%s did not start", process_memtund);
	close(ready[0]);
}

struct memtun *broker_connect(const struct broker_process *broker)
{
	struct memtun *memtun = memtun_new();

	if (!memtun || memtun_connect(memtun, broker->address) < 0)
		errx(1, "cannot connect: %s", memtun ? memtun_error(memtun) : "out of memory");
	return memtun;
}

int broker_open(struct memtun *memtun, const char *name, const char *text)
{
	struct memtun_options *options = memtun_options_new();
	int fd;

	if (!options || memtun_options_parse(options, text) < 0)
		errx(1, "options '%s': %s", text, options ? memtun_options_error(options) : "");
	fd = memtun_open(memtun, name, options);
	if (fd < 0)
		errx(1, "cannot open '%s': %s", name, memtun_error(memtun));
	memtun_options_free(options);
	return fd;
}
