/* SPDX-License-Identifier: MIT */
/*
 * The front of memtun wrap: the process that was started. It passes on signals to the program, and
 * ends with the program's exit status.
 */
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/wrap/supervisor.h"
#include "client/wrap/wrap.h"
#include "common/descriptor.h"
#include "common/exit_status.h"

struct front {
	int supervisor; /* a socket */
	int signals;    /* a signalfd(2) */
	pid_t supervisor_pid;
	pid_t program; /* 0: not started yet */
};

/* Begin to receive the signals to pass on, and those of children that have ended. */
static int signals_open(void)
{
	static const int passed[] = {
		SIGHUP,  SIGINT,  SIGQUIT,  SIGTERM, SIGUSR1,
		SIGUSR2, SIGALRM, SIGWINCH, SIGCONT, SIGCHLD,
	};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		sigaddset(&set, passed[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Pass on the signals that came. The terminal sends its own to the program, too. */
static void signals_pass(const struct front *front)
{
	struct signalfd_siginfo info;

	while (read(front->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_code != SI_KERNEL && info.ssi_signo != SIGCHLD && front->program)
			kill(front->program, (int)info.ssi_signo);
	}
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The supervisor was killed. The program is this process's child now: wait for it. */
static int wait_alone(const struct front *front)
{
	int status;

	waitpid(front->supervisor_pid, NULL, 0);
	if (!front->program) {
		warnx("the supervisor of memtun wrap was killed");
		return EXIT_OURS;
	}
	warnx("the supervisor of memtun wrap was killed: open tunnels go on, and opens of "
	      "/dev/net/tun fail");
	for (;;) {
		struct pollfd polled = {.fd = front->signals, .events = POLLIN};
		pid_t pid = waitpid(front->program, &status, WNOHANG);

		if (pid == front->program)
			return exit_status(status);
		if (pid < 0)
			return EXIT_OURS;
		poll(&polled, 1, -1);
		signals_pass(front);
	}
}

/* Return what the supervisor says in the end. */
static int wait_supervisor(struct front *front)
{
	for (;;) {
		struct pollfd polled[] = {
			{.fd = front->supervisor, .events = POLLIN},
			{.fd = front->signals, .events = POLLIN},
		};
		struct supervisor_message message;

		if (poll(polled, 2, -1) < 0)
			continue;
		if (polled[0].revents) {
			if (recv(front->supervisor, &message, sizeof(message), 0) !=
			    (ssize_t)sizeof(message))
				return wait_alone(front);
			if (message.news == SUPERVISOR_STARTED)
				front->program = message.value;
			else if (message.news == SUPERVISOR_ENDED)
				return exit_status(message.value);
			else
				return message.value;
		}
		signals_pass(front);
	}
}

int wrap_run(const struct wrap_settings *settings)
{
	struct front front = {.signals = -1};
	int ends[2], status;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
		warn("cannot start the supervisor of memtun wrap");
		return EXIT_OURS;
	}
	front.supervisor_pid = fork();
	if (front.supervisor_pid == 0) {
		close(ends[0]);
		_exit(supervisor_run(settings, ends[1]));
	}
	close(ends[1]);
	front.supervisor = ends[0];
	front.signals = signals_open();
	if (front.supervisor_pid < 0 || front.signals < 0) {
		warn("cannot start the supervisor of memtun wrap");
		status = EXIT_OURS;
	} else {
		status = wait_supervisor(&front);
	}
	descriptor_close(&front.supervisor);
	descriptor_close(&front.signals);
	return status;
}
