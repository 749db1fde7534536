/* SPDX-License-Identifier: MIT */
/*
 * Without IP_MULTICAST_IF datagrams would follow the route to the group, not the interface that was
 * joined: a LAN on loopback could be received from, but not sent to. IP_MULTICAST_LOOP is always
 * on, because without it the other members on this host would receive nothing.
 */
#include "common/multicast.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "common/descriptor.h"
#include "common/failed.h"

static int option_set(int fd, int option, int value)
{
	return setsockopt(fd, IPPROTO_IP, option, &value, sizeof(value));
}

int multicast_join(const struct sockaddr_in *group, struct in_addr interface)
{
	const struct ip_mreqn membership = {
		.imr_multiaddr = group->sin_addr,
		.imr_address = interface,
	};
	const int reuse = 1;
	descriptor_owned fd = descriptor_above_standard(
		socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) < 0)
		return -1;
	/* Else it would also receive from each interface on which another program joined the
	 * group. */
	if (option_set(fd, IP_MULTICAST_ALL, 0) < 0)
		return -1;
	if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof(membership)) < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)group, sizeof(*group)) < 0)
		return -1;
	return descriptor_take(&fd);
}

/* Open the sender. It is connected, so that the kernel chooses its address, and getsockname(2)
 * returns it. */
static int sender_open(const struct sockaddr_in *group, const struct multicast_options *options,
		       struct sockaddr_in *own)
{
	const struct ip_mreqn interface = {.imr_address = options->interface};
	const struct sockaddr_in any_port = {
		.sin_family = AF_INET,
		.sin_addr = options->interface,
	};
	socklen_t length = sizeof(*own);
	descriptor_owned fd = descriptor_above_standard(
		socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

	if (fd < 0)
		return -1;
	if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof(interface)) < 0 ||
	    option_set(fd, IP_MULTICAST_LOOP, 1) < 0 ||
	    option_set(fd, IP_MULTICAST_TTL, options->ttl) < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&any_port, sizeof(any_port)) < 0 ||
	    connect(fd, (const struct sockaddr *)group, sizeof(*group)) < 0 ||
	    getsockname(fd, (struct sockaddr *)own, &length) < 0)
		return -1;
	return descriptor_take(&fd);
}

int multicast_open(struct multicast *multicast, const struct multicast_options *options)
{
	*multicast = (struct multicast){
		.receiver = -1,
		.sender = -1,
		.group =
			{
				.sin_family = AF_INET,
				.sin_addr = options->group,
				.sin_port = options->port,
			},
		.loop = options->loop,
	};
	/* For the kernel -1 is the default ttl. It refuses all others that are out of bounds. */
	if (!IN_MULTICAST(ntohl(options->group.s_addr)) || options->port == 0 || options->ttl < 0)
		return failed(EINVAL);
	multicast->receiver = multicast_join(&multicast->group, options->interface);
	if (multicast->receiver < 0)
		return -1;
	multicast->sender = sender_open(&multicast->group, options, &multicast->own);
	if (multicast->sender < 0) {
		multicast_close(multicast);
		return -1;
	}
	return 0;
}

void multicast_close(struct multicast *multicast)
{
	descriptor_close(&multicast->receiver);
	descriptor_close(&multicast->sender);
}

static bool is_own(const struct multicast *multicast, const struct sockaddr_in *from)
{
	return from->sin_addr.s_addr == multicast->own.sin_addr.s_addr &&
	       from->sin_port == multicast->own.sin_port;
}

int multicast_receive(struct multicast *multicast, struct mmsghdr *messages, unsigned int count)
{
	struct sockaddr_in from[MULTICAST_BATCH];
	int received;

	assert(count <= MULTICAST_BATCH);
	for (unsigned int i = 0; i < count; i++) {
		messages[i].msg_hdr.msg_name = &from[i];
		messages[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	received = recvmmsg(multicast->receiver, messages, count, MSG_DONTWAIT, NULL);
	for (int i = 0; i < received; i++) {
		if (!multicast->loop && is_own(multicast, &from[i]))
			messages[i].msg_len = 0;
	}
	for (unsigned int i = 0; i < count; i++) {
		messages[i].msg_hdr.msg_name = NULL;
		messages[i].msg_hdr.msg_namelen = 0;
	}
	return received;
}

ssize_t multicast_send(struct multicast *multicast, const void *frame, size_t length)
{
	if (length == 0)
		return failed(EINVAL);
	return send(multicast->sender, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}
