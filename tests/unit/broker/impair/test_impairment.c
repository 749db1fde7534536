/* SPDX-License-Identifier: MIT */
/* Rules on the ports of a broker: what their keys do in each direction, the order of what waits, and that
 * no frame is unaccounted for. test_impair_sockets.c has each key on each type of socket. */
#include "tests/unit/broker/impair/pair_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
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

/* ------------------------------------------------------------------------------ time */

static void a_delay_of_an_hour_is_exact(void **state)
{
	const struct due_queue *queue = manual_clock(*state);
	struct pair pair;

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		for (int i = 0; i < 2; i++) {
			int64_t now = due_now(queue);

			pair_open(&pair, *state, type, i ? "" : ",delay=1h", i ? ",delay=1h" : "");
			pair_send(&pair, 1, 2);
			clock_to(*state, now + HOUR - 1);
			CAME(&pair);
			assert_int_equal(shown(*state, i ? "vm1" : "vm0",
					       i ? "to-client-waiting" : "from-client-waiting"),
					 2);
			assert_accounted(*state, "vm1");
			clock_to(*state, now + HOUR);
			CAME(&pair, 1, 2);
			pair_close(&pair);
		}
	}
}

static void a_rate_is_exact(void **state)
{
	struct pair pair;

	manual_clock(*state);
	/* A frame has 60 bytes: 480 us. */
	pair_open(&pair, *state, SOCKET_SEQPACKET, "", ",rate=1mbit,delay=1ms");
	pair_send(&pair, 1, 3);
	clock_to(*state, 1479999);
	CAME(&pair);
	clock_to(*state, 1480000);
	CAME(&pair, 1);
	clock_to(*state, 1960000);
	CAME(&pair, 2);
	clock_to(*state, 2439999);
	CAME(&pair);
	clock_to(*state, 2440000);
	CAME(&pair, 3);
	pair_close(&pair);
}

static void reordered_frames_pass_at_once(void **state)
{
	struct pair pair;

	manual_clock(*state);
	pair_open(&pair, *state, SOCKET_SEQPACKET, ",delay=10ms,gap=3", "");
	pair_send(&pair, 1, 6);
	CAME(&pair, 3, 6);
	clock_to(*state, 10000000);
	CAME(&pair, 1, 2, 4, 5);
	pair_close(&pair);
}

static void jitter_reorders_unless_it_is_ordered(void **state)
{
	static const char *const rules[] = {",delay=10ms,jitter=10ms,seed=1",
					    ",delay=10ms,jitter=10ms,seed=1,ordered"};
	bool overtakes = false;
	struct pair pair;

	manual_clock(*state);
	for (int i = 0; i < 2; i++) {
		int64_t last = 0, number;

		pair_open(&pair, *state, SOCKET_SEQPACKET, "", rules[i]);
		pair_send(&pair, 1, 30);
		clock_to(*state, (i + 1) * HOUR);
		for (int count = 0; count < 30; count++) {
			number = frame_receive(pair.to);
			assert_in_range(number, 1, 30);
			overtakes |= number < last;
			last = number;
		}
		assert_int_equal(overtakes, i == 0);
		overtakes = false;
		pair_close(&pair);
	}
}

static void frames_above_the_limit_are_dropped(void **state)
{
	struct pair pair;

	manual_clock(*state);
	pair_open(&pair, *state, SOCKET_SEQPACKET, "", ",delay=1s,limit=2");
	pair_send(&pair, 1, 4);
	assert_int_equal(shown(*state, "vm1", "to-client-dropped-waiting-full"), 2);
	clock_to(*state, CLOCK_SECOND);
	CAME(&pair, 1, 2);
	pair_close(&pair);
}

static void a_frame_above_the_limit_takes_no_time_of_the_link(void **state)
{
	struct pair pair;

	manual_clock(*state);
	/* A frame has 60 bytes: 480 us. */
	pair_open(&pair, *state, SOCKET_SEQPACKET, "", ",rate=1mbit,limit=2");
	pair_send(&pair, 1, 20);
	clock_to(*state, 960000);
	CAME(&pair, 1, 2);
	pair_send(&pair, 21, 21);
	clock_to(*state, 1440000);
	CAME(&pair, 21);
	pair_close(&pair);
}

