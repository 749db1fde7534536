/* SPDX-License-Identifier: MIT */
/*
 * libvdeplug 4 removes its data socket's file before vde_open() returns, also when vde_open()
 * fails, but not when a signal ends the process. So the child handles SIGALRM, the signal that ends
 * its wait, and lives until vde_open() has returned.
 */
#include "broker/uplink/vde_joiner.h"

#include <errno.h>
#include <fcntl.h>
#include <libvdeplug.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/system/confine.h"
#include "common/descriptor.h"
#include "common/descriptor_message.h"
#include "common/descriptor_reserve.h"
#include "memtun/protocol.h"

/* Milliseconds that a switch may take to answer. */
#ifndef VDE_TIMEOUT
#define VDE_TIMEOUT 5000
#endif

/* Milliseconds that the child may take to close the broker's descriptors. It takes 1 at most. */
#define CHILD_START_TIMEOUT 1000

/* vde_open() is interrupted this often at most, this many milliseconds apart. One signal isn't
 * enough, because a signal just before vde_open() waits has no effect. */
#define INTERRUPTIONS_MAX 20
#define INTERRUPTION_INTERVAL 10

/* Room for the two descriptors. */
union rights {
	struct cmsghdr header;
	unsigned char bytes[CMSG_SPACE(2 * sizeof(int))];
};

/* ------------------------------------------------------------------------------ in the child */

static volatile sig_atomic_t interruptions;

