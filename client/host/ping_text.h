/* SPDX-License-Identifier: MIT */
/*
 * The lines that ping(8) of iputils prints, so that scripts which read them can read these.
 */
#ifndef MEMTUN_PING_TEXT_H
#define MEMTUN_PING_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ping_reply {
	const char *from;
	unsigned int sequence, ttl;
	size_t length; /* of the ICMP message */
	int64_t time;  /* since its request, nanoseconds; -1: unknown */
	bool duplicate, bad_checksum, different_address;
	const uint8_t *data;
	size_t data_length; /* less than `expected`: the reply is cut */
	size_t expected;    /* bytes of data, of which byte i is i */
};

struct ping_statistics {
	uint64_t sent, received, duplicates, corrupted, errors;
	uint64_t pipe;              /* the most requests without a reply */
	int64_t elapsed;            /* nanoseconds */
	int64_t min, max;           /* round trips, nanoseconds */
	double sum, sum_of_squares; /* of them */
};

void ping_print_start(const char *target, bool is_ipv6, size_t size);
void ping_print_reply(const struct ping_reply *reply);
void ping_print_statistics(const char *target, const struct ping_statistics *statistics);

/* Print an ICMP or ICMPv6 error, whose third field is `rest`, or a host that has no neighbour. */
void ping_print_error(bool is_ipv6, const char *from, unsigned int sequence, unsigned int type,
		      unsigned int code, uint32_t rest);

#endif
