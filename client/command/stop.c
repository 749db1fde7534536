/* SPDX-License-Identifier: MIT */
#include "client/command/stop.h"

#include <errno.h>
#include <signal.h>

#include "common/clock.h"

static volatile sig_atomic_t stopped;
static struct timespec stopped_at;

static void stop(int signal)
{
	(void)signal;
	if (!stopped)
		clock_gettime(CLOCK_REALTIME, &stopped_at);
	stopped = 1;
}

void stop_prepare(bool once)
{
	struct sigaction action = {
		.sa_handler = stop,
		.sa_flags = SA_RESTART | (once ? (int)SA_RESETHAND : 0),
	};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool stop_requested(void)
{
	return stopped;
}

struct timespec stop_time(void)
{
	return stopped_at;
}

int stop_poll(struct pollfd *fds, nfds_t count, int64_t until)
{
	int64_t rest = until < 0 ? 0 : until - clock_now();
	struct timespec timeout = {rest / CLOCK_SECOND, rest % CLOCK_SECOND};
	sigset_t ends, before;
	int ready = -1;

	if (rest < 0)
		timeout = (struct timespec){0};
	/* Blocked until ppoll() waits, so that a signal just before it ends the wait, too. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, &before);
	errno = EINTR;
	if (!stopped)
		ready = ppoll(fds, count, until < 0 ? NULL : &timeout, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ready;
}
