/* SPDX-License-Identifier: MIT */
/*
 * Fetches a URL with its own TCP/IP stack on a tunnel's descriptor, and verifies the response:
 *
 *	memtun exec -t user:bridge=lab -- lwip-http-client [mode tap|tun] [address A/P] URL
 *
 * The client tries to connect for a while, because the server may still be starting. The host in
 * the URL is an IPv4 address, because the client has no resolver.
 */
#include "lwip-tunnel.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lwip/sockets.h>

#include "lwip-http.h"

enum {
	CONNECT_SECONDS = 20,        /* seconds; the server may start at the same time */
	ATTEMPT_MILLISECONDS = 1000, /* lwIP repeats a lost SYN only after three seconds */
	REFUSED_NANOSECONDS = 100000000,
	STALLED_SECONDS = 60, /* max time without a received byte */
};

struct url {
	char host[INET_ADDRSTRLEN];
	struct sockaddr_in address;
	const char *path;
};

static struct lwip_tunnel tunnel;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Print what failed and why. If the tunnel has ended, that is the reason. */
static void __attribute__((noreturn)) fail(const char *what)
{
	if (atomic_load(&tunnel.ended))
		errx(1, "%s: the tunnel was closed", what);
	/* lwIP's errno after a timeout. */
	if (errno == EWOULDBLOCK)
		errno = ETIMEDOUT;
	err(1, "%s", what);
}

static int url_parse(struct url *url, const char *text)
{
	unsigned int port = 80;
	int end = 0;

	if (sscanf(text, "http://%15[0-9.]%n", url->host, &end) != 1)
		return -1;
	text += end;
	if (*text == ':') {
		if (sscanf(text, ":%5u%n", &port, &end) != 1 || port > UINT16_MAX)
			return -1;
		text += end;
	}
	if (*text != '/' && *text != '\0')
		return -1;
	url->path = *text ? text : "/";
	url->address.sin_family = AF_INET;
	url->address.sin_port = htons((uint16_t)port);
	return lwip_inet_pton(AF_INET, url->host, &url->address.sin_addr) == 1 ? 0 : -1;
}

/* Try once to connect, for less time than lwIP would. -1 with errno. */
static int connection_try(const struct url *url)
{
	int connection = lwip_socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd ready = {.fd = connection, .events = POLLOUT};
	int error = 0, off = 0, on = 1;
	socklen_t size = sizeof(error);

	if (connection == -1)
		return -1;
	lwip_ioctl(connection, FIONBIO, &on);
	if (lwip_connect(connection, (const struct sockaddr *)&url->address,
			 sizeof(url->address)) == -1 &&
	    errno != EINPROGRESS)
		error = errno;
	else if (lwip_poll(&ready, 1, ATTEMPT_MILLISECONDS) != 1)
		error = ETIMEDOUT;
	else
		lwip_getsockopt(connection, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error == 0) {
		lwip_ioctl(connection, FIONBIO, &off);
		return connection;
	}
	lwip_close(connection);
	errno = error == ECONNRESET ? ECONNREFUSED
				    : error; /* lwIP's errno for a refused connection */
	return -1;
}

static int connection_open(const struct url *url)
{
	struct timespec pause = {.tv_nsec = REFUSED_NANOSECONDS};
	double deadline = now() + CONNECT_SECONDS;
	int connection;

	while ((connection = connection_try(url)) == -1) {
		if (now() > deadline || atomic_load(&tunnel.ended))
			fail("cannot connect to the server");
		if (errno != ETIMEDOUT)
			nanosleep(&pause, NULL);
	}
	return connection;
}

/* Read a response's head into a string. Return how many bytes of the body were read too; these
 * are moved to the front of the buffer. */
static size_t head_read(int connection, char *head, size_t size, uint8_t *body)
{
	size_t used = 0;
	char *end;

	do {
		ssize_t got = lwip_recv(connection, head + used, size - 1 - used, 0);

		if (got == -1)
			fail("no answer from the server");
		if (got == 0)
			errx(1, "the answer has no end of its head");
		used += (size_t)got;
		head[used] = '\0';
		end = strstr(head, "\r\n\r\n");
	} while (!end);
	used -= (size_t)(end + 4 - head);
	memcpy(body, end + 4, used);
	end[2] = '\0';
	return used;
}

/* Return the value of a field in the head; NULL if it has none. */
static const char *head_field(const char *head, const char *name)
{
	const char *line = head;

	while ((line = strstr(line, "\r\n"))) {
		line += 2;
		if (!strncasecmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			return line + strlen(name) + 1;
	}
	errx(1, "the answer has no %s", name);
}

int main(int argc, char **argv)
{
	static uint8_t body[UINT16_MAX]; /* bytes; lwIP's receive window, TCP_WND */
	char head[4096];
	struct timeval stalled = {.tv_sec = STALLED_SECONDS};
	struct url url = {0};
	const char *said;
	uint64_t checksum = CHECKSUM_START, length = 0;
	double seconds;
	ssize_t got;
	int connection, i;

	lwip_tunnel_init(&tunnel, "10.0.0.2/24");
	for (i = 1; i + 2 < argc; i += 2)
		if (lwip_tunnel_option(&tunnel, argv[i], argv[i + 1]) == -1)
			errx(2, "%s %s: not understood", argv[i], argv[i + 1]);
	if (i + 1 != argc || url_parse(&url, argv[i]) == -1)
		errx(2, "usage: %s [mode tap|tun] [address A/P] http://A.B.C.D[:PORT]/PATH",
		     argv[0]);
	if (lwip_tunnel_take_passed(&tunnel) == -1)
		errx(1,
		     "no tunnel was passed to this process: run it with\n"
		     "    memtun exec -t user -- %s %s",
		     argv[0], argv[i]);
	signal(SIGPIPE, SIG_IGN);
	if (lwip_tunnel_start(&tunnel) == -1)
		err(1, "cannot start lwIP");
	lwip_tunnel_read(&tunnel);

	connection = connection_open(&url);
	seconds = -now();
	lwip_setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &stalled, sizeof(stalled));
	snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
		 url.path, url.host);
	if (lwip_send(connection, head, strlen(head), 0) == -1)
		fail("cannot send the request");
	got = (ssize_t)head_read(connection, head, sizeof(head), body);
	do {
		checksum = checksum_add(checksum, body, (size_t)got);
		length += (uint64_t)got;
	} while ((got = lwip_recv(connection, body, sizeof(body), 0)) > 0);
	if (got == -1)
		fail("the answer was cut short");
	seconds += now();
	/* Close first: the server waits for that to know that all data has arrived. */
	lwip_close(connection);

	if (strncmp(head, "HTTP/1.1 200 ", 13))
		errx(1, "the server answered %.*s", (int)strcspn(head, "\r"), head);
	printf("%" PRIu64 " bytes, %.3f seconds, %.1f MiB/s, checksum %016" PRIx64 "\n", length,
	       seconds, (double)length / seconds / (1 << 20), checksum);
	said = head_field(head, "Content-Length");
	if (strtoull(said, NULL, 10) != length)
		errx(1, "the length is wrong: the server said%.*s", (int)strcspn(said, "\r"), said);
	said = head_field(head, CHECKSUM_HEADER);
	if (strtoull(said, NULL, 16) != checksum)
		errx(1, "the checksum is wrong: the server said%.*s", (int)strcspn(said, "\r"),
		     said);
	return 0;
}
