/* SPDX-License-Identifier: MIT */
#include "client/lib/broker_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>

#include "client/lib/connection.h"
#include "common/descriptor.h"
#include "common/failed.h"

/* A request and its answer. */
struct request {
	bool done;
	int error;
	int fd; /* owned */
	uint32_t queue_id;
	ino_t inode;
	struct broker_attached attached;
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
	struct broker_attached *attached = &request->attached;
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
	request->inode = (ino_t)record_number(reply->record, "inode");
	attached->tunnel_id = (uint32_t)record_number(reply->record, "id");
	attached->persistent = record_number(reply->record, "persistent");
	attached->vnet_size = (int)record_number(reply->record, "vnet_hdr_size");
	attached->owner = (uid_t)record_number(reply->record, "owner");
	name = memtun_record_string(reply->record, "name");
	if (name && strlen(name) < sizeof(attached->name))
		strcpy(attached->name, name);
}

/*
 * Return -1 with the broker's errno, or with EPIPE if the connection has ended. A broker that was
 * killed before it read a request ends the connection with ECONNRESET.
 */
static int request_failed(const struct memtun *memtun, int error)
{
	return failed(memtun_fd(memtun) < 0 ? EPIPE : error);
}

/* Send a request and wait for its answer. -1 with the errno of request_failed(). */
static int request_make(struct memtun *memtun, struct request *request, enum memtun_command command,
			const char *name, const struct memtun_options *options)
{
	bool was_blocking = memtun->blocking;

	request->fd = -1;
	if (memtun_request(memtun, command, name, options, request_answered, request) < 0)
		return request_failed(memtun, errno);
	/* Events wait meanwhile. The request gets its answer also if the connection ends. */
	memtun->blocking = true;
	while (!request->done && connection_wait(memtun) == 0)
		;
	memtun->blocking = was_blocking;
	if (request->error) {
		descriptor_close(&request->fd);
		return request_failed(memtun, request->error);
	}
	return 0;
}

int broker_queue_open(struct broker_queue *queue, struct memtun *memtun, int flags)
{
	struct request request = {0};

	if (request_make(memtun, &request, MEMTUN_CMD_QUEUE_OPEN, NULL, NULL) < 0)
		return -1;
	descriptor_owned fd = request.fd;

	/* The library's descriptors are blocking and close-on-exec. */
	if (fd < 0 || (flags & O_NONBLOCK && fcntl(fd, F_SETFL, O_NONBLOCK) < 0) ||
	    (!(flags & O_CLOEXEC) && fcntl(fd, F_SETFD, 0) < 0))
		return -1;
	queue->memtun = memtun;
	queue->id = request.queue_id;
	queue->inode = request.inode;
	return descriptor_take(&fd);
}

int broker_queue_attach(const struct broker_queue *queue, const char *name, unsigned int flags,
			struct memtun_options *options, struct broker_attached *attached)
{
	struct request request = {0};

	if (!(flags & (IFF_TUN | IFF_TAP)))
		return failed(EINVAL);
	if (!*name)
		name = flags & IFF_TUN ? "tun%d" : "tap%d";
	if (memtun_options_set_number(options, "queue-id", queue->id) < 0 ||
	    memtun_options_set_number(options, "mode", flags & IFF_TUN ? MEMTUN_TUN : MEMTUN_TAP) <
		    0 ||
	    memtun_options_set_number(options, "pi", !(flags & IFF_NO_PI)) < 0 ||
	    memtun_options_set_number(options, "vnet_hdr", !!(flags & IFF_VNET_HDR)) < 0 ||
	    memtun_options_set_number(options, "offload", 0) < 0 ||
	    memtun_options_set_number(options, "multi_queue", !!(flags & IFF_MULTI_QUEUE)) < 0 ||
	    memtun_options_set_number(options, "exclusive", !!(flags & IFF_TUN_EXCL)) < 0)
		return -1;
	if (request_make(queue->memtun, &request, MEMTUN_CMD_QUEUE_ATTACH, name, options) < 0)
		return -1;
	*attached = request.attached;
	return 0;
}

int broker_queue_detach(const struct broker_queue *queue)
{
	struct request request = {0};
	options_owned *options = memtun_options_new();

	if (!options || memtun_options_set_number(options, "queue-id", queue->id) < 0)
		return -1;
	return request_make(queue->memtun, &request, MEMTUN_CMD_QUEUE_DETACH, NULL, options);
}

/* Change the number of the interface's tunnel. */
static int tunnel_set_number(const struct broker_queue *queue,
			     const struct tun_interface *interface, const char *key,
			     uint64_t number)
{
	options_owned *options = memtun_options_new();

	if (!options || memtun_options_set_number(options, key, number) < 0)
		return -1;
	if (memtun_set(queue->memtun, interface->name, options) < 0)
		return request_failed(queue->memtun, errno);
	return 0;
}

int broker_queue_persist(const struct broker_queue *queue, const struct tun_interface *interface,
			 bool on)
{
	return tunnel_set_number(queue, interface, "persistent", on);
}

int broker_queue_own(const struct tun_interface *interface, uid_t owner, gid_t group)
{
	bool is_ours = group == interface->group || group == getegid();

	return owner == interface->owner && is_ours ? 0 : failed(EPERM);
}

int broker_queue_set_vnet_size(const struct broker_queue *queue,
			       const struct tun_interface *interface, int size)
{
	if (!(interface->flags & IFF_VNET_HDR))
		return 0;
	return tunnel_set_number(queue, interface, "vnet_hdr_size", (uint64_t)size);
}

int broker_queue_set_offload(const struct broker_queue *queue,
			     const struct tun_interface *interface, unsigned int offload)
{
	if (!(interface->flags & IFF_VNET_HDR))
		return 0;
	return tunnel_set_number(queue, interface, "offload", offload);
}
