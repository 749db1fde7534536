/* SPDX-License-Identifier: MIT */
/*
 * The interfaces as the broker has them, so that several memtun wrap see those of each other.
 * interface_publish() tells the broker of each change before the program's call returns.
 * interface_broker_update() alone applies the changes of others, and may free interfaces.
 */
#ifndef MEMTUN_INTERFACE_BROKER_H
#define MEMTUN_INTERFACE_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "memtun.h"

struct interface;
struct interfaces;

/* Learn which interfaces there are, and subscribe to their changes. -1 with errno. */
int interface_broker_watch(struct interfaces *interfaces);

/*
 * Apply what has happened so far. If the broker has ended, its interfaces go. If another one runs on
 * its socket, connect to it; look for one once a second.
 */
void interface_broker_update(struct interfaces *interfaces);

/* Do the same, and look for another broker even if the last attempt was less than a second ago. */
void interface_broker_need(struct interfaces *interfaces);

/*
 * Make a request about the interface's tunnel, which it names by its id: another client may have
 * renamed it just now, and given the name to another one. *options, which get the id, may be NULL.
 * -1 with errno.
 */
int interface_broker_call(const struct interface *interface, enum memtun_command command,
			  struct memtun_options *options, memtun_record_function *function,
			  void *context);

/* Ask the broker for the interface as it is now. -1 with errno: the tunnel has gone. */
int interface_broker_show(struct interface *interface);

/* Give the interface's tunnel another name, which may be a template. -1 with errno. */
int interface_broker_rename(struct interface *interface, const char *name);

#endif
