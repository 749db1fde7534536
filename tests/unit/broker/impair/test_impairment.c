/* SPDX-License-Identifier: MIT */
/*
 * Rules on the ports of a broker: lost and changed frames, and that no frame is unaccounted for.
 * test_impair_sockets.c has each key on each type of socket.
 */
#include "tests/unit/broker/impair/pair_fixture.h"

#include <arpa/inet.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/impair/fate.h"
#include "broker/impair/impairment.h"
#include "tests/unit/common/frame/gso_frame.h"

#define HOUR INT64_C(3600000000000)
#define FRAMES 40

/* ------------------------------------------------------------------------------ loss */

/* Fill `kept` with the frames that a rule does not lose. */
static void frames_kept(uint32_t kept[FRAMES + 1], const char *port,
			enum memtun_direction direction)
{
	static const struct fate_frame frame = {.length = FRAME_SIZE, .shortest = 14};
	const struct fate_values values = {.loss = 300000000};
	struct fate_side side;
	unsigned int count = 0;

	fate_side_init(&side, 7, port, direction, 1);
	for (uint32_t number = 1; number <= FRAMES; number++) {
		struct fate fate;

		fate_next(&values, &side, &frame, &fate);
		if (!fate.faults)
			kept[count++] = number;
	}
	kept[count] = 0;
	assert_in_range(count, 1, FRAMES - 1);
}

static void loss_is_that_of_the_seed(void **state)
{
	uint32_t kept[FRAMES + 1];
	struct pair pair;

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		pair_open(&pair, *state, type, ",loss=30%,seed=7", "");
		pair_send(&pair, 1, FRAMES);
		frames_kept(kept, "vm0", MEMTUN_FROM_CLIENT);
		assert_came(&pair, kept);
		assert_int_equal(shown(*state, "vm0", "from-client-frames"), FRAMES);
		assert_true(shown(*state, "vm0", "from-client-dropped-loss") > 0);
		assert_int_equal(shown(*state, "vm1", "to-client-offered") +
					 shown(*state, "vm0", "from-client-dropped-loss"),
				 FRAMES);
		pair_close(&pair);

		pair_open(&pair, *state, type, "", ",loss=30%,seed=7");
		pair_send(&pair, 1, FRAMES);
		frames_kept(kept, "vm1", MEMTUN_TO_CLIENT);
		assert_came(&pair, kept);
		assert_int_equal(shown(*state, "vm1", "to-client-offered"), FRAMES);
		pair_close(&pair);
	}
}

static void a_lost_frame_is_not_learned_from(void **state)
{
	int fds[3];

	three_open(*state, "", fds);
	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=vm1,direction=from-client,loss=100%");
	assert_true(frame_send(fds[1], 2, 0xff, 1));
	assert_int_equal(three_reached(*state, fds), 0);
	/* It floods still. */
	assert_true(frame_send(fds[0], 1, 2, 2));
	assert_int_equal(three_reached(*state, fds), 6);
	three_close(fds);
}

static void listed_frames_are_counted_behind_the_filter(void **state)
{
	struct pair pair;

	pair_open(&pair, *state, SOCKET_SEQPACKET, "", "");
	/* ether[14] >= 3, by `tcpdump -ddd`: frame_make() puts the number's lowest byte there. */
	done(*state, MEMTUN_CMD_IMPAIR_ADD,
	     "name=vm0,drop=1+3,match=ether[14] >= 3,match-code=4+48 0 0 14+53 0 1 3+6 0 0 "
	     "262144+6 0 0 0");
	pair_send(&pair, 1, 6);
	CAME(&pair, 1, 2, 4, 6);
	pair_close(&pair);
}

static void the_first_rule_that_matches_decides(void **state)
{
	struct pair pair;

	pair_open(&pair, *state, SOCKET_SEQPACKET, "", "");
	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=vm0,drop=2,until=3");
	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=vm0,drop=1");
	pair_send(&pair, 1, 5);
	/* The second rule's first frame is number 4. */
	CAME(&pair, 1, 3, 5);
	done(*state, MEMTUN_CMD_IMPAIR_DELETE, "name=vm0");
	pair_send(&pair, 6, 7);
	CAME(&pair, 6, 7);
	pair_close(&pair);
}

/* ------------------------------------------------------------------------------ changed frames */

