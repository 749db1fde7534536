/* SPDX-License-Identifier: MIT */
/*
 * A program that speaks our transport on a stream, for tests of others at its other end:
 *
 *	transport-peer PATH send COUNT		sends COUNT messages of a descriptor each
 *	transport-peer PATH receive COUNT	reads once a byte has come on standard input
 *
 * The file behind descriptor number N holds the line N, and so does the message it comes with when
 * it is sent here. Says on standard output when it is paused, resumed, and what it has received.
 */
#include "memtun/transport.h"

#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/descriptor.h"

#define LINE 8 /* seven digits and the newline */

struct peer {
	unsigned long count; /* asked for */
	unsigned long sent;
	unsigned long fds;
	unsigned long bytes;
	bool closed;
};

static void line_format(char line[LINE + 1], unsigned long number)
{
	snprintf(line, LINE + 1, "%07lu\n", number % 10000000);
}

static void peer_fd_received(struct memtun_transport *transport, int fd, void *context)
{
	struct peer *peer = context;
	char wanted[LINE + 1], found[LINE];

	(void)transport;
	line_format(wanted, peer->fds);
	if (pread(fd, found, LINE, 0) != LINE || memcmp(wanted, found, LINE) != 0)
		errx(1, "descriptor %lu is not the file that was sent", peer->fds);
	descriptor_close(&fd);
	peer->fds++;
}

static void peer_data_received(struct memtun_transport *transport, const void *data, size_t length,
			       unsigned int flags, void *context)
{
	struct peer *peer = context;

	(void)transport;
	(void)data;
	if (flags)
		errx(1, "flags 0x%x after %lu descriptors", flags, peer->fds);
	peer->bytes += length;
	/* Whoever sends to us sends a byte a descriptor. */
	if (peer->bytes != peer->fds)
		errx(1, "%lu bytes came with %lu descriptors", peer->bytes, peer->fds);
	if (peer->bytes == peer->count)
		printf("received %lu\n", peer->count);
}

static void peer_pause(struct memtun_transport *transport, void *context)
{
	(void)transport;
	(void)context;
	printf("paused\n");
}

static void peer_resume(struct memtun_transport *transport, void *context)
{
	(void)transport;
	(void)context;
	printf("resumed\n");
}

static void peer_closed(struct memtun_transport *transport, int error, void *context)
{
	struct peer *peer = context;

	(void)transport;
	peer->closed = true;
	printf("closed %d\n", error);
}

static const struct memtun_transport_handlers handlers = {
	.fd_received = peer_fd_received,
	.data_received = peer_data_received,
	.pause = peer_pause,
	.resume = peer_resume,
	.closed = peer_closed,
};

/* Sends until it is paused, or has sent all. */
static void peer_produce(struct peer *peer, struct memtun_transport *transport)
{
	while (peer->sent < peer->count && !memtun_transport_is_paused(transport)) {
		descriptor_owned file = memfd_create("numbered", MFD_CLOEXEC);
		char line[LINE + 1];

		line_format(line, peer->sent);
		if (file < 0 || write(file, line, LINE) != LINE)
			err(1, "cannot make file %lu", peer->sent);
		if (memtun_transport_send(transport, line, LINE, &file, 1) < 0)
			err(1, "cannot send message %lu", peer->sent);
		file = -1;
		peer->sent++;
	}
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int send_buffer = 4096; /* little, so that the queue is what fills */

	if (strlen(path) >= sizeof(address.sun_path))
		errx(2, "%s: too long", path);
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "cannot connect to %s", path);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer)) < 0)
		err(1, "cannot set the send buffer");
	return fd;
}

int main(int argc, char **argv)
{
	struct peer peer = {0};
	struct memtun_transport *transport;
	struct pollfd waiting[2] = {{.fd = -1}, {.fd = -1, .events = POLLIN}};

	if (argc != 4 || (strcmp(argv[2], "send") != 0 && strcmp(argv[2], "receive") != 0))
		errx(2, "usage: transport-peer PATH send|receive COUNT");
	setvbuf(stdout, NULL, _IOLBF, 0);
	peer.count = strtoul(argv[3], NULL, 10);
	transport = memtun_transport_new(connect_to(argv[1]), &handlers, &peer);
	if (!transport)
		err(1, "cannot make a transport");
	if (strcmp(argv[2], "receive") == 0) {
		peer.sent = peer.count;
		waiting[1].fd = STDIN_FILENO;
		memtun_transport_set_reading(transport, false);
	}
	while (!peer.closed) {
		peer_produce(&peer, transport);
		waiting[0].events = memtun_transport_events(transport);
		waiting[0].fd = waiting[0].events ? memtun_transport_fd(transport) : -1;
		if (poll(waiting, 2, clock_poll_timeout(memtun_transport_deadline(transport))) < 0)
			err(1, "poll");
		if (waiting[1].revents) {
			waiting[1].fd = -1;
			memtun_transport_set_reading(transport, true);
		}
		memtun_transport_dispatch(transport, waiting[0].fd < 0 ? 0 : waiting[0].revents);
	}
	memtun_transport_free(transport);
	return 0;
}
