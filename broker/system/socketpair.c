/* SPDX-License-Identifier: MIT */
#include "broker/system/socketpair.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/descriptor.h"
#include "common/descriptor_reserve.h"

int socketpair_check_default_buffer(bool *fits)
{
	socklen_t size = sizeof(int);
	int buffer = 0;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	*fits = getsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &buffer, &size) == 0 &&
		buffer == SOCKETPAIR_BUFFER;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static int socket_set_buffer(int fd)
{
	/* socket(7): the kernel doubles the value that is set. */
	int size = SOCKETPAIR_BUFFER / 2;

	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int socket_inode(int fd, ino_t *inode)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -1;
	*inode = status.st_ino;
	return 0;
}

int socketpair_open(enum memtun_socket type, bool default_buffer_fits, int ends[2],
		    ino_t *client_inode)
{
	static const int types[] = {
		[MEMTUN_SEQPACKET] = SOCK_SEQPACKET,
		[MEMTUN_DGRAM] = SOCK_DGRAM,
		[MEMTUN_STREAM] = SOCK_STREAM,
	};

	if (socketpair(AF_UNIX, types[type] | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	if ((!default_buffer_fits &&
	     (socket_set_buffer(ends[0]) < 0 || socket_set_buffer(ends[1]) < 0)) ||
	    socket_inode(ends[1], client_inode) < 0 || descriptor_check_reserve(ends[0]) < 0 ||
	    descriptor_check_reserve(ends[1]) < 0) {
		descriptor_close(&ends[0]);
		descriptor_close(&ends[1]);
		return -1;
	}
	descriptor_refuse_others(ends[0]);
	return 0;
}
