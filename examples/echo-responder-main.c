/* SPDX-License-Identifier: MIT */
/*
 * Answers pings to any address, on a memtund's tunnel or, with -k, on an interface of the kernel.
 *
 *	memtund -- sh -c 'echo-responder tun0 & memtun wait tun0 open && ...'
 *
 *	sudo echo-responder -k tun0 &
 *	sudo ip address add 10.9.0.1/24 dev tun0 && sudo ip link set tun0 up && ping 10.9.0.2
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "echo-responder.h"

static struct echo_responder responder;

int main(int argc, char **argv)
{
	bool kernel = argc == 3 && strcmp(argv[1], "-k") == 0;
	const char *name = argv[argc - 1];
	struct memtun_io *io;

	if (argc != (kernel ? 3 : 2) || name[0] == '-') {
		fprintf(stderr, "usage: %s [-k] TUNNEL\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	io = kernel ? memtun_io_kernel_new() : memtun_io_broker_new(NULL);
	if (!io)
		err(1, "%s", kernel ? "cannot start" : "cannot reach memtund");
	if (echo_responder_open(&responder, io, name) < 0)
		err(1, "cannot attach to %s", name);
	while (echo_responder_turn(&responder) == 0) {
		struct pollfd wait = {responder.fd, echo_responder_events(&responder), 0};

		if (poll(&wait, 1, -1) < 0 && errno != EINTR)
			err(1, "poll");
	}
	/* EBADFD means that the tunnel was deleted, which is no error here. */
	if (errno != EBADFD)
		err(1, "%s", name);
	printf("%s has ended: %lu answers, %lu lost\n", name, responder.answered, responder.lost);
	echo_responder_close(&responder);
	memtun_io_free(io);
	return 0;
}
