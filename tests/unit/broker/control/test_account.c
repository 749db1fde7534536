/* SPDX-License-Identifier: MIT */
/*
 * What clients make the broker keep: the list of sessions, their end by another client, and the
 * bounds of one session and of all.
 */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker/control/session.h"
#include "broker/control/session_room.h"
#include "broker/engine/account.h"
#include "common/clock.h"
#include "tests/unit/broker/uplink/uplink_fixture.h"

#define HOST "127.0.0.1"
#define SESSION_MAX 64
#define SUBSCRIPTIONS_TOTAL_MAX 256
#define BYTES_MAX (UINT64_C(64) << 20)

/* Ask for the session with that id, and return one of its numbers. */
static uint64_t session_number(struct broker_fixture *fixture, uint64_t id, const char *word)
{
	struct answer answer;
	char options[32];

	snprintf(options, sizeof(options), "id=%u", (unsigned int)id);
	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_SESSION_SHOW, options),
			 0);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_ID), id);
	assert_true(attribute_set_has(&answer.message.set, attribute_find(word)));
	return attribute_set_number(&answer.message.set, attribute_find(word));
}

/* Return the number of sessions, and the id of the last one in *last. */
static unsigned int sessions_count(struct broker_fixture *fixture, uint64_t *last)
{
	struct answer answer;
	unsigned int count = 0;

	client_send(&fixture->client, MEMTUN_CMD_SESSION_SHOW, NLM_F_DUMP, "");
	for (;;) {
		assert_true(client_receive(&fixture->client, &answer));
		if (answer.message.type == NLMSG_DONE)
			return count;
		*last = attribute_set_number(&answer.message.set, MEMTUN_A_ID);
		count++;
	}
}

static int session_delete(struct broker_fixture *fixture, uint64_t id)
{
	struct answer answer;
	char options[32];

	snprintf(options, sizeof(options), "id=%u", (unsigned int)id);
	return client_ask(&fixture->client, &answer, MEMTUN_CMD_SESSION_DELETE, options);
}

static int frames_asked(struct client *client, uint16_t command, const char *options)
{
	struct answer answer;

	assert_int_equal(client_ask(client, &answer, command, options), 0);
	assert_true(answer.fd >= 0);
	return answer.fd;
}

static void a_session_is_shown_with_what_the_broker_keeps_for_it(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client other;
	struct answer answer;
	char program[16];
	int capture, injector;
	uint64_t id;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	client_open(&other, fixture, FIXTURE_UID + 1, true);
	assert_int_equal(sessions_count(fixture, &id), 2);
	assert_int_equal(client_ask(&other, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	capture = frames_asked(&fixture->client, MEMTUN_CMD_CAPTURE, "name=t");
	injector = frames_asked(&fixture->client, MEMTUN_CMD_INJECT, "name=t,direction=to-client");
	assert_int_equal(session_number(fixture, id, "subscriptions"), 1);
	assert_int_equal(session_number(fixture, id, "captures"), 0);
	assert_int_equal(session_number(fixture, id, "owner"), FIXTURE_UID + 1);
	assert_int_equal(session_number(fixture, id, "pid"), getpid());
	assert_int_equal(session_number(fixture, id, "state"), MEMTUN_OPEN);
	assert_int_equal(client_ask(&other, &answer, MEMTUN_CMD_SESSION_SHOW, "id=1"), 0);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_CAPTURES), 1);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_INJECTORS), 1);
	/* It is not the file's name under valgrind. */
	assert_int_equal(prctl(PR_GET_NAME, program), 0);
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_PROGRAM), program);
	close(capture);
	close(injector);
	client_close(&other);
	assert_int_equal(session_number(fixture, 1, "captures"), 0);
	assert_int_equal(session_number(fixture, 1, "injectors"), 0);
	assert_int_equal(sessions_count(fixture, &id), 1);
	assert_int_equal(session_delete(fixture, 99), ENOENT);
}

static void the_name_of_a_program_is_shown_as_text(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;
	char name[16];

	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	assert_int_equal(prctl(PR_SET_NAME, "a\x1b[1m\xff\tz"), 0);
	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_SESSION_SHOW, "id=1"), 0);
	assert_int_equal(prctl(PR_SET_NAME, name), 0);
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_PROGRAM),
			    "a?[1m??z");
}

/* Send requests until the socket takes no more. No answer is read. */
static void ask_unread(struct broker_fixture *fixture, struct client *client)
{
	for (int i = 0; i < 5000; i++) {
		struct message_builder builder;

		message_begin(&builder, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_REQUEST, 9);
		message_put_string(&builder, MEMTUN_A_NAME, "t");
		if (send(client->fd, builder.bytes, message_end(&builder), MSG_DONTWAIT) < 0)
			break;
		broker_quiesce(fixture);
	}
}

