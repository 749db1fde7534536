/* SPDX-License-Identifier: MIT */
/* What can be cut and what can't, and which frames a reader takes as they are. The bytes of the
 * pieces are compared with the kernel's by test_frame_segment_kernel.c. */
#include "tests/unit/runner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "common/frame/frame_segment.h"
#include "common/frame/frame_view.h"
#include "tests/unit/common/frame/gso_frame.h"

#define ECN VIRTIO_NET_HDR_GSO_ECN
#define TCPV4 VIRTIO_NET_HDR_GSO_TCPV4
#define TCPV6 VIRTIO_NET_HDR_GSO_TCPV6
#define UFO VIRTIO_NET_HDR_GSO_UDP
#define UDP_L4 VIRTIO_NET_HDR_GSO_UDP_L4

/* Offsets in an Ethernet frame of IPv4 without options. */
enum {
	IP = 14,
	TRANSPORT = 34
};

static unsigned char frame[FRAME_MAX], piece[FRAME_MAX];
static struct virtio_net_hdr offload;
static struct frame_segment segment;

static int cut(const struct gso_frame *gso)
{
	size_t length = gso_frame_make(gso, frame, &offload);

	return frame_segment_begin(&segment, MEMTUN_TAP, frame, length, &offload, 1);
}

static void assert_cut(const struct gso_frame *gso, unsigned int count)
{
	assert_int_equal(cut(gso), 0);
	assert_int_equal(segment.count, count);
}

static void assert_refused(const struct gso_frame *gso)
{
	errno = 0;
	assert_int_equal(cut(gso), -1);
	assert_int_equal(errno, EINVAL);
}

static const struct gso_frame tcp4 = {
	.ip_version = 4, .gso_type = TCPV4, .gso_size = 1000, .flags = TH_ACK, .payload = 3000};
static const struct gso_frame tcp6 = {
	.ip_version = 6, .gso_type = TCPV6, .gso_size = 1000, .flags = TH_ACK, .payload = 3000};
static const struct gso_frame udp4 = {
	.ip_version = 4, .gso_type = UDP_L4, .gso_size = 1000, .payload = 3000};

static void all_pieces_have_valid_checksums_and_lengths(void **state)
{
	static const struct gso_frame *const frames[] = {&tcp4, &tcp6, &udp4};
	struct frame_view view;
	size_t length, payload = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		payload = 0;
		assert_cut(frames[i], 3);
		while ((length = frame_segment_next(&segment, piece)) > 0) {
			assert_int_equal(frame_view_parse(&view, MEMTUN_TAP, piece, length), 0);
			assert_true(frame_view_checksums_are_valid(&view, piece, length));
			assert_int_equal(view.payload + view.payload_length, length);
			payload += view.payload_length;
		}
		assert_int_equal(payload, 3000);
		assert_int_equal(frame_segment_next(&segment, piece), 0);
	}
}

/* RFC 768: zero means "no checksum". The payload is chosen so that the sum is zero. */
static void assert_zero_is_sent_as_ones(const struct gso_frame *gso, unsigned int count)
{
	uint16_t check;
	size_t length;

	assert_cut(gso, count);
	frame_segment_next(&segment, piece);
	memcpy(&check, piece + TRANSPORT + 6, sizeof(check));
	/* The two bytes are zero in the frame, so the checksum there makes the sum 0xffff. */
	assert_int_equal(frame[TRANSPORT + 8] | frame[TRANSPORT + 9], 7);
	frame[TRANSPORT + 8] = 0;
	frame[TRANSPORT + 9] = 0;
	length = TRANSPORT + 8 + gso->payload;
	assert_int_equal(frame_segment_begin(&segment, MEMTUN_TAP, frame, length, &offload, 1), 0);
	frame_segment_next(&segment, piece);
	memcpy(frame + TRANSPORT + 8, piece + TRANSPORT + 6, sizeof(check));
	assert_int_equal(frame_segment_begin(&segment, MEMTUN_TAP, frame, length, &offload, 1), 0);
	frame_segment_next(&segment, piece);
	memcpy(&check, piece + TRANSPORT + 6, sizeof(check));
	assert_int_equal(check, 0xffff);
}

