/* SPDX-License-Identifier: MIT */
/*
 * The IPv6 link-local address of an interface that is up and has a carrier. A TAP's comes from its
 * MAC address (RFC 4291, appendix A). A TUN's stays the same for its name and its broker, where the
 * kernel's stays the same for the interface (RFC 7217).
 */
#ifndef MEMTUN_INTERFACE_LINK_LOCAL_H
#define MEMTUN_INTERFACE_LINK_LOCAL_H

struct interface;

/* Give the interface its link-local address, if it is to have one and has none. */
void interface_link_local_add(struct interface *interface);

#endif
