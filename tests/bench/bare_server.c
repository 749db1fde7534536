/* SPDX-License-Identifier: MIT */
#include "tests/bench/bare_server.h"

#include <err.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/bench/process.h"

/* About the length of memtund's request and answer, bytes. */
#define REQUEST_SIZE 28
#define ANSWER_SIZE 160

/* Room for one descriptor. */
union control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void serve_one(int fd)
{
	static char answer[ANSWER_SIZE];
	union control control = {0};
	struct iovec bytes = {answer, sizeof(answer)};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		err(1, "socketpair");
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
	if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		err(1, "sendmsg");
	close(ends[0]);
	close(ends[1]);
}

void bare_server_start(struct bare_server *server)
{
	char request[REQUEST_SIZE];
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		err(1, "socketpair");
	server->pid = process_fork();
	if (server->pid == 0) {
		close(ends[0]);
		while (recv(ends[1], request, sizeof(request), 0) > 0)
			serve_one(ends[1]);
		_exit(0);
	}
	close(ends[1]);
	server->fd = ends[0];
}

void bare_server_end(struct bare_server *server)
{
	close(server->fd);
	process_wait(server->pid);
}

void bare_server_ask(struct bare_server *server)
{
	static const char request[REQUEST_SIZE];

	if (send(server->fd, request, sizeof(request), MSG_NOSIGNAL) < 0)
		err(1, "send");
}

int bare_server_answer(struct bare_server *server)
{
	char answer[ANSWER_SIZE];
	union control control;
	struct iovec bytes = {answer, sizeof(answer)};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(server->fd, &message, MSG_CMSG_CLOEXEC) <= 0)
		err(1, "recvmsg");
	header = CMSG_FIRSTHDR(&message);
	if (!header)
		errx(1, "the bare server sent no descriptor");
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}