static void a_rule_ends_after_its_time(void **state)
{
	struct pair pair;

	manual_clock(*state);
	pair_open(&pair, *state, SOCKET_SEQPACKET, ",loss=100%,until=1s", "");
	pair_send(&pair, 1, 1);
	clock_to(*state, CLOCK_SECOND - 1);
	pair_send(&pair, 2, 2);
	clock_to(*state, CLOCK_SECOND);
	pair_send(&pair, 3, 3);
	CAME(&pair, 3);
	assert_null(tunnel_find(pair.fixture->broker->tunnels, "vm0")->port.impairment);
	pair_close(&pair);
}

static void a_deleted_rule_leaves_its_delayed_frames(void **state)
{
	struct pair pair;

	manual_clock(*state);
	pair_open(&pair, *state, SOCKET_SEQPACKET, ",delay=1s", "");
	pair_send(&pair, 1, 2);
	done(*state, MEMTUN_CMD_IMPAIR_DELETE, "name=vm0");
	pair_send(&pair, 3, 3);
	CAME(&pair, 3);
	clock_to(*state, CLOCK_SECOND);
	CAME(&pair, 1, 2);
	assert_null(tunnel_find(pair.fixture->broker->tunnels, "vm0")->port.impairment);
	pair_close(&pair);
}

static void the_first_rule_is_number_one_also_while_frames_wait(void **state)
{
	struct pair pair;

	manual_clock(*state);
	pair_open(&pair, *state, SOCKET_SEQPACKET, ",delay=1s,seed=1", "");
	pair_send(&pair, 1, 2);
	done(*state, MEMTUN_CMD_IMPAIR_DELETE, "name=vm0");
	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=vm0,delay=2s,limit=2");
	done(*state, MEMTUN_CMD_IMPAIR_SET, "name=vm0,rule=1,duplicate=100%");
	clock_to(*state, CLOCK_SECOND);
	CAME(&pair, 1, 2);
	/* The frames that have gone were not counted as the new rule's. */
	pair_send(&pair, 3, 4);
	clock_to(*state, 3 * CLOCK_SECOND);
	CAME(&pair, 3, 3);
	pair_close(&pair);
}

static void a_deleted_port_drops_what_waits(void **state)
{
	struct pair pair;

	manual_clock(*state);
	pair_open(&pair, *state, SOCKET_SEQPACKET, ",delay=1s", ",hold");
	pair_send(&pair, 1, 2);
	clock_to(*state, CLOCK_SECOND);
	assert_int_equal(shown(*state, "vm1", "to-client-waiting"), 2);
	pair_send(&pair, 3, 4);
	pair_close(&pair);
	assert_false(exists(*state, "vm0"));
	assert_int_equal(due_count(&pair.fixture->broker->engine->due), 0);
}

/* ------------------------------------------------------------------------------ holding */

static void held_frames_are_released_in_any_order(void **state)
{
	static const uint32_t orders[6][4] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
					      {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
	struct pair pair;

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		for (int side = 0; side < 2; side++) {
			for (int i = 0; i < 6; i++) {
				pair_open(&pair, *state, type, side ? "" : ",hold",
					  side ? ",hold" : "");
				pair_send(&pair, 1, 3);
				CAME(&pair);
				assert_accounted(*state, "vm1");
				for (int k = 0; k < 3; k++) {
					char options[64];

					snprintf(options, sizeof(options), "name=vm%d,frame=%u",
						 side, orders[i][k]);
					done(*state, MEMTUN_CMD_IMPAIR_RELEASE, options);
				}
				assert_came(&pair, orders[i]);
				pair_close(&pair);
			}
		}
	}
}

static void the_oldest_or_all_held_frames_are_released_or_dropped(void **state)
{
	struct pair pair;

	pair_open(&pair, *state, SOCKET_SEQPACKET, ",hold", "");
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_RELEASE, "name=vm0"), ENOENT);
	pair_send(&pair, 1, 6);
	done(*state, MEMTUN_CMD_IMPAIR_RELEASE, "name=vm0");
	CAME(&pair, 1);
	done(*state, MEMTUN_CMD_IMPAIR_RELEASE, "name=vm0,discard");
	CAME(&pair);
	assert_int_equal(shown(*state, "vm0", "from-client-dropped-discarded"), 1);
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_RELEASE, "name=vm0,frame=2"), ENOENT);
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_RELEASE, "name=vm0,direction=to-client"),
			 ENOENT);
	done(*state, MEMTUN_CMD_IMPAIR_RELEASE, "name=vm0,frame=0");
	CAME(&pair, 3, 4, 5, 6);
	/* There may be none. */
	done(*state, MEMTUN_CMD_IMPAIR_RELEASE, "name=vm0,frame=0");
	pair_close(&pair);
}

