/* SPDX-License-Identifier: MIT */
/*
 * The memory kind: no broker, no thread, no loop. Each open is a SEQPACKET socketpair whose one end
 * is the program's; the other, the network's, is kept here, together with the interfaces that
 * TUNSETIFF made. An interface goes as the kernel's does: with its last queue, unless persistent.
 *
 * A queue lives as long as any copy of the program's descriptor, also one in another process: when
 * the last number that we know of is closed, the network's end shows whether it is hung up. One
 * that isn't is kept, and asked again whenever a name is wanted.
 */
#include "client/io/io_memory_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/descriptor.h"

/* As the kernel's MAX_TAP_QUEUES. */
#define QUEUES_MAX 256

/* What sockets get by default, doubled by the kernel: 278 frames of 60 bytes, 93 of 1514. */
#define SEND_BUFFER (212992 / 2)

struct memory_interface {
	struct tun_interface interface; /* first */
	LIST_ENTRY(memory_interface) in_memory;
};

static int failed(int error)
{
	errno = error;
	return -1;
}

static struct memory *memory_of(struct memory_tunnel *tunnel)
{
	return io_tunnel_context(&tunnel->tunnel);
}

/* ------------------------------------------------------------------------------ interfaces */

static struct tun_interface *find_interface(struct memory *memory, const char *name)
{
	struct memory_interface *found;

	LIST_FOREACH(found, &memory->interfaces, in_memory) {
		if (strcmp(found->interface.name, name) == 0)
			return &found->interface;
	}
	return NULL;
}

/* As dev_valid_name() and then __dev_alloc_name() have it; a broker's names are stricter. */
static bool is_valid_name(const char *name)
{
	const char *percent = strchr(name, '%');

	if (strlen(name) >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	/* The kernel counts Latin 1's space that doesn't break. */
	if (strpbrk(name, "/: \t\n\v\f\r\xa0"))
		return false;
	return !percent || (percent[1] == 'd' && !strchr(percent + 1, '%'));
}

/* The name to make an interface by: a template gets its lowest free number. */
static int choose_name(struct memory *memory, char name[IFNAMSIZ], unsigned int flags)
{
	char template[IFNAMSIZ];
	const char *percent;

	if (!*name)
		strcpy(name, flags & IFF_TUN ? "tun%d" : "tap%d");
	if (!is_valid_name(name))
		return failed(EINVAL);
	if (!strchr(name, '%'))
		return 0;
	strcpy(template, name);
	percent = strchr(template, '%');
	for (unsigned int number = 0;; number++) {
		int length = snprintf(name, IFNAMSIZ, "%.*s%u%s", (int)(percent - template),
				      template, number, percent + 2);

		if (length >= IFNAMSIZ)
			return failed(ENFILE);
		if (!find_interface(memory, name))
			return 0;
	}
}

static struct tun_interface *make_interface(struct memory *memory, char name[IFNAMSIZ],
					    unsigned int flags)
{
	struct memory_interface *made;

	if (!(flags & (IFF_TUN | IFF_TAP))) {
		errno = EINVAL;
		return NULL;
	}
	if (choose_name(memory, name, flags) < 0)
		return NULL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return NULL;
	tun_interface_init(&made->interface, name, flags);
	LIST_INSERT_HEAD(&memory->interfaces, made, in_memory);
	return &made->interface;
}

static void free_interface(struct tun_interface *interface)
{
	LIST_REMOVE((struct memory_interface *)interface, in_memory);
	free(interface);
}

/* Is the process one that TUNSETOWNER and TUNSETGROUP let in? */
static bool admits(const struct tun_interface *interface)
{
	gid_t groups[NGROUPS_MAX];
	int count;

	if (geteuid() == 0)
		return true;
	if (interface->owner != (uid_t)-1 && interface->owner != geteuid())
		return false;
	if (interface->group == (gid_t)-1 || interface->group == getegid())
		return true;
	count = getgroups(NGROUPS_MAX, groups);
	for (int i = 0; i < count; i++) {
		if (groups[i] == interface->group)
			return true;
	}
	return false;
}

/* May one more queue be attached? In the order that tun_set_iff() and tun_attach() ask. */
static int interface_has_room(const struct tun_interface *interface, unsigned int flags)
{
	if (flags & IFF_TUN_EXCL)
		return failed(EBUSY);
	if (!(flags & interface->flags & (IFF_TUN | IFF_TAP)))
		return failed(EINVAL);
	if ((flags ^ interface->flags) & IFF_MULTI_QUEUE)
		return failed(EINVAL);
	if (!admits(interface))
		return failed(EPERM);
	if (!(interface->flags & IFF_MULTI_QUEUE) && interface->queues)
		return failed(EBUSY);
	if (interface->queues + interface->disabled_queues == QUEUES_MAX)
		return failed(E2BIG);
	return 0;
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
		free_interface(interface);
}

/* Its interface and its socket go; what the program wrote is kept for a test that holds it. */
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
	/* Its frames still need to be understood. */
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
	free(tunnel);
}