/* Send frame 1 through a rule of vm0 or vm1, and receive what has become of it. */
static ssize_t frame_impaired(struct pair *pair, const char *rule, unsigned char *bytes,
			      size_t size)
{
	ssize_t length;

	done(pair->fixture, MEMTUN_CMD_IMPAIR_ADD, rule);
	pair_send(pair, 1, 1);
	length = recv(pair->to, bytes, size, MSG_DONTWAIT);
	done(pair->fixture, MEMTUN_CMD_IMPAIR_DELETE, "name=vm0");
	done(pair->fixture, MEMTUN_CMD_IMPAIR_DELETE, "name=vm1");
	return length;
}

static void one_bit_is_corrupted(void **state)
{
	unsigned char sent[FRAME_SIZE], received[FRAME_SIZE + 1];
	struct pair pair;

	pair_open(&pair, *state, SOCKET_SEQPACKET, "", "");
	frame_make(sent, sizeof(sent), 1, 0xff, 1);
	for (int i = 0; i < 2; i++) {
		int bits = 0;

		assert_int_equal(frame_impaired(&pair,
						i ? "name=vm1,direction=to-client,corrupt=100%"
						  : "name=vm0,direction=from-client,corrupt=100%",
						received, sizeof(received)),
				 FRAME_SIZE);
		for (size_t at = 0; at < FRAME_SIZE; at++)
			bits += __builtin_popcount(sent[at] ^ received[at]);
		assert_int_equal(bits, 1);
	}
	pair_close(&pair);
}

static void a_flood_is_corrupted_at_one_port_only(void **state)
{
	unsigned char sent[FRAME_SIZE], received[FRAME_SIZE];
	int fds[3];

	three_open(*state, "", fds);
	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=vm1,corrupt=100%,duplicate=100%");
	frame_make(sent, sizeof(sent), 1, 0xff, 1);
	assert_int_equal(send(fds[0], sent, sizeof(sent), 0), sizeof(sent));
	broker_quiesce(*state);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(recv(fds[1], received, sizeof(received), MSG_DONTWAIT),
				 FRAME_SIZE);
		assert_memory_not_equal(sent, received, sizeof(sent));
	}
	assert_int_equal(recv(fds[2], received, sizeof(received), MSG_DONTWAIT), FRAME_SIZE);
	assert_memory_equal(sent, received, sizeof(sent));
	assert_accounted(*state, "vm1");
	three_close(fds);
}

/* One bit makes an IPv4 packet of 20 bytes half a header of IPv6. */
static void a_packet_whose_version_changes_is_dropped(void **state)
{
	unsigned char sent[20], received[40];
	unsigned int count = 0;
	struct pair pair;

	manual_clock(*state);
	pair_open(&pair, *state, SOCKET_SEQPACKET, ",mode=tun,delay=1ms,corrupt=100%,seed=1",
		  ",mode=tun");
	unfragmented_make(sent, sizeof(sent));
	for (int i = 0; i < 200; i++) {
		assert_int_equal(send(pair.from, sent, sizeof(sent), 0), sizeof(sent));
		broker_quiesce(*state);
	}
	clock_to(*state, CLOCK_SECOND);
	while (recv(pair.to, received, sizeof(received), MSG_DONTWAIT) > 0) {
		assert_int_equal(received[0] >> 4, 4);
		count++;
	}
	assert_in_range(count, 180, 199);
	assert_true(shown(*state, "vm0", "from-client-dropped-runt") > 0);
	assert_int_equal(count + shown(*state, "vm0", "from-client-dropped-runt") +
				 shown(*state, "vm0", "from-client-dropped-malformed"),
			 200);
	pair_close(&pair);
}

static void a_truncated_frame_is_its_beginning(void **state)
{
	unsigned char sent[FRAME_SIZE], received[FRAME_SIZE];
	struct pair pair;

	pair_open(&pair, *state, SOCKET_SEQPACKET, "", "");
	frame_make(sent, sizeof(sent), 1, 0xff, 1);
	for (int i = 0; i < 2; i++) {
		ssize_t length = frame_impaired(&pair,
						i ? "name=vm1,direction=to-client,truncate=100%"
						  : "name=vm0,direction=from-client,truncate=100%",
						received, sizeof(received));

		assert_in_range(length, 14, FRAME_SIZE - 1);
		assert_memory_equal(sent, received, (size_t)length);
	}
	pair_close(&pair);
}

