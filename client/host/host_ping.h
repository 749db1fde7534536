/* SPDX-License-Identifier: MIT */
/*
 * Sends ICMP echo requests, and prints the replies as ping(8) does. The caller waits, and has locked
 * lwIP's core for each call but those that say so.
 */
#ifndef MEMTUN_HOST_PING_H
#define MEMTUN_HOST_PING_H

#include <stdbool.h>
#include <stdint.h>

struct host_interface;

/* Take a key of memtun-host's command line and its value; without lwIP's lock. -1: it is none. */
int host_ping_set(const char *key, const char *value);

/* Return whether this is a memtun ping; without lwIP's lock. */
bool host_ping_is_set(void);

/* Begin. -1: out of memory. */
int host_ping_start(struct host_interface *interface);

/* Send what is due, and report what is overdue. False: the end has come. */
bool host_ping_turn(void);

/* Return the milliseconds until the next turn; without lwIP's lock. */
int host_ping_timeout(void);

/* Print the statistics, and return the exit status; without lwIP's lock. */
int host_ping_end(void);

#endif
