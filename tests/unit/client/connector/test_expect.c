/* SPDX-License-Identifier: MIT */
/* memtun_connector_expect(), on socket pairs and on a LAN. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/unit/client/connector/connector_fixture.h"
#include "common/descriptor.h"

#define EXPECT(timeout, limit, ...)                                                           \
	memtun_connector_expect(ends.connector, (const struct memtun_pattern[]){__VA_ARGS__}, \
				sizeof((const struct memtun_pattern[]){__VA_ARGS__}) /        \
					sizeof(struct memtun_pattern),                        \
				timeout, limit)

/* Assert the UDP ports of the matches, in order. The list ends with 0. */
static void matches_are(const unsigned int *udp_ports)
{
	size_t i;

	for (i = 0; udp_ports[i]; i++)
		assert_int_equal(packet_port(memtun_connector_match(ends.connector, i)),
				 udp_ports[i]);
	assert_null(memtun_connector_match(ends.connector, i));
}
#define MATCHES(...) matches_are((const unsigned int[]){__VA_ARGS__, 0})

static void nothing_is_left(void)
{
	assert_null(memtun_connector_read_packet(ends.connector));
	assert_int_equal(errno, EAGAIN);
}

static void read_is(unsigned int udp_port)
{
	assert_int_equal(packet_port(memtun_connector_read_packet(ends.connector)), udp_port);
}

/* --- matches --- */

static void a_match_is_returned_by_the_index_of_its_pattern(void **state)
{
	(void)state;
	SEND(5);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("tcp"), MEMTUN_FILTER("udp port 5")), 1);
	MATCHES(5);
	nothing_is_left();
}

static void the_first_of_several_matching_patterns_counts(void **state)
{
	(void)state;
	SEND(5);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_EOF, MEMTUN_FILTER("ip"), MEMTUN_FILTER("udp")), 1);
}

static void frames_before_the_match_are_discarded(void **state)
{
	(void)state;
	SEND(1, 2, 3);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("udp port 3")), 0);
	MATCHES(3);
	nothing_is_left();
}

static void all_matches_that_are_there_are_returned(void **state)
{
	(void)state;
	SEND(1, 5, 2, 5, 3, 5);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("port 5")), 0);
	MATCHES(5, 5, 5);
}

static void frames_behind_the_match_stay_in_their_order(void **state)
{
	(void)state;
	SEND(1, 5, 2, 5, 3, 4);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("port 5")), 0);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("port 3")), 0);
	MATCHES(3);
	SEND(6);
	read_is(4);
	read_is(6);
	nothing_is_left();
}

static void frames_that_stayed_are_looked_at_again_in_their_order(void **state)
{
	(void)state;
	SEND(1, 2, 3, 2, 4, 3);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("port 1")), 0);
	SEND(2, 5);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("port 2")), 0);
	MATCHES(2, 2, 2);
	read_is(3);
	read_is(4);
	read_is(3);
	read_is(5);
	nothing_is_left();
}

static void all_frames_of_a_full_socket_are_looked_at(void **state)
{
	uint8_t frame[128];
	size_t length = udp_frame_make(frame, sizeof(frame), MEMTUN_TUN, 5);
	size_t count = 0;

	(void)state;
	while (send(ends.peer, frame, length, MSG_DONTWAIT) > 0)
		count++;
	assert_true(count > 64);
	assert_int_equal(EXPECT(0, 0, MEMTUN_FILTER("port 5")), 0);
	assert_int_equal(packet_port(memtun_connector_match(ends.connector, count - 1)), 5);
	assert_null(memtun_connector_match(ends.connector, count));
	nothing_is_left();
}

static bool port_is(const struct memtun_packet *packet, void *context)
{
	return packet->udp >= 0 && packet_port(packet) == *(const unsigned int *)context;
}

static void a_callback_is_a_pattern(void **state)
{
	unsigned int wanted = 7;

	(void)state;
	SEND(1, 7);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("tcp"), MEMTUN_CALLBACK(port_is, &wanted)), 1);
	MATCHES(7);
}

