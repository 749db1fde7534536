/* SPDX-License-Identifier: MIT */
/* Built frames are parsed by frame_view, and compared with samples byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/frame/frame_build.h"
#include "common/frame/frame_describe.h"
#include "common/frame/frame_format.h"
#include "tests/unit/common/frame/frame_samples.h"
#include "common/frame/frame_view.h"
#include "tests/unit/runner.h"

static struct frame_udp udp_example(int family, const void *payload, size_t length)
{
	struct frame_udp udp = {
		.from_mac = {2, 0, 0, 0, 0, 1},
		.to_mac = {2, 0, 0, 0, 0, 2},
		.vlan = -1,
		.ttl = 64,
		.payload = payload,
		.payload_length = length,
	};
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};

	if (family == AF_INET) {
		four.sin_addr.s_addr = inet_addr("10.0.0.1");
		four.sin_port = htons(5000);
		memcpy(&udp.from, &four, sizeof(four));
		four.sin_addr.s_addr = inet_addr("10.0.0.2");
		four.sin_port = htons(6000);
		memcpy(&udp.to, &four, sizeof(four));
	} else {
		inet_pton(AF_INET6, "fd00::1", &six.sin6_addr);
		six.sin6_port = htons(5000);
		memcpy(&udp.from, &six, sizeof(six));
		inet_pton(AF_INET6, "fd00::2", &six.sin6_addr);
		six.sin6_port = htons(6000);
		memcpy(&udp.to, &six, sizeof(six));
	}
	return udp;
}

static void assert_described(enum memtun_mode mode, const void *frame, ssize_t length,
			     const char *expected)
{
	char text[FRAME_DESCRIPTION_SIZE];

	assert_true(length > 0);
	frame_describe(text, sizeof(text), mode, frame, (size_t)length);
	assert_string_equal(text, expected);
}

/* A refused frame does not change the buffer. */
#define assert_refused(call, buffer, error)                    \
	do {                                                   \
		memset(buffer, 0xa5, sizeof(buffer));          \
		errno = 0;                                     \
		assert_int_equal(call, -1);                    \
		assert_int_equal(errno, error);                \
		for (size_t at = 0; at < sizeof(buffer); at++) \
			assert_int_equal(buffer[at], 0xa5);    \
	} while (0)

static void a_udp_frame_is_the_sample_byte_for_byte(void **state)
{
	const struct frame_sample *sample = frame_sample_find("udp4");
	struct frame_udp udp = udp_example(AF_INET, "hello memtun", 12);
	uint8_t frame[128];

	(void)state;
	assert_int_equal(frame_build_udp(frame, sizeof(frame), MEMTUN_TUN, &udp), sample->length);
	assert_memory_equal(frame, sample->bytes, sample->length);
}

static void udp_frames_have_the_headers_they_were_asked_for(void **state)
{
	static const struct {
		int family;
		enum memtun_mode mode;
		int vlan;
		const char *description;
	} cases[] = {
		{AF_INET, MEMTUN_TUN, -1, "IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 6000 length 3"},
		{AF_INET6, MEMTUN_TUN, -1, "IPv6 fd00::1 > fd00::2 UDP 5000 > 6000 length 3"},
		{AF_INET, MEMTUN_TAP, -1,
		 "02:00:00:00:00:01 > 02:00:00:00:00:02 "
		 "IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 6000 length 3"},
		{AF_INET6, MEMTUN_TAP, -1,
		 "02:00:00:00:00:01 > 02:00:00:00:00:02 "
		 "IPv6 fd00::1 > fd00::2 UDP 5000 > 6000 length 3"},
		{AF_INET, MEMTUN_TAP, 4094,
		 "02:00:00:00:00:01 > 02:00:00:00:00:02 vlan 4094 "
		 "IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 6000 length 3"},
		{AF_INET6, MEMTUN_TAP, 0,
		 "02:00:00:00:00:01 > 02:00:00:00:00:02 vlan 0 "
		 "IPv6 fd00::1 > fd00::2 UDP 5000 > 6000 length 3"},
	};
	uint8_t frame[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame_udp udp = udp_example(cases[i].family, "odd", 3);
		struct frame_view view;
		ssize_t length;

		udp.vlan = cases[i].vlan;
		udp.ttl = 7;
		length = frame_build_udp(frame, sizeof(frame), cases[i].mode, &udp);
		assert_described(cases[i].mode, frame, length, cases[i].description);
		frame_view_parse(&view, cases[i].mode, frame, (size_t)length);
		assert_int_equal(view.payload + 3, length);
		assert_memory_equal(frame + view.payload, "odd", 3);
		assert_int_equal(frame[view.network + (view.ip_version == 4 ? 8 : 7)], 7);
	}
}

static void a_udp_frame_fits_in_exactly_its_length(void **state)
{
	struct frame_udp udp = udp_example(AF_INET6, "hello", 5);
	uint8_t frame[14 + 4 + 40 + 8 + 5];

	(void)state;
	udp.vlan = 5;
	for (size_t size = 0; size < sizeof(frame); size++)
		assert_refused(frame_build_udp(frame, size, MEMTUN_TAP, &udp), frame, EMSGSIZE);
	assert_int_equal(frame_build_udp(frame, sizeof(frame), MEMTUN_TAP, &udp), sizeof(frame));
}

