/* SPDX-License-Identifier: MIT */
/*
 * How descriptors come in: the hand-in is used once, holds one valid record, and leaves nothing
 * behind when it fails, is not used, or loses its session.
 */
#include "tests/unit/broker/uplink/hand_in_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static void a_hand_in_is_used_once(void **state)
{
	struct broker_fixture *fixture = *state;
	char text[200];
	uint32_t id;
	int ends[2];

	foreign_pair(SOCK_SEQPACKET, ends);
	id = handed_in(&fixture->client, ends[0], -1);
	assert_int_equal(hand_in_used(&fixture->client, id, text), 0);
	assert_int_equal(hand_in_used(&fixture->client, id, text), ENOENT);
	assert_non_null(strstr(text, "no hand-in"));
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_hand_in_is_used_once),
	};

	return RUN_TESTS(tests);
}