static void a_rule_that_holds_until_a_frame_stays_for_them(void **state)
{
	struct pair pair;

	pair_open(&pair, *state, SOCKET_SEQPACKET, "", "");
	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=vm0,direction=from-client,hold,until=2");
	pair_send(&pair, 1, 3);
	CAME(&pair, 3);
	done(*state, MEMTUN_CMD_IMPAIR_RELEASE, "name=vm0,frame=0");
	CAME(&pair, 1, 2);
	assert_null(tunnel_find(pair.fixture->broker->tunnels, "vm0")->port.impairment);
	pair_close(&pair);
}

static void a_deleted_rule_releases_what_it_holds(void **state)
{
	struct pair pair;

	pair_open(&pair, *state, SOCKET_SEQPACKET, "", ",hold");
	pair_send(&pair, 1, 3);
	done(*state, MEMTUN_CMD_IMPAIR_DELETE, "name=vm1,rule=1");
	CAME(&pair, 1, 2, 3);
	pair_close(&pair);
}

/* ------------------------------------------------------------------------------ the link */

static void a_link_that_is_down_carries_nothing(void **state)
{
	struct pair pair;

	pair_open(&pair, *state, SOCKET_SEQPACKET, "", "");
	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=vm0,duplicate=100%");
	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=vm0,carrier=off");
	pair_send(&pair, 1, 2);
	CAME(&pair);
	assert_true(frame_send(pair.to, 2, 0xff, 1));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(pair.from), -1);
	assert_int_equal(shown(*state, "vm0", "from-client-dropped-link-down"), 2);
	assert_int_equal(shown(*state, "vm0", "to-client-dropped-link-down"), 1);
	assert_accounted(*state, "vm0");
	done(*state, MEMTUN_CMD_IMPAIR_SET, "name=vm0,rule=2,carrier");
	pair_send(&pair, 3, 3);
	CAME(&pair, 3, 3);
	pair_close(&pair);
}

static void a_program_sees_that_its_link_is_down(void **state)
{
	struct pair pair;

	pair_open(&pair, *state, SOCKET_SEQPACKET, "", "");
	done(*state, MEMTUN_CMD_INTERFACE_SET, "name=vm0,interface-flags=up");
	assert_int_equal(shown(*state, "vm0", "interface-carrier"), 1);
	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=vm0,carrier=off");
	assert_int_equal(shown(*state, "vm0", "interface-carrier"), 0);
	done(*state, MEMTUN_CMD_IMPAIR_DELETE, "name=vm0");
	assert_int_equal(shown(*state, "vm0", "interface-carrier"), 1);
	pair_close(&pair);
}

/* ------------------------------------------------------------------------------ pausing */

/* Send 3000 frames from vm0 to vm1, which have these options, as fast as vm0 takes them. All must
 * arrive in order. */
static void assert_nothing_is_lost(void *state, const char *from_options, const char *to_options)
{
	uint32_t sent = 0, received = 0;
	struct pair pair;
	int64_t number;

	manual_clock(state);
	pair_open(&pair, state, SOCKET_SEQPACKET, from_options, to_options);
	for (int round = 1; received < 3000 && round < 10000; round++) {
		while (sent < 3000 && frame_send(pair.from, 1, 0xff, sent + 1))
			sent++;
		broker_quiesce(state);
		clock_to(state, round * 1000000);
		while ((number = frame_receive(pair.to)) >= 0)
			assert_int_equal(number, ++received);
		broker_quiesce(state);
	}
	assert_int_equal(received, 3000);
	assert_int_equal(dropped(state, "vm1"), 0);
	assert_int_equal(shown(state, "vm0", "from-client-dropped-waiting-full"), 0);
	pair_close(&pair);
}

static void a_full_client_pauses_what_is_due_for_it(void **state)
{
	assert_nothing_is_lost(*state, "", ",overflow=block,queue=10,delay=1ms");
}

static void a_full_destination_pauses_what_is_due_from_a_client(void **state)
{
	assert_nothing_is_lost(*state, ",delay=1ms", ",overflow=block,queue=10");
}

