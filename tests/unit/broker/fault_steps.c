/* SPDX-License-Identifier: MIT */
#include "tests/unit/broker/fault_steps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/descriptor.h"
#include "tests/unit/broker/fault_world.h"
#include "client/lib/record.h"
#include "broker/tunnel/tunnel.h"

void options_free(struct memtun_options **options)
{
	memtun_options_free(*options);
}

struct memtun_options *options_make(const char *text)
{
	struct memtun_options *options = memtun_options_new();

	if (!options)
		return NULL;
	if (memtun_options_parse(options, text) == 0)
		return options;
	assert_int_equal(errno, ENOMEM);
	assert_string_not_equal(memtun_options_error(options), "");
	memtun_options_free(options);
	return NULL;
}

int add(struct world *world, const char *name, const char *text)
{
	options_owned struct memtun_options *options = options_make(text);

	if (!options)
		return -1;
	return world_check(world->client, memtun_add(world->client, name, options));
}

int open_tunnel(struct world *world, const char *name, const char *text)
{
	options_owned struct memtun_options *options = options_make(text);
	bool is_there;
	int fd;

	if (!options)
		return -1;
	is_there = tunnel_find(world->broker->tunnels, name);
	fd = world_check(world->client, memtun_open(world->client, name, options));
	if (fd < 0 && !is_there && memtun_fd(world->client) >= 0)
		assert_null(tunnel_find(world->broker->tunnels, name));
	return fd;
}

void counters_check(const struct memtun_record *record, void *context)
{
	static const char *const parts[] = {
		"to-client-frames",          "to-client-queued",
		"to-client-dropped-full",    "to-client-dropped-no-client",
		"to-client-dropped-mtu",     "to-client-dropped-needs-segmentation",
		"to-client-dropped-refused", "to-client-dropped-not-ip",
	};
	uint64_t offered, sum = 0;

	(void)context;
	assert_int_equal(memtun_record_number(record, "to-client-offered", &offered), 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint64_t number;

		assert_int_equal(memtun_record_number(record, parts[i], &number), 0);
		sum += number;
	}
	assert_int_equal(sum, offered);
}

static void answer_part(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	struct answer *answer = context;

	(void)memtun;
	if (!reply->record) {
		assert_false(answer->done);
		answer->done = true;
		answer->error = reply->error;
		return;
	}
	answer->records++;
	if (attribute_set_has(&reply->record->set, MEMTUN_A_TO_CLIENT_OFFERED))
		counters_check(reply->record, NULL);
	answer->queue_id = (uint32_t)attribute_set_number(&reply->record->set, MEMTUN_A_QUEUE_ID);
	if (reply->fd >= 0)
		answer->fds[answer->fd_count++] = reply->fd;
}

void answer_close(struct answer *answer)
{
	while (answer->fd_count)
		descriptor_close(&answer->fds[--answer->fd_count]);
}

int ask(struct world *world, enum memtun_command command, const char *name, const char *text,
	struct answer *answer)
{
	options_owned struct memtun_options *options = options_make(text);
	struct memtun *client = world->client;

	*answer = (struct answer){0};
	if (!options || world_check(client, memtun_request(client, command, name, options,
							   answer_part, answer)) < 0)
		return -1;
	while (!answer->done) {
		int waited = memtun_wait(client, -1);

		assert_int_not_equal(waited < 0 ? errno : 0, ETIME);
		if (waited < 0)
			break;
	}
	assert_true(answer->done);
	if (!answer->error)
		return 0;
	answer_close(answer);
	return -1;
}

/* Write frame `number`, after its length. */
static void frame_make(unsigned char bytes[4 + FRAME_SIZE], unsigned int number)
{
	uint32_t length = htonl(FRAME_SIZE);

	memset(bytes, (int)(number & 0xff), 4 + FRAME_SIZE);
	memcpy(bytes, &length, sizeof(length));
	memcpy(bytes + 4, "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14);
	memcpy(bytes + 18, &number, sizeof(number));
}

bool end_send(struct end *end)
{
	size_t before = end->is_stream ? 0 : 4;
	ssize_t sent;

	if (!end->part)
		frame_make(end->bytes, end->number);
	sent = send(end->fd, end->bytes + before + end->part, 4 + FRAME_SIZE - before - end->part,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0) {
		end->gone = errno != EAGAIN;
		return false;
	}
	end->part += (size_t)sent;
	if (before + end->part < 4 + FRAME_SIZE)
		return true;
	end->part = 0;
	end->number++;
	return true;
}

/* Assert that a frame is as it was sent, and was sent after the previous one. */
static void end_arrived(struct end *end)
{
	unsigned char expected[4 + FRAME_SIZE];
	unsigned int number;

	memcpy(&number, end->bytes + 18, sizeof(number));
	assert_true(end->arrived == 0 || number > end->number);
	frame_make(expected, number);
	assert_memory_equal(end->bytes + 4, expected + 4, FRAME_SIZE);
	end->number = number;
	end->arrived++;
}

/* Receive a frame, or a part of one. Return false if there is none now. */
static bool end_receive(struct end *end)
{
	size_t before = end->is_stream ? 0 : 4;
	ssize_t received = recv(end->fd, end->bytes + before + end->part,
				4 + FRAME_SIZE - before - end->part, MSG_DONTWAIT);

	if (received <= 0) {
		end->gone = received == 0 || errno != EAGAIN;
		return false;
	}
	end->part += (size_t)received;
	if (before + end->part < 4 + FRAME_SIZE) {
		assert_true(end->is_stream);
		return true;
	}
	end->part = 0;
	end_arrived(end);
	return true;
}

int frames_exchange(struct world *world, struct end *from, struct end *to)
{
	unsigned int idle = 0;

	while (from->number < FRAMES && !from->gone && idle < 4) {
		idle = end_send(from) ? 0 : idle + 1;
		if (from->number % 8 == 0 || idle)
			world_turn(world);
	}
	for (idle = 0; idle < 8 && !from->gone && !to->gone; idle++) {
		while (from->number < FRAMES && end_send(from))
			idle = 0;
		world_turn(world);
		while (end_receive(to))
			idle = 0;
	}
	return from->gone || to->gone ? -1 : 0;
}
