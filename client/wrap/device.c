/* SPDX-License-Identifier: MIT */
#include "client/wrap/device.h"

#include <err.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/lib/broker_identity.h"
#include "client/wrap/call.h"
#include "client/wrap/interface_broker.h"
#include "client/wrap/interface_link_local.h"
#include "client/wrap/interface_publish.h"
#include "client/wrap/memory.h"
#include "client/wrap/process.h"
#include "client/wrap/tunnel_choice.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/failed.h"

/* How many devices there are when closed ones are first looked for. */
#define SWEEP_MIN 64

/* The size of struct ifreq in a 32-bit program: its union has pointers. */
#define IFREQ_SIZE_32 32

static int device_compare(const struct device *a, const struct device *b)
{
	return a->queue.inode < b->queue.inode ? -1 : a->queue.inode > b->queue.inode;
}

RB_GENERATE_INTERNAL(device_tree, device, by_inode, device_compare, __attribute__((unused)) static)

static void device_free(struct device *device)
{
	RB_REMOVE(device_tree, &device->devices->by_inode, device);
	device->devices->count--;
	free(device);
}

/* ------------------------------------------------------------------------------ operations */

static struct device *device_of(const struct tun_device *tun)
{
	return container_of(tun, struct device, tun);
}

/* Remove the devices of an interface that has one queue, since the broker says it is free. */
static void forget_former(struct devices *devices, const struct interface *interface)
{
	struct device *device, *next;

	RB_FOREACH_SAFE(device, device_tree, &devices->by_inode, next) {
		if (device->tun.interface == &interface->tun)
			device_free(device);
	}
}

/*
 * Return whether the kernel has an interface of that name that is not a tun device. As in the
 * kernel, such a name cannot become a tunnel's.
 */
static bool is_other_interface(const char *name)
{
	char path[64];

	if (!*name || strchr(name, '/') || !if_nametoindex(name))
		return false;
	snprintf(path, sizeof(path), "/sys/class/net/%s/tun_flags", name);
	return access(path, F_OK) < 0;
}

/*
 * Return the errno of a TUNSETIFF that the broker has refused. The kernel looks at the kind of an
 * interface before it finds that it is busy.
 */
static int refusal(struct devices *devices, const char *name, unsigned int flags, int error)
{
	const unsigned int kind = IFF_TUN | IFF_TAP | IFF_MULTI_QUEUE;
	const struct interface *interface =
		error == EBUSY ? interface_find(&devices->interfaces, name) : NULL;

	if (error == EPIPE)
		return ENODEV;
	return interface && (interface->tun.flags ^ flags) & kind ? EINVAL : error;
}

/* Have the broker tell of the program, not of this process. */
static int process_put(const struct device *device, struct memtun_options *options)
{
	return device->devices->tells_process
		       ? memtun_options_set_number(options, "pid",
						   (uint64_t)process_of(device->call->thread))
		       : 0;
}

/* Return whether the broker's process has a number in this PID namespace. Then this process also has a
 * number in the broker's. */
static bool broker_has_number(const struct memtun *memtun)
{
	struct ucred broker = {0};
	socklen_t size = sizeof(broker);

	return getsockopt(memtun_fd(memtun), SOL_SOCKET, SO_PEERCRED, &broker, &size) == 0 &&
	       broker.pid;
}

static int device_attach(struct tun_device *tun, char name[IFNAMSIZ], unsigned int flags)
{
	struct device *device = device_of(tun);
	struct devices *devices = device->devices;
	struct broker_attached attached = {0};
	struct memtun_options *options;
	struct interface *interface;
	int result;

	if (is_other_interface(name))
		return failed(EINVAL);
	if (!device->queue.id)
		return failed(ENODEV);
	options = tunnel_choice_options(devices->choice, name, flags);
	/* The broker makes the interface with the tunnel, and tells of it by the tunnel's event. */
	result = options &&
				 memtun_options_set_number(options, "interface-flags",
							   interface_first_flags(flags)) == 0 &&
				 process_put(device, options) == 0
			 ? broker_queue_attach(&device->queue, name, flags, options, &attached)
			 : -1;
	if (result < 0)
		result = failed(refusal(devices, name, flags, errno));
	memtun_options_free(options);
	if (result < 0)
		return -1;
	interface = interface_attach(&devices->interfaces, &attached, flags);
	if (!interface)
		return -1;
	if (!(flags & IFF_MULTI_QUEUE)) {
		forget_former(devices, interface);
		interface->tun.queues = interface->tun.disabled_queues = 0;
	}
	interface->tun.queues++;
	tun->interface = &interface->tun;
	memcpy(name, attached.name, IFNAMSIZ);
	return 0;
}

