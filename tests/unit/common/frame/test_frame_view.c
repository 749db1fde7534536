/* SPDX-License-Identifier: MIT */
/*
 * What frame_view finds in frames, and frame_describe()'s lines about them. Each frame is in a
 * block of its size, so that a sanitizer reports the first byte that is read outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/frame/frame_build.h"
#include "common/frame/frame_describe.h"
#include "tests/unit/common/frame/frame_samples.h"
#include "common/frame/frame_view.h"
#include "tests/unit/runner.h"

#define MAX_SAMPLE 128

/* Return a writable copy of a sample. */
struct copy {
	enum memtun_mode mode;
	uint8_t bytes[MAX_SAMPLE];
	size_t length;
};

static struct copy copy_of(const char *name)
{
	const struct frame_sample *sample = frame_sample_find(name);
	struct copy copy = {.mode = sample->mode, .length = sample->length};

	assert_true(sample->length <= sizeof(copy.bytes));
	memcpy(copy.bytes, sample->bytes, sample->length);
	return copy;
}

static struct frame_view view_of(const struct copy *copy)
{
	struct frame_view view;

	assert_int_equal(frame_view_parse(&view, copy->mode, copy->bytes, copy->length), 0);
	return view;
}

static bool checksums_hold(const struct copy *copy)
{
	struct frame_view view = view_of(copy);

	return frame_view_checksums_are_valid(&view, copy->bytes, copy->length);
}

static void assert_malformed(const struct copy *copy, struct frame_view *view)
{
	errno = 0;
	assert_int_equal(frame_view_parse(view, copy->mode, copy->bytes, copy->length), -1);
	assert_int_equal(errno, EBADMSG);
}

static void assert_described(const struct copy *copy, const char *expected)
{
	char text[FRAME_DESCRIPTION_SIZE];

	assert_int_equal(frame_describe(text, sizeof(text), copy->mode, copy->bytes, copy->length),
			 strlen(expected));
	assert_string_equal(text, expected);
}

/* Call every function on the frame, and assert what is true of any frame. */
static void assert_safe(enum memtun_mode mode, const uint8_t *frame, size_t length)
{
	char text[FRAME_DESCRIPTION_SIZE];
	struct frame_view view;
	int described = frame_describe(text, sizeof(text), mode, frame, length);

	assert_in_range(described, 1, sizeof(text) - 1);
	assert_int_equal(strlen(text), described);
	if (frame_view_parse(&view, mode, frame, length) < 0) {
		assert_int_equal(errno, EBADMSG);
		return;
	}
	assert_true(view.payload <= length && view.payload_length <= length - view.payload);
	assert_true(view.network <= view.payload);
	assert_true(view.transport == -1 || (size_t)view.transport <= view.payload);
	assert_true(view.transport == -1 || view.fragment_offset == 0);
	assert_true(view.kind <= FRAME_ARP || view.transport >= 0);
	assert_true((view.ip_version == 0) == (view.protocol == -1));
	(void)frame_view_checksums_are_valid(&view, frame, length);
}

static void every_sample_is_described_as_what_it_is(void **state)
{
	char text[FRAME_DESCRIPTION_SIZE];

	(void)state;
	for (size_t i = 0; i < FRAME_SAMPLE_COUNT; i++) {
		const struct frame_sample *sample = &frame_samples[i];

		frame_describe(text, sizeof(text), sample->mode, sample->bytes, sample->length);
		assert_string_equal(text, sample->description);
	}
}

static void every_cut_of_every_sample_is_read_inside_its_bounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < FRAME_SAMPLE_COUNT; i++) {
		const struct frame_sample *sample = &frame_samples[i];

		for (size_t length = 0; length <= sample->length; length++) {
			for (size_t offset = 0; offset < 2; offset++) {
				uint8_t *block = malloc(offset + length);

				assert_true(block || offset + length == 0);
				if (length > 0)
					memcpy(block + offset, sample->bytes, length);
				assert_safe(MEMTUN_TUN, block + offset, length);
				assert_safe(MEMTUN_TAP, block + offset, length);
				free(block);
			}
		}
	}
}

static uint32_t random_next(uint32_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 17;
	*random ^= *random << 5;
	return *random;
}

static void mutated_frames_are_read_inside_their_bounds(void **state)
{
	uint32_t random = 0x6d656d74;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		const struct frame_sample *sample =
			&frame_samples[random_next(&random) % FRAME_SAMPLE_COUNT];
		size_t length = sample->length - random_next(&random) % (sample->length / 4);
		uint8_t *block = malloc(length);

		assert_non_null(block);
		memcpy(block, sample->bytes, length);
		for (uint32_t changes = random_next(&random) % 8; changes > 0; changes--)
			block[random_next(&random) % length] = (uint8_t)random_next(&random);
		assert_safe(sample->mode, block, length);
		free(block);
	}
}

