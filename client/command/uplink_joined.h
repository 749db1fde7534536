/* SPDX-License-Identifier: MIT */
/*
 * What an uplink is joined to, as a short text: an address, a path or an interface.
 */
#ifndef MEMTUN_UPLINK_JOINED_H
#define MEMTUN_UPLINK_JOINED_H

#include "memtun.h"

/* Two values, and the text around them. */
#define UPLINK_JOINED_SIZE (2 * MEMTUN_TEXT_SIZE + 64)

/* Write it into text and return text. "" for a record of something else. */
const char *uplink_joined(const struct memtun_record *record, char text[UPLINK_JOINED_SIZE]);

#endif
