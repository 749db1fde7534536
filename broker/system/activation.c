/* SPDX-License-Identifier: MIT */
#include "broker/system/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/descriptor.h"

/* The number of the first descriptor: SD_LISTEN_FDS_START of sd_listen_fds(3). */
#define ACTIVATION_FIRST 3

/* Return whether the environment has descriptors for this process, and not for its parent. */
static bool activation_is_for_this_process(void)
{
	const char *pid = getenv("LISTEN_PID");
	const char *wrong;

	if (!pid || !getenv("LISTEN_FDS"))
		return false;
	return strtonum(pid, 1, INT32_MAX, &wrong) == getpid();
}

/* Return how many descriptors are passed; -1: the variable has no such number. */
static int activation_count(void)
{
	const char *wrong;
	int count = (int)strtonum(getenv("LISTEN_FDS"), 0, 1 << 20, &wrong);

	return wrong ? -1 : count;
}

static void activation_forget(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_PIDFDID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

static int socket_option(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

/* Store the socket's address as memtund's --socket has it. Return false if it has none. */
static bool address_read(int fd, char address[CONTROL_ADDRESS_SIZE])
{
	struct sockaddr_un name = {0};
	socklen_t size = sizeof(name);
	size_t length;

	if (getsockname(fd, (struct sockaddr *)&name, &size) < 0 ||
	    size <= offsetof(struct sockaddr_un, sun_path) + 1)
		return false;
	length = size - offsetof(struct sockaddr_un, sun_path);
	if (length >= CONTROL_ADDRESS_SIZE)
		length = CONTROL_ADDRESS_SIZE - 1;
	memcpy(address, name.sun_path, length);
	address[length] = '\0';
	if (address[0] == '\0')
		address[0] = '@';
	return true;
}

static int activation_check(int fd, char address[CONTROL_ADDRESS_SIZE], struct fault *fault)
{
	if (fcntl(fd, F_GETFD) < 0)
		return fault_set(fault, errno, "LISTEN_FDS: descriptor %d: %s", fd,
				 strerror(errno));
	if (socket_option(fd, SO_DOMAIN) != AF_UNIX ||
	    socket_option(fd, SO_TYPE) != SOCK_SEQPACKET || socket_option(fd, SO_ACCEPTCONN) != 1 ||
	    !address_read(fd, address))
		return fault_set(fault, EINVAL,
				 "LISTEN_FDS: descriptor %d is not a listening UNIX socket of type "
				 "SOCK_SEQPACKET, as ListenSequentialPacket= makes",
				 fd);
	return 0;
}

int activation_take(struct control_socket *control, char address[CONTROL_ADDRESS_SIZE],
		    struct fault *fault)
{
	int fd = ACTIVATION_FIRST, count;

	if (!activation_is_for_this_process())
		return 0;
	count = activation_count();
	activation_forget();
	if (count == 0)
		return 0;
	if (count < 0)
		return fault_set(fault, EINVAL, "LISTEN_FDS is not a number of descriptors");
	if (count > 1)
		return fault_set(fault, EINVAL, "LISTEN_FDS: memtund takes one descriptor, not %d",
				 count);
	if (activation_check(fd, address, fault) < 0)
		return -1;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return fault_set(fault, errno, "LISTEN_FDS: descriptor %d: %s", fd,
				 strerror(errno));
	/* A client that has connected already can send descriptors, so this socket counts as one that
	 * does not refuse them. */
	(void)descriptor_refuse_others(fd);
	*control = (struct control_socket){.fd = fd, .lock = -1};
	return 1;
}
