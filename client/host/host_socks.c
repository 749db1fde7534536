/* SPDX-License-Identifier: MIT */
#include "client/host/host_socks.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/host/socks_connection.h"
#include "common/address.h"
#include "common/clock.h"

/* Milliseconds to leave new connections in the socket's backlog, after accept4() has failed. */
#define BACKOFF_MS 100

static struct socks_connection connections[HOST_SOCKS_MAX];
static int listening = -1, waking = -1;
static int64_t accept_again = -1; /* when, in the time of clock_now(); -1: now */

unsigned int host_socks_poll(struct pollfd fds[HOST_SOCKS_FDS])
{
	bool has_room = false, accepts;

	if (listening < 0)
		return 0;
	for (unsigned int i = 0; i < HOST_SOCKS_MAX; i++) {
		has_room |= connections[i].fd < 0;
		fds[i] = (struct pollfd){connections[i].fd,
					 socks_connection_events(&connections[i]), 0};
		/* poll(2) reports a hang-up always; one that nothing can be done about is ignored. */
		if (!fds[i].events && connections[i].state == SOCKS_OPEN)
			fds[i].fd = -1;
	}
	if (accept_again <= clock_now())
		accept_again = -1;
	accepts = has_room && accept_again < 0;
	fds[HOST_SOCKS_MAX] = (struct pollfd){accepts ? listening : -1, POLLIN, 0};
	fds[HOST_SOCKS_MAX + 1] = (struct pollfd){waking, POLLIN, 0};
	return HOST_SOCKS_FDS;
}

int64_t host_socks_deadline(void)
{
	int64_t deadline = accept_again;

	if (listening < 0)
		return -1;
	for (unsigned int i = 0; i < HOST_SOCKS_MAX; i++)
		deadline = clock_earlier(deadline, socks_connection_deadline(&connections[i]));
	return deadline;
}

static void connections_accept(void)
{
	for (unsigned int i = 0; i < HOST_SOCKS_MAX; i++) {
		int fd;

		if (connections[i].fd >= 0)
			continue;
		fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			/* The socket stays readable without a free descriptor, so poll(2) would spin. */
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				accept_again = clock_now() + BACKOFF_MS * CLOCK_MILLISECOND;
			return;
		}
		socks_connection_begin(&connections[i], fd, waking);
	}
}

void host_socks_turn(const struct pollfd *fds, unsigned int count)
{
	uint64_t woken;

	if (count == 0)
		return;
	if (fds[HOST_SOCKS_MAX + 1].revents && read(waking, &woken, sizeof(woken)) < 0)
		return;
	for (unsigned int i = 0; i < HOST_SOCKS_MAX; i++) {
		if (connections[i].fd >= 0)
			socks_connection_turn(&connections[i], fds[i].revents);
	}
	if (fds[HOST_SOCKS_MAX].revents)
		connections_accept();
}

int host_socks_listen(const char *address)
{
	struct sockaddr_storage at;
	int on = 1;

	for (unsigned int i = 0; i < HOST_SOCKS_MAX; i++)
		connections[i].fd = -1;
	if (socket_address_parse_with_port(address, &at) < 0) {
		errno = EINVAL;
		return -1;
	}
	waking = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	listening = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (waking < 0 || listening < 0 ||
	    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(listening, (const struct sockaddr *)&at, socket_address_size(&at)) < 0 ||
	    listen(listening, SOMAXCONN) < 0)
		return -1;
	return 0;
}