static void a_checksum_of_zero_is_sent_as_ones_in_udp(void **state)
{
	struct gso_frame whole = udp4;

	(void)state;
	assert_zero_is_sent_as_ones(&udp4, 3);
	whole.payload = whole.gso_size;
	assert_zero_is_sent_as_ones(&whole, 1);
}

static void a_frame_with_offload_fields_that_lie_is_refused(void **state)
{
	static const struct virtio_net_hdr right = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = TCPV4,
		.gso_size = 1000,
		.csum_start = TRANSPORT,
		.csum_offset = 16,
	};
	struct virtio_net_hdr lies[9];
	size_t length = gso_frame_make(&tcp4, frame, &offload);

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		lies[i] = right;
	lies[0].gso_size = 0;
	lies[1].flags = 0;
	lies[2].csum_start = IP;
	lies[3].csum_offset = 6;
	lies[4].gso_type = TCPV6;
	lies[5].gso_type = UDP_L4;
	lies[6].gso_type = UFO;
	lies[7].gso_type = 77;
	lies[8].gso_type = UDP_L4 | ECN;
	assert_int_equal(frame_segment_begin(&segment, MEMTUN_TAP, frame, length, &right, 1), 0);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		assert_int_equal(
			frame_segment_begin(&segment, MEMTUN_TAP, frame, length, &lies[i], 1), -1);
}

static void a_frame_with_headers_that_lie_is_refused(void **state)
{
	/* A byte of the frame, and a value that contradicts the rest. */
	static const struct {
		size_t at;
		unsigned char value;
	} lies[] = {
		{12, 0x08 + 1},         /* no IP */
		{IP, 0x46},             /* the header is longer */
		{IP, 0x44},             /* shorter than a header */
		{IP + 3, 0},            /* the length is less */
		{IP + 2, 0xff},         /* more */
		{IP + 6, 0x20},         /* a fragment */
		{IP + 7, 1},            /* another */
		{IP + 9, 17},           /* UDP */
		{TRANSPORT + 12, 0x10}, /* a header of 4 bytes */
	};
	size_t length = gso_frame_make(&tcp4, frame, &offload);

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		unsigned char right = frame[lies[i].at];

		frame[lies[i].at] = lies[i].value;
		assert_int_equal(
			frame_segment_begin(&segment, MEMTUN_TAP, frame, length, &offload, 1), -1);
		frame[lies[i].at] = right;
	}
	/* Bytes that no header counts. */
	assert_int_equal(frame_segment_begin(&segment, MEMTUN_TAP, frame, length + 1, &offload, 1),
			 -1);
	assert_int_equal(frame_segment_begin(&segment, MEMTUN_TAP, frame, length, &offload, 1), 0);
	length = gso_frame_make(&udp4, frame, &offload);
	frame[TRANSPORT + 5]--;
	assert_int_equal(frame_segment_begin(&segment, MEMTUN_TAP, frame, length, &offload, 1), -1);
}

static void headers_that_no_piece_can_repeat_are_refused(void **state)
{
	struct gso_frame gso = tcp6;

	(void)state;
	gso.extensions = GSO_FRAME_HOP_BY_HOP;
	assert_cut(&gso, 3);
	gso.extensions = GSO_FRAME_AUTHENTICATION;
	assert_refused(&gso);
	gso.extensions = GSO_FRAME_FRAGMENT;
	assert_refused(&gso);
	/* A fragment header would have to come before the options. */
	gso = (struct gso_frame){.ip_version = 6,
				 .extensions = GSO_FRAME_DESTINATION,
				 .gso_type = UFO,
				 .gso_size = 1000,
				 .payload = 3000};
	assert_refused(&gso);
}

static void long_headers_are_refused(void **state)
{
	/* Of the IPv6 header and the hop-by-hop options: behind Ethernet and before TCP. */
	enum {
		IP6 = 40,
		TCP = 20
	};
	size_t lengths[] = {FRAME_SEGMENT_HEADERS_MAX - IP - IP6 - TCP, 0};

	(void)state;
	lengths[0] -= lengths[0] % 8;
	lengths[1] = lengths[0] + 8;
	for (int i = 0; i < 2; i++) {
		size_t length = gso_frame_make(&tcp6, frame, &offload), here = lengths[i];
		uint16_t payload = htons((uint16_t)(length - IP - IP6 + here));

		memmove(frame + IP + IP6 + here, frame + IP + IP6, length - IP - IP6);
		memset(frame + IP + IP6, 0, here);
		frame[IP + IP6] = IPPROTO_TCP;
		frame[IP + IP6 + 1] = (unsigned char)(here / 8 - 1);
		frame[IP + 6] = IPPROTO_HOPOPTS;
		memcpy(frame + IP + 4, &payload, sizeof(payload));
		offload.csum_start = (uint16_t)(offload.csum_start + here);
		assert_int_equal(frame_segment_begin(&segment, MEMTUN_TAP, frame, length + here,
						     &offload, 1),
				 i == 0 ? 0 : -1);
	}
}

