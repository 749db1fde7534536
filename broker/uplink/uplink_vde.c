/* SPDX-License-Identifier: MIT */
/*
 * An uplink to a VDE switch, joined with libvdeplug. vde_open() waits for the switch's answer, for
 * ever if there is none, so a child does that and passes the two descriptors on: the data one,
 * which has one frame a datagram (vde_send() and vde_recv() are send(2) and recv(2) for a switch),
 * and the control one, whose end says that the switch is gone.
 *
 * The child keeps nothing of the broker's: no descriptor, which would hold open what the broker has
 * closed since, and so addresses taken and clients waiting; and no capability.
 *
 * libvdeplug 4 removes its data socket's file before vde_open() returns, also where it fails, but
 * not where a signal ends it: the child outlives each signal until vde_open() has given up.
 */
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

#include "broker/engine/engine.h"
#include "broker/system/confine.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "broker/uplink/uplink.h"
#include "broker/uplink/uplink_path.h"

/* A switch cuts frames at 1518 bytes and doesn't tell: this, the Ethernet header and a tag. */
#define VDE_MTU 1500

/* Milliseconds that a switch may take to let us in. */
#ifndef VDE_PATIENCE
#define VDE_PATIENCE 5000
#endif

/* Milliseconds that the child may take to let go of what is ours, which takes one at most. */
#define CHILD_PATIENCE 1000

/* How often vde_open() is interrupted until it has given up, and how far apart: a signal that comes
 * just before it waits has no effect on it. */
#define INTERRUPTIONS_MAX 20
#define INTERRUPTION_INTERVAL 10

#define VDE_SCHEME "vde://"

/* What the child says, with the two descriptors if the error is 0. */
struct vde_answer {
	int error;
};

