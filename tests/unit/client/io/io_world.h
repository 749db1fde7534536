/* SPDX-License-Identifier: MIT */
/*
 * A program's I/O system of any kind, and the far side of its tunnel, which sends and receives
 * frames: the network's end of a memory tunnel, a packet socket on the kernel's interface (in a
 * network namespace of the test's own), or another tunnel on the same hub of a broker. No function
 * waits longer than ten seconds.
 */
#ifndef MEMTUN_TESTS_IO_WORLD_H
#define MEMTUN_TESTS_IO_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "memtun/io.h"

enum io_kind {
	IO_MEMORY,
	IO_KERNEL,
	IO_BROKER,
};

struct io_world {
	enum io_kind kind;
	struct memtun_io *io;
	int fd; /* the program's descriptor, attached; -1: not yet */
	char name[16];
	int far_fd;            /* for the kernel and a broker */
	struct memtun *memtun; /* the far side's connection to the broker */
	char directory[32];    /* of the broker's socket */
	pid_t broker;
};

/* Make a world of that kind. NULL if this user has no privilege for it. */
struct io_world *io_world_new(enum io_kind kind);

/* Return the world in a test's state; skip the test if there is none. */
struct io_world *io_world_need(void **state);

void io_world_free(struct io_world *world);

/* Open the device, attach it, set the interface up, and find the far side. */
void io_world_attach(struct io_world *world, const char *name, int flags, int open_flags);

/* Find the far side after the program's descriptor was attached in another way. */
void io_world_find_far(struct io_world *world, const char *name, bool tap);

/*
 * Send a frame to the program, or receive one from it, without packet information and vnet header.
 */
void io_world_send(struct io_world *world, const void *frame, size_t length);

/* Send a frame that a filter may drop. At return the program can read it, or never will. */
void io_world_offer(struct io_world *world, const void *frame, size_t length);
ssize_t io_world_receive(struct io_world *world, void *frame, size_t size);

#endif
