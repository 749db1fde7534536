/* SPDX-License-Identifier: MIT */
/*
 * One connection of the SOCKS5 server: reads the program's greeting and request, connects to the
 * host, and relays the bytes. It ends itself, and its entry is free then. The caller has locked
 * lwIP's core for each call.
 */
#ifndef MEMTUN_SOCKS_CONNECTION_H
#define MEMTUN_SOCKS_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/host/socks_request.h"

struct pbuf;
struct tcp_pcb;

/*
 * The bytes of a connection are bounded in both directions: what its program sends is read only
 * while lwIP's send buffer has room, and what the host sends is acknowledged to lwIP only when the
 * program has taken it.
 */

enum socks_state {
	SOCKS_GREETING,
	SOCKS_REQUEST,
	SOCKS_CONNECTING,
	SOCKS_OPEN,
	SOCKS_CLOSING, /* sends the rest of `message`, and closes then */
};

struct socks_connection {
	int fd;     /* the program's socket, which this owns; -1: this entry is free */
	int waking; /* the server's eventfd, to wake the main thread */
	enum socks_state state;
	int64_t deadline;    /* of the greeting and the request, in the time of clock_now() */
	struct tcp_pcb *pcb; /* NULL: none, or lwIP has freed it */
	uint8_t message[SOCKS_MESSAGE_MAX + SOCKS_REPLY_SIZE];
	size_t message_size;  /* bytes that were read, or, at the end, are to be sent */
	struct pbuf *pending; /* from the host, for the program */
	bool host_is_done;    /* the host has closed its direction */
	bool program_is_done; /* the program has closed its direction, and the host was told */
	bool shut;            /* the program was told that the host is done */
	bool is_full;         /* lwIP took no more bytes, until it has sent some */
	unsigned int waited;  /* seconds for the host to answer */
};

/* Begin with the socket of a program, which the connection owns from now on. */
void socks_connection_begin(struct socks_connection *connection, int fd, int waking);

/* Return the events of the socket that the connection can do something about. */
short socks_connection_events(const struct socks_connection *connection);

/* Return when the connection has to have a turn without an event. -1: never. */
int64_t socks_connection_deadline(const struct socks_connection *connection);

/* Do what can be done after poll(2) has returned these events. */
void socks_connection_turn(struct socks_connection *connection, short events);

#endif
