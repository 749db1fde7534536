/* SPDX-License-Identifier: MIT */
/*
 * The numbers that the program's replaced netlink sockets get. The filter knows a call on such a
 * socket by its number, so that the calls on all other sockets are not reported.
 */
#ifndef MEMTUN_NETLINK_NUMBER_H
#define MEMTUN_NETLINK_NUMBER_H

/* How many there are, a power of 2. */
#define NETLINK_NUMBERS 64

/*
 * Return the first one, which is a multiple of NETLINK_NUMBERS: 960, or less if this process may
 * have fewer descriptors (ulimit -n). Numbers from 1024 on break programs that use select(2).
 */
int netlink_number_first(void);

#endif
