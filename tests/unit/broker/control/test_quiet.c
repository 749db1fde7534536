/* SPDX-License-Identifier: MIT */
/*
 * The requests that wait until ports are quiet, and those that move the manual clock: what they wait
 * for, that they answer once that is so and never before, and what they say where it cannot be.
 */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/control/session.h"
#include "broker/switch/address_table.h"
#include "common/clock.h"

/* The time limit of a wait in seconds. Reaching it is a failure. */
#define SECONDS 20.

#define HOUR (3600 * CLOCK_SECOND)

static bool is_answered(void *context)
{
	const struct client *client = context;
	struct pollfd pollfd = {.fd = client->fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) > 0;
}

/* Return whether the broker answers within these seconds. */
static bool answers(struct client *client, double seconds)
{
	return broker_wait(client->fixture, is_answered, client, seconds);
}

/* Receive the end of the answer. Return its error; the records before it are skipped, and the last is
 * stored in *record. */
static int answer_end(struct client *client, struct answer *record)
{
	struct answer answer;

	do {
		assert_true(answers(client, SECONDS));
		assert_true(client_receive(client, &answer));
		assert_true(answer.length > 0);
		if (record && answer.message.type >= NLMSG_MIN_TYPE) {
			*record = answer;
			/* The strings are in the record's own bytes. */
			message_parse(&record->message, record->bytes, (size_t)record->length,
				      MESSAGE_LENIENT, &record->fault);
		}
		if (record && answer.message.type == NLMSG_ERROR)
			record->fault = answer.fault;
	} while (answer.message.type >= NLMSG_MIN_TYPE);
	return answer.error;
}

static int asked(struct broker_fixture *fixture, uint16_t command, const char *options,
		 struct answer *record)
{
	client_send(&fixture->client, command, 0, options);
	return answer_end(&fixture->client, record);
}

/* Begin to wait, and assert that the broker does not answer yet. */
static void begin(struct broker_fixture *fixture, const char *options)
{
	client_send(&fixture->client, MEMTUN_CMD_QUIET, 0, options);
	assert_false(answers(&fixture->client, 0.05));
}

static void assert_waits_for(struct broker_fixture *fixture, const char *options, const char *text)
{
	struct answer answer = {0};
	char limited[100];

	/* Where the broker is slow, as under valgrind, it has moved the frames by then. */
	broker_quiesce(fixture);
	snprintf(limited, sizeof(limited), "%s%stime-limit=1000000", options,
		 options[0] ? "," : "");
	assert_int_equal(asked(fixture, MEMTUN_CMD_QUIET, limited, &answer), ETIMEDOUT);
	if (!strstr(answer.fault.text, text))
		fail_msg("'%s' is not in '%s'", text, answer.fault.text);
}

static void assert_quiet(struct broker_fixture *fixture, const char *options)
{
	assert_int_equal(asked(fixture, MEMTUN_CMD_QUIET, options, NULL), 0);
}

static void two_open(struct broker_fixture *fixture, enum socket_type type, int fds[2])
{
	char options[80];

	for (int i = 0; i < 2; i++) {
		snprintf(options, sizeof(options), "name=vm%d,bridge=b,socket=%s", i,
			 socket_names[type]);
		fds[i] = tunnel_opened(fixture, options);
	}
}

static void two_close(struct broker_fixture *fixture, const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
	for (int i = 0; i < 2; i++)
		exists(fixture, i ? "vm1" : "vm0");
	/* The end of a datagram socket is seen once a second, or when its name is looked up. */
	if (exists(fixture, "vm0"))
		done(fixture, MEMTUN_CMD_TUNNEL_DELETE, "name=vm0");
	if (exists(fixture, "vm1"))
		done(fixture, MEMTUN_CMD_TUNNEL_DELETE, "name=vm1");
}

/* ------------------------------------------------------------------------------ quiet */

static void a_broker_without_frames_is_quiet(void **state)
{
	assert_quiet(*state, "");
	done(*state, MEMTUN_CMD_BRIDGE_ADD, "name=b");
	assert_quiet(*state, "names=b");
	/* One look is two without a time in between. */
	assert_quiet(*state, "names=b,time-limit=0");
}

