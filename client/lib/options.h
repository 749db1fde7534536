/* SPDX-License-Identifier: MIT */
/*
 * The options of a request: attributes set by their words, and copies of their strings.
 */
#ifndef MEMTUN_OPTIONS_H
#define MEMTUN_OPTIONS_H

#include "common/attribute_set.h"
#include "memtun.h"

/* The attributes that are lists have consecutive numbers. */
#define OPTIONS_FIRST_LIST MEMTUN_A_INTERFACE_ADDRESS
#define OPTIONS_LAST_LIST MEMTUN_A_INTERFACE_NEIGHBOUR

struct memtun_options {
	struct attribute_set set; /* its strings are copies in these, or outlive the options */
	char strings[MEMTUN_A_END][MEMTUN_TEXT_SIZE];
	char lists[OPTIONS_LAST_LIST - OPTIONS_FIRST_LIST + 1][MEMTUN_LIST_SIZE];
	struct fault fault;
};

#endif
