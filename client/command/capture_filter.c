/* SPDX-License-Identifier: MIT */
#include "client/command/capture_filter.h"

int capture_filter_compile(struct capture_filter *filter, enum memtun_mode mode)
{
	filter->mode = mode;
	if (!filter->text)
		return 0;
	capture_filter_free(filter);
	filter->compiled = frame_filter_new(filter->text, mode, filter->fault);
	return filter->compiled ? 0 : -1;
}

bool capture_filter_matches(const struct capture_filter *filter, const void *frame, uint32_t length)
{
	return !filter->text || frame_filter_matches(filter->compiled, frame, length);
}

void capture_filter_free(struct capture_filter *filter)
{
	frame_filter_free(filter->compiled);
	filter->compiled = NULL;
}
