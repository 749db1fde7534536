/* SPDX-License-Identifier: MIT */
/*
 * How descriptors come in: a hand-in is used once, holds one valid record, and leaves nothing
 * behind when it fails, is not used, or loses its session. HAND_IN_SECONDS is 1 here.
 */
#include "tests/unit/broker/uplink/hand_in_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker/control/session.h"
#include "common/descriptor.h"
#include "broker/engine/account.h"

#define SESSION_MAX 16

/* The time limit of a wait in seconds. Reaching it is a failure. */
#define LONG 10.

/* Ask for an uplink with that hand-in. Return the answer's error, and its text in `text`. */
static int hand_in_used(struct client *client, uint32_t id, char text[200])
{
	struct answer answer;
	char options[80];

	snprintf(options, sizeof(options), "name=x,bridge=b,type=fd,hand-in=%u", id);
	client_ask(client, &answer, MEMTUN_CMD_UPLINK_ADD, options);
	strlcpy(text, answer.fault.text, 200);
	return answer.error;
}

/* Assert that the record is refused with that error and those words, and that nothing is kept. */
static void assert_refused(struct broker_fixture *fixture, int error, const char *words,
			   const void *bytes, size_t length, const int fds[], size_t count)
{
	char text[200];
	uint32_t id;
	int through = hand_in_opened(&fixture->client, &id);

	if (length || count)
		assert_int_equal(hand_in_sent(through, bytes, length, fds, count), 0);
	assert_int_equal(hand_in_used(&fixture->client, id, text), error);
	if (!strstr(text, words))
		fail_msg("'%s' does not say '%s'", text, words);
	assert_true(fd_ended(through));
	close(through);
	assert_int_equal(hand_in_used(&fixture->client, id, text), ENOENT);
}

static unsigned int hand_ins_shown(struct broker_fixture *fixture)
{
	struct answer answer;

	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_SESSION_SHOW, "id=1"), 0);
	assert_true(attribute_set_has(&answer.message.set, MEMTUN_A_HAND_INS));
	return (unsigned int)attribute_set_number(&answer.message.set, MEMTUN_A_HAND_INS);
}

/* Return whether the write end of this pipe is closed everywhere. */
static bool pipe_ended(int fd)
{
	struct pollfd polled = {.fd = fd};

	return poll(&polled, 1, 0) > 0 && (polled.revents & POLLHUP);
}

static bool pipe_has_ended(void *context)
{
	return pipe_ended(*(int *)context);
}

/* Send the write end of a pipe through a new hand-in, and close it here. Return the read end. */
static int pipe_handed(struct client *client, int *through, uint32_t *id)
{
	int ends[2];

	foreign_pipe(ends);
	*through = hand_in_opened(client, id);
	assert_int_equal(hand_in_sent(*through, "\1", 1, &ends[1], 1), 0);
	close(ends[1]);
	assert_false(pipe_ended(ends[0]));
	return ends[0];
}