static void a_bridge_is_quiet_when_each_program_has_read_its_frames(void **state)
{
	struct broker_fixture *fixture = *state;

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		int fds[2];

		two_open(fixture, type, fds);
		assert_true(typed_frame_send(type, fds[0], 1, 0xff, 7));
		assert_waits_for(fixture, "names=b", "'vm1' has not read all frames for it");
		assert_waits_for(fixture, "", "'vm1' has not read all frames for it");
		assert_waits_for(fixture, "names=vm1", "'vm1'");
		assert_quiet(fixture, "names=vm0");
		assert_quiet(fixture, "names=vm1,direction=from-client");
		assert_waits_for(fixture, "names=vm1,direction=to-client", "'vm1'");
		begin(fixture, "names=b");
		assert_int_equal(typed_frame_receive(type, fds[1]), 7);
		assert_int_equal(answer_end(&fixture->client, NULL), 0);
		two_close(fixture, fds);
	}
}

static void frames_that_wait_in_the_broker_are_unread(void **state)
{
	struct broker_fixture *fixture = *state;
	unsigned int number = 0;
	int fds[2];

	two_open(fixture, SOCKET_SEQPACKET, fds);
	while (number < 600) {
		number += frame_send(fds[0], 1, 0xff, number);
		if (number % 100 == 0)
			broker_quiesce(fixture);
	}
	broker_quiesce(fixture);
	assert_true(shown(fixture, "vm1", "to-client-queued") > 0);
	assert_waits_for(fixture, "names=b", "frames wait in the broker for 'vm1'");
	begin(fixture, "names=b");
	for (unsigned int i = 0; i < number; i++) {
		assert_false(is_answered(&fixture->client));
		assert_int_equal(frame_receive(fds[1]), i);
		broker_quiesce(fixture);
	}
	assert_int_equal(answer_end(&fixture->client, NULL), 0);
	two_close(fixture, fds);
}

/* Send frames, numbered from 0, one in each turn of the loop. Those for which the socket has no room
 * any more, because the broker does not read, are lost. */
static void frames_send(struct broker_fixture *fixture, int fd, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		frame_send(fd, 1, 0xff, i);
		broker_quiesce(fixture);
	}
}

static void frames_that_the_broker_does_not_read_are_unread(void **state)
{
	struct broker_fixture *fixture = *state;
	int fds[2];

	two_open(fixture, SOCKET_SEQPACKET, fds);
	done(fixture, MEMTUN_CMD_TUNNEL_SET, "name=vm1,overflow=block,queue=1");
	frames_send(fixture, fds[0], 600);
	assert_waits_for(fixture, "names=vm0",
			 "the broker has not read all frames of 'vm0': a full");
	begin(fixture, "names=b");
	while (!is_answered(&fixture->client)) {
		frame_receive(fds[1]);
		broker_wait(fixture, is_answered, &fixture->client, 0.0001);
	}
	assert_int_equal(frame_receive(fds[1]), -1);
	assert_int_equal(answer_end(&fixture->client, NULL), 0);
	two_close(fixture, fds);
}

/* The same, but the full queue waits for the clock: no program can make room in it. */
static void sources_of_held_frames_do_not_keep_a_bridge_from_being_quiet(void **state)
{
	struct backpressure held = {.is_held = true}, full = {0};
	struct broker_fixture *fixture = *state;
	struct source *source;
	int fds[2];

	two_open(fixture, SOCKET_SEQPACKET, fds);
	source = &tunnel_find(fixture->broker->tunnels, "vm0")->port.source;
	backpressure_pause(&held, source);
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	assert_quiet(fixture, "names=b");
	backpressure_resume(&held);
	backpressure_pause(&full, source);
	assert_true(frame_send(fds[0], 1, 0xff, 2));
	assert_waits_for(fixture, "names=vm0", "has not read all frames of 'vm0'");
	backpressure_resume(&full);
	broker_quiesce(fixture);
	assert_int_equal(frame_receive(fds[1]), 1);
	assert_int_equal(frame_receive(fds[1]), 2);
	two_close(fixture, fds);
}

