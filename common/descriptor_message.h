/* SPDX-License-Identifier: MIT */
/*
 * One record with descriptors, sent by one call: for sockets between two processes that need no
 * queue. The transport is for those that do.
 */
#ifndef MEMTUN_DESCRIPTOR_MESSAGE_H
#define MEMTUN_DESCRIPTOR_MESSAGE_H

#include <stddef.h>

/* The most descriptors of one record. */
#define DESCRIPTOR_MESSAGE_MAX 2

/*
 * Send `size` bytes, at least 1, with `count` descriptors, which stay the caller's. `flags` are
 * those of sendmsg(2), besides MSG_NOSIGNAL. -1 with an errno of sendmsg(2), but never with EINTR.
 */
int descriptor_message_send(int socket, const void *bytes, size_t size, const int fds[],
			    size_t count, int flags);

#endif