static void offsets_and_tags_are_found(void **state)
{
	struct copy copy = copy_of("tcp6_two_tags");
	struct frame_view view = view_of(&copy);

	(void)state;
	assert_int_equal(view.kind, FRAME_TCP);
	assert_int_equal(view.vlan, 100);
	assert_int_equal(view.inner_vlan, 200);
	assert_int_equal(view.ethertype, 0x86dd);
	assert_int_equal(view.ip_version, 6);
	assert_int_equal(view.protocol, 6);
	assert_int_equal(view.network, 22);
	assert_int_equal(view.transport, 62);
	assert_int_equal(view.payload, 82);
	assert_int_equal(view.payload_length, 5);
	assert_false(view.fragment || view.cut || view.source_routed);
}

static void untagged_is_not_the_same_as_tagged_with_zero(void **state)
{
	struct copy untagged = copy_of("tcp4_syn");
	struct copy tagged = copy_of("echo6_two_tags");

	(void)state;
	assert_int_equal(view_of(&untagged).vlan, -1);
	assert_int_equal(view_of(&untagged).inner_vlan, -1);
	assert_int_equal(view_of(&tagged).inner_vlan, 0);
}

static void a_third_tag_is_payload(void **state)
{
	struct copy copy = copy_of("tcp6_two_tags");
	struct frame_view view;

	(void)state;
	memcpy(copy.bytes + 20, "\x81\x00", 2);
	view = view_of(&copy);
	assert_int_equal(view.ethertype, 0x8100);
	assert_int_equal(view.ip_version, 0);
	assert_int_equal(view.payload, 22);
	assert_int_equal(view.payload_length, copy.length - 22);
}

static void padding_is_not_payload(void **state)
{
	struct copy echo = copy_of("echo4_padded");
	struct copy arp = copy_of("arp_request_padded");
	struct copy spanning_tree = copy_of("spanning_tree");

	(void)state;
	assert_int_equal(view_of(&echo).payload_length, 5);
	assert_false(view_of(&echo).cut);
	assert_int_equal(view_of(&arp).payload_length, 0);
	assert_int_equal(view_of(&spanning_tree).payload_length, 7);
}

static void fragments_have_their_offset(void **state)
{
	const char *const names[][2] = {
		{"udp4_first_fragment", "udp4_last_fragment"},
		{"udp6_first_fragment", "udp6_last_fragment"},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct copy first_copy = copy_of(names[i][0]);
		struct copy last_copy = copy_of(names[i][1]);
		struct frame_view first = view_of(&first_copy);
		struct frame_view last = view_of(&last_copy);

		assert_true(first.fragment && first.more_fragments);
		assert_int_equal(first.fragment_offset, 0);
		assert_int_equal(first.kind, FRAME_UDP);
		assert_int_equal(first.transport, first.payload - 8);
		assert_true(last.fragment && !last.more_fragments);
		assert_int_equal(last.fragment_offset, 48);
		assert_int_equal(last.kind, FRAME_OTHER);
		assert_int_equal(last.protocol, 17);
		assert_int_equal(last.transport, -1);
		assert_int_equal(last.payload_length, 16);
	}
}

static void the_only_fragment_is_a_whole_packet(void **state)
{
	struct copy copy = copy_of("udp6_only_fragment");

	(void)state;
	assert_false(view_of(&copy).fragment);
	assert_int_equal(view_of(&copy).kind, FRAME_UDP);
	copy.bytes[copy.length - 1] ^= 1;
	assert_false(checksums_hold(&copy));
}

static void dont_fragment_is_seen(void **state)
{
	struct copy set = copy_of("udp4");
	struct copy unset = copy_of("udp4_first_fragment");

	(void)state;
	assert_true(view_of(&set).dont_fragment);
	assert_false(view_of(&unset).dont_fragment);
}

static void a_cut_header_is_not_taken_for_a_header(void **state)
{
	struct copy udp = copy_of("udp4");
	struct copy extensions = copy_of("udp6_extensions");
	struct frame_view view;

	(void)state;
	udp.length = 27; /* of 20 + 8 */
	view = view_of(&udp);
	assert_true(view.cut);
	assert_int_equal(view.kind, FRAME_OTHER);
	assert_int_equal(view.transport, -1);
	assert_int_equal(view.payload, 20);
	assert_int_equal(view.payload_length, 7);
	extensions.length = 55; /* of 40 + 8 + 8 */
	view = view_of(&extensions);
	assert_true(view.cut);
	assert_int_equal(view.protocol, 60);
	assert_int_equal(view.transport, -1);
	assert_int_equal(view.payload, 48);
	assert_int_equal(view.payload_length, 7);
}

