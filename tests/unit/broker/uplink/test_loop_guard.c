/* SPDX-License-Identifier: MIT */
/* Loops of bridges: addresses that move all the time are counted and reported, and `loop-guard` ends
 * the loop. */
#include "tests/unit/broker/uplink/uplink_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/switch/address_table.h"
#include "broker/switch/loop_guard.h"
#include "common/clock.h"

#define HOST "127.0.0.1"

static uint64_t moves(struct broker_fixture *fixture, const char *options)
{
	struct answer answer;

	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_BRIDGE_SHOW, options), 0);
	assert_true(attribute_set_has(&answer.message.set, MEMTUN_A_ADDRESS_MOVES));
	return attribute_set_number(&answer.message.set, MEMTUN_A_ADDRESS_MOVES);
}

/* Have a host be seen behind vm0. */
static void host_appear(struct broker_fixture *fixture, const int fds[3])
{
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	three_reached(fixture, fds);
}

/* Make the host move to the other port so many times, from vm1 at first, and read what arrives. */
static void host_move(struct broker_fixture *fixture, const int fds[3], int times)
{
	for (int i = 0; i < times; i++) {
		assert_true(frame_send(fds[(i + 1) % 2], 1, 0xff, 1));
		three_reached(fixture, fds);
	}
}

static void subscriber_open(struct client *subscriber, struct broker_fixture *fixture)
{
	struct answer answer;

	client_open(subscriber, fixture, FIXTURE_UID, true);
	assert_int_equal(client_ask(subscriber, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
}

static void watched_open(struct broker_fixture *fixture, int fds[3], struct client *subscriber)
{
	three_open(fixture, "", fds);
	subscriber_open(subscriber, fixture);
}

static void watched_close(const int fds[3], struct client *subscriber)
{
	client_close(subscriber);
	three_close(fds);
}

static void assert_event(struct client *subscriber, enum memtun_event event, const char *name,
			 const char *address)
{
	const struct attribute_set *set;
	struct answer answer;

	assert_true(client_receive(subscriber, &answer));
	set = &answer.message.set;
	assert_int_equal(attribute_set_number(set, MEMTUN_A_EVENT), event);
	assert_string_equal(attribute_set_string(set, MEMTUN_A_NAME), name);
	assert_string_equal(attribute_set_string(set, MEMTUN_A_BRIDGE), "b");
	assert_true(attribute_set_has(set, MEMTUN_A_ID));
	if (address)
		assert_string_equal(attribute_set_string(set, MEMTUN_A_ADDRESS), address);
}

static bool is_shut(struct broker_fixture *fixture, const char *name)
{
	struct answer answer;
	char options[32];

	snprintf(options, sizeof(options), "name=%s", name);
	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_TUNNEL_SHOW, options), 0);
	return attribute_set_number(&answer.message.set, MEMTUN_A_LOOP_SHUT);
}

static struct port *port_of(struct broker_fixture *fixture, const char *name)
{
	struct bridge *bridge = bridges_find(fixture->broker->bridges, "b");
	struct port *port;

	LIST_FOREACH(port, &bridge->ports, in_bridge) {
		if (strcmp(port->name, name) == 0)
			return port;
	}
	fail_msg("there is no port %s", name);
	return NULL;
}

/* ------------------------------------------------------------------------------ reporting */

static void a_host_that_moves_is_counted_and_not_reported(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client subscriber;
	struct answer answer;
	int fds[3];

	watched_open(fixture, fds, &subscriber);
	host_appear(fixture, fds);
	assert_int_equal(moves(fixture, "name=b"), 0);
	host_move(fixture, fds, LOOP_GUARD_MOVES);
	assert_int_equal(moves(fixture, "name=b"), LOOP_GUARD_MOVES);
	assert_false(client_receive(&subscriber, &answer));
	watched_close(fds, &subscriber);
}

static void an_address_that_moves_all_the_time_is_an_event_a_second(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client subscriber;
	struct answer answer;
	int fds[3];

	watched_open(fixture, fds, &subscriber);
	host_appear(fixture, fds);
	host_move(fixture, fds, LOOP_GUARD_MOVES + 20);
	assert_event(&subscriber, MEMTUN_EVENT_ADDRESS_MOVING, "vm1", "02:00:00:00:00:01");
	assert_false(client_receive(&subscriber, &answer));
	/* Without the option the port stays open. */
	assert_true(frame_send(fds[1], 2, 0xff, 2));
	assert_int_equal(three_reached(fixture, fds), 5);
	assert_false(is_shut(fixture, "vm1"));
	watched_close(fds, &subscriber);
}

