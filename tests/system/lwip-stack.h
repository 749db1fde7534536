/* SPDX-License-Identifier: MIT */
/*
 * One of the two TCP/IP stacks (lwIP) of lwip-clock.c: a process that reads its tunnel as frames come,
 * and has no clock but the times that the driver tells it. The server sends the client SIZE bytes.
 */
#ifndef MEMTUN_LWIP_STACK_H
#define MEMTUN_LWIP_STACK_H

#include <stdbool.h>
#include <stdint.h>

#define SIZE (1024 * 1024) /* bytes to transfer */
#define MILLISECOND UINT64_C(1000000)

/* FNV-1a, 64 bits; both numbers are from draft-eastlake-fnv. */
#define CHECKSUM_START UINT64_C(0xcbf29ce484222325)
#define CHECKSUM_PRIME UINT64_C(0x100000001b3)

/* What the driver tells a stack. */
struct order {
	uint64_t now;     /* nanoseconds since the start */
	bool runs_timers; /* also run the timers that are due */
};

/* What the stack answers when it has done it. */
struct report {
	uint64_t sent, received; /* frames */
	uint64_t checksum;
	uint32_t bytes;
	uint32_t sleep; /* milliseconds until the next timer is due */
	bool is_done;   /* the client has got all, and its connection is closed */
};

/* Return the byte at that place of what is transferred. */
static inline uint8_t content(uint32_t place)
{
	return (uint8_t)((place * UINT32_C(2654435761)) >> 24);
}

static inline uint64_t checksum_add(uint64_t sum, uint8_t byte)
{
	return (sum ^ byte) * CHECKSUM_PRIME;
}

/*
 * Start a process that is the host 10.0.0.NUMBER: the server is 1, the client 2. Close the tunnel, which
 * the process has now; the process closes `other`. Return the socket to it.
 */
int stack_start(int tunnel, uint8_t number, int other);

#endif