static void udp_payloads_reach_the_limit_of_the_length_field(void **state)
{
	static const struct {
		int family;
		size_t longest;
	} cases[] = {{AF_INET, 65507}, {AF_INET6, 65527}};
	uint8_t *payload = calloc(1, FRAME_MAX);
	uint8_t *frame = malloc(FRAME_MAX);

	(void)state;
	assert_non_null(payload);
	assert_non_null(frame);
	for (size_t i = 0; i < 2; i++) {
		struct frame_udp udp = udp_example(cases[i].family, payload, cases[i].longest);
		struct frame_view view;
		ssize_t length = frame_build_udp(frame, FRAME_MAX, MEMTUN_TUN, &udp);

		assert_true(length > 0);
		assert_int_equal(frame_view_parse(&view, MEMTUN_TUN, frame, (size_t)length), 0);
		assert_int_equal(view.payload_length, cases[i].longest);
		assert_true(frame_view_checksums_are_valid(&view, frame, (size_t)length));
		udp.payload_length++;
		errno = 0;
		assert_int_equal(frame_build_udp(frame, FRAME_MAX, MEMTUN_TUN, &udp), -1);
		assert_int_equal(errno, EMSGSIZE);
		udp.payload_length = SIZE_MAX;
		errno = 0;
		assert_int_equal(frame_build_udp(frame, FRAME_MAX, MEMTUN_TUN, &udp), -1);
		assert_int_equal(errno, EMSGSIZE);
	}
	free(frame);
	free(payload);
}

static void an_empty_datagram_needs_no_payload(void **state)
{
	struct frame_udp udp = udp_example(AF_INET, NULL, 0);
	uint8_t frame[28];

	(void)state;
	assert_described(MEMTUN_TUN, frame, frame_build_udp(frame, sizeof(frame), MEMTUN_TUN, &udp),
			 "IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 6000 length 0");
}

/* One of the 65,536 payloads of two bytes has this checksum. */
static void a_udp_checksum_of_zero_is_sent_as_ones(void **state)
{
	const int families[] = {AF_INET, AF_INET6};
	uint8_t payload[2];
	uint8_t frame[50];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct frame_udp udp = udp_example(families[i], payload, sizeof(payload));
		size_t checksum = (families[i] == AF_INET ? 20 : 40) + 6;
		int ones = 0;

		for (unsigned int value = 0; value <= UINT16_MAX; value++) {
			memcpy(payload, &(uint16_t){(uint16_t)value}, sizeof(payload));
			frame_build_udp(frame, sizeof(frame), MEMTUN_TUN, &udp);
			assert_true(frame[checksum] != 0 || frame[checksum + 1] != 0);
			ones += frame[checksum] == 0xff && frame[checksum + 1] == 0xff;
		}
		assert_true(ones > 0);
	}
}

static void what_makes_no_frame_is_refused(void **state)
{
	struct frame_udp udp = udp_example(AF_INET, "hello", 5);
	struct frame_udp six = udp_example(AF_INET6, "hello", 5);
	uint8_t frame[128];

	(void)state;
	assert_refused(frame_build_udp(frame, sizeof(frame), 0, &udp), frame, EINVAL);
	udp.vlan = 4095;
	assert_refused(frame_build_udp(frame, sizeof(frame), MEMTUN_TAP, &udp), frame, EINVAL);
	udp.vlan = -2;
	assert_refused(frame_build_udp(frame, sizeof(frame), MEMTUN_TAP, &udp), frame, EINVAL);
	udp.vlan = -1;
	udp.to = six.to;
	assert_refused(frame_build_udp(frame, sizeof(frame), MEMTUN_TUN, &udp), frame, EINVAL);
	udp.from.ss_family = AF_UNIX;
	udp.to.ss_family = AF_UNIX;
	assert_refused(frame_build_udp(frame, sizeof(frame), MEMTUN_TUN, &udp), frame, EINVAL);
}

static void headers_alone_are_refused_where_they_do_not_fit(void **state)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct in_addr four = {.s_addr = htonl(INADDR_LOOPBACK)};
	uint8_t header[40];

	(void)state;
	assert_int_equal(frame_build_ethernet(header, 14, mac, mac, -1, 0x800), 14);
	assert_int_equal(frame_build_ethernet(header, 18, mac, mac, 5, 0x800), 18);
	assert_memory_equal(header + 12, "\x81\x00\x00\x05\x08\x00", 6);
	assert_refused(frame_build_ethernet(header, 13, mac, mac, -1, 0x800), header, EMSGSIZE);
	assert_refused(frame_build_ethernet(header, 17, mac, mac, 5, 0x800), header, EMSGSIZE);
	assert_int_equal(frame_build_ipv4(header, 20, four, four, 47, 64, 65515), 20);
	assert_refused(frame_build_ipv4(header, 19, four, four, 47, 64, 0), header, EMSGSIZE);
	assert_refused(frame_build_ipv4(header, 20, four, four, 47, 64, 65516), header, EMSGSIZE);
	assert_int_equal(
		frame_build_ipv6(header, 40, &in6addr_loopback, &in6addr_loopback, 47, 64, 65535),
		40);
	assert_refused(
		frame_build_ipv6(header, 39, &in6addr_loopback, &in6addr_loopback, 47, 64, 0),
		header, EMSGSIZE);
	assert_refused(
		frame_build_ipv6(header, 40, &in6addr_loopback, &in6addr_loopback, 47, 64, 65536),
		header, EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_udp_frame_is_the_sample_byte_for_byte),
		cmocka_unit_test(udp_frames_have_the_headers_they_were_asked_for),
		cmocka_unit_test(a_udp_frame_fits_in_exactly_its_length),
		cmocka_unit_test(udp_payloads_reach_the_limit_of_the_length_field),
		cmocka_unit_test(an_empty_datagram_needs_no_payload),
		cmocka_unit_test(a_udp_checksum_of_zero_is_sent_as_ones),
		cmocka_unit_test(what_makes_no_frame_is_refused),
		cmocka_unit_test(headers_alone_are_refused_where_they_do_not_fit),
	};

	return RUN_TESTS(tests);
}
