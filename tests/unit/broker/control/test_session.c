/* SPDX-License-Identifier: MIT */
/* Several clients at once: the order of answers, lists, events, and clients that do not read. */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/control_connect.h"
#include "common/control_socket.h"
#include "broker/control/listener.h"
#include "memtun/transport.h"
#include "broker/control/session.h"

/* The bytes that a transport queues before it pauses its producers, and one more record. */
#define QUEUED_MAX (65536 + MEMTUN_PROTOCOL_RECORD_MAX)

static void add_many(struct broker_fixture *fixture, int count)
{
	for (int i = 0; i < count; i++)
		done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=tap%d");
}

/* Return the bytes that wait in the broker for the client that connected last. */
static size_t queued(struct broker_fixture *fixture)
{
	return memtun_transport_queued_bytes(
		LIST_FIRST(&fixture->broker->control->sessions)->transport);
}

static void answers_come_in_the_order_of_requests(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client *client = &fixture->client;
	uint32_t sequences[61];
	struct answer answer;

	for (int i = 0; i < 60; i += 4) {
		sequences[i] = client_send(client, MEMTUN_CMD_TUNNEL_ADD, 0, "name=tap%d");
		sequences[i + 1] = client_send(client, MEMTUN_CMD_TUNNEL_SHOW, 0, "name=nobody");
		sequences[i + 2] = client_send(client, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_DUMP, "");
		sequences[i + 3] = client_send(client, 0x7777, 0, "");
	}
	for (int i = 0; i < 60; i++) {
		int records = 0;

		do {
			assert_true(client_receive(client, &answer));
			assert_int_equal(answer.message.sequence, sequences[i]);
			records++;
		} while (answer.message.flags & NLM_F_MULTI && answer.message.type != NLMSG_DONE);
		assert_int_equal(records, i % 4 == 2 ? i / 4 + 2 : 1);
	}
	assert_false(client_receive(client, &answer));
}

static void a_list_has_each_tunnel_once_in_the_order_of_ids(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;
	uint64_t last = 0;

	add_many(fixture, 200);
	client_send(&fixture->client, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_DUMP, "");
	for (int i = 0; i < 200; i++) {
		assert_true(client_receive(&fixture->client, &answer));
		assert_true(answer.message.flags & NLM_F_MULTI);
		assert_true(attribute_set_number(&answer.message.set, MEMTUN_A_ID) > last);
		last = attribute_set_number(&answer.message.set, MEMTUN_A_ID);
	}
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(answer.message.type, NLMSG_DONE);
	assert_int_equal(answer.message.flags & NLM_F_DUMP_INTR, 0);
}

static void a_list_of_bridges_has_each_bridge_once_in_the_order_of_ids(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;

	done(fixture, MEMTUN_CMD_BRIDGE_ADD, "name=z");
	done(fixture, MEMTUN_CMD_BRIDGE_ADD, "name=a,hub");
	client_send(&fixture->client, MEMTUN_CMD_BRIDGE_SHOW, NLM_F_DUMP, "");
	assert_true(client_receive(&fixture->client, &answer));
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_NAME), "z");
	assert_true(client_receive(&fixture->client, &answer));
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_NAME), "a");
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_HUB), 1);
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(answer.message.type, NLMSG_DONE);
}

static void a_list_takes_no_name(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=tap0");
	client_send(&fixture->client, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_DUMP, "name=tap0");
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(answer.error, EINVAL);
}

static void a_list_pauses_for_a_slow_reader_and_other_clients_are_served(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client slow;
	struct answer answer;
	int records = 0;

	add_many(fixture, 2000);
	client_open(&slow, fixture, FIXTURE_UID, true);
	client_send(&slow, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_DUMP, "statistics");
	client_send(&slow, MEMTUN_CMD_TUNNEL_SHOW, 0, "name=nobody");
	broker_quiesce(fixture);
	assert_in_range(queued(fixture), 1, QUEUED_MAX);
	/* The list is not complete. */
	assert_non_null(LIST_FIRST(&fixture->broker->control->sessions)->step);
	assert_true(exists(fixture, "tap1999"));
	do {
		assert_true(client_receive(&slow, &answer));
		assert_int_equal(answer.message.sequence, 2);
		assert_true(queued(fixture) <= QUEUED_MAX);
		records++;
	} while (answer.message.type != NLMSG_DONE);
	assert_int_equal(records, 2001);
	assert_int_equal(answer.message.flags & NLM_F_DUMP_INTR, 0);
	/* Now the next request is answered. */
	assert_true(client_receive(&slow, &answer));
	assert_int_equal(answer.message.sequence, 3);
	client_close(&slow);
}