static void injected_frames_are_unread_until_the_program_has_them(void **state)
{
	struct broker_fixture *fixture = *state;
	int fds[2], injector;

	two_open(fixture, SOCKET_SEQPACKET, fds);
	injector = injector_opened(fixture, "name=vm0,direction=to-client");
	assert_true(frame_send(injector, 9, 1, 3));
	begin(fixture, "names=vm0");
	assert_int_equal(frame_receive(fds[0]), 3);
	assert_int_equal(answer_end(&fixture->client, NULL), 0);
	close(injector);
	two_close(fixture, fds);
}

static void peers_are_quiet_when_both_have_read_their_frames(void **state)
{
	struct broker_fixture *fixture = *state;

	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		char options[64];
		int left, right;

		snprintf(options, sizeof(options), "name=left,peer=right,socket=%s",
			 socket_names[type]);
		done(fixture, MEMTUN_CMD_TUNNEL_ADD, options);
		assert_quiet(fixture, "names=left");
		left = tunnel_opened(fixture, "name=left");
		right = tunnel_opened(fixture, "name=right");
		assert_quiet(fixture, "names=left");
		assert_true(typed_frame_send(type, left, 1, 2, 5));
		assert_waits_for(fixture, "names=left",
				 "'right' has not read all frames of 'left'");
		assert_waits_for(fixture, "names=right", "'right' has not read all");
		assert_quiet(fixture, "names=left,direction=to-client");
		begin(fixture, "names=right,direction=to-client");
		assert_int_equal(typed_frame_receive(type, right), 5);
		assert_int_equal(answer_end(&fixture->client, NULL), 0);
		/* Frames of an end that is closed are still to be read. */
		assert_true(typed_frame_send(type, left, 1, 2, 6));
		close(left);
		assert_waits_for(fixture, "names=left",
				 "'right' has not read all frames of 'left'");
		assert_int_equal(typed_frame_receive(type, right), 6);
		assert_quiet(fixture, "names=left");
		close(right);
		assert_quiet(fixture, "names=left");
		done(fixture, MEMTUN_CMD_TUNNEL_DELETE, "name=left");
	}
}

static void where_the_kernel_cannot_tell_of_peers_that_is_an_error(void **state)
{
	struct broker_fixture *fixture = *state;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=left,peer=right");
	close(tunnel_opened(fixture, "name=left"));
	socket_diag_close(&fixture->broker->engine->diag);
	assert_int_equal(asked(fixture, MEMTUN_CMD_QUIET, "names=left", NULL), EOPNOTSUPP);
}

static void idle_waits_until_no_frame_has_come_for_that_time(void **state)
{
	struct broker_fixture *fixture = *state;
	int64_t began;
	int fds[2];

	two_open(fixture, SOCKET_SEQPACKET, fds);
	client_send(&fixture->client, MEMTUN_CMD_QUIET, 0, "names=b,idle=50000000");
	for (unsigned int i = 0; i < 10; i++) {
		assert_true(frame_send(fds[0], 1, 0xff, i));
		assert_false(answers(&fixture->client, 0.01));
		assert_int_equal(frame_receive(fds[1]), i);
	}
	began = clock_now();
	assert_int_equal(answer_end(&fixture->client, NULL), 0);
	assert_true(clock_now() - began >= 30 * CLOCK_MILLISECOND);
	assert_waits_for(fixture, "names=b,idle=3600000000000", "in the last 3600000 ms");
	two_close(fixture, fds);
}

