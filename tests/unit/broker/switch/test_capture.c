/* SPDX-License-Identifier: MIT */
/* A capture shows the frames of a tunnel or a bridge, and slows no port. */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* More than the 8192 records that a capture keeps for its reader, and those in its socket. */
#define MANY 10000

/* Frames at a time that fit into a socket and a tunnel's queue. */
#define SOME 100

struct record {
	struct memtun_capture_header header;
	unsigned char frame[2048];
};

/* Receive one record. Return its frame's length, -1 if there is none now, -2 at the end. */
static ssize_t record_receive(int fd, struct record *record)
{
	ssize_t length = recv(fd, record, sizeof(*record), MSG_DONTWAIT);

	if (length < 0)
		return errno == EAGAIN ? -1 : -2;
	if (length == 0)
		return -2;
	assert_true(length > (ssize_t)sizeof(record->header));
	return length - (ssize_t)sizeof(record->header);
}

static void assert_frame(const unsigned char *frame, unsigned char from, unsigned char to,
			 uint32_t number)
{
	unsigned char expected[FRAME_SIZE];

	frame_make(expected, sizeof(expected), from, to, number);
	assert_memory_equal(frame, expected, sizeof(expected));
}

/* Assert that the next record is of that frame, at that port and in that direction. */
static void assert_record(int fd, uint64_t port, enum memtun_direction direction,
			  unsigned char from, unsigned char to, uint32_t number)
{
	struct record record;

	assert_int_equal(record_receive(fd, &record), FRAME_SIZE);
	assert_int_equal(record.header.port, port);
	assert_int_equal(record.header.direction, direction);
	assert_int_equal(record.header.mode, MEMTUN_TAP);
	assert_int_equal(record.header.missed, 0);
	assert_frame(record.frame, from, to, number);
}

static void assert_nothing(int fd)
{
	struct record record;

	assert_int_equal(record_receive(fd, &record), -1);
}

static void assert_end(int fd)
{
	struct record record;

	assert_int_equal(record_receive(fd, &record), -2);
	close(fd);
}

/* ------------------------------------------------------------------------------ what is seen */