static void an_empty_filter_matches_everything(void **state)
{
	(void)state;
	SEND(1, 2);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("")), 0);
	MATCHES(1, 2);
}

static void patterns_may_be_constants(void **state)
{
	static const struct memtun_pattern patterns[] = {
		MEMTUN_FILTER("port 1"),
		MEMTUN_EOF,
		MEMTUN_TIMEOUT,
		MEMTUN_LIMIT,
	};

	(void)state;
	assert_int_equal(memtun_connector_expect(ends.connector, patterns, 4, 0, 0), 2);
}

static void send_from_alarm(void)
{
	static uint8_t frame[128];
	static size_t length;

	if (!length)
		length = udp_frame_make(frame, sizeof(frame), MEMTUN_TUN, 9);
	(void)!send(ends.peer, frame, length, MSG_DONTWAIT);
}

static void a_match_is_waited_for_however_often_interrupted(void **state)
{
	int index;

	(void)state;
	SEND(1);
	alarms_start(send_from_alarm);
	index = EXPECT(-1, 0, MEMTUN_FILTER("port 9"));
	alarms_stop();
	assert_int_equal(index, 0);
	assert_int_equal(packet_port(memtun_connector_match(ends.connector, 0)), 9);
}

/* --- EOF --- */

static void the_end_is_its_pattern(void **state)
{
	(void)state;
	descriptor_close(&ends.peer);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("ip"), MEMTUN_TIMEOUT, MEMTUN_EOF), 2);
	MATCHES(0);
	assert_string_equal(memtun_connector_error(ends.connector), "");
}

static void the_end_without_its_pattern_is_epipe(void **state)
{
	(void)state;
	SEND(1);
	descriptor_close(&ends.peer);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("tcp"), MEMTUN_TIMEOUT, MEMTUN_LIMIT), -1);
	assert_int_equal(errno, EPIPE);
	assert_string_equal(memtun_connector_error(ends.connector),
			    "the tunnel has ended after 1 frames");
}

static void frames_before_the_end_are_looked_at_first(void **state)
{
	(void)state;
	SEND(1, 5);
	descriptor_close(&ends.peer);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_EOF, MEMTUN_FILTER("port 5")), 1);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_EOF, MEMTUN_FILTER("port 5")), 0);
}

static void an_empty_message_is_no_end(void **state)
{
	(void)state;
	assert_int_equal(send(ends.peer, "", 0, 0), 0);
	assert_int_equal(EXPECT(0, 0, MEMTUN_EOF, MEMTUN_TIMEOUT), 1);
}

/* --- TIMEOUT --- */

static void a_timeout_is_its_pattern_and_never_early(void **state)
{
	int64_t start = clock_now();
	int index;

	(void)state;
	SEND(1);
	alarms_start(NULL);
	index = EXPECT(40, 0, MEMTUN_FILTER("tcp"), MEMTUN_TIMEOUT);
	alarms_stop();
	assert_int_equal(index, 1);
	assert_elapsed(start, 40);
	MATCHES(0);
}

