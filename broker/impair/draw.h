/* SPDX-License-Identifier: MIT */
/*
 * Draws: the random numbers that decide what happens to a frame. A draw is a function of the seed,
 * the port's name, the direction, the rule's number, the key and the frame's number, so it depends
 * on nothing that happened before.
 */
#ifndef MEMTUN_DRAW_H
#define MEMTUN_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtun/protocol.h"

/*
 * The generator is SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012).
 * memtun-impair(7) has all that another program needs to compute the same draws.
 */

/* One hundred percent. A probability is a number of billionths, so that a percentage with up to
 * seven decimals is exact. */
#define DRAW_BILLION UINT64_C(1000000000)

/* Bytes of a key's word in the hashed message; shorter words are padded with zeros. */
#define DRAW_WORD_SIZE 16

/* The draws of one key of one rule: the hash of all but the frame's number. */
struct draw_stream {
	uint64_t state[4];
};

/* Return SipHash-2-4 of the bytes; key[0] is the first eight bytes of the key, little-endian. */
uint64_t draw_siphash(const uint64_t key[2], const void *bytes, size_t length);

/* Begin the draws of a key. The word has fewer than DRAW_WORD_SIZE bytes, the name fewer than
 * MEMTUN_NAME_SIZE. */
void draw_stream_init(struct draw_stream *stream, uint64_t seed, const char *port,
		      enum memtun_direction direction, uint32_t rule, const char *word);

/* Return the draw for frame `number`, which is from 0 to 2^64 - 1. */
uint64_t draw(const struct draw_stream *stream, uint64_t number);

/* Return the number below `limit` that the draw is mapped to: floor(draw * limit / 2^64). */
uint64_t draw_below(uint64_t draw, uint64_t limit);

/* Return whether an event of that probability, in billionths, happens. */
static inline bool draw_happens(uint64_t draw, uint64_t probability)
{
	return draw_below(draw, DRAW_BILLION) < probability;
}

#endif
