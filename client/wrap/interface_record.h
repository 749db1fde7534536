/* SPDX-License-Identifier: MIT */
/*
 * Applies a record of the broker about a tunnel to the interface that programs see in its place. The
 * program's sockets learn of each difference, which is not published again.
 */
#ifndef MEMTUN_INTERFACE_RECORD_H
#define MEMTUN_INTERFACE_RECORD_H

#include <stdint.h>

#include "client/wrap/interface.h"
#include "memtun.h"

/* The keys of the addresses, the routes and the neighbours. */
extern const char *const interface_record_lists[INTERFACE_LISTS];

/* Return the record's number; 0: it has none with that key. */
uint64_t interface_record_number(const struct memtun_record *record, const char *key);

/* Return the flags of TUNSETIFF with which queues are attached to the record's tunnel. */
unsigned int interface_record_flags(const struct memtun_record *record);

/* Apply a record, which is newer than what the interface has. */
void interface_record_apply(struct interface *interface, const struct memtun_record *record);

/* Apply the record of an answer. `interface` is a struct interface. */
void interface_record_answer(const struct memtun_record *record, void *interface);

/* Note that it is not known what the broker has of the interface. */
void interface_record_forget(struct interface *interface);

#endif