struct vde {
	struct uplink uplink; /* first */
	ev_io child;          /* where the child answers, until it has ended */
	pid_t pid;            /* its */
	int error;            /* what it has said */
	int data;             /* and given, or -1 */
	ev_io control;        /* the same; it is watched while the uplink is up */
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

/* Time is over, or nobody wants the answer any more. */
static void child_interrupted(int number)
{
	(void)number;
	if (++interruptions > INTERRUPTIONS_MAX)
		_exit(1);
	child_set_timer(INTERRUPTION_INTERVAL);
}

/* Signals were all blocked, as their handlers are the broker's. */
static void child_set_signals(void)
{
	struct sigaction interruption = {.sa_handler = child_interrupted};
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGALRM, &interruption, NULL);
	/* First, as one that waits already sets a shorter time. */
	child_set_timer(VDE_PATIENCE);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Why vde_open() has failed. */
static int child_error(int error)
{
	if (interruptions)
		return ETIMEDOUT;
	/* Its word for an end instead of an answer, and for one that is none, is EINVAL. */
	if (error == 0 || error == EINVAL || error == EPIPE || error == ECONNRESET)
		return ECONNREFUSED;
	return error;
}

static void child_say(int fd, const struct vde_answer *answer, const int descriptors[2])
{
	union {
		struct cmsghdr header;
		unsigned char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {.header = {
			     .cmsg_len = CMSG_LEN(2 * sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
		     }};
	struct iovec part = {(void *)(uintptr_t)answer, sizeof(*answer)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (descriptors) {
		memcpy(CMSG_DATA(&control.header), descriptors, 2 * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	sendmsg(fd, &message, MSG_NOSIGNAL);
}

static _Noreturn void child_run(const char *path, const char *name, int fd)
{
	struct vde_answer answer = {0};
	char url[MEMTUN_TEXT_SIZE], description[sizeof("memtun ") + MEMTUN_NAME_SIZE];
	VDECONN *connection;

	/* No descriptor of the broker's, but what may be its standard output and error. The last
	 * of these steps is what child_start() waits for. */
	if (confine(false) < 0 || dup2(fd, 3) < 0 || close_range(4, ~0U, 0) < 0)
		_exit(1);
	child_set_signals();
	strlcpy(url, path, sizeof(url));
	snprintf(description, sizeof(description), "memtun %s", name);
	errno = 0;
	connection = vde_open(url, description, NULL);
	if (connection) {
		child_say(3, &answer, (int[2]){vde_datafd(connection), vde_ctlfd(connection)});
		_exit(0);
	}
	answer.error = child_error(errno);
	child_say(3, &answer, NULL);
	_exit(0);
}

/* ------------------------------------------------------------------------------ connecting */

static void vde_tell(const struct vde *vde, char *text, size_t size)
{
	snprintf(text, size, "cannot join the VDE switch %.48s",
		 attribute_set_string(&vde->uplink.options, MEMTUN_A_PATH));
}

static void vde_failed(struct vde *vde)
{
	char what[UPLINK_TEXT_SIZE], text[sizeof(what) + 64];

	vde_tell(vde, what, sizeof(what));
	snprintf(text, sizeof(text), "%s: %s", what, strerror(vde->error));
	uplink_lost(&vde->uplink, text);
}

/* Takes what the child says. False: nothing more, it has ended or is about to. */
static bool answer_take(struct vde *vde)
{
	union {
		struct cmsghdr header;
		unsigned char bytes[CMSG_SPACE(2 * sizeof(int))];
	} rights;
	struct vde_answer answer;
	struct iovec part = {&answer, sizeof(answer)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights),
	};
	ssize_t length = recvmsg(vde->child.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *header;
	int control;

	if (length != sizeof(answer))
		return length < 0 && (errno == EAGAIN || errno == EINTR);
	vde->error = answer.error;
	if (answer.error)
		return true;
	/* As many as there is room for (RLIMIT_NOFILE). */
	header = CMSG_FIRSTHDR(&message);
	if (header)
		memcpy(&vde->data, CMSG_DATA(header), sizeof(int));
	if (!header || header->cmsg_len < CMSG_LEN(2 * sizeof(int))) {
		vde->error = EMFILE;
		return true;
	}
	memcpy(&control, CMSG_DATA(header) + sizeof(int), sizeof(int));
	ev_io_set(&vde->control, control, EV_READ);
	return true;
}

/*
 * Is it joined to a socket other than itself? libvdeplug doesn't look at the answer's length: after
 * a short one it is joined to itself, after an empty one to nobody.
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

static void vde_control_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct vde *vde = io->data;
	char bytes[64];
	ssize_t length = recv(io->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	(void)events;
	if (length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	ev_io_stop(loop, io);
	lane_close_later(&vde->uplink.lane);
}

/*
 * Forgets the child. If it has ended its socket, waiting for it takes no time; else it is left to
 * clean up and end by itself. The default loop may have reaped it (ECHILD), or will.
 */
static void vde_forget_child(struct vde *vde, bool ended)
{
	ev_io_stop(vde->uplink.port.engine->loop, &vde->child);
	close(vde->child.fd);
	ev_io_set(&vde->child, -1, 0);
	while (waitpid(vde->pid, NULL, ended ? 0 : WNOHANG) < 0 && errno == EINTR)
		;
}

static void vde_child_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct vde *vde = io->data;

	(void)events;
	if (answer_take(vde))
		return;
	vde_forget_child(vde, true);
	if (vde->error == 0 && !data_is_joined(vde->data))
		vde->error = ECONNREFUSED;
	if (vde->error == 0 && lane_open(&vde->uplink.lane, &lane_packet_link, vde->data) < 0)
		vde->error = errno;
	if (vde->error) {
		vde_failed(vde);
		return;
	}
	vde->data = -1;
	ev_io_start(loop, &vde->control);
	uplink_opened(&vde->uplink);
}

/* Starts the child, which has let go of all that is ours by then: its pid, and its answer comes to
 * *answer. -1 with errno: ETIMEDOUT, somebody has stopped it. */
static pid_t child_start(const char *path, const char *name, int *answer)
{
	descriptor_owned ours = -1, theirs = -1, closing = -1, closed = -1;
	sigset_t all, before;
	struct pollfd letting_go = {.events = POLLIN};
	int ends[2], gate[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	ours = ends[0];
	theirs = ends[1];
	if (pipe2(gate, O_CLOEXEC) < 0)
		return -1;
	closed = gate[0];
	closing = gate[1];
	letting_go.fd = closed;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid == 0)
		child_run(path, name, theirs);
	/* Its copy goes with all others, or with itself. */
	descriptor_close(&closing);
	if (pid > 0 && poll(&letting_go, 1, CHILD_PATIENCE) <= 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		errno = ETIMEDOUT;
		pid = -1;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid > 0)
		*answer = descriptor_take(&ours);
	return pid;
}

/* ------------------------------------------------------------------------------ the uplink */

/* The switch's directory, with or without the scheme; a port may follow: DIR[3]. */
static const char *vde_directory(const char *path)
{
	size_t length = strlen(VDE_SCHEME);

	return strncmp(path, VDE_SCHEME, length) == 0 ? path + length : path;
}

static int vde_prepare(struct uplink *uplink, const struct attribute_set *options,
		       struct fault *fault)
{
	struct vde *vde = container_of(uplink, struct vde, uplink);
	const char *path = attribute_set_string(options, MEMTUN_A_PATH);
	const char *directory = vde_directory(path);

	ev_io_init(&vde->child, vde_child_ready, -1, 0);
	ev_io_init(&vde->control, vde_control_ready, -1, 0);
	vde->child.data = vde;
	vde->control.data = vde;
	vde->data = -1;
	/* What other plugins of libvdeplug have to say isn't frames on a datagram socket. */
	if (directory[0] && !strstr(directory, "://"))
		return 0;
	return fault_set(fault, EINVAL,
			 "path takes a VDE switch's directory, or vde://DIRECTORY, not '%.60s'",
			 path);
}

static bool vde_same(const struct uplink *one, const struct uplink *other)
{
	return uplink_path_same(
		vde_directory(attribute_set_string(&one->options, MEMTUN_A_PATH)),
		vde_directory(attribute_set_string(&other->options, MEMTUN_A_PATH)));
}

/* Could there be a switch that lets us in? To be told early, and without a child. */
static int vde_look(const char *directory)
{
	char control[MEMTUN_TEXT_SIZE + sizeof("/ctl")];

	if (strchr(directory, '['))
		return 0; /* a port's number, or its group, which has another socket */
	snprintf(control, sizeof(control), "%s/ctl", directory);
	return faccessat(AT_FDCWD, control, W_OK, AT_EACCESS);
}

static int vde_begin(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct vde *vde = container_of(uplink, struct vde, uplink);
	const char *path = attribute_set_string(&uplink->options, MEMTUN_A_PATH);
	int fd;

	vde_tell(vde, text, UPLINK_TEXT_SIZE);
	if (vde_look(vde_directory(path)) < 0)
		return -1;
	vde->pid = child_start(path, uplink->port.name, &fd);
	if (vde->pid < 0)
		return -1;
	vde->error = ECONNABORTED; /* if it ends without a word */
	ev_io_set(&vde->child, fd, EV_READ);
	ev_io_start(uplink->port.engine->loop, &vde->child);
	snprintf(text, UPLINK_TEXT_SIZE, "joining the VDE switch %.48s", path);
	return 1;
}

static void vde_end_connection(struct uplink *uplink)
{
	struct vde *vde = container_of(uplink, struct vde, uplink);

	if (vde->child.fd >= 0) {
		kill(vde->pid, SIGALRM);
		vde_forget_child(vde, false);
	}
	descriptor_close(&vde->data);
	if (vde->control.fd < 0)
		return;
	ev_io_stop(uplink->port.engine->loop, &vde->control);
	close(vde->control.fd);
	ev_io_set(&vde->control, -1, 0);
}

const struct uplink_kind uplink_vde = {
	.size = sizeof(struct vde),
	.takes = {.required = {MEMTUN_A_PATH}, .options = OPTION_UPLINK_ANY},
	.mtu = VDE_MTU,
	.awaits_peer = true,
	.prepare = vde_prepare,
	.same = vde_same,
	.open = vde_begin,
	.close = vde_end_connection,
};
