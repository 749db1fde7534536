/* SPDX-License-Identifier: MIT */
/*
 * Paths of sockets in the options of uplinks.
 */
#ifndef MEMTUN_UPLINK_PATH_H
#define MEMTUN_UPLINK_PATH_H

#include <stdbool.h>
#include <sys/un.h>

/*
 * Check that there is a socket at the address's path, or nothing: connect(2) has one error,
 * ECONNREFUSED, for another type of file and for a socket that no process listens on. -1 with
 * ENOTSOCK.
 */
int uplink_path_check(const struct sockaddr_un *address);

/* Return whether the paths are equal, or lead to the same file. */
bool uplink_path_same(const char *one, const char *other);

#endif
