/* SPDX-License-Identifier: MIT */
/*
 * An end of a wire that is a stream: a length before each frame, so that one call carries many
 * frames.
 */
#ifndef MEMTUN_BENCH_STREAM_END_H
#define MEMTUN_BENCH_STREAM_END_H

#include <stddef.h>

#include "tests/bench/delivery.h"

struct stream_end {
	size_t kept; /* bytes that were read and not yet counted */
	unsigned char bytes[64 * 1024];
};

/* Return an end that reads through `stream`, which must be zeros at first. */
struct wire_end wire_end_stream(int fd, struct stream_end *stream);

#endif
