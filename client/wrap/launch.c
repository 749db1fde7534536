/* SPDX-License-Identifier: MIT */
#include "client/wrap/launch.h"

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/wrap/filter.h"
#include "client/wrap/preload_protocol.h"
#include "client/wrap/wrap.h"
#include "common/descriptor.h"
#include "common/descriptor_message.h"
#include "common/exit_status.h"
#include "common/failed.h"

/* What the child reports, with the listener as the record's descriptor. */
struct report {
	int error;
	bool killable;
};

/* The parent's leave. */
enum leave {
	LEAVE_PLAIN = 'n',
	LEAVE_PRELOAD = 'p',
};

/* ------------------------------------------------------------------------------ the child */

static void report_send(int channel, const struct report *report, int listener)
{
	if (descriptor_message_send(channel, report, sizeof(*report), &listener, listener >= 0, 0) <
	    0)
		_exit(EXIT_OURS);
}

/* Install the filter, and report how that went. */
static void child_filter(int channel, bool with_filter)
{
	struct report report = {0};
	struct sock_fprog program;
	int listener = -1;

	if (with_filter) {
		if (filter_build(&program) == 0) {
			listener = filter_install(&program, &report.killable);
			report.error = listener < 0 ? errno : 0;
			filter_free(&program);
		} else {
			report.error = errno;
		}
	}
	report_send(channel, &report, listener);
	descriptor_close(&listener);
}

/* Put the library before those that are preloaded already. */
static int preload_set(const struct preload_names *names)
{
	const char *others = getenv("LD_PRELOAD");
	memory_owned char *list = NULL;

	if (asprintf(&list, "%s%s%s", names->library, others && *others ? ":" : "",
		     others ? others : "") < 0) {
		list = NULL;
		return -1;
	}
	return setenv("LD_PRELOAD", list, 1) < 0 || setenv(PRELOAD_VARIABLE, names->socket, 1) < 0
		       ? -1
		       : 0;
}

static void child_run(int channel, const struct wrap_settings *settings, bool with_filter,
		      const struct preload_names *names)
{
	char leave = 0;

	child_filter(channel, with_filter);
	if (recv(channel, &leave, 1, 0) != 1)
		_exit(EXIT_OURS);
	if (leave == LEAVE_PRELOAD && preload_set(names) < 0) {
		warnx("out of memory");
		_exit(EXIT_OURS);
	}
	process_restore_signals(settings->inherited);
	execvp(settings->command[0], settings->command);
	warn("cannot run %s", settings->command[0]);
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* ------------------------------------------------------------------------------ the parent */

static int report_receive(struct launch *launch)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct report report;
	struct iovec part = {&report, sizeof(report)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *header;

	if (recvmsg(launch->channel, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(report))
		return failed(ECHILD);
	launch->error = report.error;
	launch->killable = report.killable;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&launch->listener, CMSG_DATA(header), sizeof(int));
	else if (!report.error)
		/* No free number for the listener, if there was one. */
		launch->error = EMFILE;
	return 0;
}

int launch_start(struct launch *launch, const struct wrap_settings *settings, bool with_filter,
		 const struct preload_names *names)
{
	int ends[2];

	*launch = (struct launch){.listener = -1, .channel = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	launch->child = fork();
	if (launch->child == 0) {
		close(ends[0]);
		child_run(ends[1], settings, with_filter, names);
	}
	close(ends[1]);
	launch->channel = ends[0];
	if (launch->child > 0 && report_receive(launch) == 0)
		return 0;
	int saved = errno;

	if (launch->child > 0)
		launch_cancel(launch);
	descriptor_close(&launch->channel);
	return failed(saved);
}

void launch_go(struct launch *launch, bool preload)
{
	char leave = preload ? LEAVE_PRELOAD : LEAVE_PLAIN;

	/* A child that has ended meanwhile is seen by waitpid(2). */
	send(launch->channel, &leave, 1, MSG_NOSIGNAL);
	descriptor_close(&launch->channel);
}

void launch_cancel(struct launch *launch)
{
	descriptor_close(&launch->channel);
	descriptor_close(&launch->listener);
	kill(launch->child, SIGKILL);
	waitpid(launch->child, NULL, 0);
}
