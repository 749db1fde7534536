/* SPDX-License-Identifier: MIT */
/*
 * An HTTP server with its own TCP/IP stack: the kernel sees frames in a descriptor, and no address,
 * port or socket of this program.
 *
 *	memtun exec -t web:bridge=lab -- lwip-http-server [KEY VALUE]... [once]
 *
 * The keys are mode (tap or tun), address (as in 10.0.0.1/24) and size (in MiB). The response to
 * GET /data has `size` MiB of pseudo-random bytes, the same in each run, and their checksum. The
 * server has one connection at a time. With `once` it ends after one request for /data.
 *
 * Debian's lwIP does not replace the system's socket calls (LWIP_COMPAT_SOCKETS is 0). Its calls
 * are named lwip_x(), and its descriptors are not the kernel's.
 */
#include "lwip-tunnel.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/sockets.h>

#include "lwip-http.h"

enum {
	HTTP_PORT = 80,
	BACKLOG = 8,
	SIZE_DEFAULT = 16,
	SIZE_MAX_MIB = 1024,
	STALLED_SECONDS = 15,       /* max time without a received byte */
	LOOK_MICROSECONDS = 250000, /* the interval of lwIP's TCP timer, TCP_TMR_INTERVAL */
};

struct document {
	uint8_t *bytes;
	size_t length;
	uint64_t checksum;
};

static int document_make(struct document *document, size_t length)
{
	uint64_t random = 1; /* any value but 0 */

	document->bytes = malloc(length);
	if (!document->bytes)
		return -1;
	document->length = length;
	/* Marsaglia's xorshift64, whose period is 2^64 - 1: no part of the stream recurs. */
	for (size_t i = 0; i < length; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		document->bytes[i] = (uint8_t)random;
	}
	document->checksum = checksum_add(CHECKSUM_START, document->bytes, length);
	return 0;
}

static int listener_open(const struct lwip_tunnel *tunnel)
{
	struct timeval look = {.tv_usec = LOOK_MICROSECONDS};
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(HTTP_PORT),
		.sin_addr.s_addr = tunnel->address.addr,
	};
	int listener = lwip_socket(AF_INET, SOCK_STREAM, 0);

	/* No other thread can wake lwip_accept(), so it returns now and then. */
	if (listener == -1 ||
	    lwip_setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof(look)) == -1 ||
	    lwip_bind(listener, (struct sockaddr *)&address, sizeof(address)) == -1 ||
	    lwip_listen(listener, BACKLOG) == -1)
		return -1;
	return listener;
}

/* Read a request's head. -1 if the client has closed, is too slow, or sends too much. */
static int request_read(int connection, char *request, size_t size)
{
	size_t used = 0;

	do {
		ssize_t got = lwip_recv(connection, request + used, size - 1 - used, 0);

		if (got == 0)
			errno = used == size - 1 ? EMSGSIZE : ECONNRESET;
		if (got <= 0)
			return -1;
		used += (size_t)got;
		request[used] = '\0';
	} while (!strstr(request, "\r\n\r\n"));
	return 0;
}

static int bytes_send(int connection, const void *bytes, size_t length)
{
	const uint8_t *next = bytes;

	while (length > 0) {
		ssize_t sent = lwip_send(connection, next, length, 0);

		if (sent <= 0)
			return -1;
		next += sent;
		length -= (size_t)sent;
	}
	return 0;
}