static void child_set_timer(int milliseconds)
{
	struct itimerval timer = {
		.it_value = {milliseconds / 1000, milliseconds % 1000 * 1000},
	};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* The switch took too long, or the broker no longer needs the answer. */
static void child_interrupted(int number)
{
	(void)number;
	if (++interruptions > INTERRUPTIONS_MAX)
		_exit(1);
	child_set_timer(INTERRUPTION_INTERVAL);
}

/* Replace the broker's signal handlers. All signals are blocked until then. */
static void child_set_signals(void)
{
	struct sigaction interruption = {.sa_handler = child_interrupted};
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGALRM, &interruption, NULL);
	/* Before signals are unblocked: the handler of a pending SIGALRM sets a shorter time. */
	child_set_timer(VDE_TIMEOUT);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Return the errno for a failure of vde_open(). */
static int child_error(int error)
{
	if (interruptions)
		return ETIMEDOUT;
	/* libvdeplug says EINVAL when the switch ends the connection or sends no valid answer. */
	if (error == 0 || error == EINVAL || error == EPIPE || error == ECONNRESET)
		return ECONNREFUSED;
	return error;
}

/* Send the error, and with 0 the two descriptors. */
static void child_answer(int fd, int error, const int descriptors[2])
{
	descriptor_message_send(fd, &error, sizeof(error), descriptors, descriptors ? 2 : 0, 0);
}

static _Noreturn void child_run(const char *directory, const char *name, int fd)
{
	char url[sizeof(VDE_SCHEME) + MEMTUN_TEXT_SIZE],
		description[sizeof("memtun ") + MEMTUN_NAME_SIZE];
	VDECONN *connection;

	/* Close all of the broker's descriptors except for 0 to 2. vde_joiner_start() waits for the
	 * last of these steps. */
	if (confine(false) < 0 || dup2(fd, 3) < 0 || close_range(4, ~0U, 0) < 0)
		_exit(1);
	child_set_signals();
	/* Without a scheme, libvdeplug would read a regular file at the path, and run the command
	 * that a URL in it names. Another user may have put the file there. */
	snprintf(url, sizeof(url), VDE_SCHEME "%s", directory);
	snprintf(description, sizeof(description), "memtun %s", name);
	errno = 0;
	connection = vde_open(url, description, NULL);
	if (connection)
		child_answer(3, 0, (int[2]){vde_datafd(connection), vde_ctlfd(connection)});
	else
		child_answer(3, child_error(errno), NULL);
	_exit(0);
}

/* ------------------------------------------------------------------------------ in the broker */

void vde_joiner_init(struct vde_joiner *joiner)
{
	*joiner = (struct vde_joiner){.answers = -1, .data = -1, .control = -1};
}

/* Fork, and wait until the child has closed the broker's descriptors. -1 with errno. */
static pid_t child_start(const char *directory, const char *name, int theirs)
{
	descriptor_owned closing = -1, closed = -1;
	struct pollfd closes = {.events = POLLIN};
	sigset_t all, before;
	int gate[2];
	pid_t pid;

	if (pipe2(gate, O_CLOEXEC) < 0)
		return -1;
	closed = gate[0];
	closing = gate[1];
	closes.fd = closed;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid == 0)
		child_run(directory, name, theirs);
	/* The child's copy is closed with all others, or when the child ends. */
	descriptor_close(&closing);
	if (pid > 0 && poll(&closes, 1, CHILD_START_TIMEOUT) <= 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		errno = ETIMEDOUT;
		pid = -1;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

int vde_joiner_start(struct vde_joiner *joiner, const char *directory, const char *name)
{
	descriptor_owned ours = -1, theirs = -1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	ours = ends[0];
	theirs = ends[1];
	joiner->pid = child_start(directory, name, theirs);
	if (joiner->pid < 0)
		return -1;
	joiner->error = ECONNABORTED; /* unless the child answers before it ends */
	joiner->answers = descriptor_take(&ours);
	return 0;
}

/*
 * Forget the child. If it has ended its socket, waiting for it takes no time; else it is left to
 * clean up and end by itself. The default loop may have reaped it (ECHILD), or will.
 */
static void child_forget(struct vde_joiner *joiner, bool ended)
{
	descriptor_close(&joiner->answers);
	while (waitpid(joiner->pid, NULL, ended ? 0 : WNOHANG) < 0 && errno == EINTR)
		;
}

/*
 * Is the socket joined to another one? libvdeplug doesn't check the answer's length: after a short
 * answer the socket is joined to itself, and after an empty one to none.
 */
static bool data_is_joined(int data)
{
	struct sockaddr_un own, other;
	socklen_t own_size = sizeof(own), other_size = sizeof(other);

	return getsockname(data, (struct sockaddr *)&own, &own_size) == 0 &&
	       getpeername(data, (struct sockaddr *)&other, &other_size) == 0 &&
	       own.sun_family == AF_UNIX &&
	       (own_size != other_size || memcmp(&own, &other, own_size) != 0);
}

/* Take the child's answer. False: no more will come. */
static bool answer_take(struct vde_joiner *joiner)
{
	union rights rights;
	int error;
	struct iovec part = {&error, sizeof(error)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights),
	};
	ssize_t length = recvmsg(joiner->answers, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *header;

	if (length != sizeof(error))
		return length < 0 && (errno == EAGAIN || errno == EINTR);
	joiner->error = error;
	if (error)
		return true;
	/* The kernel passes as many descriptors as RLIMIT_NOFILE leaves room for. */
	header = CMSG_FIRSTHDR(&message);
	if (header)
		memcpy(&joiner->data, CMSG_DATA(header), sizeof(int));
	if (header && header->cmsg_len >= CMSG_LEN(2 * sizeof(int)))
		memcpy(&joiner->control, CMSG_DATA(header) + sizeof(int), sizeof(int));
	if (joiner->control < 0 || descriptor_is_reserved(joiner->control))
		joiner->error = EMFILE;
	return true;
}

bool vde_joiner_read(struct vde_joiner *joiner)
{
	if (answer_take(joiner))
		return true;
	child_forget(joiner, true);
	descriptor_refuse_others(joiner->data);
	if (joiner->error == 0 && !data_is_joined(joiner->data))
		joiner->error = ECONNREFUSED;
	return false;
}

void vde_joiner_stop(struct vde_joiner *joiner)
{
	if (joiner->answers >= 0) {
		kill(joiner->pid, SIGALRM);
		child_forget(joiner, false);
	}
	descriptor_close(&joiner->data);
	descriptor_close(&joiner->control);
}
