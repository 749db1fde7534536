/* SPDX-License-Identifier: MIT */
/*
 * What tells this broker from all others, and stays the same when it is started again: the machine,
 * the user and the path of the control socket.
 */
#ifndef MEMTUN_IDENTITY_H
#define MEMTUN_IDENTITY_H

#include <stdint.h>

/* Return a hash of /etc/machine-id, where it exists, the user's id and the socket's path. */
uint64_t identity_hash(const char *socket_path);

#endif