/* RFC 2675: the length is in an option, and 0 in the header. */
static void a_jumbogram_is_refused(void **state)
{
	struct gso_frame gso = tcp6;
	size_t length;

	(void)state;
	gso.extensions = GSO_FRAME_HOP_BY_HOP;
	length = gso_frame_make(&gso, frame, &offload);
	frame[IP + 4] = frame[IP + 5] = 0;
	assert_int_equal(frame_segment_begin(&segment, MEMTUN_TAP, frame, length, &offload, 1), -1);
}

static void the_number_of_pieces_is_bounded(void **state)
{
	struct gso_frame gso = tcp4;

	(void)state;
	gso.gso_size = 1;
	gso.payload = FRAME_SEGMENTS_MAX;
	assert_cut(&gso, FRAME_SEGMENTS_MAX);
	gso.payload++;
	assert_refused(&gso);
	gso = udp4;
	gso.gso_size = 10;
	gso.payload = FRAME_SEGMENTS_UDP_MAX * 10;
	assert_cut(&gso, FRAME_SEGMENTS_UDP_MAX);
	gso.payload++;
	assert_refused(&gso);
}

static void fragments_begin_at_multiples_of_eight(void **state)
{
	struct gso_frame gso = udp4;

	(void)state;
	gso.gso_type = UFO;
	assert_cut(&gso, 4);
	gso.gso_size = 1004;
	assert_refused(&gso);
}

static void a_tun_packet_is_cut_too(void **state)
{
	struct gso_frame gso = tcp4;
	size_t length, first;

	(void)state;
	gso.mode = MEMTUN_TUN;
	length = gso_frame_make(&gso, frame, &offload);
	assert_int_equal(frame_segment_begin(&segment, MEMTUN_TUN, frame, length, &offload, 1), 0);
	first = frame_segment_next(&segment, piece);
	assert_int_equal(first, 1040);
	assert_int_equal(first, frame_segment_max(&segment));
}

static void a_long_segment_becomes_a_gso_frame_again(void **state)
{
	static const struct gso_frame *const frames[] = {&tcp4, &tcp6};
	static unsigned char whole[FRAME_MAX];
	struct gso_frame routed;

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct gso_frame gso = *frames[i];
		struct virtio_net_hdr found;
		struct frame_view view;
		size_t length;

		/* The only piece is the frame with its complete checksum, as a capture has it. */
		gso.gso_size = 65000;
		assert_cut(&gso, 1);
		length = frame_segment_next(&segment, whole);
		gso.gso_size = (uint16_t)(1400 - 20 - (gso.ip_version == 4 ? 20 : 40));
		assert_cut(&gso, 3);
		assert_int_equal(frame_segment_prepare(MEMTUN_TAP, whole, length, 1400, &found), 0);
		assert_memory_equal(&found, &offload, sizeof(found));
		assert_memory_equal(whole, frame, length);
		/* Too small for the headers. */
		assert_int_equal(frame_segment_prepare(MEMTUN_TAP, whole, length, 40, &found), -1);
		assert_int_equal(frame_view_parse(&view, MEMTUN_TAP, whole, length), 0);
	}
	/* The checksum is about the last destination, which is in the routing header. */
	routed = tcp6;
	routed.extensions = GSO_FRAME_ROUTING;
	assert_cut(&routed, 3);
	assert_int_equal(frame_segment_prepare(MEMTUN_TAP, frame, segment.length, 1400, &offload),
			 0);
	frame[IP + 40 + 3] = 1; /* a segment is left */
	assert_int_equal(frame_segment_prepare(MEMTUN_TAP, frame, segment.length, 1400, &offload),
			 -1);
	assert_int_equal(cut(&udp4), 0);
	assert_int_equal(frame_segment_prepare(MEMTUN_TAP, frame, segment.length, 1400, &offload),
			 -1);
}