static void moves_of_different_hosts_are_no_loop(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client subscriber;
	struct answer answer;
	int fds[3];

	watched_open(fixture, fds, &subscriber);
	for (int port = 0; port < 2; port++) {
		for (unsigned char host = 1; host <= 5 * LOOP_GUARD_MOVES; host++)
			assert_true(frame_send(fds[port], host, 0xff, 1));
		three_reached(fixture, fds);
	}
	assert_int_equal(moves(fixture, "name=b"), 5 * LOOP_GUARD_MOVES);
	assert_false(client_receive(&subscriber, &answer));
	watched_close(fds, &subscriber);
}

static void moves_are_counted_for_a_second(void **state)
{
	struct address_table *table = address_table_new();
	struct address address = {.words = {1, 0}, .kind = ADDRESS_ETHERNET};
	static struct port ports[2];
	struct address_move move;
	int64_t now = 1000 * CLOCK_SECOND;

	(void)state;
	move = address_table_learn(table, &address, &ports[0], now);
	assert_null(move.from);
	move = address_table_learn(table, &address, &ports[1], now);
	assert_ptr_equal(move.from, &ports[0]);
	assert_int_equal(move.count, 1);
	move = address_table_learn(table, &address, &ports[1], now);
	assert_null(move.from);
	move = address_table_learn(table, &address, &ports[0], now + CLOCK_SECOND - 1);
	assert_ptr_equal(move.from, &ports[1]);
	assert_int_equal(move.count, 2);
	move = address_table_learn(table, &address, &ports[1], now + CLOCK_SECOND);
	assert_int_equal(move.count, 1);
	address_table_free(table);
}

/* ------------------------------------------------------------------------------ shutting */

static void guarded_open(struct broker_fixture *fixture, int fds[3])
{
	done(fixture, MEMTUN_CMD_BRIDGE_ADD, "name=b,loop-guard");
	three_open(fixture, "", fds);
	host_appear(fixture, fds);
	host_move(fixture, fds, LOOP_GUARD_MOVES + 1);
}

static void a_shut_port_neither_sends_nor_receives(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client subscriber;
	struct answer answer;
	int fds[3];

	subscriber_open(&subscriber, fixture);
	guarded_open(fixture, fds);
	for (int i = 0; i < 7; i++)
		assert_true(client_receive(&subscriber, &answer));
	assert_event(&subscriber, MEMTUN_EVENT_ADDRESS_MOVING, "vm1", "02:00:00:00:00:01");
	assert_event(&subscriber, MEMTUN_EVENT_PORT_SHUT, "vm1", NULL);
	assert_true(is_shut(fixture, "vm1"));
	assert_false(is_shut(fixture, "vm0"));
	assert_true(frame_send(fds[1], 2, 0xff, 2));
	assert_int_equal(three_reached(fixture, fds), 0);
	assert_int_equal(shown(fixture, "vm1", "from-client-dropped-no-destination"), 1);
	assert_true(frame_send(fds[0], 1, 0xff, 3));
	assert_int_equal(three_reached(fixture, fds), 4);
	/* The bridge has forgotten what was behind the port. */
	assert_true(frame_send(fds[2], 3, 1, 4));
	assert_int_equal(three_reached(fixture, fds), 1);
	/* A port whose only neighbour is shut has no destination. */
	close(fds[2]);
	broker_quiesce(fixture);
	assert_true(frame_send(fds[0], 1, 0xff, 5));
	assert_int_equal(three_reached(fixture, (int[3]){fds[0], fds[1], fds[1]}), 0);
	assert_int_equal(shown(fixture, "vm0", "from-client-dropped-no-destination"), 1);
	client_close(&subscriber);
	close(fds[0]);
	close(fds[1]);
}

static void a_shut_port_opens_when_its_time_is_over(void **state)
{
	struct broker_fixture *fixture = *state;
	struct ev_loop *loop = fixture->broker->engine->loop;
	struct client subscriber;
	struct port *port;
	int fds[3];

	guarded_open(fixture, fds);
	subscriber_open(&subscriber, fixture);
	port = port_of(fixture, "vm1");
	assert_true(ev_timer_remaining(loop, &port->loop_shut) > LOOP_GUARD_SHUT - 2);
	/* The test does not wait for the time. libev stops a timer that has expired. */
	ev_timer_stop(loop, &port->loop_shut);
	ev_invoke(loop, &port->loop_shut, EV_TIMER);
	assert_event(&subscriber, MEMTUN_EVENT_PORT_REOPENED, "vm1", NULL);
	assert_false(is_shut(fixture, "vm1"));
	assert_true(frame_send(fds[1], 2, 0xff, 2));
	assert_int_equal(three_reached(fixture, fds), 5);
	watched_close(fds, &subscriber);
}

