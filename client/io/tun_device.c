/* SPDX-License-Identifier: MIT */
#include "client/io/tun_device.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/ioctl.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/failed.h"
#include "common/frame/frame_format.h"

/*
 * Copy from or to this process's memory as the kernel's copy_from_user() does: a bad pointer is
 * EFAULT, not a signal. If a sandbox forbids the system call, copy directly.
 */
static int own_copy(void *ours, unsigned long theirs, size_t size, bool write)
{
	struct iovec local = {ours, size};
	struct iovec remote = {(void *)theirs, size};
	ssize_t copied = write ? process_vm_writev(getpid(), &local, 1, &remote, 1, 0)
			       : process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	if (copied == (ssize_t)size)
		return 0;
	if (copied < 0 && errno != EFAULT && theirs) {
		if (write)
			memcpy((void *)theirs, ours, size);
		else
			memcpy(ours, (const void *)theirs, size);
		return 0;
	}
	return failed(EFAULT);
}

static int program_copy(const struct tun_device *device, void *ours, unsigned long theirs,
			size_t size, bool write)
{
	if (device->operations->copy)
		return device->operations->copy(device, ours, theirs, size, write);
	return own_copy(ours, theirs, size, write);
}

/* Return the size of the program's struct ifreq: 32 bytes in an i386 program of an x86-64 kernel. */
static size_t request_size(const struct tun_device *device)
{
	return device->request_size ? device->request_size : sizeof(struct ifreq);
}

static int copy_in(const struct tun_device *device, void *to, unsigned long argument, size_t size)
{
	return program_copy(device, to, argument, size, false);
}

static int copy_out(const struct tun_device *device, unsigned long argument, void *from,
		    size_t size)
{
	return program_copy(device, from, argument, size, true);
}

static int copy_out_number(const struct tun_device *device, unsigned long argument, int number)
{
	return copy_out(device, argument, &number, sizeof(number));
}

/* ------------------------------------------------------------------------------ the ioctls */

/*
 * TUNSETTXFILTER. Return how many addresses are compared exactly; 0 also if the kernel would make
 * no filter of them.
 */
static int set_filter(struct tun_device *device, unsigned long argument)
{
	struct tun_address_filter *filter = &device->interface->filter;
	struct tun_address_filter wanted = {0};
	struct tun_filter head;

	if (copy_in(device, &head, argument, sizeof(head)) < 0)
		return -1;
	argument += sizeof(head);
	if (head.count == 0) {
		filter->count = 0;
		return 0;
	}
	for (unsigned int i = 0; i < head.count; i++, argument += ETH_ALEN) {
		unsigned char address[ETH_ALEN];

		if (copy_in(device, address, argument, sizeof(address)) < 0)
			return -1;
		if (!tun_filter_add(&wanted, address)) {
			/* The kernel then passes all frames. */
			filter->count = 0;
			return 0;
		}
	}
	if (head.flags & TUN_FLT_ALLMULTI)
		wanted.hashed = ~UINT64_C(0);
	*filter = wanted;
	return (int)wanted.count;
}

static int set_interface(struct tun_device *device, unsigned long argument, struct ifreq *request)
{
	if (device->interface)
		return failed(EEXIST);
	/* As in the kernel, cut a name that is too long. */
	request->ifr_name[IFNAMSIZ - 1] = '\0';
	memcpy(device->requested_name, request->ifr_name, IFNAMSIZ);
	device->requested_flags = (unsigned short)request->ifr_flags;
	if (device->operations->attach(device, request->ifr_name,
				       (unsigned short)request->ifr_flags) < 0)
		return -1;
	device->interface->carrier = !(request->ifr_flags & IFF_NO_CARRIER);
	return copy_out(device, argument, request, request_size(device));
}

