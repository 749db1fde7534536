/* SPDX-License-Identifier: MIT */
/* The calls on a replaced socket, other than receiving ones: names, options and sending. */
#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "client/wrap/memory.h"
#include "client/wrap/netlink_socket.h"
#include "client/wrap/network.h"
#include "common/descriptor.h"

/* Bytes of the longest datagram that a program may send. */
#define DATAGRAM_MAX 65536

/* The longest option of SOL_NETLINK that a program can set, in bytes: an int. */
#define OPTION_MAX 256

/* What the functions below return for a call that the kernel is to carry out on the program's
 * end. */
#define PASS LONG_MAX

/* ------------------------------------------------------------------------------ names */

static long read_name(const struct call *call, unsigned long at, struct sockaddr_nl *name)
{
	if (memory_copy(call, name, at, sizeof(*name), false) < 0)
		return -errno;
	return name->nl_family == AF_NETLINK ? 0 : -EINVAL;
}

static long call_bind(struct netlink_socket *socket, const struct call *call)
{
	struct sockaddr_nl name;
	long result = read_name(call, call->arguments[1], &name);

	if (result < 0)
		return result;
	return netlink_socket_name(socket, name.nl_pid, name.nl_groups) < 0 ? -errno : 0;
}

static long call_connect(struct netlink_socket *socket, const struct call *call)
{
	struct sockaddr_nl name;
	long result = read_name(call, call->arguments[1], &name);

	if (result < 0)
		return name.nl_family == AF_UNSPEC && result == -EINVAL ? 0 : result;
	/* Only the kernel can be reached. */
	if (name.nl_pid || name.nl_groups)
		return -EPERM;
	return !socket->port && netlink_socket_name(socket, 0, 0) < 0 ? -errno : 0;
}

/* Write a value of that length as getsockname(2) and getsockopt(2) do. */
static long write_value(const struct call *call, void *value, int length, unsigned long at,
			unsigned long length_at, bool is_name)
{
	int room, written;

	if (memory_copy(call, &room, length_at, sizeof(room), false) < 0)
		return -errno;
	if (room < 0)
		return -EINVAL;
	written = room < length ? room : length;
	if (written && memory_copy(call, value, at, (size_t)written, true) < 0)
		return -errno;
	/* A name's length is told in full. */
	if (!is_name)
		length = written;
	return memory_copy(call, &length, length_at, sizeof(length), true) < 0 ? -errno : 0;
}

static long call_getsockname(struct netlink_socket *socket, const struct call *call)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK};
	socklen_t length = sizeof(name);

	if (getsockname(socket->twin, (struct sockaddr *)&name, &length) < 0)
		return -errno;
	return write_value(call, &name, sizeof(name), call->arguments[1], call->arguments[2], true);
}

static long call_getpeername(const struct call *call)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	return write_value(call, &kernel, sizeof(kernel), call->arguments[1], call->arguments[2],
			   true);
}

/* ------------------------------------------------------------------------------ options */

static long call_setsockopt(struct netlink_socket *socket, const struct call *call)
{
	int level = (int)call->arguments[1], option = (int)call->arguments[2];
	int length = (int)call->arguments[4];
	char value[OPTION_MAX];

	if (level != SOL_NETLINK)
		return PASS;
	if (length < 0 || length > OPTION_MAX)
		return -EINVAL;
	/* The kernel asks for a right that this process may have and the program not. */
	if (option == NETLINK_LISTEN_ALL_NSID && !network_may_change(call->thread))
		return -EPERM;
	if (length && memory_copy(call, value, call->arguments[3], (size_t)length, false) < 0)
		return -errno;
	return setsockopt(socket->twin, level, option, value, (socklen_t)length) < 0 ? -errno : 0;
}

static long call_getsockopt(struct netlink_socket *socket, const struct call *call)
{
	int level = (int)call->arguments[1], option = (int)call->arguments[2];
	char value[OPTION_MAX];
	socklen_t length = sizeof(value);
	int room, number;

	if (level == SOL_SOCKET) {
		if (option == SO_DOMAIN)
			number = AF_NETLINK;
		else if (option == SO_TYPE)
			number = socket->type;
		else if (option == SO_PROTOCOL)
			number = NETLINK_ROUTE;
		else
			return PASS;
		return write_value(call, &number, sizeof(number), call->arguments[3],
				   call->arguments[4], false);
	}
	if (level != SOL_NETLINK)
		return PASS;
	if (memory_copy(call, &room, call->arguments[4], sizeof(room), false) < 0)
		return -errno;
	if (room >= 0 && room < OPTION_MAX)
		length = (socklen_t)room;
	if (getsockopt(socket->twin, level, option, value, &length) < 0)
		return -errno;
	/* NETLINK_LIST_MEMBERSHIPS tells the length that it needs. */
	if (option == NETLINK_LIST_MEMBERSHIPS && room >= 0 && (int)length > room) {
		if (room && memory_copy(call, value, call->arguments[3], (size_t)room, true) < 0)
			return -errno;
		return memory_copy(call, &length, call->arguments[4], sizeof(length), true) < 0
			       ? -errno
			       : 0;
	}
	return write_value(call, value, (int)length, call->arguments[3], call->arguments[4], false);
}

