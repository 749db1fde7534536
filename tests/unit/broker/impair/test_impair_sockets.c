/* SPDX-License-Identifier: MIT */
/* Each key of a rule on each type of socket, in both directions. */
#include "tests/unit/broker/impair/pair_fixture.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define FRAMES 6
#define SIZE 1000 /* of a packet, bytes */

/* What becomes of frames 1 to 6: those that come at once, and those that come within a second. */
static const struct {
	const char *rule;
	uint32_t at_once[FRAMES + 1], later[FRAMES + 1];
	const char *counter; /* of the direction, without from-client- or to-client- */
	uint64_t count;
} cases[] = {
	{"drop=2+4-5", {1, 3, 6}, {0}, "dropped-listed", 3},
	{"loss=100%,until=2", {3, 4, 5, 6}, {0}, "dropped-loss", 2},
	{"loss=50%,loss-burst=2,drop=1-6", {0}, {0}, "dropped-listed", 6},
	{"delay=10ms,reorder=100%", {1, 2, 3, 4, 5, 6}, {0}, "reordered", 6},
	{"delay=10ms,gap=3", {3, 6}, {1, 2, 4, 5}, "reordered", 2},
	{"delay=10ms,jitter=9ms,ordered", {0}, {1, 2, 3, 4, 5, 6}, "delayed", 6},
	{"delay=10ms,jitter=9ms,distribution=normal,ordered",
	 {0},
	 {1, 2, 3, 4, 5, 6},
	 "delayed",
	 6},
	{"rate=1mbit", {0}, {1, 2, 3, 4, 5, 6}, "delayed", 6},
	{"rate=1mbit,limit=2", {0}, {1, 2}, "dropped-waiting-full", 4},
	{"hold,until=2", {3, 4, 5, 6}, {0}, "held", 2},
	{"carrier=off", {0}, {0}, "dropped-link-down", 6},
};

static void each_key_acts_on_each_type_of_socket(void **state)
{
	struct due_queue *queue = manual_clock(*state);
	char options[120], counter[60];
	struct pair pair;

	for (size_t i = 0; i < 2 * SOCKET_TYPES * sizeof(cases) / sizeof(cases[0]); i++) {
		size_t at = i / (2 * SOCKET_TYPES);
		enum socket_type type = (enum socket_type)(i / 2 % SOCKET_TYPES);
		bool is_to = i % 2;

		snprintf(options, sizeof(options), ",seed=1,%s", cases[at].rule);
		pair_open(&pair, *state, type, is_to ? "" : options, is_to ? options : "");
		pair_send(&pair, 1, FRAMES);
		assert_came(&pair, cases[at].at_once);
		clock_to(*state, due_now(queue) + CLOCK_SECOND);
		assert_came(&pair, cases[at].later);
		snprintf(counter, sizeof(counter), "%s-%s", is_to ? "to-client" : "from-client",
			 cases[at].counter);
		assert_int_equal(shown(*state, is_to ? "vm1" : "vm0", counter), cases[at].count);
		pair_close(&pair);
	}
}

/* Receive what is one frame on a socket of that type. */
static ssize_t bytes_receive(struct pair *pair, int fd, unsigned char *bytes, size_t size)
{
	uint32_t length;

	if (pair->type != SOCKET_STREAM)
		return recv(fd, bytes, size, MSG_DONTWAIT);
	if (recv(fd, &length, sizeof(length), MSG_DONTWAIT) != sizeof(length))
		return -1;
	assert_in_range(ntohl(length), 1, size);
	assert_int_equal(recv(fd, bytes, ntohl(length), MSG_DONTWAIT), ntohl(length));
	return ntohl(length);
}

static void frames_are_corrupted_and_truncated_on_each_type_of_socket(void **state)
{
	unsigned char sent[FRAME_SIZE], received[FRAME_SIZE];
	struct pair pair;

	frame_make(sent, sizeof(sent), 1, 0xff, 1);
	for (int i = 0; i < 4 * SOCKET_TYPES; i++) {
		const char *rule = i & 1 ? ",truncate=100%" : ",corrupt=100%";
		ssize_t length;

		pair_open(&pair, *state, (enum socket_type)(i / 4), i & 2 ? rule : "",
			  i & 2 ? "" : rule);
		pair_send(&pair, 1, 1);
		length = bytes_receive(&pair, pair.to, received, sizeof(received));
		assert_in_range(length, 14, i & 1 ? FRAME_SIZE - 1 : FRAME_SIZE);
		assert_int_equal(memcmp(sent, received, (size_t)length) == 0, i & 1);
		assert_int_equal(bytes_receive(&pair, pair.to, received, sizeof(received)), -1);
		pair_close(&pair);
	}
}

/* Send a packet that is one frame on a socket of that type. */
static void packet_send(struct pair *pair, const unsigned char *packet, size_t length)
{
	uint32_t header = htonl((uint32_t)length);

	if (pair->type == SOCKET_STREAM)
		bytes_send(pair->from, &header, sizeof(header));
	bytes_send(pair->from, packet, length);
	broker_quiesce(pair->fixture);
}

static void long_packets_get_an_error_on_each_type_of_socket(void **state)
{
	unsigned char packet[SIZE], received[SIZE];
	struct pair pair;

	for (int i = 0; i < 2 * SOCKET_TYPES; i++) {
		char to_options[] = ",mode=tun,pmtu=900,icmp";
		char from_options[] = ",mode=tun,pmtu=900,icmp";

		(i & 1 ? to_options : from_options)[strlen(",mode=tun")] = '\0';
		pair_open(&pair, *state, (enum socket_type)(i / 2), from_options, to_options);
		unfragmented_make(packet, 900);
		packet_send(&pair, packet, 900);
		assert_int_equal(bytes_receive(&pair, pair.to, received, sizeof(received)), 900);
		unfragmented_make(packet, 901);
		packet_send(&pair, packet, 901);
		assert_int_equal(bytes_receive(&pair, pair.to, received, sizeof(received)), -1);
		/* ICMP of type 3, code 4, from the packet's destination. */
		assert_in_range(bytes_receive(&pair, pair.from, received, sizeof(received)), 56,
				576);
		assert_memory_equal(received + 12, packet + 16, 4);
		assert_memory_equal(received + 20, "\3\4", 2);
		pair_close(&pair);
	}
}

static const struct CMUnitTest tests[] = {
	WITH_BROKER(each_key_acts_on_each_type_of_socket),
	WITH_BROKER(frames_are_corrupted_and_truncated_on_each_type_of_socket),
	WITH_BROKER(long_packets_get_an_error_on_each_type_of_socket),
};

int main(void)
{
	return RUN_TESTS(tests);
}