static int device_enable(struct tun_device *tun, bool on)
{
	struct device *device = device_of(tun);
	struct broker_attached attached;
	struct memtun_options *options;
	int result;

	if (!on)
		return broker_queue_detach(&device->queue);
	options = memtun_options_new();
	result = options ? broker_queue_attach(&device->queue, tun->interface->name,
					       tun->interface->flags & ~(unsigned int)IFF_TUN_EXCL,
					       options, &attached)
			 : -1;
	memtun_options_free(options);
	return result;
}

static int device_persist(struct tun_device *tun, bool on)
{
	return broker_queue_persist(&device_of(tun)->queue, tun->interface, on);
}

static int device_own(struct tun_device *tun, uid_t owner, gid_t group)
{
	return broker_queue_own(tun->interface, owner, group);
}

static int device_set_vnet_size(struct tun_device *tun, int size)
{
	return broker_queue_set_vnet_size(&device_of(tun)->queue, tun->interface, size);
}

static int device_set_offload(struct tun_device *tun, unsigned int offload)
{
	return broker_queue_set_offload(&device_of(tun)->queue, tun->interface, offload);
}

static int device_copy(const struct tun_device *tun, void *ours, unsigned long theirs, size_t size,
		       bool write)
{
	return memory_copy(device_of(tun)->call, ours, theirs, size, write);
}

static const struct tun_device_operations operations = {
	.attach = device_attach,
	.enable = device_enable,
	.persist = device_persist,
	.own = device_own,
	.set_vnet_size = device_set_vnet_size,
	.set_offload = device_set_offload,
	.copy = device_copy,
};

/* ------------------------------------------------------------------------------ the set */

/* The interface's tunnel has gone: as in the kernel, its devices are then attached to none. */
static void interface_gone(struct interfaces *interfaces, struct interface *interface)
{
	struct devices *devices = container_of(interfaces, struct devices, interfaces);
	struct device *device;

	RB_FOREACH(device, device_tree, &devices->by_inode) {
		if (device->tun.interface == &interface->tun) {
			device->tun.interface = NULL;
			device->tun.detached = false;
		}
	}
}

/* Learn what is to be known of the broker. */
static void broker_look(struct devices *devices)
{
	devices->interfaces.identity = broker_identity(devices->memtun);
	devices->tells_process = broker_has_number(devices->memtun);
}

/* Another broker does not know the queues of the former one, and gives their numbers to others. */
static void broker_renewed(struct interfaces *interfaces)
{
	struct devices *devices = container_of(interfaces, struct devices, interfaces);
	struct device *device;

	RB_FOREACH(device, device_tree, &devices->by_inode)
		device->queue.id = 0;
	broker_look(devices);
}

void devices_init(struct devices *devices, struct memtun *memtun, const char *socket,
		  const struct tunnel_choice *choice)
{
	memset(devices, 0, sizeof(*devices));
	devices->memtun = memtun;
	devices->choice = choice;
	devices->interfaces.memtun = memtun;
	devices->interfaces.socket = socket;
	devices->interfaces.gone = interface_gone;
	devices->interfaces.renewed = broker_renewed;
	broker_look(devices);
	devices->sweep_at = SWEEP_MIN;
	RB_INIT(&devices->by_inode);
	LIST_INIT(&devices->interfaces.list);
	if (interface_broker_watch(&devices->interfaces) < 0)
		warnx("the interfaces of others are not seen: %s", memtun_error(memtun));
}

void devices_free(struct devices *devices)
{
	struct device *device, *next;

	interfaces_free(&devices->interfaces);
	RB_FOREACH_SAFE(device, device_tree, &devices->by_inode, next)
		device_free(device);
}

