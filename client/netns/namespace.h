/* SPDX-License-Identifier: MIT */
/*
 * The namespaces of memtun netns, which the calling process enters: a user namespace, a network
 * namespace and, if has_mounts is set, a mount namespace for a resolv.conf. Where the kernel
 * refuses the first, a process that may make network namespaces goes on without it.
 */
#ifndef MEMTUN_NAMESPACE_H
#define MEMTUN_NAMESPACE_H

#include <stdbool.h>

#include "client/netns/obstacle.h"

struct namespaces {
	bool maps_root;  /* the user is root in the namespace, else has its own ids */
	bool has_mounts; /* make a mount namespace, too */
	bool has_users;  /* there is a user namespace; filled in by namespaces_enter() */
};

/* Enter new namespaces. The process must have one thread. -1 with the obstacle filled. */
int namespaces_enter(struct namespaces *namespaces, struct obstacle *obstacle);

/*
 * Give the program that the process will execute the rights to use the network: the capabilities
 * NET_ADMIN, NET_RAW and NET_BIND_SERVICE, also if the program isn't root in the namespace, and
 * ICMP sockets (icmp(7)), with which ping(8) needs no capability. -1 with the obstacle filled.
 */
int namespaces_grant(const struct namespaces *namespaces, struct obstacle *obstacle);

#endif
