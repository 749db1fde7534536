/* SPDX-License-Identifier: MIT */
/*
 * The UDP sockets of uplinks: bound, non-blocking, counting what overruns them, and cutting into
 * fragments what is too long for the path, as a frame has no say in what path it takes.
 */
#ifndef MEMTUN_UPLINK_SOCKET_H
#define MEMTUN_UPLINK_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>

#include "broker/uplink/uplink.h"

/* What fits into a datagram over IPv4: 65,535 less 20 and 8 bytes of headers. */
#define UPLINK_DATAGRAM_MAX 65507

/*
 * The socket, bound to local; shared: where other sockets are that have SO_REUSEPORT as well. -1
 * with errno, and what was tried in words in text.
 */
int uplink_socket_open(const struct sockaddr_storage *local, bool shared,
		       char text[UPLINK_TEXT_SIZE]);

#endif