/* The program sends what is too long, and reads no answer. */
static void errors_do_not_wait_for_a_program_that_reads_nothing(void **state)
{
	unsigned char packet[100];
	struct pair pair;

	pair_open(&pair, *state, SOCKET_SEQPACKET, ",mode=tun,pmtu=68,icmp,overflow=block,queue=10",
		  ",mode=tun");
	unfragmented_make(packet, sizeof(packet));
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(send(pair.from, packet, sizeof(packet), 0), sizeof(packet));
		broker_quiesce(*state);
	}
	assert_int_equal(shown(*state, "vm0", "from-client-dropped-pmtu"), 3000);
	assert_in_range(shown(*state, "vm0", "to-client-queued"), 1, 20);
	assert_accounted(*state, "vm0");
	pair_close(&pair);
}

/* The queue of what waits is full, and the pause that follows does not keep it full. */
static void a_full_queue_of_delayed_frames_empties(void **state)
{
	static unsigned char frame[60000];
	unsigned int sent = 0;
	struct pair pair;

	manual_clock(*state);
	pair_open(&pair, *state, SOCKET_SEQPACKET, ",overflow=block,delay=1s", "");
	frame_make(frame, sizeof(frame), 1, 0xff, 1);
	while (sent < 2000 && send(pair.from, frame, sizeof(frame), MSG_DONTWAIT) > 0) {
		sent++;
		broker_quiesce(*state);
	}
	assert_in_range(sent, 1100, 1200);
	clock_to(*state, CLOCK_SECOND);
	clock_to(*state, 3 * CLOCK_SECOND);
	assert_int_equal(shown(*state, "vm0", "from-client-waiting"), 0);
	/* They are too long for vm1. */
	assert_int_equal(shown(*state, "vm1", "to-client-offered"), sent);
	pair_close(&pair);
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

/* Rules, frames and releases as a fixed sequence of draws has them. */
static void what_rules_do_at_random_adds_up(void **state)
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
		struct answer answer;
		char options[120];

		switch (random >> 8 & 7) {
		case 0:
			snprintf(options, sizeof(options), "name=vm%d,%s", (int)(random & 1),
				 rules[random >> 16 & 7]);
			client_ask(&fixture->client, &answer, MEMTUN_CMD_IMPAIR_ADD, options);
			break;
		case 1:
			/* There may be none. */
			snprintf(options, sizeof(options), "name=vm%d%s", (int)(random & 1),
				 random & 2 ? ",frame=0" : "");
			client_ask(&fixture->client, &answer, MEMTUN_CMD_IMPAIR_RELEASE, options);
			break;
		case 2:
			snprintf(options, sizeof(options), "name=vm%d%s", (int)(random & 1),
				 random & 2 ? ",discard" : "");
			client_ask(&fixture->client, &answer, MEMTUN_CMD_IMPAIR_RELEASE, options);
			break;
		case 3:
			snprintf(options, sizeof(options), "name=vm%d", (int)(random & 1));
			if (random >> 16 & 1)
				client_ask(&fixture->client, &answer, MEMTUN_CMD_IMPAIR_DELETE,
					   options);
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

/* ------------------------------------------------------------------------------ requests */

static void rules_are_listed(void **state)
{
	struct broker_fixture *fixture = *state;
	unsigned int rules = 0;
	struct answer answer;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=a,loss=5%,seed=3");
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=b");
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=c");
	done(fixture, MEMTUN_CMD_IMPAIR_ADD, "name=c,delay=1ms");
	done(fixture, MEMTUN_CMD_IMPAIR_ADD, "name=c,delay=2ms");
	client_send(&fixture->client, MEMTUN_CMD_IMPAIR_SHOW, NLM_F_DUMP, "");
	while (client_receive(&fixture->client, &answer) && answer.message.type != NLMSG_DONE) {
		static const char *const names[] = {"a", "c", "c"};
		static const uint64_t numbers[] = {1, 1, 2};

		assert_int_equal(answer.error, 0);
		assert_in_range(rules, 0, 2);
		assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_NAME),
				    names[rules]);
		assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_RULE),
				 numbers[rules]);
		rules++;
	}
	assert_int_equal(rules, 3);
}