static void a_tunnel_is_captured_both_ways(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b");
	int two = tunnel_opened(*state, "name=vm2,bridge=b");
	uint64_t id = shown(*state, "vm1", "id");
	int fd = capture_opened(*state, "name=vm1");

	assert_true(frame_send(one, 1, 2, 7));
	broker_quiesce(*state);
	assert_true(frame_send(two, 2, 1, 8));
	broker_quiesce(*state);
	assert_record(fd, id, MEMTUN_FROM_CLIENT, 1, 2, 7);
	assert_record(fd, id, MEMTUN_TO_CLIENT, 2, 1, 8);
	assert_nothing(fd);
	/* The frames arrived too. */
	assert_int_equal(frame_receive(two), 7);
	assert_int_equal(frame_receive(one), 8);
	close(one);
	close(two);
	close(fd);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void a_record_has_its_time(void **state)
{
	int one = tunnel_opened(*state, "name=vm1");
	int fd = capture_opened(*state, "name=vm1");
	uint64_t before = now(), after;
	struct record record;

	assert_true(frame_send(one, 1, 2, 1));
	broker_quiesce(*state);
	after = now();
	assert_int_equal(record_receive(fd, &record), FRAME_SIZE);
	assert_true(record.header.time >= before && record.header.time <= after);
	close(one);
	close(fd);
}

static void a_bridge_is_captured_at_each_port(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b");
	int fd = capture_opened(*state, "bridge=b");
	int two = tunnel_opened(*state, "name=vm2,bridge=b"); /* joins while the capture runs */
	int other = tunnel_opened(*state, "name=vm3,bridge=c");
	uint64_t id1 = shown(*state, "vm1", "id"), id2 = shown(*state, "vm2", "id");

	assert_true(frame_send(one, 1, 0xff, 7));
	assert_true(frame_send(other, 3, 0xff, 8));
	broker_quiesce(*state);
	assert_record(fd, id1, MEMTUN_FROM_CLIENT, 1, 0xff, 7);
	assert_record(fd, id2, MEMTUN_TO_CLIENT, 1, 0xff, 7);
	assert_nothing(fd);
	/* A port that has left the bridge is not captured any more. */
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=vm1,nobridge");
	assert_true(frame_send(one, 1, 0xff, 9));
	broker_quiesce(*state);
	assert_nothing(fd);
	close(one);
	close(two);
	close(other);
	close(fd);
}

static void a_tunnel_and_its_bridge_are_captured_at_once(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b");
	uint64_t id = shown(*state, "vm1", "id");
	int fds[3] = {
		capture_opened(*state, "bridge=b"),
		capture_opened(*state, "name=vm1"),
		capture_opened(*state, "name=vm1"),
	};

	assert_true(frame_send(one, 1, 2, 1));
	broker_quiesce(*state);
	for (int i = 0; i < 3; i++) {
		assert_record(fds[i], id, MEMTUN_FROM_CLIENT, 1, 2, 1);
		assert_nothing(fds[i]);
		close(fds[i]);
	}
	close(one);
}

static void one_direction_is_captured_alone(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b");
	int two = tunnel_opened(*state, "name=vm2,bridge=b");
	uint64_t id = shown(*state, "vm1", "id");
	int from = capture_opened(*state, "name=vm1,direction=from-client");
	int to = capture_opened(*state, "name=vm1,direction=to-client");

	assert_true(frame_send(one, 1, 2, 1));
	broker_quiesce(*state);
	assert_true(frame_send(two, 2, 1, 2));
	broker_quiesce(*state);
	assert_record(from, id, MEMTUN_FROM_CLIENT, 1, 2, 1);
	assert_nothing(from);
	assert_record(to, id, MEMTUN_TO_CLIENT, 2, 1, 2);
	assert_nothing(to);
	close(one);
	close(two);
	close(from);
	close(to);
}

static void a_plain_capture_has_no_record_headers(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,vnet_hdr,pi");
	int fd = capture_opened(*state, "name=vm1,plain");
	unsigned char bytes[14 + FRAME_SIZE] = {0}, seen[200];

	/* A zeroed struct tun_pi and struct virtio_net_hdr, which no capture shows. */
	bytes[2] = 0x88;
	bytes[3] = 0xb5;
	frame_make(bytes + 14, FRAME_SIZE, 1, 2, 3);
	assert_int_equal(send(one, bytes, sizeof(bytes), 0), sizeof(bytes));
	broker_quiesce(*state);
	assert_int_equal(recv(fd, seen, sizeof(seen), MSG_DONTWAIT), FRAME_SIZE);
	assert_frame(seen, 1, 2, 3);
	close(one);
	close(fd);
}

static void dropped_frames_are_captured(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b");
	int fd;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=vm2,bridge=b");
	fd = capture_opened(*state, "name=vm2");
	assert_true(frame_send(one, 1, 0xff, 1));
	broker_quiesce(*state);
	assert_record(fd, shown(*state, "vm2", "id"), MEMTUN_TO_CLIENT, 1, 0xff, 1);
	assert_int_equal(shown(*state, "vm2", "to-client-dropped-no-client"), 1);
	close(one);
	close(fd);
}

/* ------------------------------------------------------------------------------ slow readers */

/* Send frames numbered from `first`, at most SOME. Assert that the client and `quick` get all. */
static void pass_frames(struct broker_fixture *fixture, const int fds[2], uint32_t first,
			uint32_t count, int quick)
{
	struct record record;

	for (uint32_t i = 0; i < count; i++)
		assert_true(frame_send(fds[0], 1, 2, first + i));
	broker_quiesce(fixture);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(frame_receive(fds[1]), first + i);
		assert_int_equal(record_receive(quick, &record), FRAME_SIZE);
		assert_int_equal(record.header.missed, 0);
	}
}

static void a_slow_reader_misses_frames_and_slows_no_port(void **state)
{
	int fds[2] = {
		tunnel_opened(*state, "name=vm1,bridge=b"),
		tunnel_opened(*state, "name=vm2,bridge=b"),
	};
	int slow = capture_opened(*state, "name=vm2");
	int quick = capture_opened(*state, "name=vm2");
	struct record record;
	uint32_t seen = 0;

	for (uint32_t i = 0; i < MANY; i += SOME)
		pass_frames(*state, fds, i, SOME, quick);
	assert_int_equal(shown(*state, "vm2", "to-client-frames"), MANY);
	assert_accounted(*state, "vm2");
	/* The kept records have no gap, and the next record counts the missed frames. */
	for (; record_receive(slow, &record) == FRAME_SIZE; seen++) {
		assert_frame(record.frame, 1, 2, seen);
		assert_int_equal(record.header.missed, 0);
		broker_quiesce(*state);
	}
	assert_true(seen > 8192 && seen < MANY);
	pass_frames(*state, fds, MANY, 1, quick);
	assert_int_equal(record_receive(slow, &record), FRAME_SIZE);
	assert_frame(record.frame, 1, 2, MANY);
	assert_int_equal(record.header.missed, MANY - seen);
	assert_nothing(slow);
	close(fds[0]);
	close(fds[1]);
	close(slow);
	close(quick);
}

/* ------------------------------------------------------------------------------ the end */

static void a_capture_ends_with_its_tunnel(void **state)
{
	int one = tunnel_opened(*state, "name=vm1");
	uint64_t id = shown(*state, "vm1", "id");
	int fd = capture_opened(*state, "name=vm1");

	assert_true(frame_send(one, 1, 2, 1));
	broker_quiesce(*state);
	close(one);
	broker_quiesce(*state);
	assert_false(exists(*state, "vm1"));
	assert_record(fd, id, MEMTUN_FROM_CLIENT, 1, 2, 1);
	assert_end(fd);
}