static void a_reader_takes_what_its_bits_say(void **state)
{
	static const struct {
		uint8_t type;
		unsigned int needed;
	} types[] = {
		{TCPV4, TUN_F_CSUM | TUN_F_TSO4},
		{TCPV6, TUN_F_CSUM | TUN_F_TSO6},
		{TCPV4 | ECN, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN},
		{TCPV6 | ECN, TUN_F_CSUM | TUN_F_TSO6 | TUN_F_TSO_ECN},
		{UFO, TUN_F_CSUM | TUN_F_UFO},
		{UDP_L4, TUN_F_CSUM | TUN_F_USO4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_true(frame_segment_is_taken(types[i].type, FRAME_OFFLOAD_ALL));
		assert_true(frame_segment_is_taken(types[i].type, types[i].needed));
		for (unsigned int bit = 1; bit < 128; bit <<= 1) {
			if (types[i].needed & bit)
				assert_false(frame_segment_is_taken(types[i].type,
								    FRAME_OFFLOAD_ALL & ~bit));
		}
	}
}

/* Read in the kernel's set_offload() of Linux 6.18. */
static void the_bits_are_those_that_the_kernel_takes(void **state)
{
	static const unsigned long good[] = {0, 1, 3, 7, 0xf, 0x11, 0x1f, 0x61, 0x67, 0x6f, 0x7f};
	static const unsigned long bad[] = {2,    6,    8,    9,    0x10, 0x20,     0x21,
					    0x27, 0x41, 0x47, 0x80, 0x81, 1UL << 31};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(frame_offload_is_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(frame_offload_is_valid(bad[i]));
}

static void the_longest_piece_is_known_without_a_cut(void **state)
{
	static const struct gso_frame frames[] = {
		{.ip_version = 4, .gso_type = TCPV4, .gso_size = 1000, .payload = 3000},
		{.ip_version = 6,
		 .gso_type = TCPV6,
		 .gso_size = 1000,
		 .tcp_options = 12,
		 .tags = 1,
		 .payload = 3000},
		{.ip_version = 4, .gso_type = UDP_L4, .gso_size = 1000, .payload = 3000},
		{.ip_version = 4, .gso_type = UFO, .gso_size = 1000, .payload = 3000},
		{.ip_version = 4, .gso_type = TCPV4, .gso_size = 1000, .payload = 300},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		assert_int_equal(cut(&frames[i]), 0);
		assert_int_equal(frame_segment_piece_length(frame, segment.length, &offload),
				 frame_segment_max(&segment));
	}
	/* Fields that make no sense. */
	offload.csum_start = (uint16_t)(segment.length - 3);
	assert_int_equal(frame_segment_piece_length(frame, segment.length, &offload),
			 segment.length);
	offload = (struct virtio_net_hdr){.gso_type = UFO, .gso_size = 1};
	assert_int_equal(frame_segment_piece_length(frame, segment.length, &offload),
			 segment.length);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_pieces_have_valid_checksums_and_lengths),
		cmocka_unit_test(a_checksum_of_zero_is_sent_as_ones_in_udp),
		cmocka_unit_test(a_frame_with_offload_fields_that_lie_is_refused),
		cmocka_unit_test(a_frame_with_headers_that_lie_is_refused),
		cmocka_unit_test(headers_that_no_piece_can_repeat_are_refused),
		cmocka_unit_test(long_headers_are_refused),
		cmocka_unit_test(a_jumbogram_is_refused),
		cmocka_unit_test(the_number_of_pieces_is_bounded),
		cmocka_unit_test(fragments_begin_at_multiples_of_eight),
		cmocka_unit_test(a_tun_packet_is_cut_too),
		cmocka_unit_test(a_long_segment_becomes_a_gso_frame_again),
		cmocka_unit_test(a_reader_takes_what_its_bits_say),
		cmocka_unit_test(the_bits_are_those_that_the_kernel_takes),
		cmocka_unit_test(the_longest_piece_is_known_without_a_cut),
	};

	return RUN_TESTS(tests);
}