static void a_hand_in_is_used_once(void **state)
{
	struct broker_fixture *fixture = *state;
	char text[200];
	uint32_t id;
	int ends[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	id = handed_in(&fixture->client, ends[0], -1);
	assert_int_equal(hand_ins_shown(fixture), 1);
	assert_int_equal(hand_in_used(&fixture->client, id, text), 0);
	assert_int_equal(hand_ins_shown(fixture), 0);
	assert_int_equal(hand_in_used(&fixture->client, id, text), ENOENT);
	assert_non_null(strstr(text, "no hand-in"));
	close(ends[0]);
	close(ends[1]);
}

static void a_hand_in_is_of_its_session_alone(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client other;
	char text[200];
	uint32_t id;
	int ends[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	id = handed_in(&fixture->client, ends[0], -1);
	client_open(&other, fixture, FIXTURE_UID, true);
	assert_int_equal(hand_in_used(&other, id, text), ENOENT);
	assert_int_equal(hand_in_used(&fixture->client, id, text), 0);
	client_close(&other);
	close(ends[0]);
	close(ends[1]);
}

static void only_the_types_fd_and_device_take_a_hand_in_and_they_need_one(void **state)
{
	struct broker_fixture *fixture = *state;
	char options[80];
	int ends[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	uplink_refused(fixture, EINVAL, "needs hand-in", "name=x,bridge=b,type=fd");
	uplink_refused(fixture, EINVAL, "needs hand-in", "name=x,bridge=b,type=device");
	snprintf(options, sizeof(options), "name=x,bridge=b,type=bess,path=/x,hand-in=%u",
		 handed_in(&fixture->client, ends[0], -1));
	uplink_refused(fixture, EINVAL, "takes no hand-in", "%s", options);
	/* It was used up. */
	assert_int_equal(hand_ins_shown(fixture), 0);
	close(ends[0]);
	assert_true(fd_ended(ends[1]));
	close(ends[1]);
}

static void a_record_that_is_not_valid_is_refused_with_all_that_came(void **state)
{
	struct broker_fixture *fixture = *state;
	int ends[2], fds[5];

	foreign_pair(SOCK_SEQPACKET, ends);
	for (int i = 0; i < 5; i++)
		fds[i] = ends[0];
	assert_refused(fixture, ENODATA, "nothing has come", "", 0, fds, 0);
	assert_refused(fixture, EINVAL, "0 descriptors have come, not 1", "\1", 1, fds, 0);
	assert_refused(fixture, EINVAL, "1 descriptors have come, not 2", "\2", 1, fds, 1);
	assert_refused(fixture, EINVAL, "2 descriptors have come, not 1", "\1", 1, fds, 2);
	assert_refused(fixture, EINVAL, "more than 2", "\2", 1, fds, 3);
	assert_refused(fixture, EINVAL, "more than 2", "\2", 1, fds, 5);
	assert_refused(fixture, EINVAL, "one byte", "\0", 1, fds, 1);
	assert_refused(fixture, EINVAL, "one byte", "\3", 1, fds, 1);
	assert_refused(fixture, EINVAL, "one byte", "\1\1", 2, fds, 1);
	assert_refused(fixture, EINVAL, "one byte", "", 0, fds, 1);
	close(ends[0]);
	assert_true(fd_ended(ends[1]));
	close(ends[1]);
}

static void a_second_record_is_refused(void **state)
{
	static const struct {
		size_t length, descriptors;
	} seconds[] = {{1, 1}, {1, 0}, {0, 0}, {0, 1}};
	struct broker_fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		char text[200];
		uint32_t id;
		int ends[2], through;

		foreign_pair(SOCK_SEQPACKET, ends);
		through = hand_in_opened(&fixture->client, &id);
		assert_int_equal(hand_in_sent(through, "\1", 1, ends, 1), 0);
		assert_int_equal(hand_in_sent(through, "\1", seconds[i].length, ends,
					      seconds[i].descriptors),
				 0);
		assert_int_equal(hand_in_used(&fixture->client, id, text), EINVAL);
		assert_non_null(strstr(text, "more than one record"));
		close(through);
		close(ends[0]);
		assert_true(fd_ended(ends[1]));
		close(ends[1]);
	}
}

/* With room for `room` descriptors in the broker, hand in two. Return the error, and its text. */
static int used_with_room(struct broker_fixture *fixture, int room, char text[200])
{
	struct rlimit limit, small;
	int ends[2], error;
	uint32_t id;

	foreign_pair(SOCK_SEQPACKET, ends);
	id = handed_in(&fixture->client, ends[0], ends[0]);
	broker_quiesce(fixture);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	small = limit;
	/* Below the limit there are so many free numbers. */
	for (small.rlim_cur = 0; room >= 0; small.rlim_cur++)
		room -= fcntl((int)small.rlim_cur, F_GETFD) < 0;
	small.rlim_cur--;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	error = hand_in_used(&fixture->client, id, text);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close(ends[0]);
	assert_true(fd_ended(ends[1]));
	close(ends[1]);
	return error;
}

/* Return whether setrlimit(2) changes the kernel's limit. Under valgrind it doesn't. */
static bool limits_are_real(void)
{
	struct rlimit limit, small;
	unsigned long shown = 0;
	char line[256];
	FILE *file;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	small = (struct rlimit){limit.rlim_cur - 1, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	file = fopen("/proc/self/limits", "re");
	assert_non_null(file);
	while (!shown && fgets(line, sizeof(line), file))
		sscanf(line, "Max open files %lu", &shown);
	fclose(file);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return shown == small.rlim_cur;
}

static void without_room_for_a_descriptor_none_is_kept(void **state)
{
	struct broker_fixture *fixture = *state;
	char text[200];

	if (!limits_are_real())
		test_skip("the limit on open files is not the kernel's (valgrind)");
	/* None fits, one of two fits, and what waits for the life does not fit. */
	assert_int_equal(used_with_room(fixture, 0, text), EMFILE);
	assert_non_null(strstr(text, "have not come"));
	assert_int_equal(used_with_room(fixture, 1, text), EMFILE);
	assert_non_null(strstr(text, "have not come"));
	assert_int_equal(used_with_room(fixture, 2, text), EMFILE);
	assert_non_null(strstr(text, "cannot wait for the end of the life"));
}

static void an_unused_hand_in_is_closed_with_what_was_sent_to_it(void **state)
{
	struct broker_fixture *fixture = *state;
	char text[200];
	int through, ended;
	uint32_t id;

	ended = pipe_handed(&fixture->client, &through, &id);
	assert_true(broker_wait(fixture, pipe_has_ended, &ended, LONG));
	assert_true(fd_ended(through));
	assert_int_equal(hand_in_used(&fixture->client, id, text), ENOENT);
	close(ended);
	close(through);
}

static void a_hand_in_that_was_sent_through_itself_is_closed_too(void **state)
{
	struct broker_fixture *fixture = *state;
	char text[200];
	int through, ended;
	uint32_t id;

	ended = pipe_handed(&fixture->client, &through, &id);
	assert_int_equal(hand_in_sent(through, "\1", 1, &through, 1), 0);
	/* No process has the client's end any more, and it does not hang up. */
	close(through);
	broker_quiesce(fixture);
	assert_false(pipe_ended(ended));
	assert_true(broker_wait(fixture, pipe_has_ended, &ended, LONG));
	close(ended);
	/* Alone it is refused: its other end was closed when it was used. */
	through = hand_in_opened(&fixture->client, &id);
	assert_int_equal(hand_in_sent(through, "\1", 1, &through, 1), 0);
	close(through);
	assert_int_equal(hand_in_used(&fixture->client, id, text), EPIPE);
}

static void the_end_of_a_session_closes_its_hand_ins(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client other;
	struct answer answer;
	char options[32];
	int through, ended;
	uint32_t id;

	client_open(&other, fixture, FIXTURE_UID, true);
	ended = pipe_handed(&other, &through, &id);
	client_close(&other);
	broker_quiesce(fixture);
	assert_true(pipe_ended(ended));
	assert_true(fd_ended(through));
	close(ended);
	close(through);
	/* The same by another client's request. */
	client_open(&other, fixture, FIXTURE_UID, true);
	ended = pipe_handed(&other, &through, &id);
	snprintf(options, sizeof(options), "id=%u",
		 LIST_FIRST(&fixture->broker->control->sessions)->account->id);
	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_SESSION_DELETE, options),
			 0);
	assert_true(pipe_ended(ended));
	close(ended);
	close(through);
	client_close(&other);
}

static void a_hand_in_whose_client_closes_its_end_is_closed(void **state)
{
	struct broker_fixture *fixture = *state;
	uint32_t id;

	close(hand_in_opened(&fixture->client, &id));
	broker_quiesce(fixture);
	assert_int_equal(hand_ins_shown(fixture), 0);
}

static void a_thousand_hand_ins_leave_no_descriptor(void **state)
{
	struct broker_fixture *fixture = *state;
	int before, ends[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	before = descriptors_count();
	for (int i = 0; i < 1000; i++) {
		fd_uplink_added(fixture, "u", ends[0], i % 2 ? ends[0] : -1, "");
		done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
	}
	assert_int_equal(descriptors_count(), before);
	close(ends[0]);
	close(ends[1]);
}

static void a_session_has_a_bound_of_hand_ins(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;
	int through[SESSION_MAX];
	uint32_t id;

	for (int i = 0; i < SESSION_MAX; i++)
		through[i] = hand_in_opened(&fixture->client, &id);
	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_HAND_IN, ""), EDQUOT);
	assert_int_equal(answer.fd, -1);
	assert_non_null(strstr(answer.fault.text, "16 hand-ins"));
	close(through[0]);
	broker_quiesce(fixture);
	through[0] = hand_in_opened(&fixture->client, &id);
	for (int i = 0; i < SESSION_MAX; i++)
		close(through[i]);
}