/* The program has closed it, and so has everybody else. */
static void tunnel_close_dead(struct memory_tunnel *tunnel)
{
	if (tunnel->held)
		end_tunnel(tunnel);
	else
		free_tunnel(tunnel);
}

/* Frees tunnels that the program closed and whose last copy has gone since. */
static void close_dead(struct memory *memory)
{
	struct memory_tunnel *tunnel, *next;

	for (tunnel = TAILQ_FIRST(&memory->tunnels); tunnel; tunnel = next) {
		next = TAILQ_NEXT(tunnel, in_memory);
		if (tunnel->closed && descriptor_hung_up(tunnel->network_fd))
			tunnel_close_dead(tunnel);
	}
}

static int memory_attach(struct tun_device *device, char name[IFNAMSIZ], unsigned int flags)
{
	struct memory_tunnel *tunnel = (struct memory_tunnel *)device;
	struct memory *memory = memory_of(tunnel);
	struct tun_interface *interface;

	/* Fragments need NAPI, and Ethernet. */
	if (flags & IFF_NAPI_FRAGS &&
	    (!(flags & IFF_NAPI) || (flags & (IFF_TUN | IFF_TAP)) != IFF_TAP))
		return failed(EINVAL);
	close_dead(memory);
	interface = find_interface(memory, name);
	if (!interface) {
		interface = make_interface(memory, name, flags);
		if (!interface)
			return -1;
	} else if (interface_has_room(interface, flags) < 0) {
		return -1;
	} else if (interface->queues + interface->disabled_queues == 0) {
		tun_interface_set_flags(interface, flags);
	}
	interface->queues++;
	device->interface = interface;
	return 0;
}

static int memory_enable(struct tun_device *device, bool on)
{
	struct memory_tunnel *tunnel = (struct memory_tunnel *)device;
	unsigned char byte;

	if (on)
		return 0;
	/* A disabled queue loses what waits in it. */
	drop_waiting(tunnel);
	while (recv(tunnel->tunnel.fd, &byte, 1, MSG_DONTWAIT) > 0)
		;
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
	descriptor_owned fd = ends[0];
	descriptor_owned network_fd = ends[1];

	/* The kernel notes when each frame was written, also by a plain write(2). */
	if (set_buffer(fd) < 0 || set_buffer(network_fd) < 0 ||
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

static void memory_close(struct io_tunnel *tunnel)
{
	memory_of_tunnel(tunnel)->closed = true;
	memory_of_tunnel(tunnel)->tunnel.fd = -1;
	if (descriptor_hung_up(memory_of_tunnel(tunnel)->network_fd))
		tunnel_close_dead(memory_of_tunnel(tunnel));
}

/* ------------------------------------------------------------------------------ the system */

static void memory_free_kind(void *context)
{
	struct memory *memory = context;
	struct memory_interface *interface;
	struct memory_tunnel *tunnel;

	/* Those whose copies live on lose their network. */
	while ((tunnel = TAILQ_FIRST(&memory->tunnels)))
		free_tunnel(tunnel);
	while ((interface = LIST_FIRST(&memory->interfaces)))
		free_interface(&interface->interface);
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
		if (tunnel->tunnel.device.interface && !tunnel->closed)
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
