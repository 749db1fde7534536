/* SPDX-License-Identifier: MIT */
/*
 * A list of frame numbers: single ones and ranges, joined with +, such as 1+3+8-10.
 */
#ifndef MEMTUN_NUMBER_LIST_H
#define MEMTUN_NUMBER_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/fault.h"
#include "memtun/protocol.h"

/* The longest text, of digits with a + between two, has this many numbers. */
#define NUMBER_LIST_MAX (MEMTUN_TEXT_SIZE / 2)

struct number_list {
	unsigned int count;
	struct {
		uint64_t first, last;
	} ranges[NUMBER_LIST_MAX];
};

/* Read the text; NULL is an empty list. -1 with the fault filled: EINVAL. */
int number_list_parse(struct number_list *list, const char *text, struct fault *fault);

/* Return whether the list has the number. */
bool number_list_has(const struct number_list *list, uint64_t number);

#endif
