/* SPDX-License-Identifier: MIT */
/*
 * The requests that a program sends on a replaced socket: answered by rtnetlink_answer(), by the
 * kernel, or by both. The answer is queued before the program's call returns, as the kernel does.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "client/wrap/interface.h"
#include "client/wrap/interface_publish.h"
#include "client/wrap/netlink_kernel.h"
#include "client/wrap/netlink_socket.h"
#include "client/wrap/network.h"
#include "client/wrap/rtnetlink_answer.h"
#include "client/wrap/rtnetlink_message.h"

/* Bytes of the longest datagram that is read from a program: that of a batch of tc(8) is
 * shorter. */
#define REQUEST_MAX 65536

/* How many sockets are served before other calls have their turn. */
#define DISPATCH_MAX 64

/* One datagram's answer. */
struct exchange {
	struct netlink_socket *socket;
	pid_t process;
	bool is_strict, is_capped;
	struct reply reply;
};

/* Return whether the option of SOL_NETLINK is on. */
static bool option_is_on(const struct netlink_socket *socket, int option)
{
	int value = 0;
	socklen_t length = sizeof(value);

	return getsockopt(socket->twin, SOL_NETLINK, option, &value, &length) == 0 && value;
}

static void append_error(struct exchange *exchange, const struct nlmsghdr *request, int error)
{
	reply_error(&exchange->reply, request, exchange->socket->port, error, exchange->is_capped);
}

static void append_all(struct reply *reply, const struct reply *messages)
{
	for (size_t at = 0; at < messages->used;) {
		const struct nlmsghdr *message = (const void *)(messages->bytes + at);

		reply_append(reply, message);
		at += MNL_ALIGN(message->nlmsg_len);
	}
}

/* Return the error in the kernel's last message: that of NLMSG_ERROR or of NLMSG_DONE. */
static int end_error(const struct reply *end)
{
	const struct nlmsghdr *message = (const void *)end->bytes;
	int error = 0;

	if (end->used && mnl_nlmsg_get_payload_len(message) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(message), sizeof(error));
	return error;
}

/* Append the kernel's last message: an acknowledgement only if the program has asked for it. */
static void append_end(struct exchange *exchange, const struct nlmsghdr *request,
		       const struct reply *end)
{
	const struct nlmsghdr *message = (const void *)end->bytes;

	if (end->used && (message->nlmsg_type == NLMSG_DONE || end_error(end) ||
			  request->nlmsg_flags & NLM_F_ACK))
		append_all(&exchange->reply, end);
}

/* Return whether the request changes something. For such a request, the kernel must check the rights
 * of the program and not those of this process. */
static bool is_forbidden(const struct exchange *exchange, const struct nlmsghdr *request)
{
	return request->nlmsg_flags & NLM_F_REQUEST && request->nlmsg_type >= RTM_BASE &&
	       ((request->nlmsg_type - RTM_BASE) & 3) != 2 &&
	       !network_may_change(exchange->process);
}

/* Answer with the kernel's messages and then with ours. */
static void answer_both(struct exchange *exchange, const struct nlmsghdr *request,
			const struct reply *ours)
{
	struct reply end = {0};

	if (kernel_ask(exchange->socket, request, &exchange->reply, &end) < 0) {
		append_error(exchange, request, -errno);
		return;
	}
	append_all(&exchange->reply, ours);
	/* The kernel may have no table with that number while we have. */
	if (end_error(&end) && ours->used)
		reply_done(&exchange->reply, request, exchange->socket->port);
	else
		append_end(exchange, request, &end);
	reply_free(&end);
}

static void answer_ours(struct exchange *exchange, const struct nlmsghdr *request,
			const struct reply *ours, int error)
{
	append_all(&exchange->reply, ours);
	if (error == 0 && rtnetlink_is_dump(request))
		reply_done(&exchange->reply, request, exchange->socket->port);
	else if (error || request->nlmsg_flags & NLM_F_ACK)
		append_error(exchange, request, error);
}

/* Carry the request out here, and tell the broker what it has changed. */
static struct rtnetlink_result request_carry_out(const struct exchange *exchange,
						 const struct nlmsghdr *request, struct reply *ours)
{
	struct netlink_socket *socket = exchange->socket;
	struct interfaces *interfaces = socket->sockets->interfaces;
	struct rtnetlink_result result = {0};
	int told = -ESTALE;

	for (int i = 0; told == -ESTALE && i < INTERFACE_PUBLISH_TRIES; i++) {
		reply_free(ours);
		*ours = (struct reply){0};
		result = rtnetlink_answer(interfaces, request, socket->port, exchange->is_strict,
					  ours);
		told = interface_publish_request(interfaces);
	}
	if (told < 0 && result.error == 0)
		result.error = told == -ESTALE ? -EBUSY : told;
	return result;
}

