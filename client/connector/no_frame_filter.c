/* SPDX-License-Identifier: MIT */
/* Replaces frame_filter.c in a build without libpcap: no filter can be made, and so none is used. */
#include "client/connector/frame_filter.h"

#include <errno.h>
#include <stdio.h>

struct frame_filter *frame_filter_new(const char *text, enum memtun_mode mode, char *fault)
{
	(void)text;
	(void)mode;
	snprintf(fault, FRAME_FILTER_FAULT_SIZE,
		 "this build has no filters, because it was made without libpcap");
	errno = ENOSYS;
	return NULL;
}

void frame_filter_free(struct frame_filter *filter)
{
	(void)filter;
}

bool frame_filter_matches(const struct frame_filter *filter, const void *frame, size_t length)
{
	(void)filter;
	(void)frame;
	(void)length;
	return false;
}

bool frame_filter_write(const struct frame_filter *filter, char *code, size_t size)
{
	(void)filter;
	(void)code;
	(void)size;
	return false;
}
