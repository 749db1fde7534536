/* SPDX-License-Identifier: MIT */
#include "tests/unit/broker/uplink/hand_in_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int foreign(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, foreign_first);

	assert_true(fd >= 0 && moved >= 0);
	close(fd);
	return moved;
}

void foreign_pair(int type, int ends[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
	ends[0] = foreign(ends[0]);
	ends[1] = foreign(ends[1]);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
}

void foreign_pipe(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	ends[0] = foreign(ends[0]);
	ends[1] = foreign(ends[1]);
}

/* ------------------------------------------------------------------------------ hand-ins */

int hand_in_opened(struct client *client, uint32_t *id)
{
	struct answer answer;

	if (client_ask(client, &answer, MEMTUN_CMD_HAND_IN, "") != 0)
		fail_msg("no hand-in: %s", answer.fault.text);
	assert_true(answer.fd >= 0);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_FDS), 1);
	*id = (uint32_t)attribute_set_number(&answer.message.set, MEMTUN_A_HAND_IN);
	return answer.fd;
}

int hand_in_sent(int through, const void *bytes, size_t length, const int fds[], size_t count)
{
	union {
		struct cmsghdr header;
		unsigned char room[CMSG_SPACE(253 * sizeof(int))];
	} control = {.header = {CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec part = {(void *)(uintptr_t)bytes, length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (count) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	return sendmsg(through, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

uint32_t handed_in(struct client *client, int fd, int life)
{
	const int fds[] = {fd, life};
	const unsigned char count = life >= 0 ? 2 : 1;
	uint32_t id;
	int through = hand_in_opened(client, &id);

	assert_int_equal(hand_in_sent(through, &count, 1, fds, count), 0);
	close(through);
	return id;
}

int fd_uplink_asked(struct client *client, struct answer *answer, const char *name, int fd,
		    int life, const char *options)
{
	char text[200];

	snprintf(text, sizeof(text), "name=%s,bridge=b,type=fd,hand-in=%u%s", name,
		 handed_in(client, fd, life), options);
	return client_ask(client, answer, MEMTUN_CMD_UPLINK_ADD, text);
}

void fd_uplink_added(struct broker_fixture *fixture, const char *name, int fd, int life,
		     const char *options)
{
	struct answer answer;

	if (fd_uplink_asked(&fixture->client, &answer, name, fd, life, options) != 0)
		fail_msg("%s%s: %s", name, options, answer.fault.text);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_STATE), MEMTUN_UP);
}

void fd_uplink_refused(struct broker_fixture *fixture, int error, const char *words, int fd,
		       int life, const char *options)
{
	struct answer answer;

	if (fd_uplink_asked(&fixture->client, &answer, "x", fd, life, options) != error)
		fail_msg("error %d (%s), not %d", answer.error, answer.fault.text, error);
	if (!strstr(answer.fault.text, words))
		fail_msg("'%s' does not say '%s'", answer.fault.text, words);
	assert_false(uplink_exists(fixture, "x"));
}

bool uplink_exists(struct broker_fixture *fixture, const char *name)
{
	broker_quiesce(fixture);
	return uplink_find(fixture->broker->uplinks, name);
}
