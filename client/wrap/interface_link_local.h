/* SPDX-License-Identifier: MIT */
/*
 * The IPv6 link-local address that the kernel gives an interface when it is up and has a carrier. A
 * TAP's is that of its MAC address (RFC 4291, appendix A). A TUN's has an identifier that stays the
 * same for its name and its broker, where the kernel has one that stays the same for the interface
 * (RFC 7217).
 */
#ifndef MEMTUN_INTERFACE_LINK_LOCAL_H
#define MEMTUN_INTERFACE_LINK_LOCAL_H

struct interface;

/* Give the interface its link-local address, if it is to have one and has none. */
void interface_link_local_add(struct interface *interface);

#endif
