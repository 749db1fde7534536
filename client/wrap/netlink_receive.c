/* SPDX-License-Identifier: MIT */
/*
 * recvmsg(2), recvmmsg(2), and recvfrom(2) with an address, on a replaced socket: the sender's
 * address must be the kernel's, which the socket of a pair does not give. A datagram is removed
 * only after it was written to the program, so none is lost where the program has ended meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "client/wrap/memory.h"
#include "client/wrap/netlink_socket.h"
#include "common/clock.h"
#include "common/descriptor.h"

/* Milliseconds between two looks at the signals of the threads that wait. */
#define CHECK_INTERVAL 50

/* The longest datagram that the supervisor or the kernel sends, in bytes. */
#define DATAGRAM_MAX 65536

/* The kernel's ERESTARTSYS: the call is made again after the signal's handler, or is EINTR. */
#define RESTART 512

/* Where the parts of a receiving call are in the program. */
struct destination {
	struct msghdr header;         /* of recvfrom made of its arguments; of recvmsg a copy */
	struct iovec part;            /* the only one, if header.msg_iovlen is 1 */
	unsigned long header_at;      /* where the structure is; 0: there is none */
	unsigned long name_length_at; /* of recvfrom */
	unsigned long count_at;       /* the msg_len of a struct mmsghdr; 0: there is none */
	int flags;
};

/* ------------------------------------------------------------------------------ the call */

static int message_read(const struct call *call, unsigned long at, struct destination *destination)
{
	struct msghdr *header = &destination->header;

	destination->header_at = at;
	if (memory_copy(call, header, at, sizeof(*header), false) < 0)
		return -errno;
	if (header->msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	if (header->msg_name && (int)header->msg_namelen < 0)
		return -EINVAL;
	if (header->msg_iovlen == 1 &&
	    memory_copy(call, &destination->part, (unsigned long)header->msg_iov,
			sizeof(destination->part), false) < 0)
		return -errno;
	return 0;
}

static int address_read(const struct call *call, struct destination *destination)
{
	int room;

	destination->part.iov_base = (void *)call->arguments[1];
	destination->part.iov_len = call->arguments[2];
	destination->flags = (int)call->arguments[3];
	destination->name_length_at = call->arguments[5];
	destination->header.msg_iovlen = 1;
	destination->header.msg_name = (void *)call->arguments[4];
	if (memory_copy(call, &room, destination->name_length_at, sizeof(room), false) < 0)
		return -errno;
	if (room < 0)
		return -EINVAL;
	destination->header.msg_namelen = (unsigned int)room;
	return 0;
}

/* Read where the call wants its datagram. Return 0 or a negative errno. */
static int destination_read(const struct call *call, struct destination *destination)
{
	memset(destination, 0, sizeof(*destination));
	switch (call->kind) {
	case CALL_RECVFROM:
		return address_read(call, destination);
	case CALL_RECVMSG:
		destination->flags = (int)call->arguments[2];
		return message_read(call, call->arguments[1], destination);
	default:
		/* One message, which recvmmsg(2) may always return. */
		destination->flags = (int)call->arguments[3];
		if (!call->arguments[2])
			return -EINVAL;
		destination->count_at = call->arguments[1] + offsetof(struct mmsghdr, msg_len);
		return message_read(call, call->arguments[1], destination);
	}
}

/* Write the datagram's bytes into the parts. Return how many fitted, or a negative errno. */
static long bytes_write(const struct call *call, const struct destination *destination, char *bytes,
			size_t length)
{
	const struct iovec *parts = destination->header.msg_iov;
	size_t done = 0;

	for (size_t i = 0; i < destination->header.msg_iovlen && done < length; i++) {
		struct iovec part = destination->part;
		size_t some;

		if (destination->header.msg_iovlen > 1 &&
		    memory_copy(call, &part, (unsigned long)&parts[i], sizeof(part), false) < 0)
			return -errno;
		some = part.iov_len < length - done ? part.iov_len : length - done;
		if (some &&
		    memory_copy(call, bytes + done, (unsigned long)part.iov_base, some, true) < 0)
			return -errno;
		done += some;
	}
	return (long)done;
}

/* Write the kernel's address as the sender, and its length into the header. */
static int name_write(const struct call *call, struct destination *destination)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	unsigned int room = destination->header.msg_namelen;

	if (room > sizeof(kernel))
		room = sizeof(kernel);
	if (room && destination->header.msg_name &&
	    memory_copy(call, &kernel, (unsigned long)destination->header.msg_name, room, true) < 0)
		return -errno;
	destination->header.msg_namelen = destination->header.msg_name ? sizeof(kernel) : 0;
	return 0;
}

/* Write the rest: the structures with the lengths. */
static int header_write(const struct call *call, struct destination *destination, bool is_truncated,
			unsigned int length)
{
	struct msghdr *header = &destination->header;
	int result = name_write(call, destination);

	if (result < 0)
		return result;
	header->msg_controllen = 0;
	header->msg_flags = is_truncated ? MSG_TRUNC : 0;
	if (destination->header_at)
		result = memory_copy(call, header, destination->header_at, sizeof(*header), true);
	else
		result = memory_copy(call, &header->msg_namelen, destination->name_length_at,
				     sizeof(header->msg_namelen), true);
	if (result == 0 && destination->count_at)
		result = memory_copy(call, &length, destination->count_at, sizeof(length), true);
	return result < 0 ? -errno : 0;
}

