/* SPDX-License-Identifier: MIT */
/*
 * What the two files of the memory kind share: io_memory.c has the life of a tunnel,
 * io_memory_network.c moves its frames.
 */
#ifndef MEMTUN_IO_MEMORY_PARTS_H
#define MEMTUN_IO_MEMORY_PARTS_H

#include "client/io/io_memory.h"

/* Room before an injected frame; longer vnet headers are refused. */
#define IO_MEMORY_HEADERS 256

/* More frames than a socket of that size holds; each takes 512 bytes of it at the least. */
#define IO_MEMORY_IN_SOCKET 512

STAILQ_HEAD(io_frames, io_frame);

struct memory_interface;

struct memory_tunnel {
	struct io_tunnel tunnel; /* first */
	TAILQ_ENTRY(memory_tunnel) in_memory;
	int network_fd;            /* -1: it has ended, and is here for a test that holds it */
	bool held;                 /* a test was given it: it stays until the system is freed */
	struct tun_interface last; /* what it was attached to, once it has ended */
	bool closed;               /* none of the program's numbers is left that we know of */
	struct io_frames waiting;  /* to be read, and without room in the socket */
	struct io_frames written;  /* and not taken */
	TAILQ_HEAD(, io_sorter) sorters;
	unsigned int waiting_count;
	unsigned int written_count;
	/* The lengths of the last messages that went into the socket, a ring. */
	uint32_t lengths[IO_MEMORY_IN_SOCKET];
	unsigned int lengths_end;
	unsigned int lengths_count;
};

struct memory {
	TAILQ_HEAD(, memory_tunnel) tunnels;
	LIST_HEAD(, memory_interface) interfaces;
	unsigned char *message; /* LONGEST_MESSAGE bytes, once they are needed */
	int64_t realtime_lead;  /* of CLOCK_REALTIME over CLOCK_MONOTONIC, ns */
};

static inline struct memory_tunnel *memory_of_tunnel(struct io_tunnel *tunnel)
{
	return (struct memory_tunnel *)tunnel;
}

/* Operations of the kind that io_memory_network.c does; the lock is held. */
void memory_flush(struct io_tunnel *tunnel);
void memory_sort(struct io_tunnel *tunnel);
bool memory_make_room(struct io_tunnel *tunnel);
void memory_collect(struct memory_tunnel *tunnel); /* all that is in the socket */
void memory_drop_frames(struct io_frames *frames);
void memory_end_sorters(struct memory_tunnel *tunnel);

#endif
