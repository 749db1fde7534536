/* SPDX-License-Identifier: MIT */
/* The client library with brokers that end, send invalid answers or are slow. */
#include "tests/unit/client/lib/library_fixture.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/lib/connection.h"
#include "common/control_socket.h"
#include "memtun.h"
#include "common/message.h"
#include "broker/switch/port.h"

/* ------------------------------------------------------------------------------ bad brokers */

static int accept_one(struct control_socket *socket)
{
	struct pollfd poll_fd = {.fd = socket->fd, .events = POLLIN};

	poll(&poll_fd, 1, -1);
	return accept(socket->fd, NULL, NULL);
}

/* Read one request. Return its sequence number. */
static uint32_t take_request(int fd)
{
	_Alignas(8) char bytes[4096];

	if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
		_exit(0);
	return ((struct nlmsghdr *)bytes)->nlmsg_seq;
}

static void answer_hello(int fd)
{
	struct message_builder builder;

	message_begin(&builder, MEMTUN_CMD_HELLO, 0, take_request(fd));
	message_put_number(&builder, MEMTUN_A_VERSION, MEMTUN_PROTOCOL_VERSION);
	if (send(fd, builder.bytes, message_end(&builder), 0) < 0)
		_exit(1);
}

static void play_dying(struct control_socket *socket)
{
	int fd = accept_one(socket);

	answer_hello(fd);
	take_request(fd);
	_exit(0);
}

/* List one tunnel twice: first with, then without a change during the list. */
static void play_changing(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;

	answer_hello(fd);
	for (int i = 0; i < 2; i++) {
		uint16_t flags = i == 0 ? NLM_F_MULTI | NLM_F_DUMP_INTR : NLM_F_MULTI;
		uint32_t sequence = take_request(fd);

		message_begin(&builder, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_MULTI, sequence);
		message_put_string(&builder, MEMTUN_A_NAME, "it");
		(void)!send(fd, builder.bytes, message_end(&builder), 0);
		message_begin(&builder, NLMSG_DONE, flags, sequence);
		(void)!send(fd, builder.bytes, message_end(&builder), 0);
	}
	take_request(fd);
}

static void play_dying_at_once(struct control_socket *socket)
{
	accept_one(socket);
	_exit(0);
}

static void play_liar(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;

	answer_hello(fd);
	message_begin(&builder, MEMTUN_CMD_TUNNEL_ADD, 0, take_request(fd) + 7);
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	take_request(fd);
}

static void play_garbler(struct control_socket *socket)
{
	int fd = accept_one(socket);

	answer_hello(fd);
	take_request(fd);
	(void)!send(fd, "garbage", 7, 0);
	take_request(fd);
}

/* Answer a request with a descriptor, whether it asked for one or not. */
static void answer_with_fd(int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct message_builder builder;
	struct iovec bytes = {.iov_base = builder.bytes};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	message_begin(&builder, MEMTUN_CMD_TUNNEL_SHOW, 0, take_request(fd));
	message_put_number(&builder, MEMTUN_A_FDS, 1);
	bytes.iov_len = message_end(&builder);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	(void)!sendmsg(fd, &message, 0);
}

static void play_generous(struct control_socket *socket)
{
	int fd = accept_one(socket);

	answer_with_fd(fd); /* to hello */
	answer_with_fd(fd);
	take_request(fd);
}

static void play_miser(struct control_socket *socket)
{
	int fd = accept_one(socket);

	answer_hello(fd);
	for (;;) {
		struct message_builder builder;
		struct message request = {.sequence = take_request(fd)};

		message_build_error(&builder, &request, NULL);
		(void)!send(fd, builder.bytes, message_end(&builder), 0);
	}
}

static void play_painter(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;
	struct message request = {0};
	struct fault fault;

	answer_hello(fd);
	request.sequence = take_request(fd);
	fault_set(&fault, EINVAL, "%s", "red: \x1b[31m\x7f\n");
	message_build_error(&builder, &request, &fault);
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	take_request(fd);
}

static void play_other_version(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;
	struct message request = {.type = MEMTUN_CMD_HELLO, .sequence = take_request(fd)};
	struct fault fault;

	fault_set(&fault, EPROTONOSUPPORT, "this broker speaks version 2, not 1");
	message_build_error(&builder, &request, &fault);
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	take_request(fd);
}

static void play_refuser(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;
	struct message request = {.type = MEMTUN_CMD_HELLO};
	struct fault fault;

	fault_set(&fault, EPERM, "this broker serves user 5 only");
	message_build_error(&builder, &request, &fault);
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	_exit(0);
}

static void play_announcer(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;

	answer_hello(fd);
	message_begin(&builder, MEMTUN_CMD_EVENT, 0, 0);
	message_put_number(&builder, MEMTUN_A_EVENT, MEMTUN_EVENT_ADDED);
	message_put_string(&builder, MEMTUN_A_NAME, "it");
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	take_request(fd);
}

