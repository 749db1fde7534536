/* SPDX-License-Identifier: MIT */
/*
 * What an uplink is joined to, in one phrase for people: an address, a path, an interface.
 */
#ifndef MEMTUN_UPLINK_JOINED_H
#define MEMTUN_UPLINK_JOINED_H

#include "memtun.h"

/* Two texts, and what stands around them. */
#define UPLINK_JOINED_SIZE (2 * MEMTUN_TEXT_SIZE + 64)

/* Writes it, and returns text; "" of a record that is no uplink's. */
const char *uplink_joined(const struct memtun_record *record, char text[UPLINK_JOINED_SIZE]);

#endif
