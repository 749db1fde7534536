/* SPDX-License-Identifier: MIT */
/*
 * A host that only answers pings, in IPv4 and IPv6, to any address. It is written for struct
 * memtun_io, so that it runs on the kernel's device, on a memtund and, in a test, in memory: see
 * echo-responder-main.c and test_echo_responder.c.
 *
 * It never blocks. Its owner polls its descriptor for echo_responder_events().
 */
#ifndef ECHO_RESPONDER_H
#define ECHO_RESPONDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memtun/io.h>

struct echo_responder {
	struct memtun_io *io;
	int fd;
	unsigned long answered;
	unsigned long lost; /* replies that the device had no room for */
	size_t pending;     /* bytes of the reply that waits to be written; 0: none */
	_Alignas(4) unsigned char packet[UINT16_MAX];
};

/* Open the device and attach it to the TUN interface. -1 with errno. */
int echo_responder_open(struct echo_responder *responder, struct memtun_io *io, const char *name);

void echo_responder_close(struct echo_responder *responder);

/* Return the events to poll for: POLLIN, or POLLOUT while a reply waits to be written. */
short echo_responder_events(const struct echo_responder *responder);

/*
 * Read the packets that have arrived, and write the replies. Return 0 to be polled again; -1 with
 * EBADFD (the tunnel has ended) or another errno.
 */
int echo_responder_turn(struct echo_responder *responder);

#endif
