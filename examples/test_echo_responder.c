/* SPDX-License-Identifier: MIT */
/*
 * Tests the responder in memory: without privileges, device or broker, and with faults on demand.
 * It is an example too, so it includes only public headers.
 */
#include <memtun/cmocka.h>

#include <poll.h>

#include "echo-responder.h"

/* Echo requests from fd00::1 to fd00::2 and from 10.0.0.1 to 10.0.0.2, with id 1, sequence number 2
 * and the data "hi", and their replies. */
static const char request4[] = "\x45\0\0\x1e\0\1\0\0\x40\1\x66\xdc\x0a\0\0\1\x0a\0\0\2"
			       "\x08\0\x8f\x93\0\1\0\2hi";
static const char reply4[] = "\x45\0\0\x1e\0\1\0\0\x40\1\x66\xdc\x0a\0\0\2\x0a\0\0\1"
			     "\0\0\x97\x93\0\1\0\2hi";
static const char request6[] =
	"\x60\0\0\0\0\x0a\x3a\x40"
	"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2"
	"\x80\0\x1d\x4a\0\1\0\2hi";
static const char reply6[] = "\x60\0\0\0\0\x0a\x3a\x40"
			     "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
			     "\x81\0\x1c\x4a\0\1\0\2hi";

#define LENGTH4 (sizeof(request4) - 1)
#define LENGTH6 (sizeof(request6) - 1)

static struct echo_responder responder;
static struct memtun_testing_tunnel *tunnel;

static int set_up(void **state)
{
	struct memtun_io *io = memtun_io_memory_new();

	*state = io;
	if (!io || echo_responder_open(&responder, io, "echo") < 0)
		return -1;
	tunnel = memtun_testing_tunnel(io, responder.fd);
	return 0;
}

static int tear_down(void **state)
{
	if (responder.fd >= 0)
		echo_responder_close(&responder);
	memtun_io_free(*state);
	return 0;
}

static void ask(const void *packet, size_t length)
{
	assert_int_equal(memtun_testing_add_to_read_buffer(tunnel, packet, length, NULL, NULL), 1);
}

static void turn(void)
{
	assert_int_equal(echo_responder_turn(&responder), 0);
}

static void a_ping_is_answered(void **state)
{
	(void)state;
	ask(request4, LENGTH4);
	ask(request6, LENGTH6);
	turn();
	assert_frame_received(tunnel, reply4, LENGTH4);
	assert_frame_received(tunnel, reply6, LENGTH6);
	assert_no_frame(tunnel);
	assert_int_equal(responder.answered, 2);
	assert_int_equal(echo_responder_events(&responder), POLLIN);
}

static void nothing_else_is_answered(void **state)
{
	char other[LENGTH6];

	(void)state;
	ask(reply4, LENGTH4);
	ask(reply6, LENGTH6);
	/* Each packet is a request with one difference. */
	memcpy(other, request4, LENGTH4);
	other[9] = 17; /* the protocol is UDP */
	ask(other, LENGTH4);
	memcpy(other, request4, LENGTH4);
	other[6] = 0x20; /* more fragments follow */
	ask(other, LENGTH4);
	memcpy(other, request4, LENGTH4);
	other[16] = (char)224; /* to a group */
	ask(other, LENGTH4);
	memcpy(other, request4, LENGTH4);
	other[0] = 0x4f; /* 60 bytes of header */
	ask(other, LENGTH4);
	memcpy(other, request6, LENGTH6);
	other[24] = (char)0xff; /* to a group */
	ask(other, LENGTH6);
	/* The request, cut at each length. */
	for (size_t length = 1; length < LENGTH4; length++)
		ask(request4, length);
	for (size_t length = 1; length < LENGTH6; length++)
		ask(request6, length);
	while (memtun_testing_count_unread(tunnel) > 0)
		turn();
	assert_no_frame(tunnel);
}

static void an_interrupted_call_is_made_again(void **state)
{
	ask(request4, LENGTH4);
	memtun_testing_fail_next(*state, MEMTUN_IO_READ | MEMTUN_IO_WRITE, 3, EINTR);
	turn();
	assert_frame_received(tunnel, reply4, LENGTH4);
}

static void an_interrupted_opening_is_made_again(void **state)
{
	echo_responder_close(&responder);
	memtun_testing_fail_next(*state, MEMTUN_IO_OPEN | MEMTUN_IO_IOCTL, 2, EINTR);
	assert_int_equal(echo_responder_open(&responder, *state, "echo"), 0);
	memtun_testing_fail_next(*state, MEMTUN_IO_IOCTL, 1, EPERM);
	echo_responder_close(&responder);
	assert_int_equal(echo_responder_open(&responder, *state, "echo"), -1);
	assert_int_equal(errno, EPERM);
}

static void an_answer_without_room_waits_for_it(void **state)
{
	ask(request4, LENGTH4);
	ask(request6, LENGTH6);
	memtun_testing_fail_next(*state, MEMTUN_IO_WRITE, 2, EAGAIN);
	turn();
	assert_no_frame(tunnel);
	assert_int_equal(echo_responder_events(&responder), POLLOUT);
	turn();
	assert_int_equal(memtun_testing_count_unread(tunnel), 1);
	turn();
	assert_frame_received(tunnel, reply4, LENGTH4);
	assert_frame_received(tunnel, reply6, LENGTH6);
	assert_int_equal(responder.lost, 0);
}

static void an_answer_that_finds_no_buffer_is_lost_alone(void **state)
{
	(void)state;
	assert_int_equal(memtun_testing_set_send_buffer(tunnel, LENGTH4), 0);
	ask(request6, LENGTH6);
	ask(request4, LENGTH4);
	turn();
	assert_frame_received(tunnel, reply4, LENGTH4);
	assert_no_frame(tunnel);
	assert_int_equal(responder.lost, 1);
}

static void every_third_write_may_fail(void **state)
{
	memtun_testing_fail_every(*state, MEMTUN_IO_WRITE, 3, ENOBUFS);
	for (int i = 0; i < 30; i++)
		ask(request4, LENGTH4);
	turn();
	assert_int_equal(memtun_testing_count_written(tunnel), 20);
	assert_int_equal(responder.lost, 10);
}

static void a_device_that_fails_ends_it(void **state)
{
	memtun_testing_fail_next(*state, MEMTUN_IO_READ, 1, EIO);
	assert_int_equal(echo_responder_turn(&responder), -1);
	assert_int_equal(errno, EIO);
	ask(request4, LENGTH4);
	memtun_testing_fail_next(*state, MEMTUN_IO_WRITE, 1, EIO);
	assert_int_equal(echo_responder_turn(&responder), -1);
	assert_int_equal(errno, EIO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_ping_is_answered),
		TEST(nothing_else_is_answered),
		TEST(an_interrupted_call_is_made_again),
		TEST(an_interrupted_opening_is_made_again),
		TEST(an_answer_without_room_waits_for_it),
		TEST(an_answer_that_finds_no_buffer_is_lost_alone),
		TEST(every_third_write_may_fail),
		TEST(a_device_that_fails_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
