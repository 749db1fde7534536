/* SPDX-License-Identifier: MIT */
/*
 * The interfaces that the program sees: one for each tunnel to which a device of the program is
 * attached, or was while it is persistent. The broker has their MTU and their IPv4 address, the
 * supervisor the rest, so another memtun wrap does not see them.
 *
 * An interface exists as long as the broker has its tunnel. interface_find() asks the broker each
 * time, as the supervisor is not told when a program closes a descriptor.
 */
#ifndef MEMTUN_INTERFACE_H
#define MEMTUN_INTERFACE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/io/tun_interface.h"
#include "memtun.h"

/* Larger than the number of any interface of the kernel, whose numbers begin with 1. */
#define INTERFACE_INDEX_MIN (1 << 20)

struct broker_attached;

struct interface {
	LIST_ENTRY(interface) link;
	struct tun_interface tun;
	uint32_t tunnel_id;
	unsigned int mtu;
	unsigned int flags; /* those of SIOCSIFFLAGS that a program may change */
	int transmit_queue; /* SIOCSIFTXQLEN; has no effect */
	bool has_address;
	struct in_addr address, mask, broadcast, destination;
};

struct interfaces {
	struct memtun *memtun; /* borrowed */
	uint64_t identity;     /* of the broker, for MAC addresses */
	LIST_HEAD(, interface) list;
	/* Called before an interface is freed, because its tunnel has gone. */
	void (*gone)(struct interfaces *interfaces, struct interface *interface);
};

/* Make an interface of a tunnel to which a device was attached, or return the one that exists. NULL
 * with ENOMEM. `flags` are those of TUNSETIFF. */
struct interface *interface_attach(struct interfaces *interfaces,
				   const struct broker_attached *attached, unsigned int flags);

/* Return the interface with that name, or that index. NULL: there is none, or none any more. */
struct interface *interface_find(struct interfaces *interfaces, const char *name);
struct interface *interface_find_index(struct interfaces *interfaces, int index);

/* Return the interface's index. No two of a broker's tunnels have the same one. */
int interface_index(const struct interface *interface);

/* Ask the broker for the interface's MTU. False: the tunnel has gone, and *interface is freed. */
bool interface_refresh(struct interfaces *interfaces, struct interface *interface);

/* Change what the broker has. -1 with errno. */
int interface_set_mtu(struct interfaces *interfaces, struct interface *interface, int mtu);
int interface_publish_address(struct interfaces *interfaces, const struct interface *interface);

void interfaces_free(struct interfaces *interfaces);

#endif
