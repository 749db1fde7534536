/* SPDX-License-Identifier: MIT */
/* The draws: SipHash-2-4 by its authors' vectors, and what a draw depends on. */
#include "tests/unit/runner.h"

#include <stdbool.h>
#include <string.h>

#include "broker/impair/draw.h"

/*
 * The first of vectors_sip64 in vectors.h of the authors' reference code (github.com/veorq/SipHash),
 * as numbers: the key is 00 01 ... 0f, the message of n bytes is 00 01 ... Number 15 is the example
 * in appendix A of their paper.
 */
static const uint64_t reference[] = {
	UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd), UINT64_C(0x0d6c8009d9a94f5a),
	UINT64_C(0x85676696d7fb7e2d), UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
	UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137),
};

static const uint64_t reference_key[2] = {
	UINT64_C(0x0706050403020100),
	UINT64_C(0x0f0e0d0c0b0a0908),
};

static void siphash_has_its_authors_values(void **state)
{
	unsigned char message[15];

	(void)state;
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (unsigned char)i;
	for (size_t n = 0; n < sizeof(reference) / sizeof(reference[0]); n++)
		assert_true(draw_siphash(reference_key, message, n) == reference[n]);
	assert_true(draw_siphash(reference_key, message, 15) == UINT64_C(0xa129ca6149be45e5));
}

static uint64_t some_draw(uint64_t seed, const char *port, enum memtun_direction direction,
			  uint32_t rule, const char *word, uint64_t number)
{
	struct draw_stream stream;

	draw_stream_init(&stream, seed, port, direction, rule, word);
	return draw(&stream, number);
}

static void a_draw_is_the_hash_of_its_message(void **state)
{
	/* vm0, to the client (2), rule 258, loss, frame 3: each number little-endian. */
	static const unsigned char message[48] = {
		'v', 'm', '0', 0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 1, 0, 0,
		'l', 'o', 's', 's', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
	};
	const uint64_t key[2] = {42, 0};

	(void)state;
	assert_true(some_draw(42, "vm0", MEMTUN_TO_CLIENT, 258, "loss", 3) ==
		    draw_siphash(key, message, sizeof(message)));
}

/* The values that memtun-impair(7) lists; tests/system/impair_reference.py computes them too. */
static void draws_are_those_of_the_page(void **state)
{
	(void)state;
	assert_true(some_draw(7, "a", MEMTUN_FROM_CLIENT, 1, "loss", 1) ==
		    UINT64_C(0x08204f7d6ab7941f));
	assert_true(some_draw(7, "a", MEMTUN_FROM_CLIENT, 1, "loss", 2) ==
		    UINT64_C(0x490fa770b86d8778));
	assert_true(some_draw(7, "a", MEMTUN_TO_CLIENT, 1, "loss", 1) ==
		    UINT64_C(0x4b7f37b6c2f9cb86));
	assert_true(some_draw(7, "a", MEMTUN_FROM_CLIENT, 1, "jitter", 1) ==
		    UINT64_C(0x2494efc9a9d7111b));
	assert_true(some_draw(UINT64_MAX, "fifteen-letters", MEMTUN_TO_CLIENT, 4294967295U,
			      "truncate-length", UINT64_MAX) == UINT64_C(0xf47846a88df962a6));
}

static void each_part_of_the_message_changes_the_draw(void **state)
{
	uint64_t one = some_draw(7, "a", MEMTUN_FROM_CLIENT, 1, "loss", 1);

	(void)state;
	assert_true(one != some_draw(8, "a", MEMTUN_FROM_CLIENT, 1, "loss", 1));
	assert_true(one != some_draw(7, "b", MEMTUN_FROM_CLIENT, 1, "loss", 1));
	assert_true(one != some_draw(7, "a", MEMTUN_TO_CLIENT, 1, "loss", 1));
	assert_true(one != some_draw(7, "a", MEMTUN_FROM_CLIENT, 2, "loss", 1));
	assert_true(one != some_draw(7, "a", MEMTUN_FROM_CLIENT, 1, "corrupt", 1));
	assert_true(one != some_draw(7, "a", MEMTUN_FROM_CLIENT, 1, "loss", 2));
}

static void a_draw_maps_to_the_upper_half_of_the_product(void **state)
{
	static const struct {
		uint64_t draw, limit, below;
	} samples[] = {
		{0, UINT64_MAX, 0},
		{UINT64_MAX, 0, 0},
		{UINT64_MAX, 1, 0},
		{UINT64_MAX, 1000, 999},
		{UINT64_MAX, UINT64_MAX, UINT64_MAX - 1},
		{UINT64_C(1) << 63, 1000000000, 500000000},
		{UINT64_C(1) << 63, UINT64_MAX, UINT64_C(0x7fffffffffffffff)},
		/* Of Python: draw * limit >> 64. */
		{UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210),
		 UINT64_C(0x0121fa00ad77d742)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		assert_true(draw_below(samples[i].draw, samples[i].limit) == samples[i].below);
	assert_false(draw_happens(0, 0));
	assert_true(draw_happens(UINT64_MAX, DRAW_BILLION));
	assert_false(draw_happens(UINT64_MAX, DRAW_BILLION - 1));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_has_its_authors_values),
		cmocka_unit_test(a_draw_is_the_hash_of_its_message),
		cmocka_unit_test(draws_are_those_of_the_page),
		cmocka_unit_test(each_part_of_the_message_changes_the_draw),
		cmocka_unit_test(a_draw_maps_to_the_upper_half_of_the_product),
	};

	return RUN_TESTS(tests);
}
