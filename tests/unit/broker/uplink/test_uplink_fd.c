/* SPDX-License-Identifier: MIT */
/*
 * Uplinks on descriptors that were handed in: what becomes a port, what is refused, and what ends
 * them.
 */
#include "tests/unit/broker/uplink/hand_in_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int types[SOCKET_TYPES] = {SOCK_SEQPACKET, SOCK_DGRAM, SOCK_STREAM};

static void a_socket_of_each_type_becomes_a_port(void **state)
{
	struct broker_fixture *fixture = *state;
	int tunnel = tunnel_opened(fixture, "name=t,bridge=b");

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		int ends[2];

		foreign_pair(types[type], ends);
		fd_uplink_added(fixture, "u", ends[0], -1, "");
		assert_string_equal(uplink_text(fixture, "u", "device"), "");
		assert_int_equal(uplink_shown(fixture, "u", "socket"), type + 1);
		assert_true(typed_frame_send(type, ends[1], 1, 0xff, 7));
		broker_quiesce(fixture);
		assert_int_equal(frame_receive(tunnel), 7);
		assert_true(frame_send(tunnel, 2, 1, 8));
		broker_quiesce(fixture);
		assert_int_equal(typed_frame_receive(type, ends[1]), 8);
		uplink_accounted(fixture, "u");
		/* The client's copy is as it was. */
		assert_int_equal(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
		done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
		assert_false(fd_ended(ends[1]));
		close(ends[0]);
		close(ends[1]);
	}
	close(tunnel);
}

static void the_uplink_is_deleted_when_the_other_side_closes(void **state)
{
	struct broker_fixture *fixture = *state;
	int tunnel = tunnel_opened(fixture, "name=t,bridge=b"), ends[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	fd_uplink_added(fixture, "u", ends[0], -1, "");
	close(ends[0]);
	assert_true(frame_send(ends[1], 1, 0xff, 7));
	close(ends[1]);
	assert_false(uplink_exists(fixture, "u"));
	assert_int_equal(frame_receive(tunnel), 7);
	close(tunnel);
}

static void the_uplink_is_deleted_when_its_life_ends(void **state)
{
	struct broker_fixture *fixture = *state;
	int ends[2], life[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	foreign_pipe(life);
	fd_uplink_added(fixture, "u", ends[0], life[0], "");
	assert_int_equal(uplink_shown(fixture, "u", "life"), MEMTUN_LIFE_PIPE);
	/* What is in the pipe is not read, and no end. */
	assert_int_equal(write(life[1], "x", 1), 1);
	assert_true(uplink_exists(fixture, "u"));
	close(life[1]);
	assert_false(uplink_exists(fixture, "u"));
	close(life[0]);
	close(ends[0]);
	assert_true(fd_ended(ends[1]));
	close(ends[1]);
}

/* The broker asks this before it refuses a name, so the order of its events does not matter. */
static void a_name_is_free_as_soon_as_the_life_has_ended(void **state)
{
	struct broker_fixture *fixture = *state;
	struct uplinks *uplinks = fixture->broker->uplinks;
	struct port *port;
	int ends[2], life[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	foreign_pipe(life);
	fd_uplink_added(fixture, "u", ends[0], life[0], "");
	port = &uplink_find(uplinks, "u")->port;
	assert_false(port->operations->delete_if_dead(port));
	close(life[1]);
	assert_true(port->operations->delete_if_dead(port));
	assert_null(uplink_find(uplinks, "u"));
	fd_uplink_added(fixture, "u", ends[0], -1, "");
	port = &uplink_find(uplinks, "u")->port;
	assert_false(port->operations->delete_if_dead(port));
	close(life[0]);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_socket_of_each_type_becomes_a_port),
		WITH_BROKER(the_uplink_is_deleted_when_the_other_side_closes),
		WITH_BROKER(the_uplink_is_deleted_when_its_life_ends),
		WITH_BROKER(a_name_is_free_as_soon_as_the_life_has_ended),
	};

	return RUN_TESTS(tests);
}
