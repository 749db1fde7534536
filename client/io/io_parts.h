/* SPDX-License-Identifier: MIT */
/*
 * What is behind memtun/io.h, for the files that make up its kinds and for those that drive a
 * tunnel from a test.
 *
 *	io.c                 dispatch, permissions, faults, the registry of devices
 *	io_tun.c             /dev/net/tun where a tunnel is a socket: io_tun.h
 *	tun_device.c         its ioctls, and rules for what is written
 *	io_memory.c          the memory kind: socketpairs, interfaces and their names
 *	io_memory_network.c  its network's side, for tests: io_memory.h
 *	io_broker.c          the broker kind, in libmemtun
 *	io_kernel.c          the kernel kind
 *	testing.c            the public names of what a test does: memtun/testing.h
 *	testing_udp.c        and its datagrams
 *
 * The fast path, memtun_io_read() and memtun_io_write(), is a look into a table and the device's
 * function; whatever else may have to happen is behind one bit of `checks`.
 */
#ifndef MEMTUN_IO_PARTS_H
#define MEMTUN_IO_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "memtun/io.h"

/* Descriptors are looked up in two steps of 1024, which is all that fs.nr_open has by default. */
#define IO_TABLE_BITS 10
#define IO_TABLE_SIZE (1 << IO_TABLE_BITS)

#define IO_CALLS 4 /* the bits of enum memtun_io_call */

/* One open of a device, however many numbers lead to it. */
struct io_open {
	LIST_ENTRY(io_open) in_io;
	ssize_t (*read)(void *state, int fd, const struct iovec *parts, int count);
	ssize_t (*write)(void *state, int fd, const struct iovec *parts, int count);
	int (*ioctl)(void *state, int fd, unsigned long request, void *argument);
	void (*close)(void *state);
	void *state;
	unsigned int refused; /* MEMTUN_IO_READ, MEMTUN_IO_WRITE: it wasn't opened for that */
	unsigned int numbers;
	/* What tells it from a file that has got its number since; 0: not a socket, can't be told.
	 */
	ino_t inode;
};

/* How a call is to fail: the next so many, and besides them every so many-th. */
struct io_fault {
	unsigned int next;
	int next_error;
	unsigned int every; /* 0: none */
	unsigned int calls; /* since `every` was set */
	int every_error;
};

struct io_device;

struct memtun_io {
	/* Calls that io_check() is to look at first: not permitted, or to fail. */
	atomic_uint checks;
	unsigned int permitted;
	struct io_fault faults[IO_CALLS];
	bool passes_unknown; /* the kernel is asked about descriptors that aren't in the table */
	void (*free_kind)(void *kind);
	void *kind;
	pthread_mutex_t lock; /* of everything but `checks` and what the table's slots hold */
	LIST_HEAD(, io_device) devices;
	LIST_HEAD(, io_open) opens;
	_Atomic(_Atomic(struct io_open *) *) table[IO_TABLE_SIZE];
};

/*
 * A system without devices. free_kind is called with kind at its end, after the devices' close
 * functions. NULL with ENOMEM, and then kind is still the caller's.
 */
struct memtun_io *io_new(void (*free_kind)(void *kind), void *kind);

/* What a descriptor is open as, or NULL with EBADF; asks whether it still is that. */
struct io_open *io_find(struct memtun_io *io, int fd);

/*
 * Faults: the next `count` of this call fail with that errno (0 ends it), or every `count`th does.
 * They come after permission and before the device: a read that fails leaves its frame, a write
 * that fails has written none. call is one bit of enum memtun_io_call.
 */
void io_fail_next(struct memtun_io *io, enum memtun_io_call call, unsigned int count, int error);
void io_fail_every(struct memtun_io *io, enum memtun_io_call call, unsigned int count, int error);

/* The sum of the parts; -1 with EINVAL as readv(2) and writev(2) have it. */
ssize_t io_total(const struct iovec *parts, int count);

#endif
