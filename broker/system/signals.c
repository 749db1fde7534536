/* SPDX-License-Identifier: MIT */
#include "broker/system/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

/*
 * The kernel sends a terminal's signals to the foreground process group. Only SIGHUP for the
 * hang-up of the terminal goes to the session's leader alone.
 */
static bool is_to_group(const struct signalfd_siginfo *info)
{
	return info->ssi_code == SI_KERNEL && !(info->ssi_signo == SIGHUP && getsid(0) == getpid());
}

static void signals_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct signals *signals = io->data;
	struct signalfd_siginfo info;

	(void)loop;
	(void)events;
	while (read(io->fd, &info, sizeof(info)) == sizeof(info))
		signals->function(signals, (int)info.ssi_signo, is_to_group(&info));
}

int signals_start(struct signals *signals, struct ev_loop *loop, const sigset_t *set,
		  signals_function *function, void *context)
{
	int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (fd < 0)
		return -1;
	sigprocmask(SIG_BLOCK, set, NULL);
	*signals = (struct signals){.loop = loop, .function = function, .context = context};
	ev_io_init(&signals->io, signals_ready, fd, EV_READ);
	signals->io.data = signals;
	ev_io_start(loop, &signals->io);
	return 0;
}

void signals_stop(struct signals *signals)
{
	ev_io_stop(signals->loop, &signals->io);
	close(signals->io.fd);
}
