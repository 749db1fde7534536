/* SPDX-License-Identifier: MIT */
/*
 * The messages of one answer, and the datagrams in which they go to the program. glibc and Go read
 * with one page, so a datagram has at most REPLY_DATAGRAM bytes unless one message is longer.
 */
#ifndef MEMTUN_RTNETLINK_REPLY_H
#define MEMTUN_RTNETLINK_REPLY_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes: what a page of 4,096 bytes leaves for messages in the kernel, too (NLMSG_GOODSIZE). */
#define REPLY_DATAGRAM 3700

/* The longest message that the supervisor writes: a link, whose counters take most of the bytes. */
#define REPLY_MESSAGE 2048

struct reply {
	char *bytes; /* owned */
	size_t used, size;
	bool is_short; /* there was no memory for a message */
};

void reply_free(struct reply *reply);

/* Append a copy of the message. */
void reply_append(struct reply *reply, const struct nlmsghdr *message);

/* Append the error as the answer to the request; 0: an acknowledgement. `is_capped`: without the
 * request's payload, as NETLINK_CAP_ACK asks for. */
void reply_error(struct reply *reply, const struct nlmsghdr *request, unsigned int port, int error,
		 bool is_capped);

/* Append the end of a dump. */
void reply_done(struct reply *reply, const struct nlmsghdr *request, unsigned int port);

/*
 * Return the length of the datagram that begins at that offset. 0: there is none any more. Messages
 * of a dump share a datagram, NLMSG_DONE has one of its own.
 */
size_t reply_datagram(const struct reply *reply, size_t at);

#endif
