/* SPDX-License-Identifier: MIT */
/*
 * A host that does nothing but answer pings, IPv4 and IPv6, to whatever address. It is written
 * against struct memtun_io, so that it runs on the kernel's device, on a memtund, and in a test, on
 * memory: see echo-responder-main.c and test_echo_responder.c.
 *
 * It never waits. Its owner polls its descriptor for echo_responder_events().
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
	unsigned long lost; /* answers that the device had no room for */
	size_t pending;     /* the length of the answer that waits to be written; 0: none */
	_Alignas(4) unsigned char packet[UINT16_MAX];
};

/* Opens the device and attaches it to that interface, a TUN. -1 with errno. */
int echo_responder_open(struct echo_responder *responder, struct memtun_io *io, const char *name);

void echo_responder_close(struct echo_responder *responder);

/* What to poll the descriptor for: POLLIN, or POLLOUT while an answer can't be written. */
short echo_responder_events(const struct echo_responder *responder);

/*
 * Reads and answers what is there. 0: poll again. -1 with errno: the device has ended (EBADFD), or
 * fails.
 */
int echo_responder_turn(struct echo_responder *responder);

#endif