static void play_loser(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;
	struct message request = {.type = MEMTUN_CMD_EVENT};
	struct fault fault;

	answer_hello(fd);
	fault_set(&fault, ENOBUFS, "events were lost");
	message_build_error(&builder, &request, &fault);
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	take_request(fd);
}

static void a_broker_that_dies_during_a_call_ends_it(void **state)
{
	struct other other;

	(void)state;
	other_start(&other, play_dying);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_int_equal(memtun_add(other.memtun, "it", NULL), -1);
	assert_int_equal(errno, EPIPE);
	assert_string_not_equal(memtun_error(other.memtun), "");
	assert_int_equal(memtun_fd(other.memtun), -1);
	assert_int_equal(memtun_events(other.memtun), 0);
	assert_int_equal(memtun_dispatch(other.memtun), -1);
	assert_int_equal(memtun_open(other.memtun, "it", NULL), -1);
	assert_int_equal(errno, EPIPE);
	other_end(&other);
}

static void a_broker_that_is_killed_answers_every_request(void **state)
{
	struct other other;

	(void)state;
	replies = (struct replies){.last = 9};
	other_start(&other, play_broker);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_int_equal(kill(other.child, SIGSTOP), 0);
	for (intptr_t i = 0; i < 10; i++)
		assert_int_equal(memtun_request(other.memtun, MEMTUN_CMD_QUEUE_OPEN, "it", NULL,
						reply_noted, (void *)i),
				 0);
	assert_int_equal(kill(other.child, SIGKILL), 0);
	while (!replies.done)
		memtun_wait(other.memtun, 10000);
	assert_int_equal(replies.ends, 10);
	assert_int_not_equal(replies.error, 0);
	assert_int_equal(replies.fd_count, 0);
	other_end(&other);
}

static void freeing_a_connection_answers_every_request(void **state)
{
	struct other other;

	(void)state;
	replies = (struct replies){.last = 9};
	other_start(&other, play_broker);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	for (intptr_t i = 0; i < 10; i++)
		assert_int_equal(memtun_request(other.memtun, MEMTUN_CMD_QUEUE_OPEN, "it", NULL,
						reply_noted, (void *)i),
				 0);
	other_end(&other);
	assert_true(replies.done);
	assert_int_equal(replies.error, EPIPE);
}