static void bytes_that_wait_for_a_client_are_shown(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client slow;
	uint64_t id;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	client_open(&slow, fixture, FIXTURE_UID, true);
	sessions_count(fixture, &id);
	ask_unread(fixture, &slow);
	assert_true(session_number(fixture, id, "queued-bytes") > 0);
	client_close(&slow);
}

static void a_deleted_session_is_disconnected(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client other;
	struct answer answer;
	int capture, injector;
	uint64_t id;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	client_open(&other, fixture, FIXTURE_UID, true);
	capture = frames_asked(&other, MEMTUN_CMD_CAPTURE, "name=t");
	injector = frames_asked(&other, MEMTUN_CMD_INJECT, "name=t,direction=from-client");
	sessions_count(fixture, &id);
	assert_int_equal(session_delete(fixture, id), 0);
	assert_true(client_receive(&other, &answer));
	assert_int_equal(answer.length, 0);
	assert_true(fd_ended(capture));
	assert_true(fd_ended(injector));
	assert_int_equal(sessions_count(fixture, &id), 1);
	close(capture);
	close(injector);
	client_close(&other);
}

static void a_session_that_left_captures_behind_can_be_deleted(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client other;
	uint64_t id;
	int capture;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	client_open(&other, fixture, FIXTURE_UID, true);
	capture = frames_asked(&other, MEMTUN_CMD_CAPTURE, "name=t");
	client_close(&other);
	assert_false(fd_ended(capture));
	assert_int_equal(sessions_count(fixture, &id), 2);
	assert_int_equal(session_number(fixture, id, "state"), MEMTUN_CLOSED);
	assert_int_equal(session_number(fixture, id, "captures"), 1);
	assert_int_equal(session_delete(fixture, id), 0);
	assert_true(fd_ended(capture));
	assert_int_equal(sessions_count(fixture, &id), 1);
	close(capture);
}

static void only_a_users_own_other_sessions_can_be_deleted(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client other, root;
	struct answer answer;
	uint64_t id;

	client_open(&other, fixture, FIXTURE_UID + 1, true);
	sessions_count(fixture, &id);
	assert_int_equal(session_delete(fixture, id), EPERM);
	assert_int_equal(session_delete(fixture, 1), EINVAL);
	client_open(&root, fixture, 0, true);
	assert_int_equal(client_ask(&root, &answer, MEMTUN_CMD_SESSION_DELETE, "id=1"), 0);
	client_close(&root);
	client_close(&other);
}

/* ------------------------------------------------------------------------------ bounds */

static void a_session_has_so_many(struct broker_fixture *fixture, uint16_t command,
				  const char *options)
{
	int fds[SESSION_MAX];
	struct client other;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	for (int i = 0; i < SESSION_MAX; i++)
		fds[i] = frames_asked(&fixture->client, command, options);
	assert_int_equal(refused(fixture, command, options), EDQUOT);
	/* Other sessions have bounds of their own. */
	client_open(&other, fixture, FIXTURE_UID, true);
	close(frames_asked(&other, command, options));
	client_close(&other);
	close(fds[0]);
	broker_quiesce(fixture);
	fds[0] = frames_asked(&fixture->client, command, options);
	for (int i = 0; i < SESSION_MAX; i++)
		close(fds[i]);
	broker_quiesce(fixture);
}

static void a_sessions_captures_are_bounded(void **state)
{
	a_session_has_so_many(*state, MEMTUN_CMD_CAPTURE, "name=t");
}

static void a_sessions_injectors_are_bounded(void **state)
{
	a_session_has_so_many(*state, MEMTUN_CMD_INJECT, "name=t,direction=from-client");
}

