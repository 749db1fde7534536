/* SPDX-License-Identifier: MIT */
/* The sockets of a multicast LAN, on loopback. */
#include "common/multicast.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "tests/unit/runner.h"

#define LONGEST 70000

static uint8_t buffers[MULTICAST_BATCH][LONGEST];

/* Port 0 stands for a port that is free now. */
static struct multicast_options options_make(in_port_t port)
{
	struct multicast_options options = {
		.group.s_addr = inet_addr("230.0.0.1"),
		.port = port,
		.interface.s_addr = htonl(INADDR_LOOPBACK),
		.ttl = 1,
	};
	struct multicast any;

	if (port == 0) {
		/* The port of another member's sender is free when that member has left. */
		options.port = htons(5001);
		assert_int_equal(multicast_open(&any, &options), 0);
		options.port = any.own.sin_port;
		multicast_close(&any);
	}
	return options;
}

static struct multicast member_open(const struct multicast_options *options)
{
	struct multicast multicast;

	assert_int_equal(multicast_open(&multicast, options), 0);
	return multicast;
}

/* Wait for frames, and receive up to count at once. */
static int receive(struct multicast *multicast, struct mmsghdr *messages, unsigned int count)
{
	struct pollfd polled = {.fd = multicast->receiver, .events = POLLIN};
	static struct iovec parts[MULTICAST_BATCH];

	for (unsigned int i = 0; i < count; i++) {
		parts[i] = (struct iovec){buffers[i], LONGEST};
		messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
	}
	assert_int_equal(poll(&polled, 1, 5000), 1);
	return multicast_receive(multicast, messages, count);
}

static bool is_silent(struct multicast *multicast)
{
	struct pollfd polled = {.fd = multicast->receiver, .events = POLLIN};

	return poll(&polled, 1, 0) == 0;
}

static void assert_passes(struct multicast *from, struct multicast *to, size_t length)
{
	static uint8_t frame[LONGEST];
	struct mmsghdr message;

	memset(frame, (int)(length & 0xff), length);
	assert_int_equal(multicast_send(from, frame, length), length);
	do {
		assert_int_equal(receive(to, &message, 1), 1);
	} while (message.msg_len == 0); /* its own frames from before */
	assert_int_equal(message.msg_len, length);
	assert_false(message.msg_hdr.msg_flags & MSG_TRUNC);
	assert_memory_equal(buffers[0], frame, length);
}

static void members_receive_each_others_frames(void **state)
{
	struct multicast_options options = options_make(0);
	struct multicast one = member_open(&options);
	struct multicast other = member_open(&options);

	(void)state;
	assert_passes(&one, &other, 60);
	assert_passes(&other, &one, 61);
	multicast_close(&one);
	multicast_close(&other);
}

static void full_and_largest_frames_pass_whole(void **state)
{
	struct multicast_options options = options_make(0);
	struct multicast one = member_open(&options);
	struct multicast other = member_open(&options);

	(void)state;
	assert_passes(&one, &other, 1);
	assert_passes(&one, &other, 1514);
	assert_passes(&one, &other, MULTICAST_FRAME_MAX);
	multicast_close(&one);
	multicast_close(&other);
}

