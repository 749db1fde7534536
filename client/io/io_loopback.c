/* SPDX-License-Identifier: MIT */
/*
 * The loopback device: a datagram socket that is its own peer. read(2), write(2), poll(2) and
 * duplicates therefore work on it without this library. The socket's buffer bounds what is written
 * and not yet read; a blocking write to a full buffer waits until another thread reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "client/io/io_parts.h"
#include "common/descriptor.h"

/*
 * To be connected to itself, a socket needs an address. The kernel picks a free one in the abstract
 * namespace. Once connected, the socket accepts no other sender (unix_may_send() in the kernel).
 */

static int loopback_open(void *context, int flags, void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(address);
	descriptor_owned fd = descriptor_above_standard(socket(
		AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | (flags & O_NONBLOCK ? SOCK_NONBLOCK : 0), 0));

	(void)context;
	*state = NULL;
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
	    connect(fd, (struct sockaddr *)&address, size) < 0 ||
	    (!(flags & O_CLOEXEC) && fcntl(fd, F_SETFD, 0) < 0))
		return -1;
	return descriptor_take(&fd);
}

const struct memtun_io_device memtun_io_loopback = {.open = loopback_open};
