/* SPDX-License-Identifier: MIT */
/* socket(2) of a program that makes a NETLINK_ROUTE socket: it gets one end of a pair. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/wrap/netlink_number.h"
#include "client/wrap/netlink_socket.h"
#include "client/wrap/network.h"
#include "client/wrap/process.h"

/* Return the first free number for a socket in the program; -1: there is none. */
static int number_free(const struct netlink_sockets *sockets, pid_t thread)
{
	for (int number = sockets->first; number < sockets->first + NETLINK_NUMBERS; number++) {
		char path[48], target[2];

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)thread, number);
		if (readlink(path, target, sizeof(target)) < 0)
			return errno == ENOENT ? number : -1;
	}
	return -1;
}

/*
 * Give the program its end with that number. Where the program's soft limit is too low for it, the
 * limit is higher for the moment. -1 with errno: the call is not answered yet.
 */
static int give(struct netlink_socket *socket, struct call *call, int number, int flags)
{
	struct rlimit limit, higher;
	int result;

	if (prlimit(socket->process, RLIMIT_NOFILE, NULL, &limit) < 0)
		return -1;
	higher = limit;
	higher.rlim_cur = (rlim_t)number + 1;
	if (limit.rlim_cur > (rlim_t)number)
		return call->operations->give_at(call, socket->theirs, flags, number);
	if (limit.rlim_max <= (rlim_t)number ||
	    prlimit(socket->process, RLIMIT_NOFILE, &higher, NULL) < 0)
		return -1;
	result = call->operations->give_at(call, socket->theirs, flags, number);
	prlimit(socket->process, RLIMIT_NOFILE, &limit, NULL);
	return result;
}

/* Replace the socket. Return its number, or -1. */
static int socket_replace(struct netlink_sockets *sockets, struct call *call)
{
	const int type_mask = ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
	int type = (int)call->arguments[1], number, result;
	struct netlink_socket *socket;

	if ((type & type_mask) != SOCK_RAW && (type & type_mask) != SOCK_DGRAM)
		return -1;
	if (sockets->epoll < 0 || !network_is_ours(call->thread))
		return -1;
	socket = netlink_socket_new(sockets, type & type_mask);
	if (!socket)
		return -1;
	socket->process = process_of(call->thread);
	/* After the search for closed sockets, which does not free numbers but takes time. */
	number = number_free(sockets, call->thread);
	if (type & SOCK_NONBLOCK)
		fcntl(socket->theirs, F_SETFL, O_RDWR | O_NONBLOCK);
	result = number < 0 ? -1 : give(socket, call, number, type & SOCK_CLOEXEC ? O_CLOEXEC : 0);
	if (result < 0)
		netlink_socket_free(socket);
	return result;
}

long netlink_open(struct netlink_sockets *sockets, struct call *call)
{
	int number = socket_replace(sockets, call);

	if (number >= 0)
		return number;
	call->operations->pass(call);
	return INT_MAX;
}
