/* SPDX-License-Identifier: MIT */
/*
 * A TUN or TAP interface of the network namespace that the command runs in.
 */
#ifndef MEMTUN_DEVICE_OPEN_H
#define MEMTUN_DEVICE_OPEN_H

#include "memtun/protocol.h"

/*
 * Open the interface, or make it if it isn't there, with vnet headers. Return the descriptor,
 * close-on-exec, which the caller owns. -1 after a message.
 */
int device_open(const char *name, enum memtun_mode mode);

#endif
