/* SPDX-License-Identifier: MIT */
/*
 * The I/O system in memory, which needs no broker, thread or event loop. Each open makes a
 * SEQPACKET socket pair. The program owns one end. This file owns the other end, which stands for
 * the network, and decides when a tunnel ends.
 */
#include "client/io/io_memory_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/failed.h"

/*
 * A tunnel lives as long as any duplicate of the program's descriptor, even one in another process.
 * The network's end shows when all duplicates are closed. If the last one was not closed by
 * memtun_io_close(), the tunnel ends at the next open, close or TUNSETIFF.
 */

/*
 * Bytes; half of net.core.wmem_default, because the kernel doubles what is set. A socket then has
 * room for 278 frames of 60 bytes or 93 of 1514 (measured with Linux 6.18).
 */
#define SEND_BUFFER (212992 / 2)

static struct memory *memory_of(struct memory_tunnel *tunnel)
{
	return io_tunnel_context(&tunnel->tunnel);
}

/* ------------------------------------------------------------------------------ its life */

static void drop_waiting(struct memory_tunnel *tunnel)
{
	memory_drop_frames(&tunnel->waiting);
	tunnel->waiting_count = 0;
	tunnel->lengths_count = 0;
	atomic_store(&tunnel->tunnel.has_waiting, !TAILQ_EMPTY(&tunnel->sorters));
}

static void detach(struct memory_tunnel *tunnel)
{
	struct tun_interface *interface = tunnel->tunnel.device.interface;

	if (!interface)
		return;
	if (tunnel->tunnel.device.detached)
		interface->disabled_queues--;
	else
		interface->queues--;
	if (interface->queues + interface->disabled_queues)
		return;
	interface->carrier = false;
	if (!(interface->flags & IFF_PERSIST))
		memory_interface_free(interface);
}

/* End the tunnel: close its socket and leave its interface. If a test holds the tunnel, keep the
 * frames that the program wrote. */
static void end_tunnel(struct memory_tunnel *tunnel)
{
	struct tun_device *device = &tunnel->tunnel.device;

	if (tunnel->network_fd < 0)
		return;
	if (tunnel->held)
		memory_collect(tunnel);
	else
		memory_sort(&tunnel->tunnel);
	memory_end_sorters(tunnel);
	drop_waiting(tunnel);
	/* Keep a copy of the interface, whose settings tell how to read the headers of the kept
	 * frames. */
	if (device->interface)
		tunnel->last = *device->interface;
	detach(tunnel);
	if (device->interface)
		device->interface = &tunnel->last;
	descriptor_close(&tunnel->network_fd);
}

static void free_tunnel(struct memory_tunnel *tunnel)
{
	TAILQ_REMOVE(&memory_of(tunnel)->tunnels, tunnel, in_memory);
	end_tunnel(tunnel);
	memory_drop_frames(&tunnel->written);
	for (unsigned int i = 0; i < IO_CALLS; i++)
		tunnel_faults_clear(&tunnel->tunnel.faults, (enum memtun_io_call)(1u << i));
	free(tunnel);
}

static bool memory_is_open(struct io_tunnel *tunnel)
{
	const struct memory_tunnel *self = memory_of_tunnel(tunnel);

	return self->network_fd >= 0 && !descriptor_hung_up(self->network_fd);
}

/* End the tunnels whose last duplicate was not closed by memtun_io_close(). They are still in the
 * table of descriptors. */
static void end_dead(struct memory *memory)
{
	struct memory_tunnel *tunnel;

	TAILQ_FOREACH(tunnel, &memory->tunnels, in_memory) {
		if (!memory_is_open(&tunnel->tunnel))
			end_tunnel(tunnel);
	}
}

static int memory_attach(struct tun_device *device, char name[IFNAMSIZ], unsigned int flags)
{
	struct memory_tunnel *tunnel = container_of(device, struct memory_tunnel, tunnel.device);
	struct memory *memory = memory_of(tunnel);
	struct tun_interface *interface;

	/* As in the kernel, IFF_NAPI_FRAGS needs IFF_NAPI and IFF_TAP. */
	if (flags & IFF_NAPI_FRAGS &&
	    (!(flags & IFF_NAPI) || (flags & (IFF_TUN | IFF_TAP)) != IFF_TAP))
		return failed(EINVAL);
	end_dead(memory);
	interface = memory_interface_find(memory, name);
	if (!interface) {
		interface = memory_interface_make(memory, name, flags);
		if (!interface)
			return -1;
	} else if (memory_interface_admit(interface, flags) < 0) {
		return -1;
	} else if (interface->queues + interface->disabled_queues == 0) {
		tun_interface_set_flags(interface, flags);
	}
	interface->queues++;
	device->interface = interface;
	return 0;
}

void memory_drop_unread(struct memory_tunnel *tunnel)
{
	const int number = io_tunnel_number(&tunnel->tunnel);
	unsigned char byte;

	drop_waiting(tunnel);
	while (number >= 0 && recv(number, &byte, 1, MSG_DONTWAIT) > 0)
		;
}

