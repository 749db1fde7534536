/* SPDX-License-Identifier: MIT */
/*
 * The device /dev/net/tun of a system whose tunnels are sockets: a message is a frame in the
 * program's own format, packet information and vnet header included, so that a plain read(2) sees
 * what memtun_io_read() does. This adds what a socket doesn't do by itself. Where the other end of
 * the socket is, is the backend's business: this process (io_memory.c) or a broker (io_broker.c).
 *
 * The backend of the broker is in another library, so two functions are
 * exported, in a version of its own that nobody else should use.
 */
#ifndef MEMTUN_IO_TUN_H
#define MEMTUN_IO_TUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/io/io_parts.h"
#include "client/io/tun_device.h"
#include "common/frame/frame_format.h"

/* Bytes: the largest frame that a broker takes, and its packet information and vnet header. */
#define IO_TUN_SEND_SIZE (FRAME_MAX + FRAME_FORMAT_MAX)

struct io_tun;

/* One open of /dev/net/tun. A backend's own begins with it. */
struct io_tunnel {
	struct tun_device device; /* first: a tunnel's device is the tunnel */
	struct io_tun *system;
	int fd;                  /* a number of the program's that led here last */
	int error_when_empty;    /* of a non-blocking read; EAGAIN */
	size_t send_size;        /* longer writes are ENOBUFS */
	atomic_bool has_waiting; /* before_read has something to do */
	atomic_bool is_sorted;   /* after_write has */
};

struct io_tun_operations {
	struct tun_device_operations device;
	/* A descriptor for the program, and in *tunnel what is behind it, all zero but the
	 * backend's own. */
	int (*open)(void *context, int flags, struct io_tunnel **tunnel);
	/* The program has closed it, or the system is being freed: frees it when it can. */
	void (*close)(struct io_tunnel *tunnel);
	/* Puts frames that had no room into the socket. NULL: none ever wait. */
	void (*before_read)(struct io_tunnel *tunnel);
	/* A frame was written, by memtun_io_write() or memtun_io_writev(). NULL: no one minds. */
	void (*after_write)(struct io_tunnel *tunnel);
	/* Takes frames out of a socket that was full: true if it did. NULL: writes wait, or not. */
	bool (*make_room)(struct io_tunnel *tunnel);
	/* After the last tunnel was closed. */
	void (*free)(void *context);
};

struct io_tun {
	const struct io_tun_operations *operations;
	void *context;
	pthread_mutex_t lock; /* held in all operations, except free */
};

/*
 * A system with the device registered. operations is borrowed, context is freed with the system by
 * operations->free. NULL with ENOMEM, and then context is still the caller's.
 */
struct memtun_io *memtun_io_new_tun(const struct io_tun_operations *operations, void *context);

/* tun_interface_init(), for a backend in another library. */
void memtun_io_interface_init(struct tun_interface *interface, const char *name,
			      unsigned int flags);

/* What the backend gave, of such a system's tunnel. */
static inline void *io_tunnel_context(const struct io_tunnel *tunnel)
{
	return tunnel->system->context;
}

/* What memtun_io_new_tun() made of the system, or NULL if it is of another kind. */
struct io_tun *io_tun_of(struct memtun_io *io);

/* The tunnel behind a descriptor. NULL with EBADF (not open) or ENOTTY (not a tunnel's). */
struct io_tunnel *io_tunnel_find(struct memtun_io *io, int fd);

#endif
