/* SPDX-License-Identifier: MIT */
#include "tests/unit/broker/uplink/uplink_fixture.h"

#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------ requests */

void uplink_added(struct broker_fixture *fixture, const char *format, ...)
{
	struct answer answer;
	char options[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(options, sizeof(options), format, arguments);
	va_end(arguments);
	if (client_ask(&fixture->client, &answer, MEMTUN_CMD_UPLINK_ADD, options) != 0)
		fail_msg("%s: %s", options, answer.fault.text);
	assert_true(attribute_set_has(&answer.message.set, MEMTUN_A_STATE));
}

void uplink_refused(struct broker_fixture *fixture, int error, const char *words,
		    const char *format, ...)
{
	struct answer answer;
	char options[300];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(options, sizeof(options), format, arguments);
	va_end(arguments);
	if (client_ask(&fixture->client, &answer, MEMTUN_CMD_UPLINK_ADD, options) != error)
		fail_msg("%s: error %d (%s), not %d", options, answer.error, answer.fault.text,
			 error);
	if (!strstr(answer.fault.text, words))
		fail_msg("%s: '%s' does not say '%s'", options, answer.fault.text, words);
}

void uplinks_refused(struct broker_fixture *fixture, const struct uplink_refusal *refusals,
		     size_t count)
{
	for (size_t i = 0; i < count; i++)
		uplink_refused(fixture, EINVAL, refusals[i].words, "%s", refusals[i].options);
}

uint64_t uplink_shown(struct broker_fixture *fixture, const char *name, const char *word)
{
	return record_shown(fixture, MEMTUN_CMD_UPLINK_SHOW, name, word);
}

const char *uplink_text(struct broker_fixture *fixture, const char *name, const char *word)
{
	static char text[MEMTUN_TEXT_SIZE];
	struct answer answer;
	const char *string;

	record_show(fixture, MEMTUN_CMD_UPLINK_SHOW, name, &answer);
	string = attribute_set_string(&answer.message.set, attribute_find(word));
	strlcpy(text, string ? string : "", sizeof(text));
	return text;
}

void uplink_accounted(struct broker_fixture *fixture, const char *name)
{
	struct answer answer;

	record_show(fixture, MEMTUN_CMD_UPLINK_SHOW, name, &answer);
	assert_answer_accounted(&answer);
}

void uplink_rest(struct broker_fixture *fixture, const char *name)
{
	struct ev_loop *loop = fixture->broker->engine->loop;
	struct uplink *uplink = uplink_find(fixture->broker->uplinks, name);

	assert_true(ev_is_active(&uplink->timer));
	ev_timer_stop(loop, &uplink->timer);
	ev_timer_set(&uplink->timer, 1e6, 0.);
	ev_timer_start(loop, &uplink->timer);
}

void uplink_retry(struct broker_fixture *fixture, const char *name)
{
	struct ev_loop *loop = fixture->broker->engine->loop;
	struct uplink *uplink = uplink_find(fixture->broker->uplinks, name);

	assert_true(ev_is_active(&uplink->timer));
	ev_timer_stop(loop, &uplink->timer);
	ev_invoke(loop, &uplink->timer, EV_TIMER);
}

/* ------------------------------------------------------------------------------ sockets */

int udp_open(const char *address, uint16_t *port)
{
	socklen_t length;
	struct sockaddr_storage name = internet_address(address, *port, &length);
	int fd = socket(name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
	/* Both families have the port at the same offset. */
	*port = ntohs(((struct sockaddr_in *)&name)->sin_port);
	return fd;
}

void ipv6_needed(void)
{
	socklen_t length;
	struct sockaddr_storage name = internet_address("::1", 0, &length);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool there = fd >= 0 && bind(fd, (struct sockaddr *)&name, length) == 0;

	if (fd >= 0)
		close(fd);
	if (!there)
		test_skip("the loopback interface has no ::1 here");
}

uint16_t udp_port_find(const char *address)
{
	uint16_t port = 0;

	close(udp_open(address, &port));
	return port;
}

void udp_send(int fd, const char *address, uint16_t port, const void *bytes, size_t length)
{
	socklen_t size;
	struct sockaddr_storage to = internet_address(address, port, &size);

	assert_int_equal(sendto(fd, bytes, length, 0, (struct sockaddr *)&to, size), length);
}

void udp_frame_send(int fd, const char *address, uint16_t port, unsigned char from,
		    unsigned char to, uint32_t number)
{
	unsigned char bytes[FRAME_SIZE];

	frame_make(bytes, sizeof(bytes), from, to, number);
	udp_send(fd, address, port, bytes, sizeof(bytes));
}

int64_t udp_frame_receive(int fd)
{
	unsigned char bytes[2048], expected[FRAME_SIZE];
	uint32_t number;
	ssize_t length;

	/* An earlier send to a closed port is reported once. */
	do {
		length = recv(fd, bytes, sizeof(bytes), 0);
	} while (length < 0 && errno == ECONNREFUSED);
	if (length < 0) {
		assert_int_equal(errno, EAGAIN);
		return -1;
	}
	assert_int_equal(length, FRAME_SIZE);
	memcpy(&number, bytes + 14, sizeof(number));
	frame_make(expected, sizeof(expected), bytes[11], bytes[5], number);
	assert_memory_equal(bytes, expected, FRAME_SIZE);
	return number;
}
