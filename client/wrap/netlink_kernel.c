/* SPDX-License-Identifier: MIT */
#include "client/wrap/netlink_kernel.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/wrap/netlink_socket.h"
#include "client/wrap/rtnetlink_answer.h"
#include "common/descriptor.h"
#include "common/failed.h"

/* Bytes: more than the 32 KiB of the kernel's longest datagram of a dump. */
#define DATAGRAM_MAX 65536

/* The program's request as it is sent, and the messages that answer it. */
struct asked {
	struct netlink_socket *socket;
	const struct nlmsghdr *request;
	struct reply *reply, *end;
	bool is_dump;
};

static bool is_answer(const struct asked *asked, const struct nlmsghdr *message)
{
	return message->nlmsg_seq == asked->request->nlmsg_seq &&
	       message->nlmsg_pid == asked->socket->port;
}

/* Keep the last message, in which the kernel repeats the header that it was sent. */
static void end_keep(const struct asked *asked, const struct nlmsghdr *message)
{
	struct nlmsghdr *end;
	struct nlmsgerr *error;

	reply_append(asked->end, message);
	if (message->nlmsg_type != NLMSG_ERROR || !asked->end->used)
		return;
	end = (void *)asked->end->bytes;
	error = mnl_nlmsg_get_payload(end);
	error->msg.nlmsg_flags = asked->request->nlmsg_flags;
}

/* Sort the messages of a datagram. Return true after the last one. */
static bool datagram_take(const struct asked *asked, const char *bytes, int length)
{
	const struct nlmsghdr *message = (const void *)bytes;

	if (!is_answer(asked, message)) {
		netlink_socket_send_one(asked->socket, bytes, (size_t)length);
		return false;
	}
	for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
		if (message->nlmsg_type == NLMSG_ERROR ||
		    (asked->is_dump && message->nlmsg_type == NLMSG_DONE)) {
			end_keep(asked, message);
			return true;
		}
		reply_append(asked->reply, message);
	}
	return false;
}

static int request_send(struct netlink_socket *socket, const struct nlmsghdr *request,
			unsigned int flags)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct nlmsghdr header = *request;
	struct iovec parts[] = {
		{&header, sizeof(header)},
		{(char *)(uintptr_t)request + sizeof(header), request->nlmsg_len - sizeof(header)},
	};
	struct msghdr message = {
		.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
		.msg_iov = parts,
		.msg_iovlen = 2,
	};

	header.nlmsg_flags |= (uint16_t)flags;
	return sendmsg(socket->twin, &message, 0) < 0 ? -1 : 0;
}

int kernel_ask(struct netlink_socket *socket, const struct nlmsghdr *request, struct reply *reply,
	       struct reply *end)
{
	struct asked asked = {
		.socket = socket,
		.request = request,
		.reply = reply,
		.end = end,
		.is_dump = rtnetlink_is_dump(request),
	};
	memory_owned char *bytes = malloc(DATAGRAM_MAX);
	bool is_last = false;

	if (!bytes || request_send(socket, request, asked.is_dump ? 0 : NLM_F_ACK) < 0)
		return -1;
	while (!is_last) {
		ssize_t length = recv(socket->twin, bytes, DATAGRAM_MAX, MSG_DONTWAIT);

		/* The socket's buffer was too small for all notifications. */
		if (length < 0 && errno == ENOBUFS)
			continue;
		if (length < (ssize_t)sizeof(struct nlmsghdr))
			break;
		is_last = datagram_take(&asked, bytes, (int)length);
	}
	return 0;
}

/* Return the request with RTM_F_FIB_MATCH, in a copy that the caller frees. */
static struct nlmsghdr *with_match(const struct nlmsghdr *request)
{
	struct nlmsghdr *copy = malloc(request->nlmsg_len);
	struct rtmsg *route;

	if (!copy)
		return NULL;
	memcpy(copy, request, request->nlmsg_len);
	route = mnl_nlmsg_get_payload(copy);
	route->rtm_flags |= RTM_F_FIB_MATCH;
	return copy;
}

int kernel_route_length(struct netlink_socket *socket, const struct nlmsghdr *request)
{
	memory_owned struct nlmsghdr *copy = with_match(request);
	struct reply reply = {0}, end = {0};
	int length = -1;

	if (copy && kernel_ask(socket, copy, &reply, &end) == 0 &&
	    reply.used >= mnl_nlmsg_size(sizeof(struct rtmsg))) {
		const struct rtmsg *route = mnl_nlmsg_get_payload((const void *)reply.bytes);

		length = route->rtm_dst_len;
	}
	reply_free(&reply);
	reply_free(&end);
	return length;
}

void kernel_notifications(struct netlink_socket *socket)
{
	memory_owned char *bytes = malloc(DATAGRAM_MAX);
	ssize_t length;

	if (!bytes)
		return;
	while ((length = recv(socket->twin, bytes, DATAGRAM_MAX, MSG_DONTWAIT)) > 0)
		netlink_socket_send_one(socket, bytes, (size_t)length);
	netlink_held_retry(socket);
}