/* Receive a datagram. Return the call's value, or a negative errno. */
static long receive(struct netlink_socket *socket, const struct call *call,
		    struct destination *destination)
{
	memory_owned char *bytes = malloc(DATAGRAM_MAX);
	ssize_t length;
	long written;
	int result;

	if (!bytes)
		return -ENOBUFS;
	length = recv(socket->theirs, bytes, DATAGRAM_MAX, MSG_DONTWAIT | MSG_PEEK);
	if (length < 0)
		return -errno;
	written = bytes_write(call, destination, bytes, (size_t)length);
	if (written < 0)
		return written;
	if (destination->flags & MSG_TRUNC)
		result = header_write(call, destination, written < length, (unsigned int)length);
	else
		result = header_write(call, destination, written < length, (unsigned int)written);
	if (result < 0)
		return result;
	if (!(destination->flags & MSG_PEEK))
		recv(socket->theirs, bytes, 0, MSG_DONTWAIT);
	if (destination->count_at)
		return 1;
	return destination->flags & MSG_TRUNC ? length : written;
}

/* ------------------------------------------------------------------------------ waiting */

/* Return when a call that waits has waited long enough; -1: never. */
static int64_t deadline_of(const struct netlink_socket *socket)
{
	struct timeval limit = {0};
	socklen_t length = sizeof(limit);

	if (getsockopt(socket->theirs, SOL_SOCKET, SO_RCVTIMEO, &limit, &length) < 0 ||
	    (!limit.tv_sec && !limit.tv_usec))
		return -1;
	return clock_now() + (int64_t)limit.tv_sec * CLOCK_SECOND + (int64_t)limit.tv_usec * 1000;
}

static bool is_blocking(const struct netlink_socket *socket, int flags)
{
	return !(flags & MSG_DONTWAIT) && !(fcntl(socket->theirs, F_GETFL) & O_NONBLOCK);
}

/* Hold the call until there is a datagram. Return 0, or a negative errno. */
static int hold(struct netlink_socket *socket, const struct call *call)
{
	struct netlink_held *held = malloc(sizeof(*held));

	if (!held)
		return -ENOBUFS;
	held->socket = socket;
	held->call = *call;
	held->deadline = deadline_of(socket);
	LIST_INSERT_HEAD(&socket->sockets->held, held, link);
	return 0;
}

void netlink_receive(struct netlink_socket *socket, struct call *call)
{
	struct destination destination;
	long result = destination_read(call, &destination);

	if (result == 0)
		result = receive(socket, call, &destination);
	if (result == -EAGAIN && is_blocking(socket, destination.flags)) {
		result = hold(socket, call);
		if (result == 0)
			return;
	}
	call->operations->answer(call, result);
}

static void release(struct netlink_held *held, long result)
{
	held->call.operations->answer(&held->call, result);
	LIST_REMOVE(held, link);
	free(held);
}

void netlink_held_retry(struct netlink_socket *socket)
{
	struct netlink_held *held, *next;

	LIST_FOREACH_SAFE(held, &socket->sockets->held, link, next) {
		struct destination destination;
		long result;

		if (held->socket != socket)
			continue;
		result = destination_read(&held->call, &destination);
		if (result == 0)
			result = receive(socket, &held->call, &destination);
		if (result != -EAGAIN)
			release(held, result);
	}
}

/* Return a set of signals of /proc/PID/status. */
static unsigned long long signal_set(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

/* Return whether a signal that the thread catches waits for it. */
static bool has_signal(pid_t thread)
{
	char path[48], status[4096];
	unsigned long long pending;
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	file = fopen(path, "re");
	if (!file)
		return false;
	length = fread(status, 1, sizeof(status) - 1, file);
	status[length] = '\0';
	fclose(file);
	pending = signal_set(status, "SigPnd:") | signal_set(status, "ShdPnd:");
	return pending & ~signal_set(status, "SigBlk:") & signal_set(status, "SigCgt:");
}

void netlink_held_check(struct netlink_sockets *sockets)
{
	struct netlink_held *held, *next;

	LIST_FOREACH_SAFE(held, &sockets->held, link, next) {
		if (!held->call.operations->is_waiting(&held->call)) {
			LIST_REMOVE(held, link);
			free(held);
		} else if (held->deadline >= 0 && clock_now() >= held->deadline) {
			release(held, -EAGAIN);
		} else if (has_signal(held->call.thread)) {
			/* As sock_intr_errno() in the kernel. */
			release(held, held->deadline < 0 ? -RESTART : -EINTR);
		}
	}
}

int netlink_timeout(const struct netlink_sockets *sockets)
{
	return LIST_EMPTY(&sockets->held) ? -1 : CHECK_INTERVAL;
}