static void a_shut_port_opens_when_it_leaves(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client subscriber;
	int fds[3];

	guarded_open(fixture, fds);
	subscriber_open(&subscriber, fixture);
	done(fixture, MEMTUN_CMD_TUNNEL_SET, "name=vm1,bridge=");
	assert_event(&subscriber, MEMTUN_EVENT_PORT_REOPENED, "vm1", NULL);
	done(fixture, MEMTUN_CMD_TUNNEL_SET, "name=vm1,bridge=b");
	assert_true(frame_send(fds[1], 2, 0xff, 2));
	assert_int_equal(three_reached(fixture, fds), 5);
	watched_close(fds, &subscriber);
}

static void a_port_may_leave_when_its_time_is_just_over(void **state)
{
	struct broker_fixture *fixture = *state;
	struct ev_loop *loop = fixture->broker->engine->loop;
	struct port *port;
	int fds[3];

	guarded_open(fixture, fds);
	port = port_of(fixture, "vm1");
	/* As when the timer has expired in the same turn of the loop: it is not active any more, and
	 * libev is about to call its function. */
	ev_timer_stop(loop, &port->loop_shut);
	ev_feed_event(loop, &port->loop_shut, EV_TIMER);
	port_leave(port);
	assert_false(ev_is_pending(&port->loop_shut));
	broker_quiesce(fixture);
	three_close(fds);
}

static void a_bridge_with_a_shut_port_is_deleted(void **state)
{
	struct broker_fixture *fixture = *state;
	int fds[3];

	guarded_open(fixture, fds);
	done(fixture, MEMTUN_CMD_BRIDGE_DELETE, "name=b");
	assert_false(is_shut(fixture, "vm1"));
	three_close(fds);
}

static void a_hub_has_no_loop_guard(void **state)
{
	assert_int_equal(refused(*state, MEMTUN_CMD_BRIDGE_ADD, "name=b,hub,loop-guard"), EINVAL);
}

/* Join the bridges `b` and `c` by two links of two uplinks each. */
static void loop_make(struct broker_fixture *fixture)
{
	for (int i = 1; i <= 2; i++) {
		unsigned int b = udp_port_find(HOST), c = udp_port_find(HOST);

		uplink_added(fixture, "name=b%d,bridge=b,type=udp,local=%s:%u,remote=%s:%u", i,
			     HOST, b, HOST, c);
		uplink_added(fixture, "name=c%d,bridge=c,type=udp,local=%s:%u,remote=%s:%u", i,
			     HOST, c, HOST, b);
	}
}

/* Two bridges that two links join would forward a broadcast for ever, so the broker's loop would never be idle.
 */
static void the_loop_guard_ends_a_loop(void **state)
{
	struct broker_fixture *fixture = *state;
	int fds[2];

	done(fixture, MEMTUN_CMD_BRIDGE_ADD, "name=b,loop-guard");
	fds[0] = tunnel_opened(fixture, "name=one,bridge=b");
	fds[1] = tunnel_opened(fixture, "name=two,bridge=c");
	loop_make(fixture);
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	broker_quiesce(fixture);
	assert_true(moves(fixture, "name=b") > LOOP_GUARD_MOVES);
	while (frame_receive(fds[0]) >= 0 || frame_receive(fds[1]) >= 0) {
	}
	/* Frames still reach the other bridge, and only once. */
	assert_true(frame_send(fds[1], 2, 0xff, 2));
	broker_quiesce(fixture);
	assert_int_equal(frame_receive(fds[0]), 2);
	assert_int_equal(frame_receive(fds[0]), -1);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_host_that_moves_is_counted_and_not_reported),
		WITH_BROKER(an_address_that_moves_all_the_time_is_an_event_a_second),
		WITH_BROKER(moves_of_different_hosts_are_no_loop),
		cmocka_unit_test(moves_are_counted_for_a_second),
		WITH_BROKER(a_shut_port_neither_sends_nor_receives),
		WITH_BROKER(a_shut_port_opens_when_its_time_is_over),
		WITH_BROKER(a_shut_port_opens_when_it_leaves),
		WITH_BROKER(a_port_may_leave_when_its_time_is_just_over),
		WITH_BROKER(a_bridge_with_a_shut_port_is_deleted),
		WITH_BROKER(a_hub_has_no_loop_guard),
		WITH_BROKER(the_loop_guard_ends_a_loop),
	};

	return RUN_TESTS(tests);
}
