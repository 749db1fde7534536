/* SPDX-License-Identifier: MIT */
/*
 * The identity of this broker: a hash of the machine, the user and the path of the control socket.
 * It differs from that of any other broker, and stays the same when the broker is started again.
 */
#ifndef MEMTUN_IDENTITY_H
#define MEMTUN_IDENTITY_H

#include <stdint.h>

/* Return a hash of /etc/machine-id, where it exists, the user's id and the socket's path. */
uint64_t identity_hash(const char *socket_path);

#endif
