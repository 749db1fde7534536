/* SPDX-License-Identifier: MIT */
/*
 * A record of an answer or an event, as its reader sees it: values by their words.
 */
#ifndef MEMTUN_RECORD_H
#define MEMTUN_RECORD_H

#include "common/attribute_set.h"
#include "memtun.h"

struct memtun_record {
	struct attribute_set set;     /* borrows from the message */
	char texts[MEMTUN_A_END][24]; /* of numbers that were asked for as text */
};

/* The record with its strings, to be freed as one. NULL with ENOMEM. */
struct memtun_record *record_copy(const struct memtun_record *record);

#endif