static void uplinks_by_udp_are_named_as_quiet_once_frames_are_sent(void **state)
{
	struct broker_fixture *fixture = *state;
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	int fds[2], remote = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(local);
	struct answer record = {0};
	char options[100];

	/* The uplink's own port is a free one below the remote's. */
	assert_int_equal(bind(remote, (struct sockaddr *)&local, size), 0);
	assert_int_equal(getsockname(remote, (struct sockaddr *)&local, &size), 0);
	two_open(fixture, SOCKET_SEQPACKET, fds);
	for (int port = ntohs(local.sin_port) - 1, error = EADDRINUSE; error == EADDRINUSE;
	     port--) {
		snprintf(options, sizeof(options),
			 "name=u,bridge=b,type=udp,local=127.0.0.1:%d,remote=127.0.0.1:%d", port,
			 ntohs(local.sin_port));
		error = client_ask(&fixture->client, &record, MEMTUN_CMD_UPLINK_ADD, options);
	}
	record = (struct answer){0};
	assert_int_equal(asked(fixture, MEMTUN_CMD_QUIET, "names=b", &record), 0);
	assert_string_equal(attribute_set_string(&record.message.set, MEMTUN_A_NAME), "u");
	record = (struct answer){0};
	assert_int_equal(asked(fixture, MEMTUN_CMD_QUIET, "names=vm0", &record), 0);
	assert_false(attribute_set_has(&record.message.set, MEMTUN_A_NAME));
	close(remote);
	two_close(fixture, fds);
}

static void a_name_that_is_deleted_meanwhile_ends_the_waiting(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client other;
	int fds[2];

	two_open(fixture, SOCKET_SEQPACKET, fds);
	client_open(&other, fixture, FIXTURE_UID, true);
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	begin(fixture, "names=vm1");
	close(fds[1]);
	assert_int_equal(answer_end(&fixture->client, NULL), ENODEV);
	assert_int_equal(asked(fixture, MEMTUN_CMD_QUIET, "names=none", NULL), ENOENT);
	client_close(&other);
	close(fds[0]);
}

static unsigned int sessions_count(const struct broker_fixture *fixture)
{
	return fixture->broker->control->session_count;
}

static bool one_session_is_left(void *context)
{
	return sessions_count(context) == 1;
}

static void a_client_that_leaves_waits_no_longer(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client other;
	int fds[2];

	two_open(fixture, SOCKET_SEQPACKET, fds);
	client_open(&other, fixture, FIXTURE_UID, true);
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	client_send(&other, MEMTUN_CMD_QUIET, 0, "names=b");
	assert_false(answers(&other, 0.02));
	close(other.fd);
	assert_true(broker_wait(fixture, one_session_is_left, fixture, SECONDS));
	two_close(fixture, fds);
}

/* Under load, from three tunnels on one bridge: whenever the broker says that it is quiet, the
 * programs have read every frame that was sent, because they only read in this thread. */
static void under_load_the_broker_never_answers_early(void **state)
{
	struct broker_fixture *fixture = *state;
	unsigned int sent = 0, answered = 0;
	int fds[3];

	three_open(fixture, ",queue=100000", fds);
	srand(1);
	for (int round = 0; round < 200; round++) {
		bool waiting = true;

		for (int i = rand() % 50; i >= 0; i--) {
			unsigned int from = (unsigned int)rand() % 3;

			sent += frame_send(fds[from], (unsigned char)(1 + from), 0xff, sent);
		}
		client_send(&fixture->client, MEMTUN_CMD_QUIET, 0, "names=b");
		while (waiting) {
			unsigned char bytes[FRAME_SIZE];
			int which = rand() % 3;

			for (int i = rand() % 20; i > 0; i--)
				recv(fds[which], bytes, sizeof(bytes), MSG_DONTWAIT);
			broker_wait(fixture, is_answered, &fixture->client, 0.0003);
			waiting = !is_answered(&fixture->client);
		}
		assert_int_equal(answer_end(&fixture->client, NULL), 0);
		answered++;
		for (int i = 0; i < 3; i++) {
			struct pollfd pollfd = {.fd = fds[i], .events = POLLIN};

			assert_int_equal(poll(&pollfd, 1, 0), 0);
		}
	}
	assert_int_equal(answered, 200);
	for (int i = 0; i < 3; i++) {
		char name[] = {'v', 'm', (char)('0' + i), '\0'};

		assert_accounted(fixture, name);
	}
	three_close(fds);
}

/* ------------------------------------------------------------------------------ the clock */

