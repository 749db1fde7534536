/* SPDX-License-Identifier: MIT */
/*
 * The kernel's TUN and TAP interfaces, opened by /dev/net/tun: for an uplink, and for a client that
 * is handed the real thing. An interface is neither set up nor given an address here: that is its
 * user's to do.
 */
#ifndef MEMTUN_KERNEL_DEVICE_H
#define MEMTUN_KERNEL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/frame/frame_format.h"
#include "memtun/protocol.h"

/* What its descriptor is to be. */
struct kernel_device {
	enum memtun_mode mode;
	struct frame_format
		format; /* its vnet header, if it has one, is the kernel's of 10 bytes */
	bool multi_queue;
	bool fresh;       /* the interface is to be made: one that exists isn't taken */
	bool nonblocking; /* reading never waits */
};

/*
 * Opens the interface of that name, or makes it, and returns its descriptor, close-on-exec. A name
 * with %d is a template of the kernel's, whose choice is written there. -1 with errno, and what was
 * tried, and why it may have failed, in words in text: what open(2) says of /dev/net/tun; EPERM
 * (that needs CAP_NET_ADMIN), EBUSY (it is open, or was to be fresh), EINVAL (it is something
 * else), E2BIG (it has all queues it can have), ENFILE.
 */
int kernel_device_open(const struct kernel_device *device, char name[MEMTUN_NAME_SIZE], char text[],
		       size_t size);

/* Can the device be opened at all? -1 with errno. */
int kernel_device_check(void);

#endif