static void request_answer(struct exchange *exchange, const struct nlmsghdr *request)
{
	static const struct reply none;
	struct netlink_socket *socket = exchange->socket;
	struct reply ours = {0};
	struct rtnetlink_result result = request_carry_out(exchange, request, &ours);

	if (result.part == RTNETLINK_LONGER)
		result.part = kernel_route_length(socket, request) > result.route_length
				      ? RTNETLINK_KERNEL
				      : RTNETLINK_OURS;
	if (ours.is_short)
		append_error(exchange, request, -ENOBUFS);
	else if (result.part == RTNETLINK_OURS)
		answer_ours(exchange, request, &ours, result.error);
	else if (result.part == RTNETLINK_KERNEL && is_forbidden(exchange, request))
		append_error(exchange, request, -EPERM);
	else
		answer_both(exchange, request, result.part == RTNETLINK_BOTH ? &ours : &none);
	reply_free(&ours);
}

void netlink_serve(struct netlink_socket *socket, pid_t process, const void *datagram,
		   size_t length)
{
	struct exchange exchange = {
		.socket = socket,
		.process = process,
		.is_strict = option_is_on(socket, NETLINK_GET_STRICT_CHK),
		.is_capped = option_is_on(socket, NETLINK_CAP_ACK),
	};
	const struct nlmsghdr *request = datagram;
	int left = (int)length;

	if (!socket->port && netlink_socket_name(socket, 0, 0) < 0)
		return;
	interface_refresh_all(socket->sockets->interfaces);
	for (; mnl_nlmsg_ok(request, left); request = mnl_nlmsg_next(request, &left))
		request_answer(&exchange, request);
	netlink_socket_send(socket, &exchange.reply);
	reply_free(&exchange.reply);
}

/* ------------------------------------------------------------------------------ events */

/* Return the process that sent the datagram; 0: unknown. */
static pid_t sender_of(struct msghdr *message)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);
	struct ucred sender = {0};

	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS)
		memcpy(&sender, CMSG_DATA(header), sizeof(sender));
	return sender.pid;
}

/* Serve what the program has written by calls that are not reported, as write(2). */
static void socket_read(struct netlink_socket *socket)
{
	static union {
		struct nlmsghdr header;
		char bytes[REQUEST_MAX];
	} datagram;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = {&datagram, sizeof(datagram)};

	for (;;) {
		struct msghdr message = {
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t length = recvmsg(socket->ours, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (length <= 0)
			return;
		netlink_serve(socket, sender_of(&message), &datagram, (size_t)length);
	}
}

void netlink_dispatch(struct netlink_sockets *sockets)
{
	struct epoll_event event;

	/* One at a time: serving one can free others. The rest comes with the next call. */
	for (int i = 0; i < DISPATCH_MAX && epoll_wait(sockets->epoll, &event, 1, 0) > 0; i++) {
		struct netlink_socket *socket = event.data.ptr;

		if (event.events & EPOLLOUT)
			netlink_socket_flush(socket);
		socket_read(socket);
		kernel_notifications(socket);
	}
}

/* ------------------------------------------------------------------------------ notifications */

/* Return whether the socket is in the group. */
static bool is_member(const struct netlink_socket *socket, unsigned int group)
{
	uint32_t groups[8] = {0};
	socklen_t length = sizeof(groups);

	if (getsockopt(socket->twin, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &length) < 0)
		return false;
	return groups[(group - 1) / 32] >> (group - 1) % 32 & 1;
}

void netlink_notify(struct netlink_sockets *sockets, const struct interface *interface,
		    const struct state_change *change, bool is_gone)
{
	union message message;
	unsigned int group;
	struct netlink_socket *socket;

	if (RB_EMPTY(&sockets->by_inode))
		return;
	group = message_change(&message, interface, change, is_gone);
	RB_FOREACH(socket, netlink_tree, &sockets->by_inode) {
		if (!is_member(socket, group))
			continue;
		netlink_socket_send_one(socket, &message, message.header.nlmsg_len);
		netlink_held_retry(socket);
	}
}
