/* SPDX-License-Identifier: MIT */
/* The Internet checksum, compared with the example of RFC 1071 and with the definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/frame/checksum.h"
#include "common/frame/frame_format.h"
#include "tests/unit/runner.h"

/*
 * The definition: add big-endian words of 16 bits one by one. Return the two bytes of the header.
 */
static void checksum_by_definition(uint8_t result[2], const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i++) {
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	result[0] = (uint8_t)(~sum >> 8);
	result[1] = (uint8_t)~sum;
}

static void assert_checksum(uint32_t sum, const uint8_t *bytes, size_t length)
{
	uint16_t folded = checksum_fold(sum);
	uint8_t expected[2];

	checksum_by_definition(expected, bytes, length);
	assert_memory_equal(&folded, expected, sizeof(expected));
}

static void fill(uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(i * 167 + (i >> 3) + 0x9d);
}

static void the_example_of_the_rfc_comes_out(void **state)
{
	const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	const uint8_t complement_of_ddf2[] = {0x22, 0x0d};
	uint16_t folded = checksum_fold(checksum_add(0, example, sizeof(example)));

	(void)state;
	assert_memory_equal(&folded, complement_of_ddf2, sizeof(folded));
}

static void every_length_and_alignment_agrees_with_the_definition(void **state)
{
	(void)state;
	for (size_t length = 0; length <= 70; length++) {
		for (size_t offset = 0; offset < 9; offset++) {
			uint8_t *block = malloc(offset + length); /* ends at the block's end */

			assert_true(block || offset + length == 0);
			fill(block, offset + length);
			assert_checksum(checksum_add(0, block + offset, length), block + offset,
					length);
			free(block);
		}
	}
}

static void no_carry_is_lost_in_the_longest_frame_of_ones(void **state)
{
	const size_t longest = FRAME_MAX;
	uint8_t *ones = malloc(longest);

	(void)state;
	assert_non_null(ones);
	memset(ones, 0xff, longest);
	assert_int_equal(checksum_fold(checksum_add(0, ones, longest)), 0);
	assert_int_equal(checksum_fold(checksum_add(UINT32_MAX, ones, longest)), 0);
	ones[0] = 0xfe;
	assert_checksum(checksum_add(0, ones, longest), ones, longest);
	assert_checksum(checksum_add(UINT32_MAX, ones, longest), ones, longest);
	free(ones);
}

static void pieces_of_even_length_add_up_to_the_whole(void **state)
{
	uint8_t bytes[41];

	(void)state;
	fill(bytes, sizeof(bytes));
	for (size_t cut = 0; cut < sizeof(bytes); cut += 2)
		assert_checksum(
			checksum_add(checksum_add(0, bytes, cut), bytes + cut, sizeof(bytes) - cut),
			bytes, sizeof(bytes));
}

static void a_message_with_its_own_checksum_folds_to_zero(void **state)
{
	uint8_t bytes[27];
	uint16_t folded;

	(void)state;
	fill(bytes, sizeof(bytes));
	memset(bytes + 6, 0, sizeof(folded));
	folded = checksum_fold(checksum_add(0, bytes, sizeof(bytes)));
	memcpy(bytes + 6, &folded, sizeof(folded));
	assert_int_equal(checksum_fold(checksum_add(0, bytes, sizeof(bytes))), 0);
	bytes[9] ^= 0x10;
	assert_int_not_equal(checksum_fold(checksum_add(0, bytes, sizeof(bytes))), 0);
}

static void the_pseudo_header_of_ipv4_is_that_of_rfc_768(void **state)
{
	const uint8_t header[] = {10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0xfe, 0xdc};

	(void)state;
	assert_checksum(checksum_pseudo_ipv4(header, header + 4, 17, 0xfedc), header,
			sizeof(header));
}

static void the_pseudo_header_of_ipv6_is_that_of_rfc_8200(void **state)
{
	uint8_t header[40] = {[32] = 0x00, 0x01, 0xfe, 0xdc, 0, 0, 0, 58};

	(void)state;
	fill(header, 32);
	assert_checksum(checksum_pseudo_ipv6(header, header + 16, 58, 0x1fedc), header,
			sizeof(header));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_rfc_comes_out),
		cmocka_unit_test(every_length_and_alignment_agrees_with_the_definition),
		cmocka_unit_test(no_carry_is_lost_in_the_longest_frame_of_ones),
		cmocka_unit_test(pieces_of_even_length_add_up_to_the_whole),
		cmocka_unit_test(a_message_with_its_own_checksum_folds_to_zero),
		cmocka_unit_test(the_pseudo_header_of_ipv4_is_that_of_rfc_768),
		cmocka_unit_test(the_pseudo_header_of_ipv6_is_that_of_rfc_8200),
	};

	return RUN_TESTS(tests);
}
