/* SPDX-License-Identifier: MIT */
/*
 * The interfaces that the program sees: one for each tunnel of the broker that has an interface, as
 * long as the broker has the tunnel. The broker keeps what programs set of them; see
 * interface_broker.h.
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

/*
 * A tunnel has an interface because a device was attached to it under this memtun wrap or under
 * another one. interface_find() asks the broker each time for one to which a device is attached
 * here, as the supervisor is not told when a program closes a descriptor.
 */

/* Larger than the number of any interface of the kernel, whose numbers begin with 1. */
#define INTERFACE_INDEX_MIN MEMTUN_INTERFACE_INDEX_MIN

/* The flags that a program may change: __dev_change_flags() in the kernel. */
#define INTERFACE_FLAGS_CHANGED                                                          \
	(IFF_UP | IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_DYNAMIC | IFF_MULTICAST | \
	 IFF_PORTSEL | IFF_AUTOMEDIA | IFF_PROMISC | IFF_ALLMULTI)

/* Addresses, routes and neighbours. */
#define INTERFACE_LISTS 3

struct broker_attached;

/* What the broker has of an interface. */
struct interface_told {
	bool is_known;
	bool carrier;
	uint32_t revision; /* of all that is here, and of the lists; 0: unknown */
	unsigned int flags;
	int transmit_queue;
	unsigned char mac[6];
};

struct interface {
	LIST_ENTRY(interface) link;
	struct tun_interface tun;
	uint32_t tunnel_id;
	unsigned int mtu;
	unsigned int flags;   /* those of SIOCSIFFLAGS that a program may change */
	int transmit_queue;   /* SIOCSIFTXQLEN; has no effect */
	uint8_t address_mode; /* IN6_ADDR_GEN_MODE_*; all but NONE have the same effect */
	struct interface_state state;
	struct interfaces *interfaces;
	bool is_here;        /* a device was attached to it here */
	bool is_open;        /* some device is attached to it */
	bool is_changed;     /* the broker does not know the newest values yet */
	bool is_listed;      /* the broker has just said that it exists */
	unsigned int echoes; /* events of changes that were published here, yet to come */
	struct interface_told told;
	char *lists[INTERFACE_LISTS]; /* owned: as the broker has them; NULL: unknown */
};

struct interfaces {
	struct memtun *memtun; /* borrowed, as the next */
	const char *socket;    /* for memtun_connect() */
	uint64_t identity;     /* of the broker, for MAC addresses */
	int64_t retry_at;      /* when to look for another broker, ns of CLOCK_MONOTONIC */
	unsigned int renewals; /* how many other brokers were connected to */
	LIST_HEAD(, interface) list;
	bool is_watching;    /* the broker's events arrive */
	bool is_lost;        /* some of its events did not arrive */
	bool is_applying;    /* changes come from the broker, and are not published */
	bool is_any_changed; /* at least one interface has is_changed */
	/* Called after another broker was connected to, which knows nothing of the former one. */
	void (*renewed)(struct interfaces *interfaces);
	/* Called before an interface is freed, because its tunnel has gone. */
	void (*gone)(struct interfaces *interfaces, struct interface *interface);
	/*
	 * Called after a change, with NULL of the interface itself: of its flags, its MTU, its
	 * name. `is_gone` before it is freed. NULL: not at all.
	 */
	void (*changed)(struct interfaces *interfaces, const struct interface *interface,
			const struct state_change *change, bool is_gone);
};

/* Return the flags that the kernel gives a new interface with these flags of TUNSETIFF. */
unsigned int interface_first_flags(unsigned int flags);

/* Make an interface of a tunnel to which a device was attached, or return the one that exists. NULL
 * with ENOMEM. `flags` are those of TUNSETIFF. */
struct interface *interface_attach(struct interfaces *interfaces,
				   const struct broker_attached *attached, unsigned int flags);

/* Make an interface of that tunnel. NULL with ENOMEM. `flags` are those of TUNSETIFF. */
struct interface *interface_new(struct interfaces *interfaces, const char *name, uint32_t tunnel_id,
				unsigned int flags);

/* Free an interface, because its tunnel has gone. */
void interface_free(struct interface *interface);

/* Return the interface with that name, or that index. NULL: there is none, or none any more. */
struct interface *interface_find(struct interfaces *interfaces, const char *name);
struct interface *interface_find_index(struct interfaces *interfaces, int index);

/* Return the flags that the program sees, IFF_*, with those that follow from the interface's
 * state. */
unsigned int interface_flags(const struct interface *interface);

/* Set those of the flags that are in `changed` and that a program may change. */
void interface_set_flags(struct interface *interface, unsigned int flags, unsigned int changed);

/* Tell of a change of the interface itself, and have it published. */
void interface_changed(struct interface *interface);

/* Return the interface's index. No two of a broker's tunnels have the same one. */
int interface_index(const struct interface *interface);

/*
 * Ask the broker for the interface as it is now. False: the tunnel has gone, and *interface is
 * freed.
 */
bool interface_refresh(struct interfaces *interfaces, struct interface *interface);

/* Set the MAC address of a TAP. Return 0 or a negative errno. */
int interface_set_mac(struct interface *interface, const unsigned char *address);

/* Set the MTU, in bytes. Return 0 or a negative errno. */
int interface_change_mtu(struct interface *interface, int mtu);

/*
 * Give the interface and its tunnel another name, which may be a template as "tun%d". -1 with errno:
 * EEXIST (an interface has the name), EINVAL (it is none).
 */
int interface_set_name(struct interfaces *interfaces, struct interface *interface,
		       const char *name);

/* Delete the interface with its tunnel. -1 with errno. */
int interface_delete(struct interface *interface);

/* Apply the events so far, and do what interface_refresh() does, for each interface. */
void interface_refresh_all(struct interfaces *interfaces);

void interfaces_free(struct interfaces *interfaces);

#endif
