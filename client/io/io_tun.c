/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes of the device, its ioctls, and the system with one device: see io_tun.h.
 */
#include "client/io/io_tun.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/failed.h"

/* ------------------------------------------------------------------------------ writing */

static ssize_t send_parts(int fd, const struct iovec *parts, int count, int flags)
{
	struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};

	if (count == 1)
		return send(fd, parts->iov_base, parts->iov_len, flags | MSG_NOSIGNAL);
	return sendmsg(fd, &message, flags | MSG_NOSIGNAL);
}

/* Handle a write that failed: make room and try again, or turn errno into the kernel's. */
static ssize_t write_failed(struct io_tunnel *tunnel, int fd, const struct iovec *parts, int count)
{
	const struct io_tun *system = tunnel->system;
	bool made_room = false;

	if (errno == EAGAIN && system->operations->make_room) {
		pthread_mutex_lock(&tunnel->system->lock);
		made_room = system->operations->make_room(tunnel);
		pthread_mutex_unlock(&tunnel->system->lock);
		/* Without room, wait or fail as the descriptor's O_NONBLOCK has it. */
		if (send_parts(fd, parts, count, made_room ? MSG_DONTWAIT : 0) >= 0)
			return io_total(parts, count);
	}
	switch (errno) {
	case EPIPE:
	case ECONNRESET:
	case ECONNREFUSED:
	case ENOTCONN:
		return failed(EBADFD); /* the tunnel has ended */
	case EMSGSIZE:
		return failed(ENOBUFS);
	default:
		return -1;
	}
}

/* Return 0 if no fault of the tunnel is due for the call; -1 with the fault's errno. */
static inline int tunnel_check(struct io_tunnel *tunnel, enum memtun_io_call call)
{
	int error;

	if (!tunnel_faults_have(&tunnel->faults, call))
		return 0;
	pthread_mutex_lock(&tunnel->system->lock);
	error = tunnel_faults_take(&tunnel->faults, call);
	pthread_mutex_unlock(&tunnel->system->lock);
	return error ? failed(error) : 0;
}

static ssize_t tun_write(void *state, int fd, const struct iovec *parts, int count)
{
	struct io_tunnel *tunnel = state;
	const struct tun_interface *interface = tunnel->device.interface;
	const struct io_tun_operations *operations = tunnel->system->operations;
	size_t length = count == 1 ? parts->iov_len : (size_t)io_total(parts, count);
	ssize_t sent;

	if (tunnel_check(tunnel, MEMTUN_IO_WRITE) < 0)
		return -1;
	if (!interface)
		return failed(EBADFD);
	if (!tun_interface_accepts(interface, parts, count, length))
		return failed(EINVAL);
	if (length > tunnel->send_size)
		return failed(ENOBUFS);
	sent = send_parts(fd, parts, count, operations->make_room ? MSG_DONTWAIT : 0);
	if (sent < 0)
		sent = write_failed(tunnel, fd, parts, count);
	if (sent >= 0 && atomic_load_explicit(&tunnel->is_sorted, memory_order_relaxed)) {
		pthread_mutex_lock(&tunnel->system->lock);
		operations->after_write(tunnel);
		pthread_mutex_unlock(&tunnel->system->lock);
	}
	return sent;
}

/* ------------------------------------------------------------------------------ reading */

/* Return the message's length, which may be longer than the parts. */
static ssize_t receive_parts(int fd, const struct iovec *parts, int count)
{
	struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};

	if (count == 1)
		return recv(fd, parts->iov_base, parts->iov_len, MSG_TRUNC);
	return recvmsg(fd, &message, MSG_TRUNC);
}

static ssize_t read_failed(struct io_tunnel *tunnel, int fd, const struct iovec *parts, int count,
			   ssize_t got)
{
	/* ECONNRESET comes once: the peer closed with frames unread. Its own frames follow. */
	if (got < 0 && errno == ECONNRESET)
		got = receive_parts(fd, parts, count);
	if (got > 0)
		return got;
	if (got == 0)
		return failed(EBADFD); /* the tunnel has ended */
	return errno == EAGAIN ? failed(tunnel->error_when_empty) : -1;
}

/* Set the flag in packet information, at its beginning, which means that the frame was cut. */
static void mark_cut(const struct iovec *parts)
{
	const uint16_t flags = TUN_PKT_STRIP;
	const unsigned char *from = (const unsigned char *)&flags;

	for (size_t left = sizeof(flags); left; parts++) {
		size_t taken = parts->iov_len < left ? parts->iov_len : left;

		memcpy(parts->iov_base, from, taken);
		from += taken;
		left -= taken;
	}
}

