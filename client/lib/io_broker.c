/* SPDX-License-Identifier: MIT */
/*
 * The I/O system's broker kind: a connection to a memtund. open() asks for a queue without a
 * tunnel, whose descriptor then belongs to the program. TUNSETIFF attaches that queue. Frames go
 * directly between the program and the broker. After the end of the connection the descriptors
 * still work, but each operation that needs a request fails.
 *
 * The broker knows a tunnel's name, mode, headers and queues, and
 * whether it is persistent. The other settings of an interface are kept here with the descriptor
 * and have no effect: see the table in memtun_io(3).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>

#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/failed.h"
#include "client/io/io_tun.h"
#include "client/lib/connection.h"
#include "memtun.h"

struct broker_tunnel {
	struct io_tunnel tunnel;
	struct tun_interface interface;
	uint32_t queue_id;
};

/* A request and its answer. */
struct request {
	bool done;
	int error;
	int fd; /* owned */
	uint32_t queue_id;
	bool persistent;
	int vnet_size; /* of the vnet header, bytes; 0: none */
	uid_t owner;
	char name[IFNAMSIZ];
};

static void options_release(struct memtun_options **options)
{
	memtun_options_free(*options);
}

#define options_owned __attribute__((cleanup(options_release))) struct memtun_options

static uint64_t record_number(const struct memtun_record *record, const char *key)
{
	uint64_t number = 0;

	return memtun_record_number(record, key, &number) < 0 ? 0 : number;
}

static void request_answered(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	struct request *request = context;
	const char *name;

	(void)memtun;
	if (!reply->record) {
		request->done = true;
		request->error = reply->error;
		return;
	}
	descriptor_close(&request->fd);
	request->fd = reply->fd;
	request->queue_id = (uint32_t)record_number(reply->record, "queue-id");
	request->persistent = record_number(reply->record, "persistent");
	request->vnet_size = (int)record_number(reply->record, "vnet_hdr_size");
	request->owner = (uid_t)record_number(reply->record, "owner");
	name = memtun_record_string(reply->record, "name");
	if (name && strlen(name) < sizeof(request->name))
		strcpy(request->name, name);
}

/*
 * Return -1 with the broker's errno, or with EPIPE if the connection has ended. A broker that was killed
 * before it read a request ends the connection with ECONNRESET.
 */
static int request_failed(const struct memtun *memtun, int error)
{
	return failed(memtun_fd(memtun) < 0 ? EPIPE : error);
}

/* Send a request and wait for its answer. -1 with the errno of request_failed(). */
static int request_make(struct memtun *memtun, struct request *request, enum memtun_command command,
			const char *name, const struct memtun_options *options)
{
	request->fd = -1;
	if (memtun_request(memtun, command, name, options, request_answered, request) < 0)
		return request_failed(memtun, errno);
	/* The request gets its answer also if the connection ends. */
	while (!request->done && connection_wait(memtun) == 0)
		;
	if (request->error) {
		descriptor_close(&request->fd);
		return request_failed(memtun, request->error);
	}
	return 0;
}

static struct memtun *connection_of(struct tun_device *device)
{
	return io_tunnel_context((struct io_tunnel *)device);
}

/* ------------------------------------------------------------------------------ open, attach */

static int broker_open(void *context, int flags, struct io_tunnel **opened)
{
	struct request request = {0};
	memory_owned struct broker_tunnel *tunnel = calloc(1, sizeof(*tunnel));

	if (!tunnel || request_make(context, &request, MEMTUN_CMD_QUEUE_OPEN, NULL, NULL) < 0)
		return -1;
	descriptor_owned fd = request.fd;

	/* The library's descriptors are blocking and close-on-exec. */
	if (fd < 0 || (flags & O_NONBLOCK && fcntl(fd, F_SETFL, O_NONBLOCK) < 0) ||
	    (!(flags & O_CLOEXEC) && fcntl(fd, F_SETFD, 0) < 0))
		return -1;
	tunnel->queue_id = request.queue_id;
	*opened = &tunnel->tunnel;
	tunnel = NULL;
	return descriptor_take(&fd);
}

/* Free the tunnel. The broker itself notices when the last copy of the descriptor is closed. */
static void broker_close(struct io_tunnel *tunnel)
{
	free(tunnel);
}

