/* SPDX-License-Identifier: MIT */
/*
 * The I/O system's broker kind: a connection to a memtund. open() asks for a queue without a
 * tunnel, whose descriptor then belongs to the program. TUNSETIFF attaches that queue. Frames go
 * directly between the program and the broker.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>

#include "client/io/io_tun.h"
#include "client/lib/broker_queue.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "memtun.h"

/*
 * After the end of the connection the descriptors still work, but each operation that needs a
 * request fails. The broker knows a tunnel's name, mode, headers, offloads and queues, and whether
 * it is persistent. The other settings of an interface are kept here with the descriptor and have
 * no effect: see the table in memtun_io(3).
 */

struct broker_tunnel {
	struct io_tunnel tunnel;
	struct tun_interface interface;
	struct broker_queue queue;
};

static struct broker_tunnel *broker_tunnel_of(struct tun_device *device)
{
	return container_of(device, struct broker_tunnel, tunnel.device);
}

static int broker_open(void *context, int flags, struct io_tunnel **opened)
{
	memory_owned struct broker_tunnel *tunnel = calloc(1, sizeof(*tunnel));
	int fd = tunnel ? broker_queue_open(&tunnel->queue, context, flags) : -1;

	if (fd < 0)
		return -1;
	*opened = &tunnel->tunnel;
	tunnel = NULL;
	return fd;
}

/* Free the tunnel. The broker itself notices when the last copy of the descriptor is closed. */
static void broker_close(struct io_tunnel *tunnel)
{
	free(tunnel);
}

/* Attach the tunnel's queue without further options. */
static int attach_queue(const struct broker_tunnel *tunnel, const char *name, unsigned int flags,
			struct broker_attached *attached)
{
	struct memtun_options *options = memtun_options_new();
	int result =
		options ? broker_queue_attach(&tunnel->queue, name, flags, options, attached) : -1;

	memtun_options_free(options);
	return result;
}

static int broker_attach(struct tun_device *device, char name[IFNAMSIZ], unsigned int flags)
{
	struct broker_tunnel *tunnel = broker_tunnel_of(device);
	struct broker_attached attached = {0};

	if (attach_queue(tunnel, name, flags, &attached) < 0)
		return -1;
	memcpy(name, attached.name, IFNAMSIZ);
	/* A tunnel that existed before keeps the size of its vnet header. */
	memtun_io_interface_init(&tunnel->interface, name, flags, attached.vnet_size);
	if (attached.persistent)
		tunnel->interface.flags |= IFF_PERSIST;
	tunnel->interface.owner = attached.owner;
	tunnel->interface.queues = 1;
	device->interface = &tunnel->interface;
	return 0;
}

static int broker_enable(struct tun_device *device, bool on)
{
	struct broker_tunnel *tunnel = broker_tunnel_of(device);
	struct broker_attached attached;

	if (!on)
		return broker_queue_detach(&tunnel->queue);
	return attach_queue(tunnel, tunnel->interface.name,
			    tunnel->interface.flags & ~(unsigned int)IFF_TUN_EXCL, &attached);
}

static int broker_persist(struct tun_device *device, bool on)
{
	return broker_queue_persist(&broker_tunnel_of(device)->queue, device->interface, on);
}

static int broker_own(struct tun_device *device, uid_t owner, gid_t group)
{
	return broker_queue_own(device->interface, owner, group);
}

static int broker_set_vnet_size(struct tun_device *device, int size)
{
	return broker_queue_set_vnet_size(&broker_tunnel_of(device)->queue, device->interface,
					  size);
}

static int broker_set_offload(struct tun_device *device, unsigned int offload)
{
	return broker_queue_set_offload(&broker_tunnel_of(device)->queue, device->interface,
					offload);
}

static void broker_free_kind(void *context)
{
	memtun_free(context);
}

static const struct io_tun_operations broker_operations = {
	.device =
		{
			.attach = broker_attach,
			.enable = broker_enable,
			.persist = broker_persist,
			.own = broker_own,
			.set_vnet_size = broker_set_vnet_size,
			.set_offload = broker_set_offload,
		},
	.open = broker_open,
	.close = broker_close,
	.free = broker_free_kind,
};

struct memtun_io *memtun_io_broker_new(const char *address)
{
	struct memtun *memtun = memtun_new();
	struct memtun_io *io = NULL;

	if (!memtun)
		return NULL;
	if (memtun_connect(memtun, address) == 0)
		io = memtun_io_new_tun(&broker_operations, memtun);
	if (!io) {
		int saved = errno;

		memtun_free(memtun);
		errno = saved;
	}
	return io;
}