static ssize_t tun_read(void *state, int fd, const struct iovec *parts, int count)
{
	struct io_tunnel *tunnel = state;
	const struct tun_interface *interface = tunnel->device.interface;
	size_t limit = count == 1 ? parts->iov_len : (size_t)io_total(parts, count);
	ssize_t got;

	if (tunnel_check(tunnel, MEMTUN_IO_READ) < 0)
		return -1;
	if (!interface)
		return failed(EBADFD);
	if (limit == 0)
		return 0; /* no frame is taken */
	if (atomic_load_explicit(&tunnel->has_waiting, memory_order_relaxed)) {
		pthread_mutex_lock(&tunnel->system->lock);
		tunnel->system->operations->before_read(tunnel);
		pthread_mutex_unlock(&tunnel->system->lock);
	}
	got = receive_parts(fd, parts, count);
	if (got <= 0)
		got = read_failed(tunnel, fd, parts, count, got);
	if (got <= 0 || (size_t)got <= limit)
		return got;
	/* As in the kernel, the frame is lost if the headers have no room. */
	if (limit < interface->header_size)
		return failed(EINVAL);
	if (interface->packet_information)
		mark_cut(parts);
	return (ssize_t)limit;
}

/* ------------------------------------------------------------------------------ the rest */

static int tun_ioctl(void *state, int fd, unsigned long request, void *argument)
{
	struct io_tunnel *tunnel = state;
	int result;

	if (tunnel_check(tunnel, MEMTUN_IO_IOCTL) < 0)
		return -1;
	switch (request) {
	/* The kernel handles these before the device. */
	case FIONBIO:
	case FIOASYNC:
	case FIOCLEX:
	case FIONCLEX:
		return ioctl(fd, request, argument);
	}
	pthread_mutex_lock(&tunnel->system->lock);
	tunnel->fd = fd;
	result = tun_device_ioctl(&tunnel->device, request, (unsigned long)argument);
	pthread_mutex_unlock(&tunnel->system->lock);
	return result;
}

static int tun_open(void *context, int flags, void **state)
{
	struct io_tun *system = context;
	struct io_tunnel *tunnel;
	int fd;

	pthread_mutex_lock(&system->lock);
	fd = system->operations->open(system->context, flags, &tunnel);
	pthread_mutex_unlock(&system->lock);
	if (fd < 0)
		return -1;
	tunnel->device.operations = &system->operations->device;
	tunnel->system = system;
	tunnel->fd = fd;
	tunnel->inode = io_inode(fd);
	tunnel->open_flags = flags;
	tunnel_faults_init(&tunnel->faults);
	tunnel->error_when_empty = system->error_when_empty;
	tunnel->send_size = system->send_size;
	*state = tunnel;
	return fd;
}

static void tun_close(void *state)
{
	struct io_tunnel *tunnel = state;
	struct io_tun *system = tunnel->system;

	pthread_mutex_lock(&system->lock);
	system->operations->close(tunnel);
	pthread_mutex_unlock(&system->lock);
}

static bool tun_is_open(void *state)
{
	struct io_tunnel *tunnel = state;
	bool is_open;

	pthread_mutex_lock(&tunnel->system->lock);
	is_open = tunnel->system->operations->is_open ? tunnel->system->operations->is_open(tunnel)
						      : io_number_of(tunnel->inode) >= 0;
	pthread_mutex_unlock(&tunnel->system->lock);
	return is_open;
}

int io_tunnel_number(struct io_tunnel *tunnel)
{
	if (io_inode(tunnel->fd) != tunnel->inode)
		tunnel->fd = io_number_of(tunnel->inode);
	return tunnel->fd;
}

static const struct memtun_io_device tun_operations = {
	.open = tun_open,
	.read = tun_read,
	.write = tun_write,
	.ioctl = tun_ioctl,
	.close = tun_close,
	.is_open = tun_is_open,
};

struct io_tunnel *io_tunnel_find(struct memtun_io *io, int fd)
{
	struct io_open *open = io_find(io, fd);

	if (!open)
		return NULL;
	if (open->read != tun_read) {
		errno = ENOTTY;
		return NULL;
	}
	return open->state;
}

/* ------------------------------------------------------------------------------ the system */

void memtun_io_interface_init(struct tun_interface *interface, const char *name, unsigned int flags,
			      int vnet_size)
{
	tun_interface_init(interface, name, flags);
	if (vnet_size)
		interface->vnet_size = vnet_size;
	tun_interface_update(interface);
}

static void tun_free(void *kind)
{
	struct io_tun *system = kind;

	system->operations->free(system->context);
	pthread_mutex_destroy(&system->lock);
	free(system);
}

struct io_tun *io_tun_of(struct memtun_io *io)
{
	return io->free_kind == tun_free ? io->kind : NULL;
}

static int tun_register(struct memtun_io *io, const char *path)
{
	return memtun_io_register_device(io, path, &tun_operations, io_tun_of(io));
}

struct memtun_io *memtun_io_new_tun(const struct io_tun_operations *operations, void *context)
{
	struct io_tun *system = calloc(1, sizeof(*system));
	struct memtun_io *io = system ? io_new(free, system) : NULL;

	if (!io) {
		free(system);
		return NULL;
	}
	system->operations = operations;
	system->context = context;
	system->send_size = IO_TUN_SEND_SIZE;
	system->error_when_empty = EAGAIN;
	pthread_mutex_init(&system->lock, NULL);
	io->register_tun = tun_register;
	if (memtun_io_register_device(io, MEMTUN_IO_TUN, &tun_operations, system) < 0) {
		memtun_io_free(io);
		return NULL;
	}
	io->free_kind = tun_free;
	return io;
}
