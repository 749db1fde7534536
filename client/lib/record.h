/* SPDX-License-Identifier: MIT */
/*
 * A record of an answer or an event, whose values the caller gets by their keys.
 */
#ifndef MEMTUN_RECORD_H
#define MEMTUN_RECORD_H

#include "common/attribute_set.h"
#include "memtun.h"

struct memtun_record {
	struct attribute_set set;     /* its strings are borrowed from the message */
	char texts[MEMTUN_A_END][24]; /* numbers that the caller has asked for as text */
	char bits_text[ATTRIBUTE_BITS_TEXT_SIZE]; /* the same of the one attribute of bits */
};

/* Copy the record with its strings into one allocation. The caller frees it. NULL with ENOMEM. */
struct memtun_record *record_copy(const struct memtun_record *record);

#endif