/* ------------------------------------------------------------------------------ sending */

/* Check the destination: there is none but the kernel. */
static long destination_check(const struct call *call, unsigned long at, unsigned int length)
{
	struct sockaddr_nl name;
	long result;

	if (!at || !length)
		return 0;
	if (length < sizeof(name))
		return -EINVAL;
	result = read_name(call, at, &name);
	if (result == 0 && (name.nl_pid || name.nl_groups))
		return -EPERM;
	return result;
}

/* Copy the parts of a message. Return its length, or a negative errno. */
static long parts_read(const struct call *call, const struct msghdr *message, char *bytes)
{
	size_t length = 0;

	if (message->msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	for (size_t i = 0; i < message->msg_iovlen; i++) {
		struct iovec part;

		if (memory_copy(call, &part, (unsigned long)&message->msg_iov[i], sizeof(part),
				false) < 0)
			return -errno;
		if (part.iov_len > DATAGRAM_MAX - length)
			return -EMSGSIZE;
		if (part.iov_len && memory_copy(call, bytes + length, (unsigned long)part.iov_base,
						part.iov_len, false) < 0)
			return -errno;
		length += part.iov_len;
	}
	return (long)length;
}

/* Send the message at that address of the program. */
static long message_send(struct netlink_socket *socket, const struct call *call, unsigned long at)
{
	memory_owned char *bytes = malloc(DATAGRAM_MAX);
	struct msghdr message;
	long result;

	if (!bytes)
		return -ENOBUFS;
	if (memory_copy(call, &message, at, sizeof(message), false) < 0)
		return -errno;
	result = destination_check(call, (unsigned long)message.msg_name, message.msg_namelen);
	if (result == 0)
		result = parts_read(call, &message, bytes);
	if (result > 0)
		netlink_serve(socket, call->thread, bytes, (size_t)result);
	return result;
}

static long call_sendto(struct netlink_socket *socket, const struct call *call)
{
	size_t length = call->arguments[2];
	memory_owned char *bytes = malloc(DATAGRAM_MAX);
	long result = destination_check(call, call->arguments[4], (unsigned int)call->arguments[5]);

	if (result < 0)
		return result;
	if (!bytes)
		return -ENOBUFS;
	if (length > DATAGRAM_MAX)
		return -EMSGSIZE;
	if (length && memory_copy(call, bytes, call->arguments[1], length, false) < 0)
		return -errno;
	netlink_serve(socket, call->thread, bytes, length);
	return (long)length;
}

/* Send the first of the messages: sendmmsg(2) may always send fewer than it was given. */
static long call_sendmmsg(struct netlink_socket *socket, const struct call *call)
{
	unsigned long at = call->arguments[1];
	unsigned int length;
	long result;

	if (!call->arguments[2])
		return 0;
	result = message_send(socket, call, at);
	if (result < 0)
		return result;
	length = (unsigned int)result;
	return memory_copy(call, &length, at + offsetof(struct mmsghdr, msg_len), sizeof(length),
			   true) < 0
		       ? -errno
		       : 1;
}

/* ------------------------------------------------------------------------------ calls */

static long carry_out(struct netlink_socket *socket, const struct call *call)
{
	switch (call->kind) {
	case CALL_BIND:
		return call_bind(socket, call);
	case CALL_CONNECT:
		return call_connect(socket, call);
	case CALL_GETSOCKNAME:
		return call_getsockname(socket, call);
	case CALL_GETPEERNAME:
		return call_getpeername(call);
	case CALL_SETSOCKOPT:
		return call_setsockopt(socket, call);
	case CALL_GETSOCKOPT:
		return call_getsockopt(socket, call);
	case CALL_SENDTO:
		return call_sendto(socket, call);
	case CALL_SENDMSG:
		return message_send(socket, call, call->arguments[1]);
	case CALL_SENDMMSG:
		return call_sendmmsg(socket, call);
	default:
		return PASS;
	}
}

void netlink_call(struct netlink_socket *socket, struct call *call)
{
	long result;

	if (call->kind == CALL_RECVFROM || call->kind == CALL_RECVMSG ||
	    call->kind == CALL_RECVMMSG) {
		netlink_receive(socket, call);
		return;
	}
	result = carry_out(socket, call);
	if (result == PASS)
		call->operations->pass(call);
	else
		call->operations->answer(call, result);
}
