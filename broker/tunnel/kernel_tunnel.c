/* SPDX-License-Identifier: MIT */
#include "broker/tunnel/kernel_tunnel.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "broker/broker.h"
#include "common/descriptor.h"
#include "broker/system/kernel_device.h"
#include "broker/system/kernel_link.h"
#include "broker/tunnel/tunnel.h"
#include "common/tunnel_name.h"

#define BIT(attribute) ATTRIBUTE_BIT(MEMTUN_A_##attribute)

/* What means nothing where the frames don't come through the broker, and where there is no socket.
 * The mtu is the interface's own. */
#define MEMORY_ONLY                                                                            \
	(BIT(BRIDGE) | BIT(PEER) | BIT(SOCKET) | BIT(MTU) | BIT(QUEUE_LIMIT) | BIT(OVERFLOW) | \
	 BIT(ADDRESS) | BIT(GATEWAY))

int kernel_tunnel_check(const struct broker *broker, const struct attribute_set *options,
			struct fault *fault)
{
	uint64_t surplus = options->present[0] & MEMORY_ONLY;

	if (surplus)
		return fault_set(fault, EINVAL, "a tunnel with backend kernel takes no %s",
				 attributes[__builtin_ctzll(surplus)].word);
	if (!broker->kernel)
		return fault_set(fault, EPERM,
				 "backend kernel is for a memtund that was started with --kernel");
	return 0;
}

int kernel_tunnel_expand(struct broker *broker, const char *template, char name[MEMTUN_NAME_SIZE])
{
	for (unsigned int number = 0; tunnel_name_expand(name, MEMTUN_NAME_SIZE, template, number);
	     number++) {
		if (!tunnel_find(broker, name) && !uplink_find(broker, name) &&
		    !if_nametoindex(name))
			return 0;
	}
	errno = ENFILE;
	return -1;
}

static int device_open(struct tunnel *tunnel, bool fresh, struct fault *fault)
{
	struct kernel_device device = {
		.mode = tunnel->port.mode,
		.format = tunnel->format,
		.multi_queue = tunnel->multi_queue,
		.fresh = fresh,
	};
	char name[MEMTUN_NAME_SIZE] = "";
	char text[160];
	int fd;

	strlcpy(name, tunnel->port.name, sizeof(name));
	fd = kernel_device_open(&device, name, text, sizeof(text));
	if (fd < 0)
		fault_set(fault, errno, "%s: %s", text, strerror(errno));
	return fd;
}

int kernel_tunnel_new(struct tunnel *tunnel, struct fault *fault)
{
	struct kernel_tunnel *kernel = calloc(1, sizeof(*kernel));
	struct broker *broker = tunnel->port.broker;
	descriptor_owned fd = -1;

	if (!kernel)
		return fault_set(fault, ENOMEM, "cannot make '%s': out of memory",
				 tunnel->port.name);
	fd = device_open(tunnel, true, fault);
	if (fd < 0) {
		free(kernel);
		return -1;
	}
	kernel->index = if_nametoindex(tunnel->port.name);
	if (!kernel->index ||
	    (tunnel->persistent && (ioctl(fd, TUNSETOWNER, (unsigned long)tunnel->owner) < 0 ||
				    ioctl(fd, TUNSETPERSIST, 1) < 0))) {
		fault_set(fault, errno, "cannot make the interface '%s' stay: %s",
			  tunnel->port.name, strerror(errno));
		free(kernel);
		return -1;
	}
	/* A descriptor kept would keep others from opening it. */
	kernel->held = tunnel->persistent ? -1 : descriptor_take(&fd);
	kernel->tunnel = tunnel;
	tunnel->kernel = kernel;
	LIST_INSERT_HEAD(&broker->kernel_tunnels, kernel, in_broker);
	broker_arm_liveness(broker);
	return 0;
}

/* Is the interface there, under the tunnel's name? One that was renamed is no more ours. Where it
 * can't be asked it is taken to be there, and link->name is empty. */
static bool interface_ask(const struct kernel_tunnel *kernel, struct kernel_link *link)
{
	if (kernel_link_ask(kernel->index, link) == 0)
		return strcmp(link->name, kernel->tunnel->port.name) == 0;
	return errno != ENODEV;
}

void kernel_tunnel_free(struct kernel_tunnel *kernel)
{
	struct kernel_link link;

	descriptor_close(&kernel->held);
	if (interface_ask(kernel, &link))
		kernel_link_delete(kernel->index);
	LIST_REMOVE(kernel, in_broker);
	broker_arm_liveness(kernel->tunnel->port.broker);
	kernel->tunnel->kernel = NULL;
	free(kernel);
}

int kernel_tunnel_take(struct tunnel *tunnel, int *client_fd, struct fault *fault)
{
	struct kernel_tunnel *kernel = tunnel->kernel;
	descriptor_owned fd = descriptor_take(&kernel->held);

	if (fd < 0)
		fd = device_open(tunnel, false, fault);
	if (fd < 0)
		return -1;
	/* Where it has gone a moment ago, this was made instead. */
	if (if_nametoindex(tunnel->port.name) != kernel->index)
		return fault_set(fault, ENODEV, "the interface '%s' has gone", tunnel->port.name);
	kernel->open = true;
	*client_fd = descriptor_take(&fd);
	return 0;
}

bool kernel_tunnel_delete_dead(struct tunnel *tunnel)
{
	struct kernel_link link;

	if (interface_ask(tunnel->kernel, &link))
		return false;
	tunnel_delete(tunnel);
	return true;
}

void kernel_tunnel_look(struct kernel_tunnel *kernel)
{
	struct tunnel *tunnel = kernel->tunnel;
	struct kernel_link link;

	if (!interface_ask(kernel, &link)) {
		tunnel_delete(tunnel);
		return;
	}
	if (link.name[0] == '\0' || kernel->open == (link.queues > 0))
		return;
	kernel->open = link.queues > 0;
	tunnel_publish(tunnel, kernel->open ? MEMTUN_EVENT_OPENED : MEMTUN_EVENT_CLOSED, 0);
}

void kernel_tunnel_describe(const struct kernel_tunnel *kernel, struct attribute_set *set)
{
	struct kernel_link link;

	set->present[0] &= ~MEMORY_ONLY;
	attribute_set_put_number(set, MEMTUN_A_BACKEND, MEMTUN_KERNEL);
	if (kernel_link_ask(kernel->index, &link) < 0) {
		if (errno != ENODEV)
			set->present[0] &= ~(BIT(QUEUES) | BIT(STATE));
		return;
	}
	attribute_set_put_number(set, MEMTUN_A_MTU, link.mtu);
	attribute_set_put_number(set, MEMTUN_A_QUEUES, link.queues);
	attribute_set_put_number(set, MEMTUN_A_STATE, link.queues ? MEMTUN_OPEN : MEMTUN_CLOSED);
}