static void a_client_that_shuts_down_its_sending_side_gets_its_answers(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client last;
	struct answer answer;

	add_many(fixture, 2000);
	client_open(&last, fixture, FIXTURE_UID, true);
	client_send(&last, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_DUMP, "statistics");
	client_send(&last, MEMTUN_CMD_TUNNEL_SHOW, 0, "name=tap1999");
	assert_int_equal(shutdown(last.fd, SHUT_WR), 0);
	for (int i = 0; i < 2000; i++) {
		assert_true(client_receive(&last, &answer));
		assert_int_equal(answer.message.type, MEMTUN_CMD_TUNNEL_SHOW);
	}
	assert_true(client_receive(&last, &answer));
	assert_int_equal(answer.message.type, NLMSG_DONE);
	assert_true(client_receive(&last, &answer));
	assert_int_equal(answer.message.sequence, 3);
	/* The session ends though the client does not close its socket. */
	broker_quiesce(fixture);
	assert_null(LIST_NEXT(LIST_FIRST(&fixture->broker->control->sessions), in_control));
	client_close(&last);
}

static void a_change_during_a_list_is_reported_at_its_end(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client slow;
	struct answer answer;
	uint64_t last = 0;

	add_many(fixture, 2000);
	client_open(&slow, fixture, FIXTURE_UID, true);
	client_send(&slow, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_DUMP, "");
	assert_true(client_receive(&slow, &answer));
	/* Among them is the tunnel that the list has reached. */
	for (int i = 0; i < 2000; i += 2) {
		char options[32];

		snprintf(options, sizeof(options), "name=tap%d", i);
		done(fixture, MEMTUN_CMD_TUNNEL_DELETE, options);
	}
	do {
		assert_true(client_receive(&slow, &answer));
		if (answer.message.type == NLMSG_DONE)
			break;
		assert_true(attribute_set_number(&answer.message.set, MEMTUN_A_ID) > last);
		last = attribute_set_number(&answer.message.set, MEMTUN_A_ID);
	} while (true);
	assert_true(answer.message.flags & NLM_F_DUMP_INTR);
	client_close(&slow);
}

static void a_client_that_disconnects_during_a_list_leaves_nothing(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client slow;

	add_many(fixture, 2000);
	client_open(&slow, fixture, FIXTURE_UID, true);
	client_send(&slow, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_DUMP, "");
	broker_quiesce(fixture);
	client_close(&slow);
	assert_ptr_equal(LIST_NEXT(LIST_FIRST(&fixture->broker->control->sessions), in_control),
			 NULL);
}

static void a_client_that_reads_no_answers_is_not_read(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client deaf;
	struct answer answer;
	uint32_t sent = 0;

	client_open(&deaf, fixture, FIXTURE_UID, true);
	for (;;) {
		struct message_builder builder;

		message_begin(&builder, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_REQUEST, sent + 2);
		message_put_string(&builder, MEMTUN_A_NAME, "nobody");
		if (send(deaf.fd, builder.bytes, message_end(&builder), MSG_DONTWAIT) < 0)
			break;
		broker_quiesce(fixture);
		assert_true(++sent < 100000);
	}
	assert_in_range(queued(fixture), 1, QUEUED_MAX);
	assert_false(exists(fixture, "nobody"));
	for (uint32_t i = 0; i < sent; i++) {
		assert_true(client_receive(&deaf, &answer));
		assert_int_equal(answer.message.sequence, i + 2);
	}
	assert_false(client_receive(&deaf, &answer));
	client_close(&deaf);
}

/* ------------------------------------------------------------------------------ events */

static void assert_event(struct client *client, enum memtun_event event, const char *name)
{
	struct answer answer;

	assert_true(client_receive(client, &answer));
	assert_int_equal(answer.message.type, MEMTUN_CMD_EVENT);
	assert_int_equal(answer.message.sequence, 0);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_EVENT), event);
	assert_string_equal(attribute_set_string(&answer.message.set, MEMTUN_A_NAME), name);
	assert_true(attribute_set_has(&answer.message.set, MEMTUN_A_ID));
	assert_true(attribute_set_number(&answer.message.set, MEMTUN_A_TIME) > 0);
}

