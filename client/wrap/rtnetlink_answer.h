/* SPDX-License-Identifier: MIT */
/*
 * The answer to one rtnetlink request about the interfaces of interface.h: GET, NEW and DEL of
 * LINK, ADDR, ROUTE and NEIGH. It needs no socket: the caller passes on to the kernel what is the
 * kernel's, and sends the messages.
 */
#ifndef MEMTUN_RTNETLINK_ANSWER_H
#define MEMTUN_RTNETLINK_ANSWER_H

#include <libmnl/libmnl.h>
#include <stdbool.h>

#include "client/wrap/rtnetlink_reply.h"

struct interfaces;

/*
 * Read in net/core/rtnetlink.c, net/core/neighbour.c, net/ipv4/devinet.c, net/ipv4/fib_frontend.c,
 * net/ipv6/addrconf.c and net/ipv6/route.c of Linux 6.18.
 */

/* Which side answers the request: the kernel, the supervisor, or both. */
enum rtnetlink_part {
	RTNETLINK_KERNEL, /* the kernel alone */
	RTNETLINK_OURS,   /* the messages of the reply alone, and then the error or NLMSG_DONE */
	RTNETLINK_BOTH,   /* the kernel's messages, those of the reply, and then NLMSG_DONE */
	RTNETLINK_LONGER, /* the reply, unless the kernel has a route with a longer prefix */
};

struct rtnetlink_result {
	enum rtnetlink_part part;
	int error;                  /* of RTNETLINK_OURS: 0 or a negative errno */
	unsigned char route_length; /* of RTNETLINK_LONGER: bits of our prefix */
};

/*
 * Carry out the request, and append the messages of its answer, without an error and without
 * NLMSG_DONE. `port` is that of the asking socket. `is_strict`: the socket has
 * NETLINK_GET_STRICT_CHK, by which the kernel heeds the filters of a dump.
 */
struct rtnetlink_result rtnetlink_answer(struct interfaces *interfaces,
					 const struct nlmsghdr *request, unsigned int port,
					 bool is_strict, struct reply *reply);

/* Return whether the request asks for all objects of a kind. */
bool rtnetlink_is_dump(const struct nlmsghdr *request);

#endif
