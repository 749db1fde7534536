/* SPDX-License-Identifier: MIT */
#include "tests/bench/bare_forwarder.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/frame/frame_format.h"
#include "tests/bench/process.h"

#define BATCH 32

/* The send buffer of memtund's tunnels, bytes. The kernel doubles it. */
#define SEND_BUFFER (212992 / 2)

static void wait_for(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	if (poll(&poll_fd, 1, -1) < 0)
		err(1, "poll");
}

static void send_all(int fd, struct mmsghdr *messages, int count)
{
	while (count) {
		int sent = sendmmsg(fd, messages, (unsigned int)count, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN) {
			wait_for(fd, POLLOUT);
			continue;
		}
		if (sent < 0)
			_exit(0);
		messages += sent;
		count -= sent;
	}
}

static void forward(int in, int out)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];
	unsigned char *buffers = malloc((size_t)BATCH * FRAME_MAX);

	if (!buffers)
		err(1, "malloc");
	for (int i = 0; i < BATCH; i++) {
		parts[i].iov_base = buffers + (size_t)i * FRAME_MAX;
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (;;) {
		int received;

		for (int i = 0; i < BATCH; i++)
			parts[i].iov_len = FRAME_MAX;
		received = recvmmsg(in, messages, BATCH, MSG_DONTWAIT, NULL);
		if (received < 0 && errno == EAGAIN) {
			wait_for(in, POLLIN);
			continue;
		}
		if (received < 0 || messages[0].msg_len == 0)
			_exit(0);
		for (int i = 0; i < received; i++)
			parts[i].iov_len = messages[i].msg_len;
		send_all(out, messages, received);
	}
}

static void make_pair(int ends[2])
{
	int size = SEND_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ||
	    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0 ||
	    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
		err(1, "socketpair");
}

void bare_forwarder_start(struct bare_forwarder *forwarder)
{
	int in[2], out[2];

	make_pair(in);
	make_pair(out);
	forwarder->pid = process_fork();
	if (forwarder->pid == 0) {
		close(in[0]);
		close(out[0]);
		forward(in[1], out[1]);
	}
	close(in[1]);
	close(out[1]);
	forwarder->in = in[0];
	forwarder->out = out[0];
}

void bare_forwarder_end(struct bare_forwarder *forwarder)
{
	close(forwarder->in);
	close(forwarder->out);
	process_wait(forwarder->pid);
}
