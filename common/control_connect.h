/* SPDX-License-Identifier: MIT */
/* The connection of a client to a broker of its user or of root. */
#ifndef MEMTUN_CONTROL_CONNECT_H
#define MEMTUN_CONTROL_CONNECT_H

#include "common/fault.h"

/*
 * Connect to the broker at the address; NULL: to the first broker that answers at a default
 * address. timeout: how long it may take to accept the connection, milliseconds; -1: no limit. The
 * caller owns the descriptor, which is close-on-exec. -1 with the fault filled: ENOENT, ECONNREFUSED
 * (no broker), EPERM (another user's), ENAMETOOLONG, ETIMEDOUT, and the errors of system calls.
 */
int control_connect(const char *address, int timeout, struct fault *fault);

#endif
