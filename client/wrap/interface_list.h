/* SPDX-License-Identifier: MIT */
/*
 * SIOCGIFCONF: the interfaces with an IPv4 address, the kernel's and then the tunnels'.
 */
#ifndef MEMTUN_INTERFACE_LIST_H
#define MEMTUN_INTERFACE_LIST_H

struct call;
struct interfaces;

/*
 * Carry out the ioctl. Return 0, a negative errno, or INTERFACE_REQUEST_PASS: no tunnel has an
 * address, or the program is in another network namespace than the supervisor, which asks the
 * kernel for it.
 */
int interface_list(struct interfaces *interfaces, const struct call *call);

#endif