static void a_jumbogram_goes_on_to_the_end_of_the_frame(void **state)
{
	struct copy copy = copy_of("udp6_extensions");

	(void)state;
	copy.bytes[5] = 0;
	assert_false(view_of(&copy).cut);
	assert_int_equal(view_of(&copy).kind, FRAME_UDP);
	copy.bytes[6] = 17; /* a length of 0 without the jumbo option is a length of 0 */
	assert_int_equal(view_of(&copy).payload_length, 0);
	assert_int_equal(view_of(&copy).transport, -1);
}

static void icmp_of_the_other_ip_version_is_not_icmp(void **state)
{
	struct copy four = copy_of("echo4_options");
	struct copy six = copy_of("echo6");

	(void)state;
	four.bytes[9] = 58;
	six.bytes[6] = 1;
	assert_int_equal(view_of(&four).kind, FRAME_OTHER);
	assert_int_equal(view_of(&six).kind, FRAME_OTHER);
}

static void what_is_no_frame_is_refused(void **state)
{
	struct frame_view view;
	struct copy copy = copy_of("udp4");

	(void)state;
	copy.length = 0;
	assert_malformed(&copy, &view);
	copy = copy_of("udp4");
	copy.length = 19;
	assert_malformed(&copy, &view);
	copy = copy_of("udp4");
	copy.bytes[0] = 0x55; /* version 5 */
	assert_malformed(&copy, &view);
	copy.bytes[0] = 0x44; /* 16 bytes of header */
	assert_malformed(&copy, &view);
	copy.bytes[0] = 0x4b; /* 44 bytes of header in a packet of 40 */
	assert_malformed(&copy, &view);
	copy.bytes[0] = 0x45;
	copy.bytes[3] = 19; /* a packet shorter than its header */
	assert_malformed(&copy, &view);
	copy = copy_of("udp6_extensions");
	copy.length = 39;
	assert_malformed(&copy, &view);
	copy = copy_of("tcp6_two_tags");
	copy.bytes[22] = 0x45; /* IPv4 by its version, IPv6 by its type */
	assert_malformed(&copy, &view);
	copy = copy_of("lldp");
	copy.length = 13;
	assert_malformed(&copy, &view);
	errno = 0;
	assert_int_equal(frame_view_parse(&view, 0, copy.bytes, copy.length), -1);
	assert_int_equal(errno, EINVAL);
}

static void what_was_read_before_the_fault_is_kept(void **state)
{
	struct frame_view view;
	struct copy copy = copy_of("tcp6_two_tags");

	(void)state;
	copy.length = 21; /* in the inner tag */
	assert_malformed(&copy, &view);
	assert_int_equal(view.vlan, 100);
	assert_int_equal(view.inner_vlan, -1);
	assert_int_equal(view.network, 18);
	copy = copy_of("udp4_vlan_broadcast");
	copy.bytes[18] = 0x65; /* IPv6 by its version, IPv4 by its type */
	assert_malformed(&copy, &view);
	assert_int_equal(view.vlan, 5);
	assert_int_equal(view.network, 18);
	assert_described(&copy, "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff vlan 5 "
				"type 0x0800 length 40 malformed");
}

static void every_sample_has_good_checksums(void **state)
{
	(void)state;
	for (size_t i = 0; i < FRAME_SAMPLE_COUNT; i++) {
		struct copy copy = copy_of(frame_samples[i].name);

		assert_true(checksums_hold(&copy));
	}
}