static void connecting_fails_with_what_is_wrong(void **state)
{
	static const struct {
		void (*play)(struct control_socket *socket);
		int error;
		const char *word;
	} cases[] = {
		{play_dying_at_once, 0, "connection"},
		{play_other_version, EPROTONOSUPPORT, "speaks version 2"},
		{play_refuser, EPERM, "serves user 5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct other other;

		other_start(&other, cases[i].play);
		errno = 0;
		assert_int_equal(memtun_connect(other.memtun, other.address), -1);
		if (cases[i].error)
			assert_int_equal(errno, cases[i].error);
		else /* ECONNRESET where the hello was never read */
			assert_true(errno == EPIPE || errno == ECONNRESET);
		if (!strstr(memtun_error(other.memtun), cases[i].word))
			fail_msg("%s", memtun_error(other.memtun));
		/* It isn't connected, and can be connected again. */
		assert_int_equal(memtun_add(other.memtun, "it", NULL), -1);
		assert_int_equal(errno, ENOTCONN);
		other_end(&other);
	}
}

static void connecting_again_is_possible_after_a_failure_only(void **state)
{
	struct other bad, good;

	(void)state;
	other_start(&bad, play_refuser);
	other_start(&good, play_broker);
	assert_int_equal(memtun_connect(good.memtun, bad.address), -1);
	assert_int_equal(memtun_connect(good.memtun, "@nobody-listens-here"), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(memtun_connect(good.memtun, "/nowhere/at/all"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(memtun_connect(good.memtun, good.address), 0);
	assert_int_equal(memtun_add(good.memtun, "it", NULL), 0);
	assert_int_equal(memtun_connect(good.memtun, good.address), -1);
	assert_int_equal(errno, EISCONN);
	assert_int_equal(memtun_delete(good.memtun, "it"), 0);
	other_end(&bad);
	other_end(&good);
}

static void a_connection_that_has_ended_can_be_connected_again(void **state)
{
	struct other ending, good;

	(void)state;
	other_start(&ending, play_garbler);
	other_start(&good, play_broker);
	assert_int_equal(memtun_connect(good.memtun, ending.address), 0);
	assert_int_equal(memtun_add(good.memtun, "it", NULL), -1);
	assert_int_equal(memtun_fd(good.memtun), -1);
	assert_int_equal(memtun_connect(good.memtun, "/nowhere/at/all"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(memtun_connect(good.memtun, good.address), 0);
	assert_int_equal(memtun_add(good.memtun, "it", NULL), 0);
	assert_int_equal(memtun_delete(good.memtun, "it"), 0);
	other_end(&ending);
	other_end(&good);
}

static void a_broker_that_breaks_the_protocol_is_left(void **state)
{
	static void (*const plays[])(struct control_socket * socket) = {play_liar, play_garbler};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct other other;

		other_start(&other, plays[i]);
		assert_int_equal(memtun_connect(other.memtun, other.address), 0);
		assert_int_equal(memtun_add(other.memtun, "it", NULL), -1);
		assert_int_equal(errno, EPROTO);
		other_end(&other);
	}
}

/* The runner fails the test if the descriptor is left open. */
static void a_descriptor_that_was_not_asked_for_is_closed(void **state)
{
	struct seen seen = {0};
	struct other other;

	(void)state;
	other_start(&other, play_generous);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_int_equal(memtun_show(other.memtun, "it", false, seen_note, &seen), 0);
	assert_int_equal(seen.count, 1);
	other_end(&other);
}

static void a_list_that_changed_while_it_was_made_is_known(void **state)
{
	struct seen seen = {0};
	struct other other;

	(void)state;
	other_start(&other, play_changing);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_false(memtun_interrupted(other.memtun));
	assert_int_equal(memtun_show(other.memtun, NULL, false, seen_note, &seen), 0);
	assert_true(memtun_interrupted(other.memtun));
	assert_int_equal(memtun_show(other.memtun, NULL, false, seen_note, &seen), 0);
	assert_false(memtun_interrupted(other.memtun));
	assert_int_equal(seen.count, 2);
	other_end(&other);
}

static void a_success_without_the_descriptor_is_none(void **state)
{
	struct other other;

	(void)state;
	other_start(&other, play_miser);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_int_equal(memtun_open(other.memtun, "it", NULL), -1);
	assert_int_equal(errno, EPROTO);
	assert_string_not_equal(memtun_error(other.memtun), "");
	errno = 0;
	assert_int_equal(memtun_capture(other.memtun, "it", false, 0, true), -1);
	assert_int_equal(errno, EPROTO);
	errno = 0;
	assert_int_equal(memtun_inject(other.memtun, "it", MEMTUN_TO_CLIENT), -1);
	assert_int_equal(errno, EPROTO);
	other_end(&other);
}

static void the_broker_s_words_have_no_control_characters(void **state)
{
	struct other other;

	(void)state;
	other_start(&other, play_painter);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_int_equal(memtun_add(other.memtun, "it", NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(memtun_error(other.memtun), "red: ?[31m??");
	other_end(&other);
}

static void a_queued_event_is_not_due_while_a_call_blocks(void **state)
{
	struct seen seen = {0};
	struct other other;

	(void)state;
	other_start(&other, play_announcer);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	other.memtun->subscriber = seen_note;
	other.memtun->subscriber_context = &seen;
	/* As in a blocking call whose answer is slow. */
	other.memtun->blocking = true;
	while (other.memtun->event_count == 0)
		assert_int_equal(memtun_wait(other.memtun, 10000), 1);
	assert_int_equal(memtun_deadline(other.memtun), -1);
	assert_int_equal(memtun_wait(other.memtun, 0), 0);
	assert_int_equal(seen.count, 0);
	other.memtun->blocking = false;
	assert_int_equal(memtun_deadline(other.memtun), 0);
	assert_int_equal(memtun_wait(other.memtun, -1), 1);
	assert_int_equal(seen.count, 1);
	other_end(&other);
}

static void lost_events_are_an_event(void **state)
{
	struct seen seen = {0};
	struct other other;

	(void)state;
	other_start(&other, play_loser);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	other.memtun->subscriber = seen_note;
	other.memtun->subscriber_context = &seen;
	while (seen.count == 0)
		assert_int_equal(memtun_wait(other.memtun, 10000), 1);
	assert_string_equal(seen.event[0], "lost");
	other_end(&other);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_broker_that_dies_during_a_call_ends_it),
		cmocka_unit_test(a_broker_that_is_killed_answers_every_request),
		cmocka_unit_test(freeing_a_connection_answers_every_request),
		cmocka_unit_test(connecting_fails_with_what_is_wrong),
		cmocka_unit_test(connecting_again_is_possible_after_a_failure_only),
		cmocka_unit_test(a_connection_that_has_ended_can_be_connected_again),
		cmocka_unit_test(a_broker_that_breaks_the_protocol_is_left),
		cmocka_unit_test(a_descriptor_that_was_not_asked_for_is_closed),
		cmocka_unit_test(a_list_that_changed_while_it_was_made_is_known),
		cmocka_unit_test(a_success_without_the_descriptor_is_none),
		cmocka_unit_test(the_broker_s_words_have_no_control_characters),
		cmocka_unit_test(a_queued_event_is_not_due_while_a_call_blocks),
		cmocka_unit_test(lost_events_are_an_event),
	};

	return RUN_TESTS(tests);
}
