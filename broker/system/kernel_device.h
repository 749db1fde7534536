/* SPDX-License-Identifier: MIT */
/*
 * TUN and TAP interfaces of the kernel, opened through /dev/net/tun: for an uplink, or for a client
 * that gets the kernel's own descriptor. This file neither brings an interface up nor gives it an
 * address; its user does.
 */
#ifndef MEMTUN_KERNEL_DEVICE_H
#define MEMTUN_KERNEL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/frame/frame_format.h"
#include "memtun/protocol.h"

/* What to open. */
struct kernel_device {
	enum memtun_mode mode;
	struct frame_format format; /* a vnet header has 10 bytes, the kernel's default */
	bool multi_queue;
	bool fresh;       /* make the interface, and fail if it exists */
	bool nonblocking; /* open it with O_NONBLOCK */
};

/*
 * Open the interface of that name, or make it, and return its descriptor, close-on-exec. If the
 * name has a %d, the kernel chooses the number, and the chosen name is written to `name`. On
 * failure returns -1 with errno, and writes to `text` what was tried and why it may have failed:
 * the errors of open(2) on /dev/net/tun, EPERM (CAP_NET_ADMIN is missing), EBUSY (the interface is
 * open, or was to be fresh), EINVAL (it is of another kind), E2BIG (it has its maximum of queues),
 * ENFILE.
 */
int kernel_device_open(const struct kernel_device *device, char name[MEMTUN_NAME_SIZE], char text[],
		       size_t size);

/*
 * Let the kernel leave checksums and segmentation to this side as far as it can, and return the
 * bits of the frames that it takes itself: Linux before 6.2 neither sends nor takes UDP segments.
 * The device needs a vnet header. -1 with errno.
 */
int kernel_device_set_offload(int fd);

/* Check that /dev/net/tun can be opened. -1 with errno. */
int kernel_device_check(void);

#endif