static void a_subscriber_receives_an_event_for_each_change(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client subscriber;
	struct answer answer;
	int fd;

	client_open(&subscriber, fixture, FIXTURE_UID, true);
	assert_int_equal(client_ask(&subscriber, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	assert_int_equal(client_ask(&subscriber, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	fd = tunnel_opened(fixture, "name=it,bridge=b");
	done(fixture, MEMTUN_CMD_TUNNEL_SET, "name=it,mtu=1000");
	close(fd);
	assert_event(&subscriber, MEMTUN_EVENT_BRIDGE_ADDED, "b");
	assert_event(&subscriber, MEMTUN_EVENT_ADDED, "it");
	assert_event(&subscriber, MEMTUN_EVENT_OPENED, "it");
	assert_event(&subscriber, MEMTUN_EVENT_CHANGED, "it");
	assert_event(&subscriber, MEMTUN_EVENT_CLOSED, "it");
	assert_event(&subscriber, MEMTUN_EVENT_DELETED, "it");
	assert_event(&subscriber, MEMTUN_EVENT_BRIDGE_DELETED, "b");
	assert_false(client_receive(&subscriber, &answer));
	client_close(&subscriber);
}

static void a_client_that_did_not_subscribe_receives_no_events(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=it");
	assert_false(client_receive(&fixture->client, &answer));
}

static void a_subscribers_own_requests_are_answered_among_the_events(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;
	bool answered = false, told = false;

	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	client_send(&fixture->client, MEMTUN_CMD_TUNNEL_ADD, 0, "name=it");
	while (client_receive(&fixture->client, &answer)) {
		answered |= answer.message.type == MEMTUN_CMD_TUNNEL_ADD;
		told |= answer.message.type == MEMTUN_CMD_EVENT;
	}
	assert_true(answered && told);
}

static void a_slow_subscriber_is_told_that_events_were_lost(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client slow;
	struct answer answer;
	int events = 0, losses = 0;

	client_open(&slow, fixture, FIXTURE_UID, true);
	assert_int_equal(client_ask(&slow, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	for (int i = 0; i < 1500; i++) {
		done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=it");
		done(fixture, MEMTUN_CMD_TUNNEL_DELETE, "name=it");
	}
	assert_in_range(queued(fixture), 1, QUEUED_MAX);
	while (client_receive(&slow, &answer)) {
		assert_int_equal(answer.message.sequence, 0);
		if (answer.message.type == MEMTUN_CMD_EVENT) {
			events++;
			continue;
		}
		assert_int_equal(answer.error, ENOBUFS);
		losses++;
	}
	assert_int_equal(losses, 1);
	assert_in_range(events, 100, 2999);
	/* From now on the subscriber receives events again, and is served. */
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=new");
	assert_event(&slow, MEMTUN_EVENT_ADDED, "new");
	assert_int_equal(client_ask(&slow, &answer, MEMTUN_CMD_TUNNEL_SHOW, "name=new"), 0);
	client_close(&slow);
}

static void a_subscriber_that_disconnects_receives_no_more_events(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client subscriber;
	struct answer answer;

	client_open(&subscriber, fixture, FIXTURE_UID, true);
	assert_int_equal(client_ask(&subscriber, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	close(subscriber.fd);
	subscriber.fd = -1;
	/* The broker has not read the end of the connection yet. */
	for (int i = 0; i < 100; i++)
		done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=tap%d");
	assert_true(LIST_EMPTY(&fixture->broker->engine->events.subscribers));
}

/* ------------------------------------------------------------------------------ the listener */

struct listening {
	struct broker_fixture *fixture;
	struct listener listener;
	char address[64];
};

static void listening_start(struct listening *listening, struct broker_fixture *fixture)
{
	struct control_socket socket;
	struct fault fault;

	listening->fixture = fixture;
	snprintf(listening->address, sizeof(listening->address), "@memtun-test-session-%d",
		 getpid());
	assert_int_equal(control_socket_listen(&socket, listening->address, SOCK_SEQPACKET, &fault),
			 0);
	listener_start(&listening->listener, fixture->broker->control, &socket,
		       listener_accept_session, NULL);
}

static void listening_connect(struct listening *listening, struct client *client)
{
	struct fault fault;

	*client = (struct client){
		.fixture = listening->fixture,
		.fd = control_connect(listening->address, -1, &fault),
	};
	assert_true(client->fd >= 0);
}

static void clients_connect_and_are_served(void **state)
{
	struct broker_fixture *fixture = *state;
	struct listening listening;
	struct client clients[40];
	struct answer answer;

	fixture->broker->control->uid = geteuid();
	listening_start(&listening, fixture);
	for (int i = 0; i < 40; i++)
		listening_connect(&listening, &clients[i]);
	for (int i = 0; i < 40; i++)
		assert_int_equal(
			client_ask(&clients[i], &answer, MEMTUN_CMD_HELLO, "version=65536"), 0);
	for (int i = 0; i < 40; i++)
		client_close(&clients[i]);
	listener_stop(&listening.listener);
}

static void another_user_is_refused_with_a_message(void **state)
{
	struct broker_fixture *fixture = *state;
	struct listening listening;
	struct client stranger;
	struct answer answer;

	/* Root is always admitted, so the process connects as another user. */
	fixture->broker->control->uid = geteuid() ? geteuid() + 1 : FIXTURE_UID;
	listening_start(&listening, fixture);
	stranger = (struct client){.fixture = fixture};
	stranger.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	{
		struct sockaddr_un name = {.sun_family = AF_UNIX};
		size_t length = strlen(listening.address);
		bool root = geteuid() == 0;

		memcpy(name.sun_path + 1, listening.address + 1, length - 1);
		if (root)
			assert_int_equal(seteuid(65534), 0);
		assert_int_equal(
			connect(stranger.fd, (struct sockaddr *)&name,
				(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
			0);
		if (root)
			assert_int_equal(seteuid(0), 0);
	}
	assert_true(client_receive(&stranger, &answer));
	assert_int_equal(answer.error, EPERM);
	assert_non_null(strstr(answer.fault.text, "serves user"));
	assert_true(client_receive(&stranger, &answer));
	assert_int_equal(answer.length, 0);
	client_close(&stranger);
	listener_stop(&listening.listener);
}

static bool client_was_greeted(void *context)
{
	struct client *client = context;
	char byte;

	return recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void a_connection_without_a_free_descriptor_waits_without_a_busy_loop(void **state)
{
	struct broker_fixture *fixture = *state;
	struct ev_loop *loop = fixture->broker->engine->loop;
	struct listening listening;
	struct client client;
	struct rlimit before, low;
	unsigned int iterations;
	const char *preload = getenv("LD_PRELOAD");
	int lowest;

	/* valgrind enforces the limit by closing the descriptor that accept4() returned. */
	if (preload && strstr(preload, "vgpreload"))
		test_skip("valgrind has no limit of descriptors that a connection survives");
	fixture->broker->control->uid = geteuid();
	listening_start(&listening, fixture);
	listening_connect(&listening, &client);
	client_send(&client, MEMTUN_CMD_HELLO, 0, "version=65536");
	lowest = dup(0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	iterations = ev_iteration(loop);
	broker_quiesce(fixture);
	/* A few idle iterations, and then the timer alone. */
	assert_false(broker_wait(fixture, client_was_greeted, &client, .35));
	iterations = ev_iteration(loop) - iterations;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_in_range(iterations, 3, 30);
	assert_true(broker_wait(fixture, client_was_greeted, &client, 5.));
	client_close(&client);
	listener_stop(&listening.listener);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(answers_come_in_the_order_of_requests),
		WITH_BROKER(a_list_has_each_tunnel_once_in_the_order_of_ids),
		WITH_BROKER(a_list_of_bridges_has_each_bridge_once_in_the_order_of_ids),
		WITH_BROKER(a_list_takes_no_name),
		WITH_BROKER(a_list_pauses_for_a_slow_reader_and_other_clients_are_served),
		WITH_BROKER(a_client_that_shuts_down_its_sending_side_gets_its_answers),
		WITH_BROKER(a_change_during_a_list_is_reported_at_its_end),
		WITH_BROKER(a_client_that_disconnects_during_a_list_leaves_nothing),
		WITH_BROKER(a_client_that_reads_no_answers_is_not_read),
		WITH_BROKER(a_subscriber_receives_an_event_for_each_change),
		WITH_BROKER(a_client_that_did_not_subscribe_receives_no_events),
		WITH_BROKER(a_subscribers_own_requests_are_answered_among_the_events),
		WITH_BROKER(a_slow_subscriber_is_told_that_events_were_lost),
		WITH_BROKER(a_subscriber_that_disconnects_receives_no_more_events),
		WITH_BROKER(clients_connect_and_are_served),
		WITH_BROKER(another_user_is_refused_with_a_message),
		WITH_BROKER(a_connection_without_a_free_descriptor_waits_without_a_busy_loop),
	};

	return RUN_TESTS(tests);
}