static void duplicates_follow_their_frames(void **state)
{
	struct pair pair;

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		for (int i = 0; i < 2; i++) {
			pair_open(&pair, *state, type, i ? "" : ",duplicate=100%",
				  i ? ",duplicate=100%" : "");
			pair_send(&pair, 1, 3);
			CAME(&pair, 1, 1, 2, 2, 3, 3);
			assert_int_equal(shown(*state, "vm1", "to-client-offered"), 6);
			pair_close(&pair);
		}
	}
}

/* ------------------------------------------------------------------------------ all accounted */

/* Assert that each frame from vm0 has reached vm1, waits, or was dropped by a rule. */
static void assert_from_client_accounted(struct broker_fixture *fixture)
{
	uint64_t gone = 0;

	for (unsigned int kind = 0; FAULTS_FINAL >> kind; kind++)
		gone += shown(fixture, "vm0",
			      attributes[fault_counter(MEMTUN_FROM_CLIENT, 1U << kind)].word);
	assert_int_equal(shown(fixture, "vm0", "from-client-frames") +
				 shown(fixture, "vm0", "from-client-duplicated"),
			 gone + shown(fixture, "vm0", "from-client-waiting") +
				 shown(fixture, "vm1", "to-client-offered") -
				 shown(fixture, "vm1", "to-client-duplicated"));
	assert_accounted(fixture, "vm1");
}

/* Add, release or delete rules of one of the tunnels, as the number says. There may be none. */
static void rules_change(struct broker_fixture *fixture, uint64_t random)
{
	static const char *const rules[] = {
		"loss=30%,duplicate=50%",
		"delay=1ms,jitter=1ms,duplicate=50%,limit=5",
		"rate=1mbit,limit=3,corrupt=50%",
		"hold,until=7",
		"hold,limit=2,truncate=100%",
		"drop=1+3-5,until-time=2ms",
		"delay=2ms,gap=2,ordered,jitter=1ms",
		"carrier=off,until-time=1ms",
	};
	enum memtun_command command = MEMTUN_CMD_IMPAIR_RELEASE;
	const char *more = "";
	struct answer answer;
	char options[120];

	switch (random >> 8 & 3) {
	case 0:
		command = MEMTUN_CMD_IMPAIR_ADD;
		more = rules[random >> 16 & 7];
		break;
	case 1:
		more = random & 2 ? "frame=0" : "";
		break;
	case 2:
		more = random & 2 ? "discard" : "";
		break;
	case 3:
		if (!(random >> 16 & 1))
			return;
		command = MEMTUN_CMD_IMPAIR_DELETE;
	}
	snprintf(options, sizeof(options), "name=vm%d%s%s", (int)(random & 1), *more ? "," : "",
		 more);
	client_ask(&fixture->client, &answer, command, options);
}

/* Rules, frames and releases as a fixed sequence of draws has them. */
static void what_rules_do_at_random_adds_up(void **state)
{
	struct broker_fixture *fixture = *state;
	struct draw_stream stream;
	uint32_t sent = 0;
	int64_t time = 0;
	struct pair pair;

	manual_clock(fixture);
	draw_stream_init(&stream, 13, "vm0", MEMTUN_FROM_CLIENT, 1, "test");
	pair_open(&pair, fixture, SOCKET_SEQPACKET, "", ",queue=10");
	for (uint64_t step = 0; step < 600; step++) {
		uint64_t random = draw(&stream, step);
		unsigned char byte;

		switch (random >> 8 & 7) {
		case 0 ... 3:
			rules_change(fixture, random);
			break;
		case 4:
			time += (int64_t)(random >> 16 & 0xfffff);
			clock_to(fixture, time);
			break;
		case 5:
			while (recv(pair.to, &byte, 1, MSG_DONTWAIT) >= 0)
				;
			break;
		default:
			for (uint64_t i = random >> 16 & 15; i > 0; i--)
				assert_true(frame_send(pair.from, 1, 0xff, ++sent));
		}
		broker_quiesce(fixture);
		assert_from_client_accounted(fixture);
	}
	done(fixture, MEMTUN_CMD_IMPAIR_DELETE, "name=vm0");
	done(fixture, MEMTUN_CMD_IMPAIR_DELETE, "name=vm1");
	clock_to(fixture, time + HOUR);
	assert_int_equal(shown(fixture, "vm1", "to-client-waiting"), 0);
	assert_from_client_accounted(fixture);
	assert_true(shown(fixture, "vm0", "from-client-dropped-waiting-full") > 0);
	pair_close(&pair);
}