static uint64_t record_number(const struct answer *record, enum memtun_attribute which)
{
	assert_true(attribute_set_has(&record->message.set, which));
	return attribute_set_number(&record->message.set, which);
}

static void the_real_clock_is_shown_and_not_moved(void **state)
{
	struct answer record = {0};

	assert_int_equal(client_ask(&((struct broker_fixture *)*state)->client, &record,
				    MEMTUN_CMD_CLOCK_SHOW, ""),
			 0);
	assert_int_equal(record_number(&record, MEMTUN_A_CLOCK), MEMTUN_CLOCK_REAL);
	assert_true(record_number(&record, MEMTUN_A_CLOCK_TIME) <= (uint64_t)clock_now());
	assert_int_equal(asked(*state, MEMTUN_CMD_CLOCK_ADVANCE, "move=1", &record), EINVAL);
	assert_non_null(strstr(record.fault.text, "--clock manual"));
	assert_int_equal(asked(*state, MEMTUN_CMD_CLOCK_NEXT, "", &record), EINVAL);
	assert_non_null(strstr(record.fault.text, "--clock manual"));
}

static void an_advance_moves_the_clock_exactly(void **state)
{
	struct answer record = {0};

	assert_int_equal(asked(*state, MEMTUN_CMD_CLOCK_ADVANCE, "move=1", &record), 0);
	assert_int_equal(asked(*state, MEMTUN_CMD_CLOCK_ADVANCE, "move=3600000000000", &record), 0);
	assert_int_equal(record_number(&record, MEMTUN_A_CLOCK), MEMTUN_CLOCK_MANUAL);
	assert_int_equal(record_number(&record, MEMTUN_A_MOVE), HOUR);
	assert_int_equal(record_number(&record, MEMTUN_A_CLOCK_TIME), HOUR + 1);
	assert_int_equal(record_number(&record, MEMTUN_A_DUE), 0);
	assert_false(attribute_set_has(&record.message.set, MEMTUN_A_CLOCK_NEXT));
	assert_int_equal(
		asked(*state, MEMTUN_CMD_CLOCK_ADVANCE, "move=9223372036854775807", &record),
		ERANGE);
	/* 2^62, less what the clock shows, is the furthest, so that a delay can be added to it. */
	assert_int_equal(
		asked(*state, MEMTUN_CMD_CLOCK_ADVANCE, "move=4611682418427387904", &record),
		ERANGE);
	assert_int_equal(
		asked(*state, MEMTUN_CMD_CLOCK_ADVANCE, "move=4611682418427387903", &record), 0);
	assert_int_equal(record_number(&record, MEMTUN_A_CLOCK_TIME), INT64_C(1) << 62);
	assert_int_equal(asked(*state, MEMTUN_CMD_CLOCK_ADVANCE, "", NULL), EINVAL);
}

static void next_moves_to_the_next_event_once_all_is_quiet(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer record = {0};
	int tun, tap;

	assert_int_equal(asked(fixture, MEMTUN_CMD_CLOCK_NEXT, "", &record), ENODATA);
	tap = tunnel_opened(fixture, "name=tap,bridge=b");
	tun = tunnel_opened(fixture, "name=tun,mode=tun,bridge=b,address=10.0.0.9/24");
	/* The adapter has announced itself, and will once more in two seconds. */
	assert_int_equal(asked(fixture, MEMTUN_CMD_CLOCK_NEXT, "time-limit=1000000", &record),
			 ETIMEDOUT);
	assert_non_null(strstr(record.fault.text, "'tap' has not read all frames for it"));
	client_send(&fixture->client, MEMTUN_CMD_CLOCK_NEXT, 0, "");
	assert_false(answers(&fixture->client, 0.02));
	three_reached(fixture, (int[3]){tap, tap, tap});
	assert_int_equal(answer_end(&fixture->client, &record), 0);
	assert_int_equal(record_number(&record, MEMTUN_A_MOVE), 2 * CLOCK_SECOND);
	assert_int_equal(record_number(&record, MEMTUN_A_CLOCK_TIME), 2 * CLOCK_SECOND);
	close(tap);
	close(tun);
}

