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
#include "client/wrap/interface_state.h"
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
	struct interface_state state;
	struct interfaces *interfaces;
};

struct interfaces {
	struct memtun *memtun; /* borrowed */
	uint64_t identity;     /* of the broker, for MAC addresses */
	LIST_HEAD(, interface) list;
	unsigned int watchers; /* sockets that may want to hear of changes */
	/* Called before an interface is freed, because its tunnel has gone. */
	void (*gone)(struct interfaces *interfaces, struct interface *interface);
	/*
	 * Called after a change, with NULL of the interface itself: of its flags, its MTU, its
	 * name. `is_gone` before it is freed. NULL: not at all.
	 */
	void (*changed)(struct interfaces *interfaces, const struct interface *interface,
			const struct state_change *change, bool is_gone);
};

/* Make an interface of a tunnel to which a device was attached, or return the one that exists. NULL
 * with ENOMEM. `flags` are those of TUNSETIFF. */
struct interface *interface_attach(struct interfaces *interfaces,
				   const struct broker_attached *attached, unsigned int flags);

/*
 * Tell of a new interface, after its first device was attached. False: it has gone already, and is
 * freed.
 */
bool interface_announce(struct interfaces *interfaces, struct interface *interface);

/* Return the interface with that name, or that index. NULL: there is none, or none any more. */
struct interface *interface_find(struct interfaces *interfaces, const char *name);
struct interface *interface_find_index(struct interfaces *interfaces, int index);

/* Return the flags that the program sees, IFF_*, with those that follow from the interface's
 * state. */
unsigned int interface_flags(const struct interface *interface);

/* Set those of the flags that are in `changed` and that a program may change. */
void interface_set_flags(struct interface *interface, unsigned int flags, unsigned int changed);

/* Tell of a change of the interface itself. */
void interface_changed(const struct interface *interface);

/* Return the interface's index. No two of a broker's tunnels have the same one. */
int interface_index(const struct interface *interface);

/* Ask the broker for the interface's MTU. False: the tunnel has gone, and *interface is freed. */
bool interface_refresh(struct interfaces *interfaces, struct interface *interface);

/* Set the MAC address of a TAP. Return 0 or a negative errno. */
int interface_set_mac(struct interface *interface, const unsigned char *address);

/* Set the MTU, in bytes. Return 0 or a negative errno. */
int interface_change_mtu(struct interfaces *interfaces, struct interface *interface, int mtu);

/* Delete the interface with its tunnel. -1 with errno. */
int interface_delete(struct interfaces *interfaces, struct interface *interface);

/* Tell the broker the address. A broker that refuses it changes nothing for the program. */
void interface_publish(struct interfaces *interfaces, const struct interface *interface);

/*
 * Do what interface_refresh() does, for each interface. An interface whose queues are detached
 * (TUNSETQUEUE) stays, though the broker has no tunnel for it.
 */
void interface_refresh_all(struct interfaces *interfaces);

void interfaces_free(struct interfaces *interfaces);

#endif
