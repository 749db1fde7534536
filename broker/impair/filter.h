/* SPDX-License-Identifier: MIT */
/*
 * A filter: a program of classic BPF that decides which frames a rule is for. Clients compile it, so
 * that the broker parses no filter language. The broker checks the program before it runs it.
 */
#ifndef MEMTUN_FILTER_H
#define MEMTUN_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/fault.h"

struct filter;

/*
 * Make a filter of a program as `tcpdump -ddd` prints it, with a + in place of each newline: the
 * number of instructions, then each with its four numbers. NULL with the fault filled: EINVAL,
 * ENOMEM.
 */
struct filter *filter_new(const char *code, struct fault *fault);
void filter_free(struct filter *filter);

/* Return whether the frame matches the filter. */
bool filter_matches(const struct filter *filter, const unsigned char *data, uint32_t length);

#endif