static int get_interface(const struct tun_device *device, unsigned long argument)
{
	const struct tun_interface *interface = device->interface;
	struct ifreq answer = {0};

	memcpy(answer.ifr_name, interface->name, IFNAMSIZ);
	/* The kernel adds IFF_NOFILTER where there is no socket filter. It has the value of
	 * IFF_NO_PI, which therefore always shows. */
	answer.ifr_flags = (short)(interface->flags | IFF_NOFILTER |
				   (device->detached ? IFF_DETACH_QUEUE : 0));
	return copy_out(device, argument, &answer, request_size(device));
}

static int set_queue(struct tun_device *device, unsigned int flags)
{
	struct tun_interface *interface = device->interface;
	bool on = flags & IFF_ATTACH_QUEUE;

	if (on ? !device->detached
	       : !(flags & IFF_DETACH_QUEUE) || !interface || device->detached ||
			    !(interface->flags & IFF_MULTI_QUEUE))
		return failed(EINVAL);
	if (device->operations->enable && device->operations->enable(device, on) < 0)
		return -1;
	device->detached = !on;
	device->send_buffer = interface->send_buffer;
	interface->queues += on ? 1 : -1;
	interface->disabled_queues -= on ? 1 : -1;
	return 0;
}

static int set_persistent(struct tun_device *device, bool on)
{
	struct tun_interface *interface = device->interface;

	if (on == (bool)(interface->flags & IFF_PERSIST))
		return 0;
	if (device->operations->persist && device->operations->persist(device, on) < 0)
		return -1;
	interface->flags ^= IFF_PERSIST;
	return 0;
}

static int set_owner(struct tun_device *device, uid_t owner, gid_t group, bool valid)
{
	if (!valid)
		return failed(EINVAL);
	if (device->operations->own && device->operations->own(device, owner, group) < 0)
		return -1;
	device->interface->owner = owner;
	device->interface->group = group;
	return 0;
}

static int set_offload(struct tun_device *device, unsigned long wanted)
{
	if (!frame_offload_is_valid(wanted))
		return failed(EINVAL);
	if (device->operations->set_offload &&
	    device->operations->set_offload(device, (unsigned int)wanted) < 0)
		return -1;
	device->interface->offload = (unsigned int)wanted;
	return 0;
}

static int set_send_buffer(struct tun_device *device, unsigned long argument)
{
	int size;

	if (copy_in(device, &size, argument, sizeof(size)) < 0)
		return -1;
	if (size <= 0)
		return failed(EINVAL);
	/* This is the size of all queues that are attached. */
	device->interface->send_buffer = size;
	return 0;
}

static int set_vnet_size(struct tun_device *device, unsigned long argument)
{
	int size;

	if (copy_in(device, &size, argument, sizeof(size)) < 0)
		return -1;
	if (size < TUN_VNET_MIN)
		return failed(EINVAL);
	if (device->operations->set_vnet_size &&
	    device->operations->set_vnet_size(device, size) < 0)
		return -1;
	device->interface->vnet_size = size;
	tun_interface_update(device->interface);
	return 0;
}

static int set_little_endian(struct tun_device *device, unsigned long argument)
{
	int on;

	if (copy_in(device, &on, argument, sizeof(on)) < 0)
		return -1;
	device->interface->little_endian = on;
	return 0;
}

static int set_carrier(struct tun_device *device, unsigned long argument)
{
	unsigned int on;

	if (copy_in(device, &on, argument, sizeof(on)) < 0)
		return -1;
	if (on && !device->interface->queues)
		return failed(EPERM);
	device->interface->carrier = on;
	return 0;
}

static int get_address(const struct tun_device *device, unsigned long argument,
		       struct ifreq *request)
{
	const struct tun_interface *interface = device->interface;

	request->ifr_hwaddr.sa_family = interface->type;
	if (interface->type == ARPHRD_ETHER)
		memcpy(request->ifr_hwaddr.sa_data, interface->address, ETH_ALEN);
	else
		memset(request->ifr_hwaddr.sa_data, 0, sizeof(request->ifr_hwaddr.sa_data));
	return copy_out(device, argument, request, request_size(device));
}

