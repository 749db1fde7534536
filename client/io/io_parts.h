/* SPDX-License-Identifier: MIT */
/*
 * What is behind memtun/io.h, for the files that make up the kinds of I/O system and for those that
 * drive a tunnel from a test.
 */
#ifndef MEMTUN_IO_PARTS_H
#define MEMTUN_IO_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "memtun/io.h"

/*
 * The fast path, memtun_io_read() and memtun_io_write(), looks a number up in a table and calls the
 * device's function. Everything that is rarely needed is behind one bit of `checks`.
 */

/* Two steps of 1024 reach 1048576 descriptors, the default of fs.nr_open. */
#define IO_TABLE_BITS 10
#define IO_TABLE_SIZE (1 << IO_TABLE_BITS)

/* How many calls enum memtun_io_call has bits for. */
#define IO_CALLS 4

/* One open device. Duplicates of its descriptor share it. */
struct io_open {
	LIST_ENTRY(io_open) in_io;
	ssize_t (*read)(void *state, int fd, const struct iovec *parts, int count);
	ssize_t (*write)(void *state, int fd, const struct iovec *parts, int count);
	int (*ioctl)(void *state, int fd, unsigned long request, void *argument);
	void (*close)(void *state);
	bool (*is_open)(void *state);
	void *state;
	unsigned int refused; /* MEMTUN_IO_READ, MEMTUN_IO_WRITE: not open for that */
	/* Descriptors in the table that lead here; 0: is_open says that there are others. */
	unsigned int numbers;
	ino_t inode; /* the socket's; 0: not a socket, so duplicates can't be told */
};

/* How calls are to fail: the next `next` of them, and besides every `every`th. */
struct io_fault {
	unsigned int next;
	int next_error;
	unsigned int every; /* 0: none */
	unsigned int calls; /* since `every` was set */
	int every_error;
};

struct io_device;

struct memtun_io {
	atomic_uint checks; /* bits of calls that are not permitted, or that may have to fail */
	unsigned int permitted;
	struct io_fault faults[IO_CALLS];
	int (*register_tun)(struct memtun_io *io, const char *path); /* MEMTUN_IO_TUN at any path */
	bool passes_unknown; /* descriptors that aren't in the table are the kernel's */
	void (*free_kind)(void *kind);
	void *kind;
	pthread_mutex_t lock; /* for all members but `checks` and the table's slots */
	LIST_HEAD(, io_device) devices;
	LIST_HEAD(, io_open) opens;
	_Atomic(_Atomic(struct io_open *) *) table[IO_TABLE_SIZE];
};

/*
 * Make a system without devices. Freeing it calls free_kind with `kind` after the devices' close
 * functions. NULL with ENOMEM, and then the caller still owns `kind`.
 */
struct memtun_io *io_new(void (*free_kind)(void *kind), void *kind);

/* --- io_table.c --- */

/* Return the number's slot in the table; NULL if the table has none. */
static inline _Atomic(struct io_open *) *io_slot(struct memtun_io *io, int fd)
{
	unsigned int row = (unsigned int)fd >> IO_TABLE_BITS;
	_Atomic(struct io_open *) *slots;

	if (row >= IO_TABLE_SIZE)
		return NULL;
	slots = atomic_load_explicit(&io->table[row], memory_order_acquire);
	return slots ? &slots[fd & (IO_TABLE_SIZE - 1)] : NULL;
}

/* Return the open device that the table has for the number; NULL if there is none. */
static inline struct io_open *io_peek(struct memtun_io *io, int fd)
{
	_Atomic(struct io_open *) *slot = io_slot(io, fd);

	return slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;
}

/* Return the open device behind the number if it still is. NULL with EBADF. */
struct io_open *io_find(struct memtun_io *io, int fd);

/*
 * Put the number into the table. The caller has the lock. -1 with EMFILE (the number is too large)
 * or ENOMEM.
 */
int io_remember(struct memtun_io *io, int fd, struct io_open *open);

/*
 * Take the number out of the table if it is there. The last number of a device closes and frees the
 * device, unless a duplicate is open that the table does not have. The caller has the lock.
 */
void io_forget(struct memtun_io *io, int fd);

/* Close and free the devices whose last duplicate was closed without this library. The caller has the
 * lock. */
void io_end_closed(struct memtun_io *io);

/* Return a descriptor of this process for the socket with that inode; -1 if there is none. */
int io_number_of(ino_t inode);

/* Return the inode of a socket; 0 for any other file. */
ino_t io_inode(int fd);

/* --- io_checks.c --- */

/* Do what io_check() does for a call that has its bit in `checks`. */
int io_check_slowly(struct memtun_io *io, enum memtun_io_call call);

/* Return 0 if the call may proceed; -1 with EPERM or a fault's errno. */
static inline int io_check(struct memtun_io *io, enum memtun_io_call call)
{
	if (!(atomic_load_explicit(&io->checks, memory_order_relaxed) & call))
		return 0;
	return io_check_slowly(io, call);
}

/*
 * Make the next `count` calls fail with the errno `error`, or every `count`th; 0 ends it. `call` is
 * one bit of enum memtun_io_call. A fault comes after the permission and before the device: a read
 * that fails leaves its frame, and a write that fails has written none.
 */
void io_fail_next(struct memtun_io *io, enum memtun_io_call call, unsigned int count, int error);
void io_fail_every(struct memtun_io *io, enum memtun_io_call call, unsigned int count, int error);

/* --- io.c --- */

/* Return the sum of the parts' lengths; -1 with EINVAL where readv(2) and writev(2) have it. */
ssize_t io_total(const struct iovec *parts, int count);

#endif