static void wrong_rules_are_refused(void **state)
{
	static const char *const wrong[] = {
		"name=a",
		"name=a,seed=1",
		"name=a,jitter=1ms",
		"name=a,delay=1ms,distribution=normal",
		"name=a,delay=1ms,ordered",
		"name=a,loss-burst=3",
		"name=a,loss=80%,loss-burst=3",
		"name=a,loss=1%,reorder=5%",
		"name=a,loss=1%,gap=5",
		"name=a,loss=1%,icmp",
		"name=a,loss=1%,match=udp",
		"name=a,loss=1%,match-code=1+6 0 0 1",
		"name=a,loss=1%,match=udp,match-code=1",
		"name=a,loss=1%,match=udp,match-code=0+",
		"name=a,loss=1%,match=udp,match-code=1+6 0 0",
		"name=a,loss=1%,match=udp,match-code=1+6 0 0 1+",
		"name=a,loss=1%,match=udp,match-code=2+6 0 0 1",
		"name=a,loss=1%,match=udp,match-code=1+0 0 0 1",
		/* Codes of no instruction, for which bpf_filter(3) aborts. */
		"name=a,loss=1%,match=udp,match-code=1+36806 2 0 4137589365",
		"name=a,loss=1%,match=udp,match-code=2+13 0 0 0+6 0 0 1",
		/* A jump back to itself, by an overflow: no end. */
		"name=a,loss=1%,match=udp,match-code=2+5 0 0 4294967295+6 0 0 1",
		"name=a,hold,delay=1ms",
		"name=a,hold,rate=1mbit",
		"name=a,carrier",
		"name=a,carrier,seed=1",
		"name=a,carrier=off,loss=1%",
		"name=a,carrier=off,direction=to-client",
		"name=a,drop=0",
		"name=a,loss=1%,until=1,until-time=1s",
	};

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=a");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_ADD, wrong[i]), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_ADD, "name=nosuch,loss=1%"), ENOENT);
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_SET, "name=a,rule=1,loss=1%"), ENOENT);
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_DELETE, "name=a,rule=1"), ENOENT);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=p,peer=q");
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_ADD, "name=p,loss=1%"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=r,peer=s,loss=1%"), EINVAL);
	assert_false(exists(*state, "r"));
	/* None of these has left anything. */
	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=a,loss=1%");
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_SET, "name=a,rule=1,jitter=1ms"),
			 EINVAL);
	assert_int_equal(shown(*state, "a", "rules"), 1);
}

static void a_port_has_at_most_64_rules(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=a");
	for (int i = 0; i < IMPAIRMENT_RULES_MAX; i++)
		done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=a,loss=1%");
	assert_int_equal(refused(*state, MEMTUN_CMD_IMPAIR_ADD, "name=a,loss=1%"), E2BIG);
}

static void an_open_tunnel_is_refused_with_another_rule(void **state)
{
	int fd;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=a,loss=1%,seed=3");
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=a,loss=2%"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=a,delay=1ms"), EINVAL);
	fd = tunnel_opened(*state, "name=a,loss=1%");
	close(fd);
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
		WITH_BROKER(a_delay_of_an_hour_is_exact),
		WITH_BROKER(a_rate_is_exact),
		WITH_BROKER(reordered_frames_pass_at_once),
		WITH_BROKER(jitter_reorders_unless_it_is_ordered),
		WITH_BROKER(frames_above_the_limit_are_dropped),
		WITH_BROKER(a_frame_above_the_limit_takes_no_time_of_the_link),
		WITH_BROKER(a_rule_ends_after_its_time),
		WITH_BROKER(a_deleted_rule_leaves_its_delayed_frames),
		WITH_BROKER(the_first_rule_is_number_one_also_while_frames_wait),
		WITH_BROKER(a_deleted_port_drops_what_waits),
		WITH_BROKER(held_frames_are_released_in_any_order),
		WITH_BROKER(the_oldest_or_all_held_frames_are_released_or_dropped),
		WITH_BROKER(a_rule_that_holds_until_a_frame_stays_for_them),
		WITH_BROKER(a_deleted_rule_releases_what_it_holds),
		WITH_BROKER(a_link_that_is_down_carries_nothing),
		WITH_BROKER(a_program_sees_that_its_link_is_down),
		WITH_BROKER(a_full_client_pauses_what_is_due_for_it),
		WITH_BROKER(a_full_destination_pauses_what_is_due_from_a_client),
		WITH_BROKER(errors_do_not_wait_for_a_program_that_reads_nothing),
		WITH_BROKER(a_full_queue_of_delayed_frames_empties),
		WITH_BROKER(what_rules_do_at_random_adds_up),
		WITH_BROKER(an_uplink_is_impaired_in_both_directions),
		WITH_BROKER(a_gso_frame_is_cut_first),
		WITH_BROKER(rules_are_listed),
		WITH_BROKER(wrong_rules_are_refused),
		WITH_BROKER(a_port_has_at_most_64_rules),
		WITH_BROKER(an_open_tunnel_is_refused_with_another_rule),
	};

	return RUN_TESTS(tests);
}
