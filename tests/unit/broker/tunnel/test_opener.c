/* SPDX-License-Identifier: MIT */
/* The process that has a tunnel open, as records of the tunnel tell it. */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/control/session.h"

/* Connect a client that the broker takes for another process. */
static void client_open_as(struct client *client, struct broker_fixture *fixture, pid_t pid)
{
	client_open(client, fixture, FIXTURE_UID, true);
	LIST_FIRST(&fixture->broker->control->sessions)->pid = pid;
}

/* Return a process that has ended, whose number no other process has taken yet. */
static pid_t ended_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static int opened_by(struct client *client, const char *options)
{
	struct answer answer;

	assert_int_equal(client_ask(client, &answer, MEMTUN_CMD_QUEUE_OPEN, options), 0);
	assert_true(answer.fd >= 0);
	return answer.fd;
}

/* Assert which process has the tunnel open; 0: none is shown. */
static void assert_opener(struct broker_fixture *fixture, const char *name, pid_t pid,
			  const char *program)
{
	const struct attribute_set *set;
	struct answer answer;

	record_show(fixture, MEMTUN_CMD_TUNNEL_SHOW, name, &answer);
	set = &answer.message.set;
	assert_int_equal(attribute_set_has(set, MEMTUN_A_PID), pid != 0);
	assert_int_equal(attribute_set_number(set, MEMTUN_A_PID), pid);
	assert_int_equal(attribute_set_has(set, MEMTUN_A_PROGRAM), program != NULL);
	if (program)
		assert_string_equal(attribute_set_string(set, MEMTUN_A_PROGRAM), program);
}

static void a_tunnel_tells_the_process_that_has_it_open(void **state)
{
	struct broker_fixture *fixture = *state;
	char program[16];
	int fd;

	assert_int_equal(prctl(PR_GET_NAME, program), 0);
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	assert_opener(fixture, "t", 0, NULL);
	fd = tunnel_opened(fixture, "name=t");
	assert_opener(fixture, "t", getpid(), program);
	/* A program that is executed in the same process has another name. */
	assert_int_equal(prctl(PR_SET_NAME, "a\x1b[1m"), 0);
	assert_opener(fixture, "t", getpid(), "a?[1m");
	assert_int_equal(prctl(PR_SET_NAME, program), 0);
	close(fd);
	broker_quiesce(fixture);
	assert_opener(fixture, "t", 0, NULL);
}

static void a_process_without_a_name_or_number_is_not_named(void **state)
{
	struct broker_fixture *fixture = *state;
	pid_t ended = ended_process();
	struct client other, outside;
	int fds[2];

	client_open_as(&other, fixture, ended);
	fds[0] = opened_by(&other, "name=a");
	assert_opener(fixture, "a", ended, NULL);
	/* SO_PEERCRED reports 0 for a process outside of the broker's pid namespace. */
	client_open_as(&outside, fixture, 0);
	fds[1] = opened_by(&outside, "name=b");
	assert_opener(fixture, "b", 0, NULL);
	close(fds[0]);
	close(fds[1]);
	client_close(&other);
	client_close(&outside);
}

static void of_several_openers_the_last_one_that_is_left_is_told(void **state)
{
	struct broker_fixture *fixture = *state;
	pid_t ended = ended_process();
	struct client other;
	char program[16];
	int first, last;

	assert_int_equal(prctl(PR_GET_NAME, program), 0);
	client_open_as(&other, fixture, ended);
	first = tunnel_opened(fixture, "name=t,multi_queue");
	last = opened_by(&other, "name=t,multi_queue");
	assert_int_equal(shown(fixture, "t", "queues"), 2);
	assert_opener(fixture, "t", ended, NULL);
	close(last);
	broker_quiesce(fixture);
	assert_opener(fixture, "t", getpid(), program);
	close(first);
	client_close(&other);
}

static void a_queue_that_is_attached_belongs_to_the_process_that_opened_it(void **state)
{
	struct broker_fixture *fixture = *state;
	pid_t ended = ended_process();
	struct answer answer;
	struct client other;
	char options[64];

	client_open_as(&other, fixture, ended);
	assert_int_equal(client_ask(&other, &answer, MEMTUN_CMD_QUEUE_OPEN, ""), 0);
	snprintf(options, sizeof(options), "name=t,queue-id=%u",
		 (unsigned int)attribute_set_number(&answer.message.set, MEMTUN_A_QUEUE_ID));
	done(fixture, MEMTUN_CMD_QUEUE_ATTACH, options);
	assert_opener(fixture, "t", ended, NULL);
	close(answer.fd);
	client_close(&other);
}