/* Answer one request. Return 1 if all of /data has arrived, 0 after any other response, or -1. */
static int connection_serve(int connection, const struct document *document)
{
	static const char page[] = "An lwIP stack on a memtun tunnel. Try /data.\n";
	static const char missing[] = "There is only / and /data.\n";
	char request[2048], head[256], target[64], rest[64];
	const char *status = "200 OK";
	const void *body = page;
	size_t length = strlen(page);
	bool data;

	if (request_read(connection, request, sizeof(request)) == -1)
		return -1;
	if (sscanf(request, "GET %63[!-~] HTTP/1.", target) != 1)
		strlcpy(target, "?", sizeof(target));
	data = !strcmp(target, "/data");
	if (data) {
		body = document->bytes;
		length = document->length;
	} else if (strcmp(target, "/")) {
		status = "404 Not Found";
		body = missing;
		length = strlen(missing);
	}
	snprintf(head, sizeof(head),
		 "HTTP/1.1 %s\r\nContent-Length: %zu\r\n" CHECKSUM_HEADER ": %016" PRIx64
		 "\r\nConnection: close\r\n\r\n",
		 status, length,
		 data ? document->checksum : checksum_add(CHECKSUM_START, body, length));
	printf("GET %s: %s, %zu bytes\n", target, status, length);
	fflush(stdout);
	if (bytes_send(connection, head, strlen(head)) == -1 ||
	    bytes_send(connection, body, length) == -1 || lwip_shutdown(connection, SHUT_WR) == -1)
		return -1;
	/* Data that lwIP has not sent is lost when this process ends, so wait until the client,
	 * which then has everything, closes. */
	errno = EPROTO;
	return lwip_recv(connection, rest, sizeof(rest), 0) == 0 ? data : -1;
}

static void connection_configure(int connection)
{
	struct timeval stalled = {.tv_sec = STALLED_SECONDS};
	int on = 1;

	/* Nagle's algorithm would delay the last short segment until an acknowledgement. */
	lwip_setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	lwip_setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &stalled, sizeof(stalled));
	lwip_setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &stalled, sizeof(stalled));
}

/* Take the arguments, or end with a message. */
static void arguments_take(int argc, char **argv, struct lwip_tunnel *tunnel, long long *size,
			   bool *once)
{
	const char *reason = NULL;

	for (int i = 1; i < argc; i++) {
		const char *key = argv[i];

		if (!strcmp(key, "once")) {
			*once = true;
			continue;
		}
		if (++i == argc)
			errx(2, "%s: a value is missing", key);
		if (!strcmp(key, "size"))
			*size = strtonum(argv[i], 1, SIZE_MAX_MIB, &reason);
		else if (lwip_tunnel_option(tunnel, key, argv[i]) == -1)
			reason = "not understood";
		if (reason)
			errx(2, "%s %s: %s", key, argv[i], reason);
	}
}

int main(int argc, char **argv)
{
	static struct lwip_tunnel tunnel;
	static struct document document;
	long long size = SIZE_DEFAULT;
	bool once = false;
	int listener;

	lwip_tunnel_init(&tunnel, "10.0.0.1/24");
	arguments_take(argc, argv, &tunnel, &size, &once);
	if (lwip_tunnel_take_passed(&tunnel) == -1)
		errx(1,
		     "no tunnel was passed to this process: run it with\n"
		     "    memtun exec -t web -- %s",
		     argv[0]);
	signal(SIGPIPE, SIG_IGN);
	if (document_make(&document, (size_t)size << 20) == -1)
		err(1, "cannot make %lld MiB of data", size);
	if (lwip_tunnel_start(&tunnel) == -1)
		err(1, "cannot start lwIP");
	listener = listener_open(&tunnel);
	if (listener == -1)
		err(1, "cannot listen on %s:%d", ip4addr_ntoa(&tunnel.address), HTTP_PORT);
	lwip_tunnel_read(&tunnel);
	printf("listening on http://%s/ (%lld MiB at /data)\n", ip4addr_ntoa(&tunnel.address),
	       size);
	fflush(stdout);

	while (!atomic_load(&tunnel.ended)) {
		int connection = lwip_accept(listener, NULL, NULL);
		int served;

		if (connection == -1 && errno == EWOULDBLOCK)
			continue;
		if (connection == -1)
			err(1, "cannot accept a connection");
		connection_configure(connection);
		served = connection_serve(connection, &document);
		if (served == -1)
			warn("a connection was cut short");
		lwip_close(connection);
		if (once && served != 0)
			return served == 1 ? 0 : 1;
	}
	errx(1, "the tunnel was closed");
}
