/* SPDX-License-Identifier: MIT */
/* Rules on the ports of a broker: the order of what waits, for a time or until it is released. */
#include "tests/unit/broker/impair/pair_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define HOUR INT64_C(3600000000000)

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
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
	};

	return RUN_TESTS(tests);
}
