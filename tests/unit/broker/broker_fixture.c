/* SPDX-License-Identifier: MIT */
#include "tests/unit/broker/broker_fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/descriptor.h"
#include "common/frame/frame_build.h"
#include "broker/control/session.h"
#include "common/spec.h"

/* Where a frame of frame_make() has its number: behind the Ethernet header. */
#define NUMBER_AT 14

/* More iterations of the loop than any test needs; one that spins reaches it. */
#define TURNS_MAX 200000

/* ------------------------------------------------------------------------------ the loop */

static void fixture_idle(struct ev_loop *loop, ev_idle *idle, int events)
{
	struct broker_fixture *fixture = idle->data;

	(void)loop;
	(void)events;
	fixture->idle = true;
}

void broker_quiesce(struct broker_fixture *fixture)
{
	struct ev_loop *loop = fixture->broker->engine->loop;
	ev_idle idle;

	/* An idle watcher runs when an iteration finds nothing else to run. */
	ev_idle_init(&idle, fixture_idle);
	ev_set_priority(&idle, EV_MINPRI);
	idle.data = fixture;
	ev_idle_start(loop, &idle);
	fixture->idle = false;
	for (int i = 0; i < TURNS_MAX && !fixture->idle; i++)
		ev_run(loop, EVRUN_NOWAIT);
	ev_idle_stop(loop, &idle);
	assert_true(fixture->idle);
}

static void fixture_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	*(bool *)timer->data = true;
}

bool broker_wait(struct broker_fixture *fixture, bool (*condition)(void *context), void *context,
		 double seconds)
{
	struct ev_loop *loop = fixture->broker->engine->loop;
	bool over = false;
	ev_timer timer;

	ev_timer_init(&timer, fixture_due, seconds, 0.);
	timer.data = &over;
	ev_now_update(loop);
	ev_timer_start(loop, &timer);
	while (!over && !condition(context))
		ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &timer);
	return condition(context);
}

int broker_fixture_set_up(void **state)
{
	struct broker_fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	fixture->broker = broker_new(ev_loop_new(EVFLAG_AUTO));
	if (!fixture->broker) {
		free(fixture);
		return -1;
	}
	client_open(&fixture->client, fixture, FIXTURE_UID, true);
	*state = fixture;
	return 0;
}

int broker_fixture_set_up_manual_clock(void **state)
{
	struct broker_fixture *fixture;

	if (broker_fixture_set_up(state) < 0)
		return -1;
	fixture = *state;
	due_use_manual_clock(&fixture->broker->engine->due);
	return 0;
}

int broker_fixture_tear_down(void **state)
{
	struct broker_fixture *fixture = *state;

	client_close(&fixture->client);
	broker_free(fixture->broker);
	free(fixture);
	return 0;
}

/* ------------------------------------------------------------------------------ clients */

