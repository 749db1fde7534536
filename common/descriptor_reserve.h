/* SPDX-License-Identifier: MIT */
/*
 * The last descriptors that the limit of the process (RLIMIT_NOFILE) allows are a reserve. The
 * broker uses them for clients that connect, and for what it opens and closes at once, so that a
 * client can connect, list and delete when all others are taken.
 */
#ifndef MEMTUN_DESCRIPTOR_RESERVE_H
#define MEMTUN_DESCRIPTOR_RESERVE_H

#include <stdbool.h>

/*
 * The kernel gives each new descriptor the lowest free number, so a number in the reserve means
 * that no other is free.
 */

/* Return whether the number of the descriptor is one of the reserve. */
bool descriptor_is_reserved(int fd);

/* Check that a descriptor that is to stay open is not of the reserve. -1 with EMFILE. */
int descriptor_check_reserve(int fd);

#endif
