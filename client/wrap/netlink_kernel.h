/* SPDX-License-Identifier: MIT */
/*
 * What the kernel answers to a request, asked on the twin of a replaced socket.
 */
#ifndef MEMTUN_NETLINK_KERNEL_H
#define MEMTUN_NETLINK_KERNEL_H

#include <libmnl/libmnl.h>

#include "client/wrap/rtnetlink_reply.h"

struct netlink_socket;

/*
 * Ask the kernel, and append its messages but not the last one: that is NLMSG_DONE of a dump, and
 * else NLMSG_ERROR, which is an acknowledgement also if the request has not asked for one. Return
 * the last one in *end, at most REPLY_MESSAGE bytes of it; nlmsg_len 0: there was none.
 * Notifications that arrive meanwhile go to the program. -1 with errno: the request could not be
 * sent.
 */
int kernel_ask(struct netlink_socket *socket, const struct nlmsghdr *request, struct reply *reply,
	       struct reply *end);

/* Return the length of the prefix, in bits, of the kernel's route to the destination of this
 * RTM_GETROUTE. -1: it has none, or a kernel before 4.13 does not say. */
int kernel_route_length(struct netlink_socket *socket, const struct nlmsghdr *request);

/* Pass on the notifications that have arrived. */
void kernel_notifications(struct netlink_socket *socket);

#endif
