/* SPDX-License-Identifier: MIT */
/*
 * The connection of a command that runs a program: to the broker that runs or that is named or, if
 * there is none, to a private one, under which the same command line is run again.
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
