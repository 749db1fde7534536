/* SPDX-License-Identifier: MIT */
/*
 * What the preloaded library and the supervisor say to each other: for each call of the program one
 * connection of a UNIX SEQPACKET socket, one request and one answer, which may bring a descriptor.
 * So the library keeps no state, and fork(2), threads and close_range(2) cannot disturb any.
 */
#ifndef MEMTUN_PRELOAD_PROTOCOL_H
#define MEMTUN_PRELOAD_PROTOCOL_H

#include <stdint.h>

/* The environment variable with the address of the supervisor's socket: @ and an abstract name. */
#define PRELOAD_VARIABLE "MEMTUN_WRAP_SOCKET"

enum preload_kind {
	PRELOAD_OPEN = 1,
	PRELOAD_IOCTL = 2,
};

/* The same in 32-bit programs: each member is aligned to its size. */
struct preload_request {
	uint32_t kind;
	uint32_t word_size; /* sizeof(long) */
	int32_t fd;         /* of an ioctl; of an open its directory */
	uint32_t request;   /* of an ioctl; of an open its flags */
	uint64_t argument;  /* of an ioctl; of an open the path */
};

struct preload_answer {
	int64_t value; /* negative: an errno; not for an open that brings a descriptor */
	uint32_t pass; /* 1: the library calls the C library's function */
	uint32_t zero;
};

#endif