/* Open and attach a queue for this process, and return its descriptor. */
static int attached_for(struct client *client, const char *name, pid_t pid)
{
	struct answer opened, answer;
	char options[64];

	assert_int_equal(client_ask(client, &opened, MEMTUN_CMD_QUEUE_OPEN, ""), 0);
	snprintf(options, sizeof(options), "name=%s,queue-id=%u,pid=%d", name,
		 (unsigned int)attribute_set_number(&opened.message.set, MEMTUN_A_QUEUE_ID),
		 (int)pid);
	assert_int_equal(client_ask(client, &answer, MEMTUN_CMD_QUEUE_ATTACH, options), 0);
	return opened.fd;
}

static void a_client_can_name_the_process_that_it_acts_for(void **state)
{
	struct broker_fixture *fixture = *state;
	pid_t ended = ended_process();
	struct client other;
	struct session *session;
	char program[16];
	int fds[4];

	assert_int_equal(prctl(PR_GET_NAME, program), 0);
	client_open_as(&other, fixture, ended);
	session = LIST_FIRST(&fixture->broker->control->sessions);
	session->uid = geteuid();
	fds[0] = attached_for(&other, "a", getpid());
	assert_opener(fixture, "a", getpid(), program);
	/* A process that is none, and another user's. */
	fds[1] = attached_for(&other, "b", INT32_MAX);
	assert_opener(fixture, "b", ended, NULL);
	session->uid = geteuid() + 1;
	fds[2] = attached_for(&other, "c", getpid());
	assert_opener(fixture, "c", ended, NULL);
	/* A client from another PID namespace. */
	session->uid = geteuid();
	session->pid = 0;
	fds[3] = attached_for(&other, "d", getpid());
	assert_opener(fixture, "d", 0, NULL);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	client_close(&other);
}

static void a_peer_tells_the_process_that_has_its_end_open(void **state)
{
	struct broker_fixture *fixture = *state;
	pid_t ended = ended_process();
	struct client other;
	char program[16];
	int left, right;

	assert_int_equal(prctl(PR_GET_NAME, program), 0);
	client_open_as(&other, fixture, ended);
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=left,peer=right");
	left = tunnel_opened(fixture, "name=left");
	assert_opener(fixture, "left", getpid(), program);
	assert_opener(fixture, "right", 0, NULL);
	close(left);
	assert_opener(fixture, "left", 0, NULL);
	left = tunnel_opened(fixture, "name=left");
	right = opened_by(&other, "name=right");
	assert_opener(fixture, "left", getpid(), program);
	assert_opener(fixture, "right", ended, NULL);
	close(left);
	close(right);
	client_close(&other);
}

static void the_event_of_an_open_tells_the_process(void **state)
{
	struct broker_fixture *fixture = *state;
	struct client subscriber;
	struct answer answer;
	int fd;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=t");
	client_open(&subscriber, fixture, FIXTURE_UID, true);
	assert_int_equal(client_ask(&subscriber, &answer, MEMTUN_CMD_SUBSCRIBE, ""), 0);
	fd = tunnel_opened(fixture, "name=t");
	assert_true(client_receive(&subscriber, &answer));
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_EVENT),
			 MEMTUN_EVENT_OPENED);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_PID), getpid());
	close(fd);
	assert_true(client_receive(&subscriber, &answer));
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_EVENT),
			 MEMTUN_EVENT_CLOSED);
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_PID));
	client_close(&subscriber);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_tunnel_tells_the_process_that_has_it_open),
		WITH_BROKER(a_process_without_a_name_or_number_is_not_named),
		WITH_BROKER(of_several_openers_the_last_one_that_is_left_is_told),
		WITH_BROKER(a_queue_that_is_attached_belongs_to_the_process_that_opened_it),
		WITH_BROKER(a_client_can_name_the_process_that_it_acts_for),
		WITH_BROKER(a_peer_tells_the_process_that_has_its_end_open),
		WITH_BROKER(the_event_of_an_open_tells_the_process),
	};

	return RUN_TESTS(tests);
}
