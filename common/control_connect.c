/* SPDX-License-Identifier: MIT */
#include "common/control_connect.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/control_place.h"
#include "common/control_socket.h"
#include "common/descriptor.h"
#include "common/failed.h"
#include "common/user.h"

/* Check that the broker is this user's or root's. Root may also name another user's broker. */
static int peer_check(int fd, const char *address, bool named, struct fault *fault)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return fault_set(fault, errno, "cannot tell whose broker is on %s: %s", address,
				 strerror(errno));
	if (user_is_unmapped(peer.uid))
		return fault_set(fault, EPERM,
				 "the broker on %s may be another user's: here user %u also stands "
				 "for each user that this user namespace does not map (let it map "
				 "your user to another number, as memtun netns --map-root does)",
				 address, peer.uid);
	if (peer.uid == geteuid() || peer.uid == 0 || (geteuid() == 0 && named))
		return 0;
	return fault_set(fault, EPERM, "the broker on %s is user %u's", address, peer.uid);
}

/* Limit how long connect(2) waits while the listener's backlog is full. */
static int limit_set(int fd, int timeout)
{
	struct timeval limit = {timeout / 1000, timeout % 1000 * 1000};

	/* The kernel takes 0 for no limit. */
	if (timeout == 0)
		limit.tv_usec = 1;
	return timeout < 0 ? 0 : setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* Fill the fault for an error of connect(2). Return -1. */
static int connect_failed(const char *address, int error, struct fault *fault)
{
	if (error == EAGAIN)
		return fault_set(fault, ETIMEDOUT, "the broker on %s accepts no connection",
				 address);
	return fault_set(fault, error, "cannot connect to %s: %s", address,
			 error == ENOENT || error == ECONNREFUSED
				 ? "no broker listens there; memtund --socket starts one"
				 : strerror(error));
}

static int connect_to(const char *address, bool named, int timeout, struct fault *fault)
{
	descriptor_owned fd = -1;
	struct sockaddr_un name;
	socklen_t size;

	if (control_socket_parse(address, &name, &size, fault) < 0)
		return -1;
	fd = descriptor_above_standard(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	if (fd < 0 || limit_set(fd, timeout) < 0)
		return fault_set(fault, errno, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&name, size) < 0)
		return connect_failed(address, errno, fault);
	if (peer_check(fd, address, named, fault) < 0)
		return -1;
	return descriptor_take(&fd);
}

int control_connect(const char *address, int timeout, struct fault *fault)
{
	const char *given = address ? address : getenv("MEMTUN_SOCKET");
	char places[4][CONTROL_ADDRESS_SIZE] = {"", "", "", "/run/memtun/control"};
	int fd;

	if (given && (address || given[0]))
		return connect_to(given, true, timeout, fault);
	control_place_runtime(places[0]);
	control_place_login(places[1]);
	control_place_temporary(places[2]);
	if (strcmp(places[0], places[1]) == 0)
		places[0][0] = '\0';
	for (int i = 0; i < 4; i++) {
		struct fault passed;

		if (!places[i][0] || access(places[i], F_OK) < 0)
			continue;
		if (i == 2 && control_place_check(places[i], false, fault) < 0)
			return -1;
		fd = connect_to(places[i], false, timeout, &passed);
		if (fd >= 0)
			return fd;
		/* EACCES: a broker of root, which doesn't admit this user. */
		if (passed.error != ECONNREFUSED && passed.error != ENOENT &&
		    passed.error != EACCES) {
			*fault = passed;
			return failed(passed.error);
		}
	}
	/* The places come last, because the text may be truncated. */
	return fault_set(fault, ENOENT,
			 "no broker is running for this user%s (looked for %s%s%s, %s and %s)",
			 user_is_root_of_namespace()
				 ? ", root of a user namespace; --socket or MEMTUN_SOCKET names "
				   "one outside"
				 : "; memtund starts one",
			 places[0], places[0][0] ? ", " : "", places[1], places[2], places[3]);
}
