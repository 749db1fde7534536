/* SPDX-License-Identifier: MIT */
/*
 * What the files of the memory kind share. io_memory.c has the life of a tunnel,
 * io_memory_interface.c has the interfaces, io_memory_unread.c moves the frames to the program, and
 * io_memory_written.c those that it wrote.
 */
#ifndef MEMTUN_IO_MEMORY_PARTS_H
#define MEMTUN_IO_MEMORY_PARTS_H

#include "client/io/io_memory.h"
#include "common/container_of.h"

/* Bytes for the headers of an injected frame. TUNSETVNETHDRSZ refuses longer vnet headers. */
#define IO_MEMORY_HEADERS 256

/* More messages than a socket's buffer has room for, as each takes at least 512 bytes of it. */
#define IO_MEMORY_IN_SOCKET 512

/* Bytes of the longest message that a plain write(2) can put into a socket: its SO_SNDBUF. */
#define IO_MEMORY_MESSAGE_MAX 212992

STAILQ_HEAD(io_frames, io_frame);

struct memory_tunnel {
	struct io_tunnel tunnel;
	TAILQ_ENTRY(memory_tunnel) in_memory;
	int network_fd;            /* -1: the tunnel has ended, and stays for a test */
	bool held;                 /* a test has it, so it stays until the system is freed */
	struct tun_interface last; /* copy of the interface, after the tunnel has ended */
	struct io_frames waiting;  /* for the program; the socket had no room */
	struct io_frames written;  /* by the program, and not taken yet */
	TAILQ_HEAD(, io_sorter) sorters;
	unsigned int waiting_count;
	unsigned int written_count;
	/* A ring: the lengths of the last messages that went into the socket. */
	uint32_t lengths[IO_MEMORY_IN_SOCKET];
	unsigned int lengths_end;
	unsigned int lengths_count;
};

struct memory {
	TAILQ_HEAD(, memory_tunnel) tunnels;
	LIST_HEAD(, memory_interface) interfaces; /* owned by io_memory_interface.c */
	unsigned char *message; /* IO_MEMORY_MESSAGE_MAX bytes; NULL before the first use */
	int64_t realtime_lead;  /* CLOCK_REALTIME less CLOCK_MONOTONIC, ns */
};

static inline struct memory_tunnel *memory_of_tunnel(struct io_tunnel *tunnel)
{
	return container_of(tunnel, struct memory_tunnel, tunnel);
}

/* --- io_memory_interface.c; the caller has the lock --- */

/* Return the interface of that name, or NULL. */
struct tun_interface *memory_interface_find(struct memory *memory, const char *name);

/*
 * Make an interface for TUNSETIFF, and write its name into `name`, which may be a template or
 * empty. NULL with EINVAL (the name, or neither IFF_TUN nor IFF_TAP), ENFILE (no free name) or
 * ENOMEM.
 */
struct tun_interface *memory_interface_make(struct memory *memory, char name[IFNAMSIZ],
					    unsigned int flags);

/*
 * Return 0 if TUNSETIFF with these flags may attach one more queue. -1 with the errno, and in the
 * order of checks, of the kernel's tun_set_iff() and tun_attach().
 */
int memory_interface_admit(const struct tun_interface *interface, unsigned int flags);

/* Remove and free one interface, or all. */
void memory_interface_free(struct tun_interface *interface);
void memory_free_interfaces(struct memory *memory);

/* --- io_memory.c; the caller has the lock --- */

/* Drop the frames that the program has yet to read. */
void memory_drop_unread(struct memory_tunnel *tunnel);

/* --- io_memory_unread.c; the caller has the lock --- */

/* Move waiting frames into the socket as far as there is room, and run the sorters. */
void memory_flush(struct io_tunnel *tunnel);

/* Free the frames of the list. */
void memory_drop_frames(struct io_frames *frames);

/* Return a copy of a frame of the list, which the caller frees. NULL with EAGAIN (the list is
 * shorter) or ENOMEM. */
struct io_frame *memory_copy_listed(const struct io_frames *frames, unsigned int index);

/* --- io_memory_written.c; the caller has the lock --- */

/* Show the frames that the program wrote to the sorters, if there are any. */
void memory_sort(struct io_tunnel *tunnel);

/* Take frames out of the socket that the program writes to. Return whether there were any. */
bool memory_make_room(struct io_tunnel *tunnel);

/* Take all frames out of the socket that the program writes to. */
void memory_collect(struct memory_tunnel *tunnel);

/* End each sorter. */
void memory_end_sorters(struct memory_tunnel *tunnel);

#endif