static void larger_and_empty_frames_are_refused(void **state)
{
	struct multicast_options options = options_make(0);
	struct multicast one = member_open(&options);

	(void)state;
	assert_int_equal(multicast_send(&one, buffers[0], MULTICAST_FRAME_MAX + 1), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(multicast_send(&one, buffers[0], 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_true(is_silent(&one));
	multicast_close(&one);
}

static void own_frames_are_marked_to_be_skipped(void **state)
{
	struct multicast_options options = options_make(0);
	struct multicast one = member_open(&options);
	struct multicast other = member_open(&options);
	struct mmsghdr messages[MULTICAST_BATCH];

	(void)state;
	assert_int_equal(multicast_send(&one, "own", 3), 3);
	assert_int_equal(multicast_send(&other, "other", 5), 5);
	assert_int_equal(receive(&one, messages, MULTICAST_BATCH), 2);
	assert_int_equal(messages[0].msg_len, 0);
	assert_int_equal(messages[1].msg_len, 5);
	assert_null(messages[0].msg_hdr.msg_name);
	multicast_close(&one);
	multicast_close(&other);
}

static void own_frames_are_received_with_loop(void **state)
{
	struct multicast_options options = options_make(0);
	struct multicast one;

	(void)state;
	options.loop = true;
	one = member_open(&options);
	assert_passes(&one, &one, 60);
	multicast_close(&one);
}

static void a_batch_holds_many_frames_and_then_eagain(void **state)
{
	struct multicast_options options = options_make(0);
	struct multicast one = member_open(&options);
	struct multicast other = member_open(&options);
	struct mmsghdr messages[MULTICAST_BATCH];

	(void)state;
	for (uint8_t i = 0; i < MULTICAST_BATCH + 1; i++)
		assert_int_equal(multicast_send(&one, &i, 1), 1);
	assert_int_equal(receive(&other, messages, MULTICAST_BATCH), MULTICAST_BATCH);
	for (uint8_t i = 0; i < MULTICAST_BATCH; i++) {
		assert_int_equal(messages[i].msg_len, 1);
		assert_int_equal(buffers[i][0], i);
	}
	assert_int_equal(receive(&other, messages, MULTICAST_BATCH), 1);
	assert_int_equal(multicast_receive(&other, messages, MULTICAST_BATCH), -1);
	assert_int_equal(errno, EAGAIN);
	multicast_close(&one);
	multicast_close(&other);
}

static void lans_on_other_ports_and_groups_are_apart(void **state)
{
	struct multicast_options options = options_make(0);
	struct multicast_options other_port = options_make(0);
	struct multicast_options other_group = options;
	struct multicast one = member_open(&options);
	struct multicast two = member_open(&other_port);
	struct multicast three;

	(void)state;
	other_group.group.s_addr = inet_addr("230.0.0.2");
	three = member_open(&other_group);
	assert_int_not_equal(options.port, other_port.port);
	assert_int_equal(multicast_send(&one, "x", 1), 1);
	assert_false(is_silent(&one)); /* by now the frame would have come */
	assert_true(is_silent(&two));
	assert_true(is_silent(&three));
	multicast_close(&one);
	multicast_close(&two);
	multicast_close(&three);
}

static void a_lan_is_on_its_interface_only(void **state)
{
	struct multicast_options options = options_make(0);
	struct multicast one = member_open(&options);
	struct in_addr interface = {INADDR_ANY};
	socklen_t length = sizeof(int);
	int all = 1;

	(void)state;
	assert_int_equal(getsockopt(one.receiver, IPPROTO_IP, IP_MULTICAST_ALL, &all, &length), 0);
	assert_int_equal(all, 0);
	length = sizeof(interface);
	assert_int_equal(getsockopt(one.sender, IPPROTO_IP, IP_MULTICAST_IF, &interface, &length),
			 0);
	assert_int_equal(interface.s_addr, htonl(INADDR_LOOPBACK));
	multicast_close(&one);
}

static void assert_ttl_arrives(int ttl)
{
	struct multicast_options options = options_make(0);
	struct multicast one;
	struct multicast other = member_open(&options);
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {buffers[0], LONGEST};
	struct mmsghdr message = {
		.msg_hdr =
			{
				.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control),
			},
	};
	const int on = 1;
	int received;

	options.ttl = ttl;
	one = member_open(&options);
	assert_int_equal(setsockopt(other.receiver, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)), 0);
	assert_int_equal(multicast_send(&one, "x", 1), 1);
	assert_int_equal(multicast_receive(&other, &message, 1), 1);
	assert_int_equal(control.header.cmsg_type, IP_TTL);
	memcpy(&received, CMSG_DATA(&control.header), sizeof(received));
	assert_int_equal(received, ttl);
	multicast_close(&one);
	multicast_close(&other);
}

static void frames_have_the_ttl_that_was_set(void **state)
{
	(void)state;
	assert_ttl_arrives(0);
	assert_ttl_arrives(1);
	assert_ttl_arrives(255);
}

static void assert_refused(const struct multicast_options *options, int error)
{
	struct multicast multicast;

	errno = 0;
	assert_int_equal(multicast_open(&multicast, options), -1);
	assert_int_equal(errno, error);
	assert_int_equal(multicast.receiver, -1);
	assert_int_equal(multicast.sender, -1);
}

static void what_is_no_lan_is_refused(void **state)
{
	struct multicast_options options = options_make(htons(5009));

	(void)state;
	options.group.s_addr = inet_addr("10.0.0.1");
	assert_refused(&options, EINVAL);
	options = options_make(htons(5009));
	options.port = 0;
	assert_refused(&options, EINVAL);
	options = options_make(htons(5009));
	options.ttl = -1;
	assert_refused(&options, EINVAL);
	options.ttl = 256;
	assert_refused(&options, EINVAL);
}

static void an_address_of_no_interface_is_enodev(void **state)
{
	struct multicast_options options = options_make(htons(5009));

	(void)state;
	options.interface.s_addr = inet_addr("198.51.100.7"); /* RFC 5737: no interface has it */
	assert_refused(&options, ENODEV);
}

static void closing_twice_is_closing_once(void **state)
{
	struct multicast_options options = options_make(0);
	struct multicast one = member_open(&options);

	(void)state;
	multicast_close(&one);
	multicast_close(&one);
	assert_int_equal(one.receiver, -1);
	assert_int_equal(one.sender, -1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(members_receive_each_others_frames),
	cmocka_unit_test(full_and_largest_frames_pass_whole),
	cmocka_unit_test(larger_and_empty_frames_are_refused),
	cmocka_unit_test(own_frames_are_marked_to_be_skipped),
	cmocka_unit_test(own_frames_are_received_with_loop),
	cmocka_unit_test(a_batch_holds_many_frames_and_then_eagain),
	cmocka_unit_test(lans_on_other_ports_and_groups_are_apart),
	cmocka_unit_test(a_lan_is_on_its_interface_only),
	cmocka_unit_test(frames_have_the_ttl_that_was_set),
	cmocka_unit_test(what_is_no_lan_is_refused),
	cmocka_unit_test(an_address_of_no_interface_is_enodev),
	cmocka_unit_test(closing_twice_is_closing_once),
};

int main(void)
{
	return RUN_TESTS(tests);
}