static void subscribers_are_bounded(void **state)
{
	static struct client clients[SUBSCRIPTIONS_TOTAL_MAX + 1];
	struct broker_fixture *fixture = *state;
	struct answer answer;

	for (int i = 0; i < SUBSCRIPTIONS_TOTAL_MAX; i++) {
		client_open(&clients[i], fixture, FIXTURE_UID, true);
		assert_int_equal(client_ask(&clients[i], &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	}
	assert_int_equal(refused(fixture, MEMTUN_CMD_SUBSCRIBE, ""), EDQUOT);
	client_close(&clients[0]);
	done(fixture, MEMTUN_CMD_SUBSCRIBE, "");
	for (int i = 1; i < SUBSCRIPTIONS_TOTAL_MAX; i++)
		client_close(&clients[i]);
}

static void bytes_in_a_sessions_captures_are_bounded(void **state)
{
	enum {
		CAPTURES = 6,
		LENGTH = 60000,
		FRAMES = 300
	};
	static unsigned char frame[LENGTH];
	struct broker_fixture *fixture = *state;
	struct accounts *accounts = &fixture->broker->engine->accounts;
	int tunnel = tunnel_opened(fixture, "name=t");
	int fds[CAPTURES];

	for (int i = 0; i < CAPTURES; i++)
		fds[i] = frames_asked(&fixture->client, MEMTUN_CMD_CAPTURE, "name=t,plain");
	frame_make(frame, sizeof(frame), 1, 0xff, 1);
	for (int i = 0; i < FRAMES; i++) {
		bytes_send(tunnel, frame, sizeof(frame));
		broker_quiesce(fixture);
	}
	assert_in_range(accounts->used[ACCOUNT_BYTES], BYTES_MAX - LENGTH * 2, BYTES_MAX);
	assert_true(session_number(fixture, 1, "queued-bytes") > BYTES_MAX - LENGTH * 2);
	/* The records that are read make room for others. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(recv(fds[0], frame, sizeof(frame), 0), LENGTH);
		broker_quiesce(fixture);
	}
	assert_true(accounts->used[ACCOUNT_BYTES] < BYTES_MAX - LENGTH * 10);
	for (int i = 0; i < CAPTURES; i++)
		close(fds[i]);
	close(tunnel);
	broker_quiesce(fixture);
	assert_int_equal(accounts->used[ACCOUNT_BYTES], 0);
}

/* Ask for a UDP uplink that an ordinary user can have, and return the error. */
static int udp_uplink_refused(struct broker_fixture *fixture, const char *bridge)
{
	char options[128];

	snprintf(options, sizeof(options), "name=u,bridge=%s,type=udp,local=%s:%u,remote=%s:9",
		 bridge, HOST, udp_port_find(HOST), HOST);
	return refused(fixture, MEMTUN_CMD_UPLINK_ADD, options);
}

static void tunnels_uplinks_and_bridges_are_bounded_together(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;
	unsigned int records = 0;

	fixture->broker->engine->objects_max = 10;
	done(fixture, MEMTUN_CMD_BRIDGE_ADD, "name=b");
	client_send(&fixture->client, MEMTUN_CMD_TUNNEL_ADD, 0, "name=t%d,count=100");
	do {
		assert_true(client_receive(&fixture->client, &answer));
		records++;
	} while (answer.error == 0);
	assert_int_equal(answer.error, ENOSPC);
	assert_int_equal(records, 9 + 1);
	assert_int_equal(refused(fixture, MEMTUN_CMD_BRIDGE_ADD, "name=c"), ENOSPC);
	assert_int_equal(refused(fixture, MEMTUN_CMD_QUEUE_OPEN, "name=x"), ENOSPC);
	assert_int_equal(udp_uplink_refused(fixture, "b"), ENOSPC);
	assert_int_equal(refused(fixture, MEMTUN_CMD_TUNNEL_SET, "name=t0,bridge=new"), ENOSPC);
	/* What exists can be opened, and what is deleted makes room. */
	close(tunnel_opened(fixture, "name=t0"));
	done(fixture, MEMTUN_CMD_TUNNEL_DELETE, "name=t1");
	/* There is room for one more, and these need two. */
	assert_int_equal(refused(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=x,bridge=new"), ENOSPC);
	assert_int_equal(refused(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=x,peer=y"), ENOSPC);
	assert_int_equal(udp_uplink_refused(fixture, "new"), ENOSPC);
	done(fixture, MEMTUN_CMD_BRIDGE_ADD, "name=c");
}

/* ------------------------------------------------------------------------------ room */

static void clients_above_the_maximum_are_spare(void **state)
{
	enum {
		SESSIONS_MAX = 1024
	};
	static struct client clients[SESSIONS_MAX];
	struct broker_fixture *fixture = *state;
	struct control *control = fixture->broker->control;
	struct rlimit before, raised;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	raised = (struct rlimit){2 * SESSIONS_MAX + 200, before.rlim_max};
	if (before.rlim_cur < raised.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) < 0)
		test_skip("this test needs 2,248 descriptors");
	for (int i = 0; i < SESSIONS_MAX - 1; i++)
		client_open(&clients[i], fixture, FIXTURE_UID, false);
	assert_int_equal(control->session_count, SESSIONS_MAX);
	assert_int_equal(control->spare_count, 0);
	client_open(&clients[SESSIONS_MAX - 1], fixture, FIXTURE_UID, true);
	assert_int_equal(control->spare_count, 1);
	/* It has been served for less than a second. */
	assert_false(session_room_make(control));
	LIST_FIRST(&control->sessions)->since -= CLOCK_SECOND;
	assert_true(session_room_make(control));
	assert_int_equal(control->spare_count, 0);
	assert_false(session_room_make(control));
	assert_true(fd_ended(clients[SESSIONS_MAX - 1].fd));
	for (int i = 0; i < SESSIONS_MAX; i++)
		close(clients[i].fd);
	broker_quiesce(fixture);
	assert_int_equal(control->session_count, 1);
	setrlimit(RLIMIT_NOFILE, &before);
}

static void tunnels_leave_a_reserve_of_descriptors(void **state)
{
	struct broker_fixture *fixture = *state;
	struct rlimit before, low;
	struct answer answer;
	int fds[64], count = 0, error;
	char options[32];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){64, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	do {
		snprintf(options, sizeof(options), "name=t%d", count);
		error = client_ask(&fixture->client, &answer, MEMTUN_CMD_QUEUE_OPEN, options);
		if (error == 0)
			fds[count++] = answer.fd;
	} while (error == 0);
	assert_int_equal(error, EMFILE);
	assert_true(count > 5);
	/* A new descriptor has the first number of the reserve, or the one after. */
	error = dup(0);
	assert_in_range(error, 47, 49);
	close(error);
	assert_int_equal(refused(fixture, MEMTUN_CMD_CAPTURE, "name=t0"), EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	while (count)
		close(fds[--count]);
	broker_quiesce(fixture);
}

/* ------------------------------------------------------------------------------ stalls */

static bool one_session_is_left(void *context)
{
	return ((struct control *)context)->session_count == 1;
}

/* Where the kernel cannot refuse descriptors, a client may be kept by its own unread one. */
static void a_client_that_reads_nothing_is_disconnected_after_the_limit(void **state)
{
	struct broker_fixture *fixture = *state;
	struct control *control = fixture->broker->control;
	struct client deaf;

	control->stall_limit = CLOCK_SECOND / 2;
	client_open(&deaf, fixture, FIXTURE_UID, true);
	ask_unread(fixture, &deaf);
	assert_int_equal(control->session_count, 2);
	assert_true(broker_wait(fixture, one_session_is_left, control, 5.));
	/* The other client reads its answers, and is idle otherwise. */
	assert_int_equal(refused(fixture, MEMTUN_CMD_TUNNEL_SHOW, "name=t"), ENOENT);
	client_close(&deaf);
}

/* Nothing is read from a client while its request takes long, and it has no answer to read. */
static void a_client_that_has_no_answer_to_read_is_not_disconnected(void **state)
{
	struct broker_fixture *fixture = *state;
	struct control *control = fixture->broker->control;
	struct session *session;
	struct client client;

	control->stall_limit = CLOCK_SECOND;
	client_open(&client, fixture, FIXTURE_UID, true);
	session = LIST_FIRST(&control->sessions);
	session->progress = clock_now() - 2 * CLOCK_SECOND;
	session->stall.poll(&session->stall);
	assert_int_equal(control->session_count, 2);
	client_close(&client);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_session_is_shown_with_what_the_broker_keeps_for_it),
		WITH_BROKER(the_name_of_a_program_is_shown_as_text),
		WITH_BROKER(bytes_that_wait_for_a_client_are_shown),
		WITH_BROKER(a_deleted_session_is_disconnected),
		WITH_BROKER(a_session_that_left_captures_behind_can_be_deleted),
		WITH_BROKER(only_a_users_own_other_sessions_can_be_deleted),
		WITH_BROKER(a_sessions_captures_are_bounded),
		WITH_BROKER(a_sessions_injectors_are_bounded),
		WITH_BROKER(subscribers_are_bounded),
		WITH_BROKER(bytes_in_a_sessions_captures_are_bounded),
		WITH_BROKER(tunnels_uplinks_and_bridges_are_bounded_together),
		WITH_BROKER(clients_above_the_maximum_are_spare),
		WITH_BROKER(tunnels_leave_a_reserve_of_descriptors),
		WITH_BROKER(a_client_that_reads_nothing_is_disconnected_after_the_limit),
		WITH_BROKER(a_client_that_has_no_answer_to_read_is_not_disconnected),
	};

	return RUN_TESTS(tests);
}
