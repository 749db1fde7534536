/* SPDX-License-Identifier: MIT */
/*
 * The options of a request: attributes set by their words, and copies of their strings.
 */
#ifndef MEMTUN_OPTIONS_H
#define MEMTUN_OPTIONS_H

#include "common/attribute_set.h"
#include "memtun.h"

struct memtun_options {
	struct attribute_set set; /* its strings are copies in these, or outlive the options */
	char *strings[MEMTUN_A_END];
	struct fault fault;
};

#endif
