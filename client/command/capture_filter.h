/* SPDX-License-Identifier: MIT */
/*
 * The filter of a capture, in the language of pcap-filter(7). A bridge changes its mode when a TAP
 * joins it, so one filter may be compiled for both modes in turn.
 */
#ifndef MEMTUN_CAPTURE_FILTER_H
#define MEMTUN_CAPTURE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "client/connector/frame_filter.h"
#include "memtun.h"

struct capture_filter {
	const char *text; /* NULL: all frames match */
	enum memtun_mode mode;
	struct frame_filter *compiled;       /* for frames of that mode; owned */
	char fault[FRAME_FILTER_FAULT_SIZE]; /* why the filter could not be compiled */
};

/*
 * Compile the filter's text for frames of that mode; zeroed memory with a text is a filter. The
 * caller frees it by capture_filter_free(). -1 with the fault filled.
 */
int capture_filter_compile(struct capture_filter *filter, enum memtun_mode mode);

/* Return whether the frame, which has the filter's mode, matches. */
bool capture_filter_matches(const struct capture_filter *filter, const void *frame,
			    uint32_t length);

void capture_filter_free(struct capture_filter *filter);

#endif
