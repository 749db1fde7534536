/* SPDX-License-Identifier: MIT */
/*
 * A SOCKS5 server (RFC 1928) on this system, through which programs connect to hosts on the tunnel:
 * CONNECT to an IPv4 or IPv6 address, without authentication. This file has the listener and the
 * table of connections.
 */
#ifndef MEMTUN_HOST_SOCKS_H
#define MEMTUN_HOST_SOCKS_H

#include <poll.h>
#include <stdint.h>

/* The connections that there may be at once. Further ones wait in the kernel's backlog. */
#define HOST_SOCKS_MAX 64

/* The most descriptors that host_socks_poll() fills in. */
#define HOST_SOCKS_FDS (HOST_SOCKS_MAX + 2)

/* Listen at ADDRESS:PORT. -1 with errno; EINVAL: it is no address with a port. */
int host_socks_listen(const char *address);

/* Fill in what to wait for, and return how many. 0: the server does not listen. The caller has locked
 * lwIP's core. */
unsigned int host_socks_poll(struct pollfd fds[HOST_SOCKS_FDS]);

/* Return when host_socks_turn() is due without an event, in the time of clock_now(). -1: never. The
 * caller has locked lwIP's core. */
int64_t host_socks_deadline(void);

/* Serve the connections after poll(2). The caller has locked lwIP's core. */
void host_socks_turn(const struct pollfd *fds, unsigned int count);

#endif
