/* SPDX-License-Identifier: MIT */
#include "broker/impair/draw.h"

#include <endian.h>
#include <string.h>

/* Bytes of the message of a draw before the frame's number. */
#define MESSAGE_PREFIX (MEMTUN_NAME_SIZE + 4 + 4 + DRAW_WORD_SIZE)
#define MESSAGE_SIZE (MESSAGE_PREFIX + 8)

static inline uint64_t rotate(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void sip_rounds(uint64_t v[4], int rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static void sip_begin(uint64_t v[4], const uint64_t key[2])
{
	v[0] = key[0] ^ UINT64_C(0x736f6d6570736575);
	v[1] = key[1] ^ UINT64_C(0x646f72616e646f6d);
	v[2] = key[0] ^ UINT64_C(0x6c7967656e657261);
	v[3] = key[1] ^ UINT64_C(0x7465646279746573);
}

static inline void sip_add(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
}

/* Add whole words of eight bytes. */
static void sip_add_bytes(uint64_t v[4], const unsigned char *bytes, size_t length)
{
	for (size_t at = 0; at + 8 <= length; at += 8) {
		uint64_t word;

		memcpy(&word, bytes + at, sizeof(word));
		sip_add(v, le64toh(word));
	}
}

/* Add the last word: the bytes behind the whole words, and the length of all in the top byte. */
static inline uint64_t sip_end(uint64_t v[4], uint64_t rest, size_t length)
{
	sip_add(v, rest | (uint64_t)length << 56);
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t draw_siphash(const uint64_t key[2], const void *bytes, size_t length)
{
	const unsigned char *tail = (const unsigned char *)bytes + length / 8 * 8;
	uint64_t v[4], rest = 0;

	sip_begin(v, key);
	sip_add_bytes(v, bytes, length);
	for (size_t i = 0; i < length % 8; i++)
		rest |= (uint64_t)tail[i] << (8 * i);
	return sip_end(v, rest, length);
}

void draw_stream_init(struct draw_stream *stream, uint64_t seed, const char *port,
		      enum memtun_direction direction, uint32_t rule, const char *word)
{
	unsigned char prefix[MESSAGE_PREFIX] = {0};
	uint32_t numbers[2] = {htole32((uint32_t)direction), htole32(rule)};
	const uint64_t key[2] = {seed, 0};

	memcpy(prefix, port, strnlen(port, MEMTUN_NAME_SIZE));
	memcpy(prefix + MEMTUN_NAME_SIZE, numbers, sizeof(numbers));
	memcpy(prefix + MEMTUN_NAME_SIZE + sizeof(numbers), word, strnlen(word, DRAW_WORD_SIZE));
	sip_begin(stream->state, key);
	sip_add_bytes(stream->state, prefix, sizeof(prefix));
}

uint64_t draw(const struct draw_stream *stream, uint64_t number)
{
	uint64_t v[4];

	memcpy(v, stream->state, sizeof(v));
	sip_add(v, number);
	return sip_end(v, 0, MESSAGE_SIZE);
}

uint64_t draw_below(uint64_t draw, uint64_t limit)
{
	uint64_t high = draw >> 32, low = draw & UINT32_MAX;
	uint64_t limit_high = limit >> 32, limit_low = limit & UINT32_MAX;
	/* The upper half of a product of 128 bits, which not each compiler has a type for. */
	uint64_t middle = high * limit_low + (low * limit_low >> 32);
	uint64_t rest = low * limit_high + (middle & UINT32_MAX);

	return high * limit_high + (middle >> 32) + (rest >> 32);
}
