/* SPDX-License-Identifier: MIT */
/*
 * An end of a wire that is a stream: each frame after its length, so that one call carries as many
 * as there are.
 */
#ifndef MEMTUN_BENCH_STREAM_END_H
#define MEMTUN_BENCH_STREAM_END_H

#include <stddef.h>

#include "tests/bench/delivery.h"

struct stream_end {
	size_t kept; /* of what was read and not yet counted */
	unsigned char bytes[64 * 1024];
};

/* It reads by way of `stream`, zeros at first. */
struct wire_end wire_end_stream(int fd, struct stream_end *stream);

#endif
