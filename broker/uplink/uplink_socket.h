/* SPDX-License-Identifier: MIT */
/*
 * The UDP sockets of uplinks. They are bound and non-blocking, and count overruns. The kernel
 * fragments datagrams that are too long for the path, because a frame in a datagram can't be made
 * smaller.
 */
#ifndef MEMTUN_UPLINK_SOCKET_H
#define MEMTUN_UPLINK_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>

#include "broker/uplink/uplink.h"

/* The longest payload of a datagram over IPv4: 65,535 less 20 and 8 bytes of headers. */
#define UPLINK_DATAGRAM_MAX 65507

/*
 * Open a socket and bind it to local; shared: to an address that other sockets with SO_REUSEPORT
 * have. The caller owns it. -1 with errno, and text says what was tried.
 */
int uplink_socket_open(const struct sockaddr_storage *local, bool shared,
		       char text[UPLINK_TEXT_SIZE]);

#endif