static void a_capture_ends_with_its_bridge(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b");
	int left = capture_opened(*state, "bridge=b");
	int deleted;

	close(one);
	broker_quiesce(*state);
	assert_end(left);
	done(*state, MEMTUN_CMD_BRIDGE_ADD, "name=b");
	deleted = capture_opened(*state, "bridge=b");
	done(*state, MEMTUN_CMD_BRIDGE_DELETE, "name=b");
	assert_end(deleted);
}

static void a_capture_ends_with_its_reader(void **state)
{
	int one = tunnel_opened(*state, "name=vm1");
	int before = descriptors_count();
	int idle = capture_opened(*state, "name=vm1");
	int full = capture_opened(*state, "name=vm1");

	for (int i = 0; i < 1000; i++) {
		struct record record;

		assert_true(frame_send(one, 1, 2, 1));
		broker_quiesce(*state);
		assert_int_equal(record_receive(idle, &record), FRAME_SIZE);
	}
	close(idle);
	errno = EAGAIN; /* as an earlier call may have left it: the end is no error */
	broker_quiesce(*state);
	assert_int_equal(descriptors_count(), before + 2);
	close(full);
	broker_quiesce(*state);
	assert_int_equal(descriptors_count(), before);
	assert_true(frame_send(one, 1, 2, 1));
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "vm1", "from-client-frames"), 1001);
	close(one);
}

static void an_empty_record_from_a_reader_is_ignored(void **state)
{
	int one = tunnel_opened(*state, "name=vm1");
	uint64_t id = shown(*state, "vm1", "id");
	int before = descriptors_count();
	int fd = capture_opened(*state, "name=vm1");

	for (int i = 0; i < 3; i++)
		bytes_send(fd, "", 0);
	broker_quiesce(*state);
	assert_true(frame_send(one, 1, 2, 1));
	broker_quiesce(*state);
	assert_record(fd, id, MEMTUN_FROM_CLIENT, 1, 2, 1);
	/* The end is noticed behind an empty record and another. */
	bytes_send(fd, "", 0);
	bytes_send(fd, "x", 1);
	close(fd);
	broker_quiesce(*state);
	assert_int_equal(descriptors_count(), before);
	close(one);
}

static void data_from_a_reader_is_ignored(void **state)
{
	int one = tunnel_opened(*state, "name=vm1");
	int fd = capture_opened(*state, "name=vm1");

	for (uint32_t i = 0; i < 3; i++)
		assert_true(frame_send(fd, 1, 2, i));
	broker_quiesce(*state);
	assert_true(frame_send(one, 1, 2, 5));
	broker_quiesce(*state);
	assert_record(fd, shown(*state, "vm1", "id"), MEMTUN_FROM_CLIENT, 1, 2, 5);
	assert_int_equal(shown(*state, "vm1", "from-client-frames"), 1);
	close(one);
	close(fd);
}

/* ------------------------------------------------------------------------------ refusals */

static void invalid_captures_are_refused(void **state)
{
	struct answer answer;
	struct client other;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=left,peer=right");
	assert_int_equal(refused(*state, MEMTUN_CMD_CAPTURE, "name=left"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_CAPTURE, "name=right"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_CAPTURE, "name=none"), ENOENT);
	assert_int_equal(refused(*state, MEMTUN_CMD_CAPTURE, "bridge=none"), ENOENT);
	assert_int_equal(refused(*state, MEMTUN_CMD_CAPTURE, ""), EINVAL);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=vm1,bridge=b");
	assert_int_equal(refused(*state, MEMTUN_CMD_CAPTURE, "name=vm1,bridge=b"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_CAPTURE, "name=vm1,mtu=1400"), EINVAL);
	client_open(&other, *state, FIXTURE_UID + 1, true);
	assert_int_equal(client_ask(&other, &answer, MEMTUN_CMD_CAPTURE, "name=vm1"), EPERM);
	client_close(&other);
}

static const struct CMUnitTest tests[] = {
	WITH_BROKER(a_tunnel_is_captured_both_ways),
	WITH_BROKER(a_record_has_its_time),
	WITH_BROKER(a_bridge_is_captured_at_each_port),
	WITH_BROKER(a_tunnel_and_its_bridge_are_captured_at_once),
	WITH_BROKER(one_direction_is_captured_alone),
	WITH_BROKER(a_plain_capture_has_no_record_headers),
	WITH_BROKER(dropped_frames_are_captured),
	WITH_BROKER(a_slow_reader_misses_frames_and_slows_no_port),
	WITH_BROKER(a_capture_ends_with_its_tunnel),
	WITH_BROKER(a_capture_ends_with_its_bridge),
	WITH_BROKER(a_capture_ends_with_its_reader),
	WITH_BROKER(an_empty_record_from_a_reader_is_ignored),
	WITH_BROKER(data_from_a_reader_is_ignored),
	WITH_BROKER(invalid_captures_are_refused),
};

int main(void)
{
	return RUN_TESTS(tests);
}
