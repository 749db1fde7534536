/* SPDX-License-Identifier: MIT */
/*
 * What has come of a frame on a stream: its length and some of its bytes, until the rest comes.
 */
#ifndef MEMTUN_STREAM_H
#define MEMTUN_STREAM_H

#include <stdbool.h>

struct stream;

/* NULL with ENOMEM. */
struct stream *stream_new(void);
void stream_free(struct stream *stream);

/* Is there a whole frame in it, as more than a batch came at once? The socket won't tell of it. */
bool stream_has_whole(const struct stream *stream);

#endif
