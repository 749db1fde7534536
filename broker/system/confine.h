/* SPDX-License-Identifier: MIT */
/*
 * Drop the privileges that the broker does not need: all capabilities, and the ability to gain any
 * by execve(2). With `keep`, the broker keeps CAP_NET_ADMIN for interfaces of the kernel, but a
 * program that it executes does not get it.
 */
#ifndef MEMTUN_CONFINE_H
#define MEMTUN_CONFINE_H

#include <stdbool.h>

/* Return whether this process has CAP_NET_ADMIN. */
bool confine_can_keep(void);

/* Drop them. `keep` keeps CAP_NET_ADMIN. -1 with errno. */
int confine(bool keep);

#endif