static void an_advance_reads_what_was_sent_before_it(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer record = {0};
	int fds[2];

	two_open(fixture, SOCKET_SEQPACKET, fds);
	for (unsigned int i = 0; i < 100; i++)
		assert_true(frame_send(fds[0], 1, 0xff, i));
	/* The address was seen at 0, so that it has aged a nanosecond after this. */
	assert_int_equal(asked(fixture, MEMTUN_CMD_CLOCK_ADVANCE, "move=300000000000", &record), 0);
	assert_int_equal(client_ask(&fixture->client, &record, MEMTUN_CMD_ADDRESS_SHOW, "bridge=b"),
			 0);
	assert_int_equal(record_number(&record, MEMTUN_A_AGE), ADDRESS_AGEING);
	assert_int_equal(answer_end(&fixture->client, NULL), 0);
	assert_int_equal(asked(fixture, MEMTUN_CMD_CLOCK_ADVANCE, "move=1", &record), 0);
	record = (struct answer){0};
	assert_int_equal(asked(fixture, MEMTUN_CMD_ADDRESS_SHOW, "bridge=b", &record), 0);
	assert_false(attribute_set_has(&record.message.set, MEMTUN_A_AGE));
	two_close(fixture, fds);
}

static void a_delay_of_an_hour_is_exact_and_quiet(void **state)
{
	struct broker_fixture *fixture = *state;
	int fds[2];

	two_open(fixture, SOCKET_SEQPACKET, fds);
	done(fixture, MEMTUN_CMD_IMPAIR_ADD, "name=vm1,direction=to-client,delay=1h");
	frames_send(fixture, fds[0], 100);
	assert_quiet(fixture, "names=b");
	assert_int_equal(asked(fixture, MEMTUN_CMD_CLOCK_ADVANCE, "move=3599999999999", NULL), 0);
	assert_int_equal(frame_receive(fds[1]), -1);
	assert_int_equal(asked(fixture, MEMTUN_CMD_CLOCK_ADVANCE, "move=1", NULL), 0);
	assert_int_equal(frame_receive(fds[1]), 0);
	for (unsigned int i = 1; i < 100; i++) {
		int64_t number = frame_receive(fds[1]);

		if (number == -1) {
			assert_int_equal(asked(fixture, MEMTUN_CMD_CLOCK_NEXT, "", NULL), 0);
			number = frame_receive(fds[1]);
		}
		assert_int_equal(number, i);
	}
	two_close(fixture, fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BROKER(a_broker_without_frames_is_quiet),
		WITH_BROKER(a_bridge_is_quiet_when_each_program_has_read_its_frames),
		WITH_BROKER(frames_that_wait_in_the_broker_are_unread),
		WITH_BROKER(frames_that_the_broker_does_not_read_are_unread),
		WITH_BROKER(sources_of_held_frames_do_not_keep_a_bridge_from_being_quiet),
		WITH_BROKER(injected_frames_are_unread_until_the_program_has_them),
		WITH_BROKER(peers_are_quiet_when_both_have_read_their_frames),
		WITH_BROKER(where_the_kernel_cannot_tell_of_peers_that_is_an_error),
		WITH_BROKER(idle_waits_until_no_frame_has_come_for_that_time),
		WITH_BROKER(uplinks_by_udp_are_named_as_quiet_once_frames_are_sent),
		WITH_BROKER(a_name_that_is_deleted_meanwhile_ends_the_waiting),
		WITH_BROKER(a_client_that_leaves_waits_no_longer),
		WITH_BROKER(under_load_the_broker_never_answers_early),
		WITH_BROKER(the_real_clock_is_shown_and_not_moved),
		WITH_MANUAL_CLOCK(an_advance_moves_the_clock_exactly),
		WITH_MANUAL_CLOCK(next_moves_to_the_next_event_once_all_is_quiet),
		WITH_MANUAL_CLOCK(an_advance_reads_what_was_sent_before_it),
		WITH_MANUAL_CLOCK(a_delay_of_an_hour_is_exact_and_quiet),
	};

	return RUN_TESTS(tests);
}