/* Attach the queue to the tunnel of that name. */
static int attach_queue(struct broker_tunnel *tunnel, const char *name, unsigned int flags,
			struct request *request)
{
	struct memtun *memtun = connection_of(&tunnel->tunnel.device);
	options_owned *options = memtun_options_new();

	if (!options || memtun_options_set_number(options, "queue-id", tunnel->queue_id) < 0 ||
	    memtun_options_set_number(options, "mode", flags & IFF_TUN ? MEMTUN_TUN : MEMTUN_TAP) <
		    0 ||
	    memtun_options_set_number(options, "pi", !(flags & IFF_NO_PI)) < 0 ||
	    memtun_options_set_number(options, "vnet_hdr", !!(flags & IFF_VNET_HDR)) < 0 ||
	    memtun_options_set_number(options, "offload", 0) < 0 ||
	    memtun_options_set_number(options, "multi_queue", !!(flags & IFF_MULTI_QUEUE)) < 0 ||
	    memtun_options_set_number(options, "exclusive", !!(flags & IFF_TUN_EXCL)) < 0)
		return -1;
	return request_make(memtun, request, MEMTUN_CMD_QUEUE_ATTACH, name, options);
}

static int broker_attach(struct tun_device *device, char name[IFNAMSIZ], unsigned int flags)
{
	struct broker_tunnel *tunnel = container_of(device, struct broker_tunnel, tunnel.device);
	struct request request = {0};

	if (!(flags & (IFF_TUN | IFF_TAP)))
		return failed(EINVAL);
	if (!*name)
		strcpy(name, flags & IFF_TUN ? "tun%d" : "tap%d");
	if (attach_queue(tunnel, name, flags, &request) < 0)
		return -1;
	strcpy(name, request.name);
	/* A tunnel that was there keeps the size that was set before. */
	memtun_io_interface_init(&tunnel->interface, name, flags, request.vnet_size);
	if (request.persistent)
		tunnel->interface.flags |= IFF_PERSIST;
	tunnel->interface.owner = request.owner;
	tunnel->interface.queues = 1;
	device->interface = &tunnel->interface;
	return 0;
}

/* ------------------------------------------------------------------------------ the rest */

static int broker_enable(struct tun_device *device, bool on)
{
	struct broker_tunnel *tunnel = container_of(device, struct broker_tunnel, tunnel.device);
	struct request request = {0};
	options_owned *options = NULL;

	if (on)
		return attach_queue(tunnel, tunnel->interface.name,
				    tunnel->interface.flags & ~(unsigned int)IFF_TUN_EXCL,
				    &request);
	options = memtun_options_new();
	if (!options || memtun_options_set_number(options, "queue-id", tunnel->queue_id) < 0)
		return -1;
	return request_make(connection_of(device), &request, MEMTUN_CMD_QUEUE_DETACH, NULL,
			    options);
}

/* Change the number of the device's tunnel. */
static int tunnel_set_number(struct tun_device *device, const char *key, uint64_t number)
{
	options_owned *options = memtun_options_new();

	if (!options || memtun_options_set_number(options, key, number) < 0)
		return -1;
	if (memtun_set(connection_of(device), device->interface->name, options) < 0)
		return request_failed(connection_of(device), errno);
	return 0;
}

static int broker_persist(struct tun_device *device, bool on)
{
	return tunnel_set_number(device, "persistent", on);
}

/* Accept only the owner that the tunnel has: the user that made it. */
static int broker_own(struct tun_device *device, uid_t owner, gid_t group)
{
	bool same = owner == device->interface->owner && group == device->interface->group;

	return same ? 0 : failed(EPERM);
}

/* Without a vnet header the kernel only remembers its size and the offloads. */
static int broker_set_vnet_size(struct tun_device *device, int size)
{
	if (!(device->interface->flags & IFF_VNET_HDR))
		return 0;
	return tunnel_set_number(device, "vnet_hdr_size", (uint64_t)size);
}

static int broker_set_offload(struct tun_device *device, unsigned int offload)
{
	if (!(device->interface->flags & IFF_VNET_HDR))
		return 0;
	return tunnel_set_number(device, "offload", offload);
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
