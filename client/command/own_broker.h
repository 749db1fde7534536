/* SPDX-License-Identifier: MIT */
/*
 * The connection of a command that executes a program. If no broker runs and none was named, a
 * private broker runs the same command line again.
 */
#ifndef MEMTUN_OWN_BROKER_H
#define MEMTUN_OWN_BROKER_H

#include "client/command/command.h"

/*
 * Connect to the broker, and store the connection in *memtun, which the caller frees. If no broker
 * runs and none was named, become `memtund -- memtun ...`. Return 0, or the exit status after a
 * message.
 */
int own_broker_connect(const struct invocation *invocation, struct memtun **memtun);

#endif
