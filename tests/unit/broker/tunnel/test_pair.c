/* SPDX-License-Identifier: MIT */
/* Peers: two tunnels that are the ends of one socketpair, whose frames the broker never sees. */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void add(struct broker_fixture *fixture, int type)
{
	char options[64];

	snprintf(options, sizeof(options), "name=left,peer=right,socket=%s", socket_names[type]);
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, options);
}

static void remove_both(struct broker_fixture *fixture)
{
	done(fixture, MEMTUN_CMD_TUNNEL_DELETE, "name=left");
	assert_false(exists(fixture, "right"));
}

static void frames_pass_without_the_broker(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		int left, right;

		add(*state, type);
		left = tunnel_opened(*state, "name=left");
		right = tunnel_opened(*state, "name=right");
		/* The broker's loop does not run here. */
		assert_true(frame_send(left, 1, 2, 5));
		assert_int_equal(frame_receive(right), 5);
		assert_true(frame_send(right, 2, 1, 6));
		assert_int_equal(frame_receive(left), 6);
		close(left);
		assert_int_equal(fd_ended(right), type != SOCKET_DGRAM);
		close(right);
		remove_both(*state);
	}
}

static void an_end_is_busy_until_the_other_was_taken_as_well(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		int first, second, third, fourth;

		add(*state, type);
		first = tunnel_opened(*state, "name=left");
		assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=left"), EBUSY);
		second = tunnel_opened(*state, "name=right");
		/* Now an open makes a new pair, from either end, and the former pair still
		 * works. */
		third = tunnel_opened(*state, "name=right");
		assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=right"), EBUSY);
		fourth = tunnel_opened(*state, "name=left");
		assert_true(frame_send(first, 1, 2, 1));
		assert_true(frame_send(third, 1, 2, 2));
		assert_int_equal(frame_receive(second), 1);
		assert_int_equal(frame_receive(fourth), 2);
		close(first);
		close(second);
		close(third);
		close(fourth);
		remove_both(*state);
	}
}

static void an_end_is_replaced_after_its_client_closed_it(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		for (int which = 0; which < 2; which++) {
			int left, right;

			add(*state, type);
			left = tunnel_opened(*state, "name=left");
			close(left);
			/* The next open, of either end, makes a new pair. */
			if (which == 0) {
				left = tunnel_opened(*state, "name=left");
				right = tunnel_opened(*state, "name=right");
			} else {
				right = tunnel_opened(*state, "name=right");
				left = tunnel_opened(*state, "name=left");
			}
			assert_false(fd_ended(left));
			assert_true(frame_send(left, 1, 2, 7));
			assert_int_equal(frame_receive(right), 7);
			close(left);
			close(right);
			remove_both(*state);
		}
	}
}

static void closing_and_reopening_an_end_at_once_is_never_busy(void **state)
{
	for (int type = 0; type < SOCKET_TYPES; type++) {
		add(*state, type);
		for (int i = 0; i < 1000; i++)
			close(tunnel_opened(*state, i & 1 ? "name=right" : "name=left"));
		remove_both(*state);
	}
}

static void frames_sent_before_the_other_end_is_taken_wait_for_it(void **state)
{
	int left, right;

	add(*state, SOCKET_SEQPACKET);
	left = tunnel_opened(*state, "name=left");
	assert_true(frame_send(left, 1, 2, 3));
	right = tunnel_opened(*state, "name=right");
	assert_int_equal(frame_receive(right), 3);
	close(left);
	close(right);
}

static void deleting_one_deletes_both(void **state)
{
	int right;

	add(*state, SOCKET_SEQPACKET);
	right = tunnel_opened(*state, "name=right");
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=right");
	assert_false(exists(*state, "left"));
	assert_false(exists(*state, "right"));
	/* The end that waited for its client to open it is closed. */
	assert_true(fd_ended(right));
	close(right);
}

