/* SPDX-License-Identifier: MIT */
/*
 * The addresses, routes and neighbours of one interface, with the kernel's rules for them: what
 * exists already, which routes an address brings, and what goes when the interface goes down. It is
 * data only. Functions return 0 or a negative errno.
 */
#ifndef MEMTUN_INTERFACE_STATE_H
#define MEMTUN_INTERFACE_STATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

/* How many of one kind an interface has at most; another one is refused with ENOBUFS. */
#define STATE_MAX 1024

struct state_address {
	struct address local;
	struct address peer;      /* equal to `local` where there is none */
	struct address broadcast; /* kind 0: none */
	unsigned char length;     /* bits of the prefix, which is `peer`'s */
	unsigned char scope;      /* RT_SCOPE_* */
	uint32_t flags;           /* IFA_F_* */
	uint32_t metric;          /* of the route that the address brings; 0: the default */
	uint32_t preferred;       /* seconds, as they were set; UINT32_MAX: for ever */
	uint32_t valid;
	char label[IFNAMSIZ]; /* IPv4; "": the name of the interface */
};

struct state_route {
	struct address destination; /* of the default route all zero */
	struct address gateway;     /* kind 0: none; its family may be another */
	struct address source;      /* kind 0: none */
	uint32_t table;             /* RT_TABLE_* */
	uint32_t metric;
	uint32_t mtu;           /* bytes; 0: the interface's */
	unsigned char length;   /* bits of the prefix */
	unsigned char protocol; /* RTPROT_* */
	unsigned char scope;    /* RT_SCOPE_* */
	unsigned char type;     /* RTN_* */
	unsigned char tos;
	bool is_on_link; /* the gateway is taken to be reachable */
};

struct state_neighbour {
	struct address address;
	unsigned char mac[ETH_ALEN];
	bool has_mac;
	uint16_t state;      /* NUD_* */
	unsigned char flags; /* NTF_* */
};

struct interface_state;

/* One change; the other pointers are NULL. */
struct state_change {
	bool is_removal;
	const struct state_address *address;
	const struct state_route *route;
	const struct state_neighbour *neighbour;
};

struct interface_state {
	bool is_up;
	struct state_address *addresses; /* owned, as the next two */
	struct state_route *routes;
	struct state_neighbour *neighbours;
	size_t address_count, route_count, neighbour_count;
	/* Called after each change; NULL: not at all. */
	void (*changed)(struct interface_state *state, const struct state_change *change);
};

/* Begin with nothing: all zero. Remove everything, as when an interface goes; then nothing is
 * owned. */
void interface_state_free(struct interface_state *state);

/*
 * Go up or down. As in the kernel, the routes and the IPv6 addresses go when an interface goes
 * down, and the routes of the IPv4 addresses return when it goes up.
 */
void interface_state_set_up(struct interface_state *state, bool is_up);

/* Tell of what the state has and the former one had not, and the other way round. */
void interface_state_tell(struct interface_state *state, const struct interface_state *former);

/* ------------------------------------------------------------------------------ addresses */

/* What is to be done with what exists already, or does not: as NLM_F_* of a request. */
enum state_mode {
	STATE_CREATE = 1,
	STATE_EXCLUSIVE = 2,
	STATE_REPLACE = 4,
	STATE_APPEND = 8,
};

/*
 * Add an address, or with STATE_REPLACE change the one that exists. -EEXIST, -EINVAL, -ENOBUFS,
 * -ENOMEM.
 */
int state_address_add(struct interface_state *state, const struct state_address *address,
		      unsigned int mode);

/*
 * Remove the address that has these local address, prefix and label; what is 0 or "" in *wanted
 * fits any. -EADDRNOTAVAIL.
 */
int state_address_delete(struct interface_state *state, const struct state_address *wanted);

/* Return the first IPv4 address with the label. NULL: there is none. */
struct state_address *state_address_labelled(const struct interface_state *state,
					     const char *label);

/* Return whether the interface has the address. */
bool state_address_has(const struct interface_state *state, const struct address *address);

/* ------------------------------------------------------------------------------ routes */

/*
 * Add a route. -EEXIST, -ENOENT (nothing to replace), -ENETDOWN, -ENETUNREACH (no route to the
 * gateway), -EINVAL, -ENOBUFS, -ENOMEM.
 */
int state_route_add(struct interface_state *state, const struct state_route *route,
		    unsigned int mode);

/*
 * Remove the first route with that destination and table; what is 0 of the rest fits any, of the
 * scope RT_SCOPE_NOWHERE. -ESRCH.
 */
int state_route_delete(struct interface_state *state, const struct state_route *wanted);

/* Return the route with the same destination, table, metric and TOS. NULL: there is none. */
const struct state_route *state_route_same(const struct interface_state *state,
					   const struct state_route *route);

/*
 * Return the route that a packet to the address takes, of the local table and the main one. NULL:
 * none of this interface.
 */
const struct state_route *state_route_to(const struct interface_state *state,
					 const struct address *address);

/* Add or remove the routes that the address brings. Return 0 or a negative errno. */
int state_route_connect(struct interface_state *state, const struct state_address *address);
void state_route_disconnect(struct interface_state *state, const struct state_address *address);

/* Remove all routes, but not those of local IPv4 addresses unless `all`. */
void state_route_flush(struct interface_state *state, bool all);

/* ------------------------------------------------------------------------------ neighbours */

/* Add a neighbour. -EEXIST, -ENOENT, -ENOBUFS, -ENOMEM. */
int state_neighbour_add(struct interface_state *state, const struct state_neighbour *neighbour,
			unsigned int mode);

/* Remove a neighbour. -ENOENT. */
int state_neighbour_delete(struct interface_state *state, const struct address *address);
void state_neighbour_flush(struct interface_state *state);

/* ------------------------------------------------------------------------------ in common */

/* Set the bits of the address that follow the first `length` to zero. */
void state_mask(struct address *address, unsigned int length);

/* Return the array with room for one more element. NULL with ENOBUFS or ENOMEM; it is unchanged. */
void *state_grow(void *array, size_t count, size_t size);

/* Tell of a change. */
void state_address_changed(struct interface_state *state, const struct state_address *address,
			   bool is_removal);
void state_route_changed(struct interface_state *state, const struct state_route *route,
			 bool is_removal);
void state_neighbour_changed(struct interface_state *state, const struct state_neighbour *neighbour,
			     bool is_removal);

#endif
