/* SPDX-License-Identifier: MIT */
/* What a descriptor is that is to tell of an end: a pidfd, a pipe, or a UNIX socket. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/system/handed_descriptor.h"
#include "broker/system/handed_parts.h"

/* Read the pid of a pidfd: 0 if it is not visible here, -1 if the process has ended. Return false
 * if the descriptor is no pidfd. */
static bool pidfd_read(int fd, long *pid)
{
	char path[sizeof("/proc/self/fdinfo/") + 3 * sizeof(int)], line[80];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "Pid: %ld", pid) == 1;
	fclose(file);
	return found;
}

/* Return whether poll(2) reports the end of the pipe. */
static bool has_ended(int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLRDHUP};

	return poll(&polled, 1, 0) > 0;
}

struct pipe_search {
	const struct statx *status;
	int mode;
};

/* Return whether the descriptor is the other end of the pipe. */
static bool pipe_matches(int fd, const void *context)
{
	const struct pipe_search *search = context;
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
	       status.st_ino == search->status->stx_ino &&
	       (fcntl(fd, F_GETFL) & O_ACCMODE) != search->mode;
}

static int pipe_ask(const struct handed_pair *handed, const struct statx *status,
		    struct fault *fault)
{
	const struct pipe_search search = {
		.status = status,
		.mode = fcntl(handed->life, F_GETFL) & O_ACCMODE,
	};
	int result;

	if (search.mode == O_RDWR)
		return fault_set(fault, EINVAL,
				 "the pipe is open for reading and writing, so it never hangs up");
	result = handed_own_search(pipe_matches, &search, fault);
	if (result < 0)
		return -1;
	if (result)
		return fault_set(fault, ELOOP, "the other end of the pipe is the broker's own");
	if (has_ended(handed->life))
		return fault_set(fault, EPIPE, "the other end of the pipe is closed");
	return 0;
}

static int life_socket_ask(const struct handed_pair *handed, const struct statx *status,
			   struct socket_diag *diag, struct fault *fault)
{
	ino_t inode, peer;
	int type;

	if (handed_socket_check(handed->life, &type, "a life descriptor", fault) < 0)
		return -1;
	if (type == SOCK_DGRAM)
		return fault_set(fault, EINVAL, "a datagram socket does not hang up");
	inode = (ino_t)status->stx_ino;
	if (handed_socket_ask_peer(inode, diag, &peer, fault) < 0)
		return -1;
	return handed_socket_check_own(handed, handed->life, inode, peer, false, fault);
}

int handed_life_ask(const struct handed_pair *handed, struct socket_diag *diag,
		    struct handed_life *life, struct fault *fault)
{
	struct statx status;
	long pid;

	*life = (struct handed_life){0};
	if (handed_status_ask(handed->life, &status) < 0)
		return fault_set(fault, errno, "cannot ask what the life descriptor is: %s",
				 strerror(errno));
	if (S_ISSOCK(status.stx_mode)) {
		life->kind = MEMTUN_LIFE_SOCKET;
		return life_socket_ask(handed, &status, diag, fault);
	}
	if (S_ISFIFO(status.stx_mode)) {
		life->kind = MEMTUN_LIFE_PIPE;
		return pipe_ask(handed, &status, fault);
	}
	if (!pidfd_read(handed->life, &pid))
		return fault_set(fault, EINVAL,
				 "%s can't be a life descriptor, because it does not hang up: a "
				 "pidfd, a pipe and a UNIX socket do",
				 handed_file_word(&status));
	if (pid < 0)
		return fault_set(fault, ESRCH, "the process has ended");
	life->kind = MEMTUN_LIFE_PROCESS;
	life->pid = (pid_t)pid;
	return 0;
}