static void deleting_does_not_disconnect_two_clients(void **state)
{
	int left, right;

	add(*state, SOCKET_SEQPACKET);
	left = tunnel_opened(*state, "name=left");
	right = tunnel_opened(*state, "name=right");
	remove_both(*state);
	assert_true(frame_send(left, 1, 2, 3));
	assert_int_equal(frame_receive(right), 3);
	close(left);
	close(right);
}

static void the_state_is_shown_for_each_end(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;

	for (int type = 0; type < SOCKET_TYPES; type++) {
		int left, right;

		add(fixture, type);
		assert_int_equal(shown(fixture, "left", "state"), MEMTUN_CLOSED);
		left = tunnel_opened(fixture, "name=left");
		assert_int_equal(shown(fixture, "left", "state"), MEMTUN_OPEN);
		assert_int_equal(shown(fixture, "right", "state"), MEMTUN_CLOSED);
		right = tunnel_opened(fixture, "name=right");
		assert_int_equal(shown(fixture, "right", "state"), MEMTUN_OPEN);
		assert_int_equal(shown(fixture, "right", "queues"), 1);
		close(left);
		assert_int_equal(shown(fixture, "left", "state"), MEMTUN_CLOSED);
		assert_int_equal(shown(fixture, "right", "state"), MEMTUN_OPEN);
		close(right);
		assert_int_equal(shown(fixture, "right", "state"), MEMTUN_CLOSED);
		client_ask(&fixture->client, &answer, MEMTUN_CMD_TUNNEL_SHOW, "name=left");
		assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_PEER),
				    "right");
		remove_both(fixture);
	}
}

static void the_ends_agree_in_mode_and_headers(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=left,peer=right,mode=tun,pi,vnet_hdr,mtu=1400");
	assert_int_equal(shown(*state, "right", "mode"), MEMTUN_TUN);
	assert_int_equal(shown(*state, "right", "pi"), 1);
	assert_int_equal(shown(*state, "right", "vnet_hdr"), 1);
	assert_int_equal(shown(*state, "right", "mtu"), 1400);
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=right,mode=tap"), EINVAL);
	close(tunnel_opened(*state, "name=right,mode=tun,pi,peer=left"));
}

static void opening_makes_both(void **state)
{
	int left = tunnel_opened(*state, "name=left,peer=right");

	close(left);
	broker_quiesce(*state);
	/* The tunnel persists until it is deleted. */
	assert_true(exists(*state, "left"));
	assert_int_equal(shown(*state, "right", "persistent"), 1);
}

static void options_that_peers_cannot_have_are_refused(void **state)
{
	static const struct {
		const char *options;
		int error;
	} cases[] = {
		{"name=left,peer=right,bridge=b", EINVAL},
		{"name=left,peer=right,multi_queue", EINVAL},
		{"name=left,peer=left", EINVAL},
		{"name=left,peer=taken", EBUSY},
		{"name=taken,peer=right", EBUSY},
	};

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=taken");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, cases[i].options),
				 cases[i].error);
		assert_false(exists(*state, "left"));
		assert_false(exists(*state, "right"));
	}
	add(*state, SOCKET_SEQPACKET);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SET, "name=left,bridge=b"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SET, "name=left,persistent=off"),
			 EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(frames_pass_without_the_broker),
		WITH_BROKER(an_end_is_busy_until_the_other_was_taken_as_well),
		WITH_BROKER(an_end_is_replaced_after_its_client_closed_it),
		WITH_BROKER(closing_and_reopening_an_end_at_once_is_never_busy),
		WITH_BROKER(frames_sent_before_the_other_end_is_taken_wait_for_it),
		WITH_BROKER(deleting_one_deletes_both),
		WITH_BROKER(deleting_does_not_disconnect_two_clients),
		WITH_BROKER(the_state_is_shown_for_each_end),
		WITH_BROKER(the_ends_agree_in_mode_and_headers),
		WITH_BROKER(opening_makes_both),
		WITH_BROKER(options_that_peers_cannot_have_are_refused),
	};

	return RUN_TESTS(tests);
}
