/* SPDX-License-Identifier: MIT */
/*
 * One open of a tun device as a queue of a broker: the requests behind the operations of
 * tun_device.h, for the I/O system's broker kind and memtun wrap. It owns neither the connection
 * nor the descriptor, and keeps no copy, so that the broker sees when the program closes it.
 */
#ifndef MEMTUN_BROKER_QUEUE_H
#define MEMTUN_BROKER_QUEUE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/io/tun_interface.h"
#include "memtun.h"

struct broker_queue {
	struct memtun *memtun; /* borrowed */
	uint32_t id;
	ino_t inode; /* of the program's socket */
};

/* What the broker says about the tunnel to which it has attached a queue. */
struct broker_attached {
	char name[IFNAMSIZ];
	uint32_t tunnel_id;
	bool persistent;
	int vnet_size; /* of the vnet header, bytes; 0: none */
	uid_t owner;
};

/*
 * Open a queue without a tunnel. Return its descriptor, which the caller owns: it has O_NONBLOCK
 * and close-on-exec as `flags` of open(2) say. -1 with the broker's errno, or EPIPE: the connection
 * has ended.
 */
int broker_queue_open(struct broker_queue *queue, struct memtun *memtun, int flags);

/*
 * Attach the queue to the tunnel `name` with these flags of TUNSETIFF. An empty name becomes
 * "tun%d" or "tap%d". `options` has further options of the tunnel, and gets those of the flags
 * added. -1 with an errno as above.
 */
int broker_queue_attach(const struct broker_queue *queue, const char *name, unsigned int flags,
			struct memtun_options *options, struct broker_attached *attached);

/* Detach the queue from its tunnel. -1 with ENOENT: the queue has ended; EINVAL: not attached. */
int broker_queue_detach(const struct broker_queue *queue);

/*
 * Carry out the operations of tun_device.h of the same names, for the queue's interface. The broker
 * knows one owner of a tunnel, the user that made it. Without a vnet header the kernel only
 * remembers its size and the offloads, and the broker needs to know neither.
 */
int broker_queue_persist(const struct broker_queue *queue, const struct tun_interface *interface,
			 bool on);
int broker_queue_own(const struct tun_interface *interface, uid_t owner, gid_t group);
int broker_queue_set_vnet_size(const struct broker_queue *queue,
			       const struct tun_interface *interface, int size);
int broker_queue_set_offload(const struct broker_queue *queue,
			     const struct tun_interface *interface, unsigned int offload);

#endif
