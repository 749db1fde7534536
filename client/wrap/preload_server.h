/* SPDX-License-Identifier: MIT */
/*
 * The calls that the preloaded library reports: the supervisor's socket, and the connections on
 * which a request or an answer is outstanding.
 */
#ifndef MEMTUN_PRELOAD_SERVER_H
#define MEMTUN_PRELOAD_SERVER_H

#include <poll.h>
#include <stddef.h>

#include "client/wrap/call.h"

/* Further connections wait in the socket's queue. */
#define PRELOAD_CONNECTIONS 64

struct preload_server {
	int fd;                               /* owned; -1: there is none */
	int connections[PRELOAD_CONNECTIONS]; /* owned; those with a request outstanding */
	size_t count;
};

/* Listen at the address, "@" and an abstract name. -1 with errno. */
int preload_server_open(struct preload_server *server, const char *address);
void preload_server_close(struct preload_server *server);

/* Fill in what to poll for. Return how many, at most 1 + PRELOAD_CONNECTIONS. */
size_t preload_server_poll(const struct preload_server *server, struct pollfd *polled);

/* Accept a connection. */
void preload_server_accept(struct preload_server *server);

/*
 * Receive the request of a connection that can be read, and remove the connection from the list.
 * The caller owns call->channel. -1: the connection has ended without a request.
 */
int preload_server_receive(struct preload_server *server, int connection, struct call *call);

#endif