/* ------------------------------------------------------------------------------ other ports */

/* An uplink of type udp, whose other side is a socket of the test. */
static void an_uplink_is_impaired_in_both_directions(void **state)
{
	socklen_t length;
	struct sockaddr_storage here = internet_address("127.0.0.1", 0, &length);
	int peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in bound, to = {.sin_family = AF_INET};
	unsigned char frame[FRAME_SIZE];
	char options[200];
	struct answer answer;
	int port = 0, fd;

	assert_int_equal(bind(peer, (struct sockaddr *)&here, length), 0);
	length = sizeof(bound);
	assert_int_equal(getsockname(peer, (struct sockaddr *)&bound, &length), 0);
	/* A port of the uplink's own that is free. */
	for (port = 20000 + getpid() % 20000; port < 65000; port++) {
		snprintf(
			options, sizeof(options),
			"name=up,bridge=b,type=udp,local=127.0.0.1:%d,remote=127.0.0.1:%d,drop=2+4,"
			"seed=1",
			port, ntohs(bound.sin_port));
		if (client_ask(&((struct broker_fixture *)*state)->client, &answer,
			       MEMTUN_CMD_UPLINK_ADD, options) == 0)
			break;
	}
	to.sin_port = htons((uint16_t)port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = tunnel_opened(*state, "name=vm0,bridge=b");
	for (uint32_t number = 1; number <= 4; number++) {
		frame_make(frame, sizeof(frame), 1, 0xff, number);
		assert_int_equal(
			sendto(peer, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)),
			sizeof(frame));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(fd), number % 2 ? (int64_t)number : -1);
		assert_true(frame_send(fd, 2, 0xff, number));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(peer), number % 2 ? (int64_t)number : -1);
	}
	assert_int_equal(
		record_shown(*state, MEMTUN_CMD_UPLINK_SHOW, "up", "from-client-dropped-listed"),
		2);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	close(peer);
	close(fd);
}

/* A GSO frame of four segments meets the rule as four frames, on its way in and out. */
static void a_gso_frame_is_cut_first(void **state)
{
	static const struct gso_frame gso = {
		.ip_version = 4,
		.flags = 0x10,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 500,
		.payload = 2000,
	};
	static unsigned char record[sizeof(struct virtio_net_hdr) + FRAME_MAX];

	for (int i = 0; i < 2; i++) {
		int from = tunnel_opened(*state, i ? "name=vm0,bridge=b,vnet_hdr"
						   : "name=vm0,bridge=b,vnet_hdr,drop=2");
		int to = tunnel_opened(*state, i ? "name=vm1,bridge=b,vnet_hdr,drop=2"
						 : "name=vm1,bridge=b,vnet_hdr");
		struct virtio_net_hdr header;
		size_t length = gso_frame_make(&gso, record + sizeof(header), &header);

		memcpy(record, &header, sizeof(header));
		length += sizeof(header);
		assert_int_equal(send(from, record, length, 0), length);
		broker_quiesce(*state);
		for (int k = 0; k < 3; k++) {
			ssize_t got = recv(to, record, sizeof(record), MSG_DONTWAIT);

			assert_int_equal(got, sizeof(header) + 54 + 500);
			memcpy(&header, record, sizeof(header));
			assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
			assert_int_equal(header.flags, 0);
		}
		assert_int_equal(recv(to, record, sizeof(record), MSG_DONTWAIT), -1);
		assert_accounted(*state, "vm1");
		close(from);
		close(to);
		broker_quiesce(*state);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(loss_is_that_of_the_seed),
		WITH_BROKER(a_lost_frame_is_not_learned_from),
		WITH_BROKER(listed_frames_are_counted_behind_the_filter),
		WITH_BROKER(the_first_rule_that_matches_decides),
		WITH_BROKER(one_bit_is_corrupted),
		WITH_BROKER(a_flood_is_corrupted_at_one_port_only),
		WITH_BROKER(a_packet_whose_version_changes_is_dropped),
		WITH_BROKER(a_truncated_frame_is_its_beginning),
		WITH_BROKER(duplicates_follow_their_frames),
		WITH_BROKER(what_rules_do_at_random_adds_up),
		WITH_BROKER(an_uplink_is_impaired_in_both_directions),
		WITH_BROKER(a_gso_frame_is_cut_first),
	};

	return RUN_TESTS(tests);
}
