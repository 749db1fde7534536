/* SPDX-License-Identifier: MIT */
#include "common/process.h"

#include <fcntl.h>
#include <unistd.h>

int process_fill_descriptors(void)
{
	static const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};

	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		/* All lower numbers are open, so open(2) returns this one. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd] | O_CLOEXEC) < 0)
			return -1;
	}
	return 0;
}

int process_begin(struct process_signals *inherited)
{
	sigset_t none;

	sigemptyset(&inherited->ignored);
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;

		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			sigaddset(&inherited->ignored, number);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, &inherited->blocked);
	return process_fill_descriptors();
}

void process_restore_signals(const struct process_signals *inherited)
{
	for (int number = 1; number < NSIG; number++)
		signal(number, sigismember(&inherited->ignored, number) == 1 ? SIG_IGN : SIG_DFL);
	sigprocmask(SIG_SETMASK, &inherited->blocked, NULL);
}