void client_open(struct client *client, struct broker_fixture *fixture, uid_t uid, bool greeted)
{
	struct answer answer;
	int ends[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	assert_non_null(session_new(fixture->broker->control, ends[0], uid, getpid()));
	*client = (struct client){.fixture = fixture, .fd = ends[1]};
	if (greeted)
		assert_int_equal(client_ask(client, &answer, MEMTUN_CMD_HELLO, "version=65536"), 0);
}

void client_close(struct client *client)
{
	descriptor_close(&client->fd);
	broker_quiesce(client->fixture);
}

void client_send_raw(struct client *client, const void *record, size_t length)
{
	assert_int_equal(send(client->fd, record, length, MSG_NOSIGNAL), length);
}

uint32_t client_send(struct client *client, uint16_t command, uint16_t flags, const char *options)
{
	struct attribute_set set = {0};
	struct message_builder builder;
	struct fault fault;
	char text[MEMTUN_PROTOCOL_RECORD_MAX];

	strlcpy(text, options, sizeof(text));
	if (text[0])
		assert_int_equal(spec_parse_options(text, ~0U, &set, &fault), 0);
	message_begin(&builder, command, (uint16_t)(NLM_F_REQUEST | flags), ++client->sequence);
	message_put_set(&builder, &set);
	client_send_raw(client, builder.bytes, message_end(&builder));
	return client->sequence;
}

bool client_receive(struct client *client, struct answer *answer)
{
	union {
		struct cmsghdr header;
		unsigned char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {answer->bytes, sizeof(answer->bytes)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header;

	broker_quiesce(client->fixture);
	memset(&answer->message, 0, sizeof(answer->message));
	answer->fd = -1;
	answer->error = 0;
	answer->fault = (struct fault){0};
	do {
		answer->length = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (answer->length < 0 && errno == ECONNRESET);
	if (answer->length <= 0)
		return answer->length == 0;
	header = CMSG_FIRSTHDR(&message);
	if (header)
		memcpy(&answer->fd, CMSG_DATA(header), sizeof(int));
	message_parse(&answer->message, answer->bytes, (size_t)answer->length, MESSAGE_LENIENT,
		      &answer->fault);
	if (answer->message.type == NLMSG_ERROR) {
		uint32_t sequence;

		assert_int_equal(message_parse_error(answer->bytes, (size_t)answer->length,
						     &sequence, &answer->fault),
				 0);
		answer->error = answer->fault.error;
	}
	return true;
}

int client_ask(struct client *client, struct answer *answer, uint16_t command, const char *options)
{
	uint32_t sequence = client_send(client, command, 0, options);

	assert_true(client_receive(client, answer));
	assert_int_not_equal(answer->length, 0);
	assert_int_equal(answer->message.sequence, sequence);
	return answer->error;
}

static int opened(struct broker_fixture *fixture, uint16_t command, const char *options)
{
	struct answer answer;

	if (client_ask(&fixture->client, &answer, command, options) != 0)
		fail_msg("%#x %s: %s", command, options, answer.fault.text);
	assert_true(answer.fd >= 0);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_FDS), 1);
	return answer.fd;
}

int tunnel_opened(struct broker_fixture *fixture, const char *options)
{
	return opened(fixture, MEMTUN_CMD_QUEUE_OPEN, options);
}

int capture_opened(struct broker_fixture *fixture, const char *options)
{
	return opened(fixture, MEMTUN_CMD_CAPTURE, options);
}

int injector_opened(struct broker_fixture *fixture, const char *options)
{
	return opened(fixture, MEMTUN_CMD_INJECT, options);
}

void done(struct broker_fixture *fixture, uint16_t command, const char *options)
{
	struct answer answer;

	if (client_ask(&fixture->client, &answer, command, options) != 0)
		fail_msg("%#x %s: %s", command, options, answer.fault.text);
	assert_int_equal(answer.fd, -1);
}

int refused(struct broker_fixture *fixture, uint16_t command, const char *options)
{
	struct answer answer;
	int error = client_ask(&fixture->client, &answer, command, options);

	if (answer.fd >= 0) {
		close(answer.fd);
		fail_msg("%#x %s was not refused", command, options);
	}
	assert_int_not_equal(error, 0);
	assert_string_not_equal(answer.fault.text, "");
	return error;
}

bool exists(struct broker_fixture *fixture, const char *name)
{
	struct answer answer;
	char options[64];
	int error;

	snprintf(options, sizeof(options), "name=%s", name);
	error = client_ask(&fixture->client, &answer, MEMTUN_CMD_TUNNEL_SHOW, options);
	assert_true(error == 0 || error == ENOENT);
	return error == 0;
}

void record_show(struct broker_fixture *fixture, uint16_t command, const char *name,
		 struct answer *answer)
{
	char options[64];

	snprintf(options, sizeof(options), "name=%s,statistics", name);
	if (client_ask(&fixture->client, answer, command, options) != 0)
		fail_msg("%s: %s", name, answer->fault.text);
}

uint64_t record_shown(struct broker_fixture *fixture, uint16_t command, const char *name,
		      const char *word)
{
	struct answer answer;

	record_show(fixture, command, name, &answer);
	assert_true(attribute_set_has(&answer.message.set, attribute_find(word)));
	return attribute_set_number(&answer.message.set, attribute_find(word));
}

uint64_t shown(struct broker_fixture *fixture, const char *name, const char *word)
{
	return record_shown(fixture, MEMTUN_CMD_TUNNEL_SHOW, name, word);
}

/* ------------------------------------------------------------------------------ the account */

static uint64_t answer_dropped(const struct answer *answer)
{
	uint64_t sum = 0;

	for (enum memtun_attribute reason = MEMTUN_A_TO_CLIENT_DROPPED_FULL;
	     reason <= MEMTUN_A_TO_CLIENT_DROPPED_NOT_IP; reason++) {
		assert_true(attribute_set_has(&answer->message.set, reason));
		sum += attribute_set_number(&answer->message.set, reason);
	}
	for (enum memtun_attribute reason = MEMTUN_A_TO_CLIENT_DROPPED_LOSS;
	     reason <= MEMTUN_A_TO_CLIENT_DROPPED_WAITING_FULL; reason++)
		sum += attribute_set_number(&answer->message.set, reason);
	return sum;
}

uint64_t dropped(struct broker_fixture *fixture, const char *name)
{
	struct answer answer;

	record_show(fixture, MEMTUN_CMD_TUNNEL_SHOW, name, &answer);
	return answer_dropped(&answer);
}

void assert_answer_accounted(const struct answer *answer)
{
	const struct attribute_set *set = &answer->message.set;

	assert_true(attribute_set_has(set, MEMTUN_A_TO_CLIENT_OFFERED));
	assert_int_equal(attribute_set_number(set, MEMTUN_A_TO_CLIENT_OFFERED),
			 attribute_set_number(set, MEMTUN_A_TO_CLIENT_FRAMES) +
				 attribute_set_number(set, MEMTUN_A_TO_CLIENT_QUEUED) +
				 answer_dropped(answer));
}

void assert_accounted(struct broker_fixture *fixture, const char *name)
{
	struct answer answer;

	record_show(fixture, MEMTUN_CMD_TUNNEL_SHOW, name, &answer);
	assert_answer_accounted(&answer);
}

/* ------------------------------------------------------------------------------ three tunnels */

void three_open(struct broker_fixture *fixture, const char *rest, int fds[3])
{
	for (int i = 0; i < 3; i++) {
		char options[100];

		snprintf(options, sizeof(options), "name=vm%d,bridge=b%s", i, rest);
		fds[i] = tunnel_opened(fixture, options);
	}
}

void three_close(const int fds[3])
{
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

unsigned int three_reached(struct broker_fixture *fixture, const int fds[3])
{
	unsigned int where = 0;

	broker_quiesce(fixture);
	for (unsigned int i = 0; i < 3; i++) {
		while (frame_receive(fds[i]) >= 0)
			where |= 1 << i;
	}
	return where;
}

/* ------------------------------------------------------------------------------ frames */

void frame_make(unsigned char *bytes, size_t length, unsigned char from, unsigned char to,
		uint32_t number)
{
	static const unsigned char prefix[5] = {0x02, 0, 0, 0, 0};

	memset(bytes, 0, length);
	memcpy(bytes, prefix, 5);
	if (to == 0xff)
		memset(bytes, 0xff, 5);
	bytes[5] = to;
	memcpy(bytes + 6, prefix, 5);
	bytes[11] = from;
	bytes[12] = 0x88; /* 0x88b5: for local experiments, IEEE 802 */
	bytes[13] = 0xb5;
	memcpy(bytes + NUMBER_AT, &number, sizeof(number));
}

bool frame_send(int fd, unsigned char from, unsigned char to, uint32_t number)
{
	unsigned char bytes[FRAME_SIZE];

	frame_make(bytes, sizeof(bytes), from, to, number);
	return send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(bytes);
}

static int64_t frame_number(const unsigned char *bytes)
{
	uint32_t number;

	memcpy(&number, bytes + NUMBER_AT, sizeof(number));
	return number;
}

int64_t frame_receive(int fd)
{
	unsigned char bytes[2048];
	ssize_t length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (length < 0)
		return errno == EAGAIN ? -1 : -2;
	if (length == 0)
		return -2;
	assert_true(length >= NUMBER_AT + 4);
	return frame_number(bytes);
}

bool stream_frame_send(int fd, unsigned char from, unsigned char to, uint32_t number)
{
	unsigned char bytes[4 + FRAME_SIZE];
	uint32_t length = htonl(FRAME_SIZE);
	ssize_t sent;

	memcpy(bytes, &length, 4);
	frame_make(bytes + 4, FRAME_SIZE, from, to, number);
	sent = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
	assert_true(sent < 0 || sent == sizeof(bytes));
	return sent > 0;
}

int64_t stream_frame_receive(int fd)
{
	unsigned char bytes[2048];
	uint32_t length;
	ssize_t received = recv(fd, &length, sizeof(length), MSG_DONTWAIT);

	if (received < 0)
		return errno == EAGAIN ? -1 : -2;
	if (received == 0)
		return -2;
	assert_int_equal(received, sizeof(length));
	assert_true(ntohl(length) <= sizeof(bytes));
	assert_int_equal(recv(fd, bytes, ntohl(length), MSG_DONTWAIT), ntohl(length));
	return frame_number(bytes);
}

const char *const socket_names[SOCKET_TYPES] = {"seqpacket", "dgram", "stream"};

bool typed_frame_send(enum socket_type type, int fd, unsigned char from, unsigned char to,
		      uint32_t number)
{
	return type == SOCKET_STREAM ? stream_frame_send(fd, from, to, number)
				     : frame_send(fd, from, to, number);
}

int64_t typed_frame_receive(enum socket_type type, int fd)
{
	return type == SOCKET_STREAM ? stream_frame_receive(fd) : frame_receive(fd);
}

void bytes_send(int fd, const void *bytes, size_t length)
{
	assert_int_equal(send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL), length);
}

struct sockaddr_storage internet_address(const char *text, uint16_t port, socklen_t *length)
{
	struct sockaddr_storage address = {.ss_family = AF_INET};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_port = htons(port);
		*length = sizeof(*v4);
		return address;
	}
	address.ss_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
	v6->sin6_port = htons(port);
	*length = sizeof(*v6);
	return address;
}

size_t packet_make(unsigned char bytes[256], const char *from, const char *to)
{
	socklen_t size;
	struct frame_udp udp = {
		.vlan = -1,
		.from = internet_address(from, 7, &size),
		.to = internet_address(to, 7, &size),
		.ttl = 64,
		.payload = "twelve bytes",
		.payload_length = 12,
	};
	ssize_t length = frame_build_udp(bytes, 256, MEMTUN_TUN, &udp);

	assert_true(length > 0);
	return (size_t)length;
}

bool fd_ended(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLRDHUP));
}

int descriptors_count(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}
