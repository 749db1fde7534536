/* SPDX-License-Identifier: MIT */
/*
 * What a tunnel is to be: attributes set by their words, and a copy of the strings among them.
 */
#ifndef MEMTUN_OPTIONS_H
#define MEMTUN_OPTIONS_H

#include "common/attribute_set.h"
#include "memtun.h"

struct memtun_options {
	struct attribute_set set; /* its strings are those below */
	char strings[ATTRIBUTE_ANSWERS][MEMTUN_TEXT_SIZE];
	struct fault fault;
};

/* Copies what the set has into the options. */
void options_import(struct memtun_options *options, const struct attribute_set *set);

#endif