/* Flip bits from `first` on only, because IPv6's header has no checksum. */
static void assert_each_bit_is_guarded(const char *name, size_t first, size_t end)
{
	struct copy copy = copy_of(name);
	struct frame_view view;

	for (size_t bit = first * 8; bit < end * 8; bit++) {
		copy.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (frame_view_parse(&view, copy.mode, copy.bytes, copy.length) == 0)
			assert_false(
				frame_view_checksums_are_valid(&view, copy.bytes, copy.length));
		copy.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void a_flipped_bit_breaks_the_checksum(void **state)
{
	(void)state;
	assert_each_bit_is_guarded("udp4", 1, 40); /* with version 6 it is another packet */
	assert_each_bit_is_guarded("tcp4_syn", 14, 58);
	assert_each_bit_is_guarded("echo4_padded", 14, 47);
	assert_each_bit_is_guarded("echo4_options", 1, 36);
	assert_each_bit_is_guarded("udp4_last_fragment", 1, 20);
	assert_each_bit_is_guarded("udp6_extensions", 56, 69);
	assert_each_bit_is_guarded("tcp6_two_tags", 62, 87);
	assert_each_bit_is_guarded("echo6", 40, 55);
	assert_each_bit_is_guarded("echo6", 8, 40); /* the addresses */
}

static void what_one_frame_cannot_prove_is_let_pass(void **state)
{
	const char *const names[] = {"udp6_source_routed", "udp4_first_fragment",
				     "udp6_last_fragment", "udp4_without_checksum", "gre4"};
	struct copy copy;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		copy = copy_of(names[i]);
		copy.bytes[copy.length - 1] ^= 1;
		assert_true(checksums_hold(&copy));
	}
	copy = copy_of("udp4");
	copy.length--;
	assert_true(view_of(&copy).cut);
	assert_true(checksums_hold(&copy));
}

static void udp_over_ipv6_must_have_a_checksum(void **state)
{
	struct copy copy = copy_of("udp6_extensions");

	(void)state;
	memset(copy.bytes + 56 + 6, 0, 2);
	assert_false(checksums_hold(&copy));
}

static void a_transport_header_that_contradicts_itself_is_not_valid(void **state)
{
	struct copy udp = copy_of("udp6_extensions");
	struct copy tcp = copy_of("tcp6_two_tags");

	(void)state;
	udp.bytes[56 + 5] = 7; /* shorter than its header */
	assert_int_equal(view_of(&udp).transport, -1);
	assert_false(checksums_hold(&udp));
	udp.bytes[56 + 5] = 14; /* one more byte than present */
	assert_int_equal(view_of(&udp).transport, -1);
	assert_false(checksums_hold(&udp));
	assert_described(&udp, "IPv6 fd00::1 > fd00::2 protocol 17 length 13 malformed");
	tcp.bytes[62 + 12] = 0x40; /* 16 bytes of header */
	assert_int_equal(view_of(&tcp).transport, -1);
	tcp.bytes[62 + 12] = 0x70; /* 28 in a segment of 25 */
	assert_int_equal(view_of(&tcp).transport, -1);
	assert_false(checksums_hold(&tcp));
}

static void a_description_has_the_defect(void **state)
{
	struct copy copy = copy_of("udp4");

	(void)state;
	copy.bytes[39] ^= 1;
	assert_described(&copy, "IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 6000 length 12 bad checksum");
	copy = copy_of("udp4");
	copy.length = 30;
	assert_described(&copy, "IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 6000 length 2 cut");
	copy.length = 10;
	assert_described(&copy, "type 0x0800 length 10 malformed");
	copy.length = 0;
	assert_described(&copy, "length 0 malformed");
	copy.mode = 3;
	errno = 0;
	assert_int_equal(frame_describe(NULL, 0, copy.mode, copy.bytes, copy.length), -1);
	assert_int_equal(errno, EINVAL);
}

static void a_description_is_cut_to_the_buffer(void **state)
{
	const struct frame_sample *sample = frame_sample_find("tcp6_two_tags");
	size_t whole = strlen(sample->description);

	(void)state;
	for (size_t size = 0; size <= whole + 1; size++) {
		char *text = malloc(size);

		assert_true(text || size == 0);
		assert_int_equal(
			frame_describe(text, size, sample->mode, sample->bytes, sample->length),
			whole);
		if (size > 0) {
			assert_int_equal(strlen(text), size - 1);
			assert_memory_equal(text, sample->description, size - 1);
		}
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_is_described_as_what_it_is),
		cmocka_unit_test(every_cut_of_every_sample_is_read_inside_its_bounds),
		cmocka_unit_test(mutated_frames_are_read_inside_their_bounds),
		cmocka_unit_test(offsets_and_tags_are_found),
		cmocka_unit_test(untagged_is_not_the_same_as_tagged_with_zero),
		cmocka_unit_test(a_third_tag_is_payload),
		cmocka_unit_test(padding_is_not_payload),
		cmocka_unit_test(fragments_have_their_offset),
		cmocka_unit_test(the_only_fragment_is_a_whole_packet),
		cmocka_unit_test(dont_fragment_is_seen),
		cmocka_unit_test(a_cut_header_is_not_taken_for_a_header),
		cmocka_unit_test(a_jumbogram_goes_on_to_the_end_of_the_frame),
		cmocka_unit_test(icmp_of_the_other_ip_version_is_not_icmp),
		cmocka_unit_test(what_is_no_frame_is_refused),
		cmocka_unit_test(what_was_read_before_the_fault_is_kept),
		cmocka_unit_test(every_sample_has_good_checksums),
		cmocka_unit_test(a_flipped_bit_breaks_the_checksum),
		cmocka_unit_test(what_one_frame_cannot_prove_is_let_pass),
		cmocka_unit_test(udp_over_ipv6_must_have_a_checksum),
		cmocka_unit_test(a_transport_header_that_contradicts_itself_is_not_valid),
		cmocka_unit_test(a_description_has_the_defect),
		cmocka_unit_test(a_description_is_cut_to_the_buffer),
	};

	return RUN_TESTS(tests);
}
