/* SPDX-License-Identifier: MIT */
/*
 * The tun devices that the program has open. A device is known by the inode of its socket, which
 * duplicates and children have too. The supervisor keeps no copy of the socket, so that the broker
 * sees when the program has closed it; what is left of a closed device is removed later.
 */
#ifndef MEMTUN_DEVICE_H
#define MEMTUN_DEVICE_H

#include <sys/tree.h>
#include <sys/types.h>

#include "client/io/tun_device.h"
#include "client/lib/broker_queue.h"
#include "client/wrap/interface.h"

struct call;
struct tunnel_choice;

struct device {
	RB_ENTRY(device) by_inode;
	struct tun_device tun;
	struct broker_queue queue;
	struct devices *devices;
	const struct call *call; /* the ioctl that is being carried out; NULL: none */
	pid_t repeating;         /* the thread that has not received TUNSETIFF's result; 0: none */
};

RB_HEAD(device_tree, device);

struct devices {
	struct memtun *memtun; /* borrowed */
	const struct tunnel_choice *choice;
	struct interfaces interfaces;
	struct device_tree by_inode;
	unsigned int count;
	unsigned int sweep_at; /* look for closed devices when there are so many */
	bool tells_process;    /* the broker knows processes by the same numbers */
};

/*
 * Begin without devices. `memtun`, the `socket` to which it was connected, and `choice` are borrowed.
 */
void devices_init(struct devices *devices, struct memtun *memtun, const char *socket,
		  const struct tunnel_choice *choice);
void devices_free(struct devices *devices);

/*
 * Open a device with these flags of open(2). Return its descriptor, which the caller owns and gives
 * to the program. -1 with errno.
 */
int device_make(struct devices *devices, int flags);

/* Return the device whose socket has that inode. NULL: none has. */
struct device *device_find(struct devices *devices, ino_t inode);

/* Carry out the ioctl. Return its value, or a negative errno. */
long device_ioctl(struct device *device, const struct call *call);

/*
 * Note that the thread did not receive the result of the TUNSETIFF that was just carried out,
 * because a signal interrupted it. Its repeated TUNSETIFF then gets the same result, not EEXIST.
 */
void device_not_answered(struct device *device, pid_t thread);

#endif
