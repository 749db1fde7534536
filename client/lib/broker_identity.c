/* SPDX-License-Identifier: MIT */
#include "client/lib/broker_identity.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "common/identity.h"

uint64_t broker_identity(const struct memtun *memtun)
{
	/* The last byte stays zero: a path may fill the rest. */
	struct sockaddr_un address = {0};
	socklen_t size = sizeof(address) - 1;

	getpeername(memtun_fd(memtun), (struct sockaddr *)&address, &size);
	/* An abstract name begins with a zero byte. */
	return identity_hash(address.sun_path[0] ? address.sun_path : address.sun_path + 1);
}
