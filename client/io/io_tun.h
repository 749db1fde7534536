/* SPDX-License-Identifier: MIT */
/*
 * The device /dev/net/tun of a system whose tunnels are sockets: what a socket does not do by
 * itself. A message is a frame with packet information and vnet header as the program set them, so
 * that a plain read(2) returns what memtun_io_read() does.
 */
#ifndef MEMTUN_IO_TUN_H
#define MEMTUN_IO_TUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/io/io_parts.h"
#include "client/io/io_tunnel_faults.h"
#include "client/io/tun_device.h"
#include "common/frame/frame_format.h"

/*
 * A backend owns the other end of the socket: io_memory.c in this process, io_broker.c in a broker.
 * io_broker.c is in libmemtun, so the two functions with public names are exported, in the private
 * symbol version MEMTUN_IO_PRIVATE.
 */

/* Bytes: the largest frame that a broker takes, and its packet information and vnet header. */
#define IO_TUN_SEND_SIZE (FRAME_MAX + FRAME_FORMAT_MAX)

struct io_tun;

/* One open of /dev/net/tun. A backend's structure contains it. */
struct io_tunnel {
	struct tun_device device;
	struct io_tun *system;
	int fd;                      /* the program's last known number: see io_tunnel_number() */
	ino_t inode;                 /* of the program's socket */
	int open_flags;              /* of memtun_io_open() */
	struct tunnel_faults faults; /* empty but in memory */
	int error_when_empty;        /* errno of a non-blocking read without a frame */
	size_t send_size;            /* bytes; longer writes are ENOBUFS */
	atomic_bool has_waiting;     /* before_read is to be called */
	atomic_bool is_sorted;       /* after_write is to be called */
};

struct io_tun_operations {
	struct tun_device_operations device;
	/* Return a descriptor, which the program owns, and in *tunnel the tunnel behind it, whose
	 * members are zero. The backend owns the tunnel. */
	int (*open)(void *context, int flags, struct io_tunnel **tunnel);
	/* The program has closed the tunnel, or the system is freed: free it, now or later. */
	void (*close)(struct io_tunnel *tunnel);
	/* Return whether any duplicate of the program's descriptor is open, also in another process or
	 * in a message. NULL: only this process's descriptors count. */
	bool (*is_open)(struct io_tunnel *tunnel);
	/* Move waiting frames into the socket. NULL: no frame ever waits. */
	void (*before_read)(struct io_tunnel *tunnel);
	/* A frame was written by memtun_io_write() or memtun_io_writev(). May be NULL. */
	void (*after_write)(struct io_tunnel *tunnel);
	/* Take frames out of a full socket, and return whether there were any. NULL: a write to a
	 * full socket waits, or fails with EAGAIN if it is non-blocking. */
	bool (*make_room)(struct io_tunnel *tunnel);
	/* Free the context. The last tunnel was closed before. */
	void (*free)(void *context);
};

struct io_tun {
	const struct io_tun_operations *operations;
	void *context;
	pthread_mutex_t lock; /* for all operations but free */
	/* What a new tunnel has for the members of the same names. */
	size_t send_size;
	int error_when_empty;
};

/*
 * Make a system with the device registered. `operations` is borrowed. operations->free frees
 * `context` with the system. NULL with ENOMEM, and then the caller still owns `context`.
 */
struct memtun_io *memtun_io_new_tun(const struct io_tun_operations *operations, void *context);

/* Call tun_interface_init(), for a backend in another library, and set the size of the vnet header;
 * 0: the default. */
void memtun_io_interface_init(struct tun_interface *interface, const char *name, unsigned int flags,
			      int vnet_size);

/* Return the context that the tunnel's system was made with. */
static inline void *io_tunnel_context(const struct io_tunnel *tunnel)
{
	return tunnel->system->context;
}

/* Return what memtun_io_new_tun() made; NULL if the system is of another kind. */
struct io_tun *io_tun_of(struct memtun_io *io);

/* Return a number of the program for the tunnel; -1 if this process has none. The caller has the
 * lock. */
int io_tunnel_number(struct io_tunnel *tunnel);

/* Return the tunnel behind a descriptor. NULL with EBADF (not open) or ENOTTY (not a tunnel). */
struct io_tunnel *io_tunnel_find(struct memtun_io *io, int fd);

#endif
