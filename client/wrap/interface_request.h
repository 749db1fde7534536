/* SPDX-License-Identifier: MIT */
/*
 * The ioctls of netdevice(7) on any socket of the program, for the interfaces of interface.h, with
 * the kernel's results and its order of errors (net/core/dev_ioctl.c and net/ipv4/devinet.c of
 * Linux 6.18). Requests about other interfaces are the kernel's.
 */
#ifndef MEMTUN_INTERFACE_REQUEST_H
#define MEMTUN_INTERFACE_REQUEST_H

#include "client/wrap/interface.h"

struct call;

/* What interface_request() returns for a request that the kernel is to carry out. */
#define INTERFACE_REQUEST_PASS 1

/*
 * Carry out the ioctl. Return 0, a negative errno, or INTERFACE_REQUEST_PASS. `name` receives the
 * interface's name, or "" if the request is passed on.
 */
int interface_request(struct interfaces *interfaces, const struct call *call, char name[IFNAMSIZ]);

#endif
