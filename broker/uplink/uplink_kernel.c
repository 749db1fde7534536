/* SPDX-License-Identifier: MIT */
/*
 * An uplink to the kernel's TCP/IP: a TUN or TAP interface, which is made if it isn't there, and
 * deleted with the uplink unless it is persistent. The administrator sets it up and gives it an
 * address.
 */
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/container_of.h"
#include "common/descriptor.h"
#include "broker/system/kernel_device.h"
#include "broker/uplink/uplink.h"

/*
 * Frames have vnet headers, so that a frame whose checksum or segmentation a tunnel's program has
 * left undone goes to the kernel as it is. In the other direction the kernel may leave both undone,
 * too: the broker completes or cuts such frames for clients that do not take them.
 */

/* The maximum. The interface has an mtu of its own, which the kernel applies. */
#define KERNEL_MTU 65535

struct kernel {
	struct uplink uplink; /* first */
	char *device;         /* the interface's name, which is the string in the options */
};

static int kernel_prepare(struct uplink *uplink, const struct attribute_set *options,
			  struct fault *fault)
{
	struct kernel *kernel = container_of(uplink, struct kernel, uplink);
	const char *device = attribute_set_string(options, MEMTUN_A_DEVICE);
	char *name = calloc(1, MEMTUN_NAME_SIZE);

	if (!name)
		return fault_set(fault, ENOMEM, "out of memory");
	strlcpy(name, device ? device : uplink->port.name, MEMTUN_NAME_SIZE);
	/* The string has room for the name that the kernel chooses for a template, so that the
	 * options show it. */
	free((void *)(uintptr_t)device);
	attribute_set_put_string(&uplink->options, MEMTUN_A_DEVICE, name);
	kernel->device = name;
	if (attribute_set_has(options, MEMTUN_A_MODE))
		uplink->port.mode = (enum memtun_mode)attribute_set_number(options, MEMTUN_A_MODE);
	return 0;
}

/* Set what an existing interface may have kept from its last user: headers, a filter, offloads. */
static int device_set(int fd, struct kernel_device *device)
{
	const struct tun_filter everything = {.count = 0};
	const int vnet_size = device->format.vnet_size;
	const int native = 0;
	int offload;

	if (ioctl(fd, TUNSETVNETHDRSZ, &vnet_size) < 0 || ioctl(fd, TUNSETVNETLE, &native) < 0 ||
	    (device->mode == MEMTUN_TAP && ioctl(fd, TUNSETTXFILTER, &everything) < 0))
		return -1;
	offload = kernel_device_set_offload(fd);
	if (offload < 0)
		return -1;
	device->format.offload = (uint8_t)offload;
	return 0;
}

static int kernel_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct kernel *kernel = container_of(uplink, struct kernel, uplink);
	struct kernel_device device = {
		.mode = uplink->port.mode,
		.format.vnet_size = sizeof(struct virtio_net_hdr),
		.nonblocking = true,
	};
	descriptor_owned fd = kernel_device_open(&device, kernel->device, text, UPLINK_TEXT_SIZE);

	if (fd < 0)
		return -1;
	snprintf(text, UPLINK_TEXT_SIZE, "cannot use the interface '%s'", kernel->device);
	if (device_set(fd, &device) < 0 || lane_open(&uplink->lane, &lane_device_link, fd) < 0)
		return -1;
	uplink->lane.format = device.format;
	descriptor_take(&fd);
	return 0;
}

const struct uplink_kind uplink_kernel = {
	.size = sizeof(struct kernel),
	.takes = {.allowed = {MEMTUN_A_ADDRESS, MEMTUN_A_DEVICE, MEMTUN_A_GATEWAY, MEMTUN_A_MODE},
		  .options = OPTION_UPLINK_ANY},
	.mtu = KERNEL_MTU,
	.prepare = kernel_prepare,
	.open = kernel_open,
};