static void a_timeout_without_its_pattern_is_etimedout(void **state)
{
	(void)state;
	SEND(1, 2);
	assert_int_equal(EXPECT(3, 0, MEMTUN_FILTER("tcp"), MEMTUN_EOF, MEMTUN_LIMIT), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_string_equal(memtun_connector_error(ends.connector),
			    "none of 2 frames matched in 3 milliseconds");
}

static void what_is_there_is_looked_at_before_a_timeout_of_0(void **state)
{
	(void)state;
	SEND(1, 2, 3);
	assert_int_equal(EXPECT(0, 0, MEMTUN_TIMEOUT, MEMTUN_FILTER("port 3")), 1);
}

static void no_pattern_at_all_can_only_time_out(void **state)
{
	(void)state;
	SEND(1);
	assert_int_equal(memtun_connector_expect(ends.connector, NULL, 0, 0, 0), -1);
	assert_int_equal(errno, ETIMEDOUT);
	nothing_is_left();
}

/* A callback that sends another frame for each frame it is asked about. */
static bool never_silent(const struct memtun_packet *packet, void *context)
{
	(void)packet;
	++*(size_t *)context;
	SEND(1);
	return false;
}

static void a_tunnel_that_is_never_silent_times_out_all_the_same(void **state)
{
	int64_t start = clock_now();
	size_t frames = 0;

	(void)state;
	SEND(1);
	assert_int_equal(EXPECT(20, 0, MEMTUN_CALLBACK(never_silent, &frames), MEMTUN_TIMEOUT), 1);
	assert_elapsed(start, 20);
	assert_true(frames > 1);
}

/* --- LIMIT --- */

static void the_limit_is_its_pattern(void **state)
{
	(void)state;
	SEND(1, 2, 3);
	assert_int_equal(EXPECT(-1, 2, MEMTUN_FILTER("tcp"), MEMTUN_LIMIT, MEMTUN_EOF), 1);
	read_is(3);
}

static void the_limit_without_its_pattern_is_enomsg(void **state)
{
	(void)state;
	SEND(1, 2, 3);
	assert_int_equal(EXPECT(-1, 3, MEMTUN_FILTER("tcp"), MEMTUN_TIMEOUT, MEMTUN_EOF), -1);
	assert_int_equal(errno, ENOMSG);
	assert_string_equal(memtun_connector_error(ends.connector), "none of 3 frames matched");
}

static void the_limit_counts_matching_frames_too(void **state)
{
	(void)state;
	SEND(1, 5, 5, 5);
	assert_int_equal(EXPECT(-1, 3, MEMTUN_FILTER("port 5"), MEMTUN_LIMIT), 0);
	MATCHES(5, 5);
	read_is(5);
}

static void the_limit_counts_frames_that_stayed(void **state)
{
	(void)state;
	SEND(5, 1, 2, 3);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("port 5")), 0);
	assert_int_equal(EXPECT(-1, 2, MEMTUN_FILTER("port 3"), MEMTUN_LIMIT), 1);
	assert_int_equal(EXPECT(-1, 2, MEMTUN_FILTER("port 3"), MEMTUN_LIMIT), 0);
}

static void the_limit_counts_matches_that_stayed(void **state)
{
	(void)state;
	SEND(5, 2, 2, 2);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("port 5")), 0);
	assert_int_equal(EXPECT(-1, 2, MEMTUN_FILTER("port 2")), 0);
	MATCHES(2, 2);
	read_is(2);
}

static void a_match_on_the_limit_is_a_match(void **state)
{
	(void)state;
	SEND(1, 5);
	assert_int_equal(EXPECT(-1, 2, MEMTUN_LIMIT, MEMTUN_FILTER("port 5")), 1);
	MATCHES(5);
}

static void a_limited_look_leaves_the_rest_in_order(void **state)
{
	(void)state;
	SEND(5, 1, 2, 3);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("port 5")), 0);
	assert_int_equal(EXPECT(-1, 2, MEMTUN_FILTER("port 1")), 0);
	MATCHES(1);
	read_is(2);
	read_is(3);
	nothing_is_left();
}

/* --- errors --- */

static void a_filter_that_is_none_is_named(void **state)
{
	(void)state;
	SEND(1);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER("udp"), MEMTUN_FILTER("no such filter")), -1);
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(memtun_connector_error(ends.connector), "'no such filter'"));
	read_is(1);
}

