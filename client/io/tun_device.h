/* SPDX-License-Identifier: MIT */
/*
 * The ioctls of the kernel's tun device, with the kernel's results and its order of errors
 * (drivers/net/tun.c and tun_vnet.h of Linux 6.18, compared by test_io_kernel.c). Nothing here owns
 * a descriptor or moves frames.
 */
#ifndef MEMTUN_TUN_DEVICE_H
#define MEMTUN_TUN_DEVICE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "client/io/tun_interface.h"

/*
 * A struct tun_device is one open of /dev/net/tun. TUNSETIFF attaches it to a struct tun_interface,
 * which the opens of a multi-queue interface share. A backend has a few operations that say where
 * interfaces come from. Interfaces have no state "down" here: an interface works as soon as it is
 * attached.
 */

struct tun_device {
	const struct tun_device_operations *operations;
	struct tun_interface *interface; /* NULL before TUNSETIFF */
	bool detached;                   /* by TUNSETQUEUE; `interface` stays */
	int send_buffer;                 /* while it is detached; else the interface's counts */
	char requested_name[IFNAMSIZ];   /* in TUNSETIFF; may be a template or empty */
	unsigned int requested_flags;    /* in TUNSETIFF */
	size_t request_size;             /* bytes of the program's struct ifreq; 0: as here */
};

/* What differs by backend. Each function returns 0, or -1 with errno. */
struct tun_device_operations {
	/*
	 * TUNSETIFF. Find or make the interface, set device->interface, count the queue, and write
	 * the interface's name, padded with zero bytes, into `name`. At entry `name` is what the
	 * program asked for, with a null byte within IFNAMSIZ.
	 */
	int (*attach)(struct tun_device *device, char name[IFNAMSIZ], unsigned int flags);
	/* TUNSETQUEUE of an attached device: attach or detach the queue. May be NULL. */
	int (*enable)(struct tun_device *device, bool on);
	/* These are called before the setting changes, and may refuse it. They may be NULL. */
	int (*persist)(struct tun_device *device, bool on);
	int (*own)(struct tun_device *device, uid_t owner, gid_t group);
	int (*set_vnet_size)(struct tun_device *device, int size);
	int (*set_offload)(struct tun_device *device, unsigned int offload);
	/*
	 * Copy from or to the memory that the arguments of the program's ioctls point into. NULL: it
	 * is this process's own.
	 */
	int (*copy)(const struct tun_device *device, void *ours, unsigned long theirs, size_t size,
		    bool write);
};

/*
 * Make the ioctl. `argument` is the number, or the pointer into the program's memory, that the
 * program gave. Return 0 or more; -1 with errno. A bad pointer is EFAULT where the kernel has
 * it, because the memory is read by process_vm_readv(2). Where a sandbox forbids that call, only
 * NULL is EFAULT.
 */
int tun_device_ioctl(struct tun_device *device, unsigned long request, unsigned long argument);

#endif