static void the_kernel_lets_nothing_pass_to_the_clients_end(void **state)
{
	struct broker_fixture *fixture = *state;
	int through, passed = -1;
	socklen_t size = sizeof(passed);
	uint32_t id;

	through = hand_in_opened(&fixture->client, &id);
	if (getsockopt(through, SOL_SOCKET, SO_PASSRIGHTS, &passed, &size) < 0) {
		close(through);
		test_skip("this kernel has no SO_PASSRIGHTS");
	}
	assert_int_equal(passed, 0);
	close(through);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_hand_in_is_used_once),
		WITH_BROKER(a_hand_in_is_of_its_session_alone),
		WITH_BROKER(only_the_types_fd_and_device_take_a_hand_in_and_they_need_one),
		WITH_BROKER(a_record_that_is_not_valid_is_refused_with_all_that_came),
		WITH_BROKER(a_second_record_is_refused),
		WITH_BROKER(without_room_for_a_descriptor_none_is_kept),
		WITH_BROKER(an_unused_hand_in_is_closed_with_what_was_sent_to_it),
		WITH_BROKER(a_hand_in_that_was_sent_through_itself_is_closed_too),
		WITH_BROKER(the_end_of_a_session_closes_its_hand_ins),
		WITH_BROKER(a_hand_in_whose_client_closes_its_end_is_closed),
		WITH_BROKER(a_thousand_hand_ins_leave_no_descriptor),
		WITH_BROKER(a_session_has_a_bound_of_hand_ins),
		WITH_BROKER(the_kernel_lets_nothing_pass_to_the_clients_end),
	};

	return RUN_TESTS(tests);
}
