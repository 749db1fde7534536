/* SPDX-License-Identifier: MIT */
/*
 * The network's side of a tunnel in memory: where a test puts frames in and takes out what the
 * program wrote. These functions may be called while another thread is in the program's calls.
 *
 * Frames for the program lie in its socket, where a plain read(2) finds them; those beyond what the
 * socket holds wait here, and go in at the next call for that tunnel (memtun_io_read() or one of
 * these). Frames the program wrote lie in the socket as well, until it is full or they are asked
 * for; then up to IO_MEMORY_WRITTEN of them are kept here.
 */
#ifndef MEMTUN_IO_MEMORY_H
#define MEMTUN_IO_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/io/io_tun.h"

/* So many frames are taken out of a full socket for a program that writes on; as many as wait in a
 * broker's queue. */
#define IO_MEMORY_WRITTEN 1000

/* A frame, its headers before it. */
struct io_frame {
	STAILQ_ENTRY(io_frame) next;
	int64_t time;       /* when it was written, by CLOCK_MONOTONIC, ns; 0: not by the program */
	size_t header_size; /* packet information and vnet header, as the program wrote them */
	size_t length;      /* with them */
	unsigned char bytes[];
};

/*
 * What is given out here stays until the system is freed: once the program has closed it there are
 * still the frames it wrote. The tunnel of a descriptor: NULL with EBADF, ENOTTY, or EOPNOTSUPP
 * (not in memory).
 */
struct io_tunnel *io_memory_find(struct memtun_io *io, int fd);

/* The tunnel that was attached first, of those that are; NULL with ENODEV or EOPNOTSUPP. */
struct io_tunnel *io_memory_first(struct memtun_io *io);

/*
 * Gives the program a frame: bytes without packet information and vnet header, which are added. 1:
 * it will be read; 0: the filter of TUNSETTXFILTER keeps it away. -1 with ENODEV (not attached, or
 * its queue disabled), ENETDOWN (no carrier), EINVAL (empty, or a TAP's and under 14 bytes),
 * EMSGSIZE (more than IO_TUN_SEND_SIZE with its headers), EPIPE (the program has closed it),
 * ENOMEM.
 */
int io_memory_inject(struct io_tunnel *tunnel, const void *frame, size_t length);

/* The oldest frame that the program wrote; the caller's to free(). NULL with EAGAIN or ENOMEM. */
struct io_frame *io_memory_take(struct io_tunnel *tunnel);

/*
 * The oldest of them that `chosen` says true of, which is called with the lock held; the caller's
 * to free(). The others stay. NULL with EAGAIN.
 */
struct io_frame *io_memory_choose(struct io_tunnel *tunnel,
				  bool (*chosen)(struct io_frame *frame, void *context),
				  void *context);

/*
 * Takes frames from among those that the program wrote, when they come out of the socket. With one,
 * they come out as they are written, and those of a plain write(2) at the next call for the tunnel.
 * Each function is called with the lock held.
 */
struct io_sorter {
	TAILQ_ENTRY(io_sorter) next;
	/* Before it is asked about frames: false if it is to end. */
	bool (*turn)(struct io_sorter *sorter);
	/* True: the frame is its own, to be free()d. */
	bool (*take)(struct io_sorter *sorter, struct io_frame *frame);
	/* turn said so, or the tunnel has gone. */
	void (*end)(struct io_sorter *sorter);
};

/* It is asked about what was written before, too, but after those that were added earlier. */
void io_memory_add_sorter(struct io_tunnel *tunnel, struct io_sorter *sorter);

/* How many frames wait for the program to read them, and how many it wrote that no one took. */
unsigned int io_memory_count_unread(struct io_tunnel *tunnel);
unsigned int io_memory_count_written(struct io_tunnel *tunnel);

#endif