static int memory_enable(struct tun_device *device, bool on)
{
	struct memory_tunnel *tunnel = container_of(device, struct memory_tunnel, tunnel.device);

	if (on)
		return 0;
	/* As in the kernel, a queue that is disabled loses the frames that were not read yet. */
	memory_drop_unread(tunnel);
	return 0;
}

static int memory_set_vnet_size(struct tun_device *device, int size)
{
	(void)device;
	return size > IO_MEMORY_HEADERS - (int)sizeof(struct tun_pi) ? failed(EINVAL) : 0;
}

static int set_buffer(int fd)
{
	const int size = SEND_BUFFER;

	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int memory_open(void *context, int flags, struct io_tunnel **opened)
{
	struct memory *memory = context;
	memory_owned struct memory_tunnel *tunnel = calloc(1, sizeof(*tunnel));
	const int on = 1;
	int ends[2];

	if (!tunnel || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	descriptor_owned fd = descriptor_above_standard(ends[0]);
	descriptor_owned network_fd = descriptor_above_standard(ends[1]);

	/* The kernel stamps each message with the time, even if the program wrote it by a plain
	 * write(2). */
	if (fd < 0 || network_fd < 0 || set_buffer(fd) < 0 || set_buffer(network_fd) < 0 ||
	    setsockopt(network_fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
	    (flags & O_NONBLOCK && fcntl(fd, F_SETFL, O_NONBLOCK) < 0) ||
	    (!(flags & O_CLOEXEC) && fcntl(fd, F_SETFD, 0) < 0))
		return -1;
	tunnel->network_fd = descriptor_take(&network_fd);
	STAILQ_INIT(&tunnel->waiting);
	STAILQ_INIT(&tunnel->written);
	TAILQ_INIT(&tunnel->sorters);
	TAILQ_INSERT_TAIL(&memory->tunnels, tunnel, in_memory);
	*opened = &tunnel->tunnel;
	tunnel = NULL;
	return descriptor_take(&fd);
}

/* End the tunnel, and free it unless a test holds it. The program has no duplicate left, or the
 * system is being freed. */
static void memory_close(struct io_tunnel *tunnel)
{
	if (memory_of_tunnel(tunnel)->held)
		end_tunnel(memory_of_tunnel(tunnel));
	else
		free_tunnel(memory_of_tunnel(tunnel));
}

/* ------------------------------------------------------------------------------ the system */

static void memory_free_kind(void *context)
{
	struct memory *memory = context;
	struct memory_tunnel *tunnel;

	/* Free the tunnels that tests hold. */
	while ((tunnel = TAILQ_FIRST(&memory->tunnels)))
		free_tunnel(tunnel);
	memory_free_interfaces(memory);
	free(memory->message);
	free(memory);
}

static const struct io_tun_operations memory_operations = {
	.device =
		{
			.attach = memory_attach,
			.enable = memory_enable,
			.set_vnet_size = memory_set_vnet_size,
		},
	.open = memory_open,
	.close = memory_close,
	.is_open = memory_is_open,
	.before_read = memory_flush,
	.after_write = memory_sort,
	.make_room = memory_make_room,
	.free = memory_free_kind,
};

static bool is_memory(const struct io_tun *system)
{
	if (system && system->operations == &memory_operations)
		return true;
	errno = EOPNOTSUPP;
	return false;
}

struct io_tunnel *io_memory_find(struct memtun_io *io, int fd)
{
	struct io_tunnel *tunnel = io_tunnel_find(io, fd);

	if (!tunnel || !is_memory(tunnel->system))
		return NULL;
	pthread_mutex_lock(&tunnel->system->lock);
	memory_of_tunnel(tunnel)->held = true;
	pthread_mutex_unlock(&tunnel->system->lock);
	return tunnel;
}

struct io_tunnel *io_memory_first(struct memtun_io *io)
{
	struct io_tun *system = io_tun_of(io);
	struct memory_tunnel *tunnel;

	if (!is_memory(system))
		return NULL;
	pthread_mutex_lock(&system->lock);
	TAILQ_FOREACH(tunnel, &((struct memory *)system->context)->tunnels, in_memory) {
		if (tunnel->tunnel.device.interface && memory_is_open(&tunnel->tunnel))
			break;
	}
	if (tunnel)
		tunnel->held = true;
	pthread_mutex_unlock(&system->lock);
	if (tunnel)
		return &tunnel->tunnel;
	errno = ENODEV;
	return NULL;
}

struct memtun_io *memtun_io_memory_new(void)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	struct memtun_io *io;

	if (!memory)
		return NULL;
	TAILQ_INIT(&memory->tunnels);
	LIST_INIT(&memory->interfaces);
	io = memtun_io_new_tun(&memory_operations, memory);
	if (!io)
		free(memory);
	return io;
}
