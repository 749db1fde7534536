/* SPDX-License-Identifier: MIT */
/*
 * A tunnel that is an interface of the kernel: `backend kernel`. Its clients get descriptors of
 * /dev/net/tun from a broker that has the right to open it, and no frame passes through the broker.
 * The broker polls the interface. The tunnel is deleted with it, and it with the tunnel.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "broker/engine/engine.h"
#include "broker/switch/quiet.h"
#include "broker/system/kernel_device.h"
#include "broker/system/kernel_link.h"
#include "broker/tunnel/tunnel.h"
#include "common/container_of.h"
#include "common/descriptor.h"

struct kernel_tunnel {
	struct polled polled;
	struct tunnel *tunnel;
	uint32_t index; /* of the interface */
	int kept;  /* the descriptor that made it, until the request opens it; -1 if it persists */
	bool open; /* when the interface was polled last */
};

static int kernel_check(const struct tunnels *tunnels, const struct attribute_set *options,
			struct fault *fault)
{
	enum memtun_attribute surplus =
		attribute_set_next_option(options, MEMTUN_A_UNSPEC, OPTION_MEMORY_ONLY);

	if (surplus != MEMTUN_A_END)
		return fault_set(fault, EINVAL, "a tunnel with backend kernel takes no %s",
				 attributes[surplus].word);
	if (!tunnels->kernel_allowed)
		return fault_set(fault, EPERM,
				 "backend kernel is for a memtund that was started with --kernel");
	return 0;
}

/* The interfaces of the host have names too, so each number that is free in the broker is tried. */
static int kernel_expand(struct tunnels *tunnels, const char *template, char name[MEMTUN_NAME_SIZE])
{
	unsigned int number, from = 0;

	while (port_names_expand(tunnels->names, template, from, &number, name) == 0) {
		if (!if_nametoindex(name))
			return 0;
		from = number + 1;
	}
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

/* ------------------------------------------------------------------------------ the interface */

/*
 * Return whether the interface exists under the tunnel's name; one that was renamed is no longer
 * the tunnel's. Where the kernel can't be asked, true, and link->name is empty.
 */
static bool interface_exists(const struct kernel_tunnel *kernel, struct kernel_link *link)
{
	if (kernel_link_ask(kernel->index, link) == 0)
		return strcmp(link->name, kernel->tunnel->port.name) == 0;
	return errno != ENODEV;
}

static bool kernel_delete_if_dead(struct tunnel *tunnel)
{
	struct kernel_link link;

	if (interface_exists(tunnel->kernel, &link))
		return false;
	tunnel_delete(tunnel);
	return true;
}

/* Publish what has changed since the interface was polled last. */
static void kernel_poll(struct polled *polled)
{
	struct kernel_tunnel *kernel = container_of(polled, struct kernel_tunnel, polled);
	struct tunnel *tunnel = kernel->tunnel;
	struct kernel_link link;

	if (!interface_exists(kernel, &link)) {
		tunnel_delete(tunnel);
		return;
	}
	if (link.name[0] == '\0' || kernel->open == (link.queues > 0))
		return;
	kernel->open = link.queues > 0;
	/* The next process that opens the interface need not have asked the broker. */
	if (!kernel->open)
		tunnel->opener = 0;
	tunnel_publish(tunnel, kernel->open ? MEMTUN_EVENT_OPENED : MEMTUN_EVENT_CLOSED, 0);
}

/* Make the interface; TUNSETOWNER gives a persistent one to the tunnel's owner. */
static int kernel_create(struct tunnel *tunnel, const struct attribute_set *options,
			 struct fault *fault)
{
	struct kernel_tunnel *kernel = calloc(1, sizeof(*kernel));
	descriptor_owned fd = -1;

	(void)options;
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
	    (tunnel->persistent && (ioctl(fd, TUNSETOWNER, (unsigned long)tunnel->port.owner) < 0 ||
				    ioctl(fd, TUNSETPERSIST, 1) < 0))) {
		fault_set(fault, errno, "cannot make the interface '%s' stay: %s",
			  tunnel->port.name, strerror(errno));
		free(kernel);
		return -1;
	}
	/* A descriptor that the broker kept would count as the interface's one open. */
	kernel->kept = tunnel->persistent ? -1 : descriptor_take(&fd);
	kernel->tunnel = tunnel;
	kernel->polled.poll = kernel_poll;
	tunnel->kernel = kernel;
	liveness_set(&tunnel->port.engine->liveness, &kernel->polled, true);
	return 0;
}

/* Delete the interface, if it exists. */
static void kernel_destroy(struct tunnel *tunnel)
{
	struct kernel_tunnel *kernel = tunnel->kernel;
	struct kernel_link link;

	if (!kernel)
		return;
	descriptor_close(&kernel->kept);
	if (interface_exists(kernel, &link))
		kernel_link_delete(kernel->index);
	liveness_set(&tunnel->port.engine->liveness, &kernel->polled, false);
	tunnel->kernel = NULL;
	free(kernel);
}

static int kernel_open(struct tunnel *tunnel, struct queue **queue, int *client_fd,
		       struct fault *fault)
{
	struct kernel_tunnel *kernel = tunnel->kernel;
	descriptor_owned fd = descriptor_take(&kernel->kept);

	(void)queue;
	if (fd < 0)
		fd = device_open(tunnel, false, fault);
	if (fd < 0)
		return -1;
	/* If the interface was deleted meanwhile, opening has made another of its name. */
	if (if_nametoindex(tunnel->port.name) != kernel->index)
		return fault_set(fault, ENODEV, "the interface '%s' has gone", tunnel->port.name);
	kernel->open = true;
	*client_fd = descriptor_take(&fd);
	return 0;
}

/* ------------------------------------------------------------------------------ the rest */

static int kernel_check_change(const struct tunnel *tunnel, const struct attribute_set *options,
			       struct fault *fault)
{
	(void)options;
	return fault_set(fault, EINVAL, "'%s' is an interface of the kernel: ip-link(8) changes it",
			 tunnel->port.name);
}

static void kernel_describe(const struct tunnel *tunnel, struct attribute_set *set)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;
	struct kernel_link link;

	while ((which = attribute_set_next_option(set, which, OPTION_MEMORY_ONLY)) != MEMTUN_A_END)
		attribute_set_remove(set, which);
	attribute_set_put_number(set, MEMTUN_A_BACKEND, MEMTUN_KERNEL);
	if (kernel_link_ask(tunnel->kernel->index, &link) < 0) {
		if (errno != ENODEV) {
			attribute_set_remove(set, MEMTUN_A_QUEUES);
			attribute_set_remove(set, MEMTUN_A_STATE);
		}
		return;
	}
	attribute_set_put_number(set, MEMTUN_A_MTU, link.mtu);
	attribute_set_put_number(set, MEMTUN_A_QUEUES, link.queues);
	attribute_set_put_number(set, MEMTUN_A_STATE, link.queues ? MEMTUN_OPEN : MEMTUN_CLOSED);
}

static void kernel_look(const struct tunnel *tunnel, struct quiet *quiet)
{
	(void)tunnel;
	quiet->is_sent_only = true;
}

const struct tunnel_kind kernel_tunnel_kind = {
	.check = kernel_check,
	.expand = kernel_expand,
	.create = kernel_create,
	.open = kernel_open,
	.check_change = kernel_check_change,
	.delete_if_dead = kernel_delete_if_dead,
	.refresh = kernel_delete_if_dead,
	.look = kernel_look,
	.describe = kernel_describe,
	.destroy = kernel_destroy,
	.frames_bypass = "go to the kernel",
	.only_opened_as = "is an interface of the kernel",
};
