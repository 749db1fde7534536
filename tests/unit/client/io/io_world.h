/* SPDX-License-Identifier: MIT */
/*
 * A program's I/O system of any kind, and the far side of its tunnel, where frames come out and go
 * in: the network's end of a memory tunnel, a packet socket on the kernel's interface (in a network
 * namespace of the test's own), another tunnel on the same hub of a broker. Nothing waits longer
 * than ten seconds.
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
	int fd; /* the program's, attached; -1: not yet */
	char name[16];
	int far_fd;            /* of kernel and broker */
	struct memtun *memtun; /* the far side's connection */
	char directory[32];    /* the broker's */
	pid_t broker;
};

/* NULL if this user can't have that kind. */
struct io_world *io_world_new(enum io_kind kind);

/* The world in a test's state; skips the test if there is none. */
struct io_world *io_world_need(void **state);

void io_world_free(struct io_world *world);

/* Opens the device and attaches it; the far side is there and the interface up. */
void io_world_attach(struct io_world *world, const char *name, int flags, int open_flags);

/* Once the program's descriptor has been attached by other means. */
void io_world_find_far(struct io_world *world, const char *name, bool tap);

/* A frame without headers, in and out. */
void io_world_send(struct io_world *world, const void *frame, size_t length);
/* One that may be filtered; not of a broker. The program can read it, or never will. */
void io_world_offer(struct io_world *world, const void *frame, size_t length);
ssize_t io_world_receive(struct io_world *world, void *frame, size_t size);

#endif
