/* SPDX-License-Identifier: MIT */
/*
 * The network's side of a tunnel in memory: a test injects frames and takes the frames that the
 * program wrote. These functions may be called while another thread is in the program's calls.
 */
#ifndef MEMTUN_IO_MEMORY_H
#define MEMTUN_IO_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/io/io_tun.h"

/*
 * Frames for the program are in its socket, where a plain read(2) finds them. Frames for which the
 * socket has no room wait here, and move on at the next call for the tunnel, memtun_io_read() or
 * one of these. Frames that the program wrote are in the socket too. When the socket is full, or a
 * test asks for them, they move here, where IO_MEMORY_WRITTEN of them have room.
 */

/*
 * Frames that are taken out of a full socket so that the program can go on writing. As many may
 * wait for one queue of a broker by default.
 */
#define IO_MEMORY_WRITTEN 1000

/* A frame with its headers. */
struct io_frame {
	STAILQ_ENTRY(io_frame) next;
	int64_t time;       /* when the program wrote it: CLOCK_MONOTONIC, ns; 0: injected */
	size_t header_size; /* bytes of packet information and vnet header */
	size_t length;      /* bytes, headers included */
	unsigned char bytes[];
};

/*
 * Return the tunnel of the program's descriptor. It is valid until the system is freed: after the
 * program has closed it, the frames that it wrote can still be taken. NULL with EBADF, ENOTTY (not
 * a tunnel) or EOPNOTSUPP (not in memory).
 */
struct io_tunnel *io_memory_find(struct memtun_io *io, int fd);

/* Return the first opened of the attached tunnels, as above. NULL with ENODEV or EOPNOTSUPP. */
struct io_tunnel *io_memory_first(struct memtun_io *io);

/*
 * Give the program a frame; packet information and vnet header are added. Return 1 if the program
 * will read it, 0 if the filter of TUNSETTXFILTER drops it. -1 with ENODEV (not attached, or the
 * queue is disabled), ENETDOWN (no carrier), EINVAL (empty, or under 14 bytes on a TAP), EMSGSIZE
 * (more than IO_TUN_SEND_SIZE bytes with headers), EPIPE (the program has closed the tunnel) or
 * ENOMEM.
 */
int io_memory_inject(struct io_tunnel *tunnel, const void *frame, size_t length);

/* Take the oldest frame that the program wrote. The caller frees it. NULL with EAGAIN or ENOMEM. */
struct io_frame *io_memory_take(struct io_tunnel *tunnel);

/*
 * Take the oldest of these frames for which `chosen` returns true; the others stay. `chosen` is
 * called with the lock held. The caller frees the frame. NULL with EAGAIN.
 */
struct io_frame *io_memory_choose(struct io_tunnel *tunnel,
				  bool (*chosen)(struct io_frame *frame, void *context),
				  void *context);

/*
 * A sorter takes some of the frames that the program writes. While a tunnel has a sorter, each
 * frame leaves the socket as soon as it is written, or at the next call for the tunnel if it is
 * written by a plain write(2). The functions are called with the lock held.
 */
struct io_sorter {
	TAILQ_ENTRY(io_sorter) next;
	/* Called before frames are shown to the sorter. False: the sorter is to end. */
	bool (*turn)(struct io_sorter *sorter);
	/* True: the sorter owns the frame from now on, and frees it. */
	bool (*take)(struct io_sorter *sorter, struct io_frame *frame);
	/* Free the sorter: turn returned false, or the tunnel has ended. */
	void (*end)(struct io_sorter *sorter);
};

/*
 * Add a sorter, which is shown the frames that were not taken yet too. Sorters that were added
 * before come first. The tunnel owns the sorter.
 */
void io_memory_add_sorter(struct io_tunnel *tunnel, struct io_sorter *sorter);

/*
 * Return a copy of a frame that stays where it is: the one that the program will read after `index`
 * others, or of those that it wrote. The caller frees the copy. NULL with EAGAIN (there are not so
 * many) or ENOMEM.
 */
struct io_frame *io_memory_peek_unread(struct io_tunnel *tunnel, unsigned int index);
struct io_frame *io_memory_peek_written(struct io_tunnel *tunnel, unsigned int index);

/* Drop the frames that the program has yet to read, or those that it wrote. */
void io_memory_clear_unread(struct io_tunnel *tunnel);
void io_memory_clear_written(struct io_tunnel *tunnel);

/* Return how many frames the program has yet to read; how many that it wrote were not taken yet. */
unsigned int io_memory_count_unread(struct io_tunnel *tunnel);
unsigned int io_memory_count_written(struct io_tunnel *tunnel);

#endif
