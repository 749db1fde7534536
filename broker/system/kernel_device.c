/* SPDX-License-Identifier: MIT */
#include "broker/system/kernel_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/descriptor.h"

#define DEVICE "/dev/net/tun"

_Static_assert(IFNAMSIZ == MEMTUN_NAME_SIZE, "a tunnel's name can be an interface's");

static short device_flags(const struct kernel_device *device)
{
	unsigned int flags = device->mode == MEMTUN_TUN ? IFF_TUN : IFF_TAP;

	if (!device->format.packet_information)
		flags |= IFF_NO_PI;
	if (device->format.vnet_size)
		flags |= IFF_VNET_HDR;
	if (device->multi_queue)
		flags |= IFF_MULTI_QUEUE;
	if (device->fresh)
		flags |= IFF_TUN_EXCL;
	return (short)flags;
}

/* Return a hint about the likely cause of the kernel's error. */
static const char *error_meaning(const struct kernel_device *device, int error)
{
	switch (error) {
	case EPERM:
		return ", which needs CAP_NET_ADMIN: see memtund --kernel";
	case EBUSY:
		return device->fresh ? ", which exists" : ", which is open elsewhere";
	case EINVAL:
		return ", which is another kind of interface, or differs in multi_queue";
	default:
		return "";
	}
}

int kernel_device_open(const struct kernel_device *device, char name[MEMTUN_NAME_SIZE], char text[],
		       size_t size)
{
	struct ifreq request = {.ifr_flags = device_flags(device)};
	descriptor_owned fd =
		open(DEVICE, O_RDWR | O_CLOEXEC | (device->nonblocking ? O_NONBLOCK : 0));

	if (fd < 0) {
		snprintf(text, size, "cannot open " DEVICE);
		return -1;
	}
	memcpy(request.ifr_name, name, MEMTUN_NAME_SIZE);
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		snprintf(text, size, "cannot %s the %s interface '%s'%s",
			 device->fresh ? "make" : "open",
			 device->mode == MEMTUN_TUN ? "TUN" : "TAP", name,
			 error_meaning(device, errno));
		return -1;
	}
	memcpy(name, request.ifr_name, MEMTUN_NAME_SIZE);
	return descriptor_take(&fd);
}

int kernel_device_set_offload(int fd)
{
	const unsigned int tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	if (ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0)
		return FRAME_OFFLOAD_ALL;
	return ioctl(fd, TUNSETOFFLOAD, tcp) < 0 ? -1 : (int)(tcp | TUN_F_UFO);
}

int kernel_device_check(void)
{
	descriptor_owned fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -1 : 0;
}
