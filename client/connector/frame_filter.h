/* SPDX-License-Identifier: MIT */
/*
 * A filter in the language of pcap-filter(7): the one place that compiles and runs such filters by
 * libpcap. frame_filter.c has it; no_frame_filter.c stands in its place in a build without libpcap,
 * and compiles no filter.
 */
#ifndef MEMTUN_FRAME_FILTER_H
#define MEMTUN_FRAME_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtun/protocol.h"

#define FRAME_FILTER_FAULT_SIZE 256

struct frame_filter;

/*
 * Compile the text for frames of that mode. The caller frees the filter. NULL with errno, and with the
 * reason in `fault`, which has room for FRAME_FILTER_FAULT_SIZE bytes: EINVAL (the text is no filter),
 * ENOMEM, or ENOSYS (this build has no filters).
 */
struct frame_filter *frame_filter_new(const char *text, enum memtun_mode mode, char *fault);
void frame_filter_free(struct frame_filter *filter);

bool frame_filter_matches(const struct frame_filter *filter, const void *frame, size_t length);

/*
 * Write the filter's program as `tcpdump -ddd` does, with + for newlines. Return false if it is too
 * long.
 */
bool frame_filter_write(const struct frame_filter *filter, char *code, size_t size);

#endif
