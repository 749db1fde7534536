/* SPDX-License-Identifier: MIT */
/*
 * Owned descriptors, and how a socket's peer ends. A variable with `descriptor_owned` closes its
 * descriptor on each way out of its scope, and is -1 once the descriptor has been given away. All
 * is inline, so that the libraries that do without the rest of common/ can use it.
 */
#ifndef MEMTUN_DESCRIPTOR_H
#define MEMTUN_DESCRIPTOR_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Linux 6.16 has it; older headers do not. */
#if !defined(SO_PASSRIGHTS) && !defined(__hppa__) && !defined(__sparc__)
#define SO_PASSRIGHTS 83
#endif

/* Close *fd unless it is -1, and set it to -1. errno is left as it was. */
static inline void descriptor_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/*
 * Move the descriptor above the standard ones: return it, or, if it is 0, 1 or 2, a close-on-exec
 * duplicate in its place. Those numbers are free in a program that was started without them, and
 * whatever prints would write into the descriptor. -1 with errno; the descriptor is closed then.
 */
static inline int descriptor_above_standard(int fd)
{
	int above;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	descriptor_close(&fd);
	return above;
}

/* Return the descriptor, which the caller owns from now on, and set *fd to -1. */
static inline int descriptor_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/*
 * Return whether the socket's peer has closed or has shut down its sending side. Frames that the
 * peer sent before may still be unread. unix(7) reports no hang-up of a datagram socket.
 */
static inline bool descriptor_hung_up(int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLRDHUP};

	return poll(&polled, 1, 0) > 0 && (polled.revents & (POLLRDHUP | POLLHUP)) != 0;
}

/*
 * Return whether a zero-length read of the message socket means end of file, not an empty message:
 * the peer has hung up and nothing that it sent is unread. An empty message may come before others
 * in a socket whose peer has hung up already.
 */
static inline bool descriptor_at_end(int fd)
{
	int unread = 0;

	return descriptor_hung_up(fd) && (ioctl(fd, FIONREAD, &unread) < 0 || unread == 0);
}

/*
 * Have the kernel refuse descriptors that are sent to this UNIX socket: their sender gets EPERM. A
 * connection inherits this from its listening socket. A descriptor that waits in a socket keeps its
 * file open, so a client's own end there would keep the connection alive after the client's death.
 * Return false where the kernel cannot refuse them, which Linux can from 6.16 on.
 */
static inline bool descriptor_refuse_others(int fd)
{
#ifdef SO_PASSRIGHTS
	int passed = 0, saved = errno;
	bool refuses = setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &passed, sizeof(passed)) == 0;

	errno = saved;
	return refuses;
#else
	(void)fd;
	return false;
#endif
}

/* Free the memory that the variable at `pointer` points to; for memory_owned. */
static inline void memory_free(void *pointer)
{
	free(*(void **)pointer);
}

#define descriptor_owned __attribute__((cleanup(descriptor_close))) int
#define memory_owned __attribute__((cleanup(memory_free)))

#endif
