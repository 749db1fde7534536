/* SPDX-License-Identifier: MIT */
/* The received part of a frame on a stream: its length and some of its bytes, until the rest
 * arrives. */
#ifndef MEMTUN_STREAM_H
#define MEMTUN_STREAM_H

#include <stdbool.h>

struct stream;

/* Allocate an empty one. NULL with ENOMEM. */
struct stream *stream_new(void);
void stream_free(struct stream *stream);

/* Return whether it has a complete frame, because more than a batch was received at once. The
 * socket reports no event for that frame. */
bool stream_has_whole(const struct stream *stream);

#endif
