/* SPDX-License-Identifier: MIT */
/*
 * Routes of all interfaces together: which one a packet takes, which interface reaches a gateway;
 * and SIOCADDRT and SIOCDELRT, by which route(8) of net-tools changes them.
 */
#ifndef MEMTUN_INTERFACE_ROUTE_H
#define MEMTUN_INTERFACE_ROUTE_H

struct address;
struct call;
struct interface;
struct interfaces;
struct state_route;

struct interface_found {
	struct interface *interface; /* NULL: there is none */
	const struct state_route *route;
};

/* Find the route to the address with the longest prefix, of one interface or with NULL of all. */
struct interface_found interface_route_find(struct interfaces *interfaces,
					    const struct interface *only,
					    const struct address *address);

/*
 * Return the interface in whose prefix the gateway lies. NULL: no tunnel's
 * interface has such a prefix. The halves of a default route, 0.0.0.0/1 and 128.0.0.0/1, do not
 * count, because the gateway of the host's own network is in them, too. An address of another
 * tunnel's interface can be a gateway: two programs under one memtun wrap can be the two ends of a
 * link.
 */
struct interface *interface_gateway_find(struct interfaces *interfaces,
					 const struct address *gateway);

/* Carry out SIOCADDRT or SIOCDELRT. Return 0, a negative errno, or INTERFACE_REQUEST_PASS. */
int interface_route_request(struct interfaces *interfaces, const struct call *call);

#endif