/* Remove what the program has closed, when there may be much of it. */
static void devices_sweep(struct devices *devices)
{
	struct interface *interface, *next_interface;
	struct device *device, *next;

	if (devices->count < devices->sweep_at)
		return;
	LIST_FOREACH_SAFE(interface, &devices->interfaces.list, link, next_interface)
		interface_refresh(&devices->interfaces, interface);
	RB_FOREACH_SAFE(device, device_tree, &devices->by_inode, next) {
		/* The broker says EINVAL of a queue that it has, and that is attached to
		 * nothing. */
		if (!device->tun.interface &&
		    (!device->queue.id ||
		     (broker_queue_detach(&device->queue) < 0 && errno != EINVAL)))
			device_free(device);
	}
	devices->sweep_at = devices->count * 2 > SWEEP_MIN ? devices->count * 2 : SWEEP_MIN;
}

int device_make(struct devices *devices, int flags)
{
	struct device *device = calloc(1, sizeof(*device));
	struct device *former;
	int fd;

	if (!device)
		return -1;
	interface_broker_need(&devices->interfaces);
	devices_sweep(devices);
	device->tun.operations = &operations;
	device->devices = devices;
	fd = broker_queue_open(&device->queue, devices->memtun, flags);
	if (fd < 0) {
		int saved = errno;

		free(device);
		return failed(saved);
	}
	/* The kernel uses the number of an inode again. */
	former = device_find(devices, device->queue.inode);
	if (former)
		device_free(former);
	RB_INSERT(device_tree, &devices->by_inode, device);
	devices->count++;
	return fd;
}

struct device *device_find(struct devices *devices, ino_t inode)
{
	struct device wanted = {.queue.inode = inode};

	return RB_FIND(device_tree, &devices->by_inode, &wanted);
}

/* ------------------------------------------------------------------------------ ioctl */

/* Give the thread again the result of its TUNSETIFF, if it repeats the same one. */
static int repeat_answer(const struct device *device, const struct call *call)
{
	size_t size = call->is_32_bit ? IFREQ_SIZE_32 : sizeof(struct ifreq);
	struct ifreq asked = {0};

	if (memory_copy(call, &asked, call->argument, size, false) < 0)
		return -1;
	asked.ifr_name[IFNAMSIZ - 1] = '\0';
	if ((unsigned short)asked.ifr_flags != device->tun.requested_flags ||
	    strcmp(asked.ifr_name, device->tun.requested_name) != 0)
		return failed(EEXIST);
	memcpy(asked.ifr_name, device->tun.interface->name, IFNAMSIZ);
	return memory_copy(call, &asked, call->argument, size, true);
}

/* Have a new interface, or what the ioctl has set of it, told to others. */
static void interface_tell(struct device *device, bool has_set_mac)
{
	struct interface *interface;

	if (!device->tun.interface)
		return;
	interface = container_of(device->tun.interface, struct interface, tun);
	/* A new interface has told nothing yet, and interface_publish() tells what the broker has
	 * answered about it. */
	if (has_set_mac ||
	    (interface->told.is_known && interface->told.carrier != interface->tun.carrier))
		interface_changed(interface);
	interface_link_local_add(interface);
	interface_publish(&device->devices->interfaces);
}

long device_ioctl(struct device *device, const struct call *call)
{
	bool is_repeated;
	long result;

	interface_broker_update(&device->devices->interfaces);
	is_repeated = call->request == TUNSETIFF && device->tun.interface &&
		      device->repeating == call->thread;
	device->call = call;
	device->tun.request_size = call->is_32_bit ? IFREQ_SIZE_32 : 0;
	device->repeating = 0;
	result = is_repeated ? repeat_answer(device, call)
			     : tun_device_ioctl(&device->tun, call->request, call->argument);
	device->call = NULL;
	result = result < 0 ? -errno : result;
	interface_tell(device, call->request == SIOCSIFHWADDR && result == 0);
	return result;
}

void device_not_answered(struct device *device, pid_t thread)
{
	device->repeating = thread;
}