static int set_address(struct tun_device *device, const struct ifreq *request)
{
	static const unsigned char zero[ETH_ALEN];
	const unsigned char *address = (const unsigned char *)request->ifr_hwaddr.sa_data;

	if (!(device->interface->flags & IFF_TAP))
		return failed(EOPNOTSUPP);
	if (request->ifr_hwaddr.sa_family != device->interface->type)
		return failed(EINVAL);
	if (mac_is_multicast(address) || memcmp(address, zero, ETH_ALEN) == 0)
		return failed(EADDRNOTAVAIL);
	memcpy(device->interface->address, address, ETH_ALEN);
	return 0;
}

/* The ioctls that need TUNSETIFF before them. */
static int attached_ioctl(struct tun_device *device, unsigned int request, unsigned long argument,
			  struct ifreq *copied)
{
	struct tun_interface *interface = device->interface;

	switch (request) {
	case TUNGETIFF:
		return get_interface(device, argument);
	case TUNSETNOCSUM:
	case TUNSETDEBUG:
		return 0;
	case TUNSETPERSIST:
		return set_persistent(device, argument);
	case TUNSETOWNER:
		return set_owner(device, (uid_t)argument, interface->group,
				 (uid_t)argument != (uid_t)-1);
	case TUNSETGROUP:
		return set_owner(device, interface->owner, (gid_t)argument,
				 (gid_t)argument != (gid_t)-1);
	case TUNSETLINK:
		interface->type = (unsigned short)argument;
		return 0;
	case TUNSETOFFLOAD:
		return set_offload(device, argument);
	case TUNSETTXFILTER:
		return interface->flags & IFF_TAP ? set_filter(device, argument) : failed(EINVAL);
	case SIOCGIFHWADDR:
		return get_address(device, argument, copied);
	case SIOCSIFHWADDR:
		return set_address(device, copied);
	case TUNGETSNDBUF:
		return copy_out_number(device, argument,
				       device->detached ? device->send_buffer
							: interface->send_buffer);
	case TUNSETSNDBUF:
		return set_send_buffer(device, argument);
	case TUNGETVNETHDRSZ:
		return copy_out_number(device, argument, interface->vnet_size);
	case TUNSETVNETHDRSZ:
		return set_vnet_size(device, argument);
	case TUNGETVNETLE:
		return copy_out_number(device, argument, interface->little_endian);
	case TUNSETVNETLE:
		return set_little_endian(device, argument);
	case TUNSETCARRIER:
		return set_carrier(device, argument);
	default:
		/* TUNSETVNETBE and TUNGETVNETBE too: few kernels are built with them. */
		return failed(EINVAL);
	}
}

int tun_device_ioctl(struct tun_device *device, unsigned long request, unsigned long argument)
{
	unsigned int command = (unsigned int)request;
	struct ifreq copied = {0};
	int index;

	if ((command == TUNSETIFF || command == TUNSETQUEUE ||
	     _IOC_TYPE(command) == _IOC_TYPE(SIOCGIFHWADDR)) &&
	    copy_in(device, &copied, argument, request_size(device)) < 0)
		return -1;
	switch (command) {
	case TUNGETFEATURES:
		return copy_out_number(device, argument, TUN_DEVICE_FEATURES);
	case TUNSETQUEUE:
		return set_queue(device, (unsigned short)copied.ifr_flags);
	case TUNSETIFF:
		return set_interface(device, argument, &copied);
	case TUNSETIFINDEX:
		if (device->interface)
			return failed(EPERM);
		if (copy_in(device, &index, argument, sizeof(index)) < 0)
			return -1;
		/* Interfaces have no index here, so a valid one has no effect. */
		return index < 0 ? failed(EINVAL) : 0;
	default:
		return device->interface ? attached_ioctl(device, command, argument, &copied)
					 : failed(EBADFD);
	}
}