static void patterns_without_content_are_refused(void **state)
{
	(void)state;
	assert_int_equal(EXPECT(-1, 0, MEMTUN_FILTER(NULL)), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(EXPECT(-1, 0, MEMTUN_CALLBACK(NULL, NULL)), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(EXPECT(-1, 0, {.kind = 77}), -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(memtun_connector_error(ends.connector),
			    "pattern 0 is of no known kind");
}

static void an_expect_forgets_the_error_before_it(void **state)
{
	(void)state;
	assert_int_equal(EXPECT(0, 0, MEMTUN_EOF), -1);
	assert_string_not_equal(memtun_connector_error(ends.connector), "");
	assert_int_equal(EXPECT(0, 0, MEMTUN_TIMEOUT), 0);
	assert_string_equal(memtun_connector_error(ends.connector), "");
}

/* --- the LAN --- */

static void filters_know_a_lans_ethernet(void **state)
{
	(void)state;
	SEND(5);
	assert_int_equal(EXPECT(5000, 0, MEMTUN_FILTER("ether src 02:00:00:00:00:02"),
				MEMTUN_FILTER("ether src 02:00:00:00:00:01 and udp port 5")),
			 1);
	MATCHES(5);
}

static void own_frames_are_no_frames_read(void **state)
{
	uint8_t frame[128];
	size_t length = udp_frame_make(frame, sizeof(frame), MEMTUN_TAP, 5);

	(void)state;
	assert_int_equal(memtun_connector_write(ends.connector, frame, length, 0), length);
	SEND(1);
	assert_int_equal(EXPECT(0, 1, MEMTUN_FILTER("port 5"), MEMTUN_LIMIT), 1);
	assert_int_equal(EXPECT(0, 1, MEMTUN_FILTER("port 5"), MEMTUN_TIMEOUT), 1);
}

#define ON_EACH(test) ON_PAIR(test), ON_DATAGRAMS(test), ON_LAN(test)

static const struct CMUnitTest tests[] = {
	ON_EACH(a_match_is_returned_by_the_index_of_its_pattern),
	ON_EACH(the_first_of_several_matching_patterns_counts),
	ON_EACH(frames_before_the_match_are_discarded),
	ON_EACH(all_matches_that_are_there_are_returned),
	ON_EACH(frames_behind_the_match_stay_in_their_order),
	ON_EACH(frames_that_stayed_are_looked_at_again_in_their_order),
	ON_PAIR(all_frames_of_a_full_socket_are_looked_at),
	ON_EACH(a_callback_is_a_pattern),
	ON_EACH(an_empty_filter_matches_everything),
	ON_PAIR(patterns_may_be_constants),
	ON_PAIR(a_match_is_waited_for_however_often_interrupted),
	ON_DATAGRAMS(a_match_is_waited_for_however_often_interrupted),
	ON_PAIR(the_end_is_its_pattern),
	ON_PAIR(the_end_without_its_pattern_is_epipe),
	ON_PAIR(frames_before_the_end_are_looked_at_first),
	ON_PAIR(an_empty_message_is_no_end),
	ON_DATAGRAMS(an_empty_message_is_no_end),
	ON_EACH(a_timeout_is_its_pattern_and_never_early),
	ON_EACH(a_timeout_without_its_pattern_is_etimedout),
	ON_EACH(what_is_there_is_looked_at_before_a_timeout_of_0),
	ON_EACH(no_pattern_at_all_can_only_time_out),
	ON_EACH(a_tunnel_that_is_never_silent_times_out_all_the_same),
	ON_EACH(the_limit_is_its_pattern),
	ON_EACH(the_limit_without_its_pattern_is_enomsg),
	ON_EACH(the_limit_counts_matching_frames_too),
	ON_EACH(the_limit_counts_frames_that_stayed),
	ON_EACH(the_limit_counts_matches_that_stayed),
	ON_EACH(a_match_on_the_limit_is_a_match),
	ON_EACH(a_limited_look_leaves_the_rest_in_order),
	ON_PAIR(a_filter_that_is_none_is_named),
	ON_PAIR(patterns_without_content_are_refused),
	ON_PAIR(an_expect_forgets_the_error_before_it),
	ON_LAN(filters_know_a_lans_ethernet),
	ON_LAN(own_frames_are_no_frames_read),
};

int main(void)
{
	return RUN_TESTS(tests);
}
