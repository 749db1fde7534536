/* SPDX-License-Identifier: MIT */
/* Opening, reading and writing, on socket pairs, devices and a LAN. */
#include "memtun/connector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tests/unit/client/connector/connector_fixture.h"
#include "common/descriptor.h"
#include "common/frame/frame_format.h"
#include "tests/unit/common/frame/frame_samples.h"

/* Longer than any frame. */
static uint8_t frame[70000];

/* --- reading --- */

static void frames_are_read_one_by_one_and_in_order(void **state)
{
	(void)state;
	SEND(1, 2, 3);
	for (unsigned int port = 1; port <= 3; port++)
		assert_int_equal(packet_port(memtun_connector_read_packet(ends.connector)), port);
	assert_null(memtun_connector_read_packet(ends.connector));
	assert_int_equal(errno, EAGAIN);
}

static void a_packet_has_the_time_it_was_read_at(void **state)
{
	const struct memtun_packet *packet;
	int64_t before = clock_now();

	(void)state;
	SEND(1);
	packet = memtun_connector_read_packet(ends.connector);
	assert_non_null(packet);
	assert_int_equal(packet->size, sizeof(struct memtun_packet));
	assert_true(packet->time >= before);
	assert_true(packet->time <= clock_now());
}

static void poll_read_tells_without_taking(void **state)
{
	(void)state;
	assert_int_equal(memtun_connector_poll_read(ends.connector, 0), 0);
	SEND(7);
	assert_int_equal(memtun_connector_poll_read(ends.connector, -1), 1);
	assert_int_equal(memtun_connector_poll_read(ends.connector, 0), 1);
	assert_int_equal(packet_port(memtun_connector_read_packet(ends.connector)), 7);
	assert_int_equal(memtun_connector_poll_read(ends.connector, 0), 0);
}

static void a_long_frame_after_a_short_one_is_whole(void **state)
{
	const struct memtun_packet *packet;

	(void)state;
	SEND(7);
	assert_int_equal(memtun_connector_poll_read(ends.connector, -1), 1);
	assert_int_equal(packet_port(memtun_connector_read_packet(ends.connector)), 7);
	memset(frame, 'x', 60000);
	assert_int_equal(send(ends.peer, frame, 60000, 0), 60000);
	packet = memtun_connector_read_packet(ends.connector);
	assert_non_null(packet);
	assert_int_equal(packet->length, 60000);
	assert_memory_equal(packet->data, frame, 60000);
}

static void poll_read_waits_its_time_however_often_interrupted(void **state)
{
	int64_t start = clock_now();
	int result;

	(void)state;
	alarms_start(NULL);
	result = memtun_connector_poll_read(ends.connector, 30);
	alarms_stop();
	assert_int_equal(result, 0);
	assert_elapsed(start, 30);
}

static void send_from_alarm(void)
{
	static const char packet[] = "E";

	(void)!send(ends.peer, packet, sizeof(packet), MSG_DONTWAIT);
}

static void blocking_read_waits_for_a_frame(void **state)
{
	const struct memtun_packet *packet;

	(void)state;
	alarms_start(send_from_alarm);
	packet = memtun_connector_blocking_read(ends.connector);
	alarms_stop();
	assert_non_null(packet);
	assert_memory_equal(packet->data, "E", 2);
}

static void empty_messages_are_no_frames_and_no_end(void **state)
{
	(void)state;
	assert_int_equal(send(ends.peer, "", 0, 0), 0);
	assert_null(memtun_connector_read_packet(ends.connector));
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(send(ends.peer, "", 0, 0), 0);
	SEND(5);
	assert_int_equal(packet_port(memtun_connector_read_packet(ends.connector)), 5);
}

static void assert_ended(void)
{
	assert_int_equal(memtun_connector_poll_read(ends.connector, -1), -1);
	assert_int_equal(errno, EPIPE);
	assert_null(memtun_connector_blocking_read(ends.connector));
	assert_int_equal(errno, EPIPE);
	assert_int_equal(memtun_connector_write(ends.connector, "E", 1, 0), -1);
	assert_int_equal(errno, EPIPE);
}

static void the_end_comes_behind_the_last_frame(void **state)
{
	(void)state;
	SEND(1, 2);
	assert_int_equal(send(ends.peer, "", 0, 0), 0);
	SEND(3);
	descriptor_close(&ends.peer);
	for (unsigned int port = 1; port <= 3; port++)
		assert_int_equal(packet_port(memtun_connector_blocking_read(ends.connector)), port);
	assert_ended();
}

static void frames_of_a_peer_that_left_some_unread_are_read(void **state)
{
	(void)state;
	SEND(1);
	assert_int_equal(memtun_connector_write(ends.connector, "unread", 6, 0), 6);
	descriptor_close(&ends.peer);
	assert_int_equal(packet_port(memtun_connector_read_packet(ends.connector)), 1);
	assert_ended();
}

static void a_peer_that_only_stopped_sending_is_an_end_of_reading(void **state)
{
	(void)state;
	SEND(1);
	assert_int_equal(shutdown(ends.peer, SHUT_WR), 0);
	assert_int_equal(packet_port(memtun_connector_read_packet(ends.connector)), 1);
	assert_null(memtun_connector_blocking_read(ends.connector));
	assert_int_equal(errno, EPIPE);
	assert_int_equal(memtun_connector_write(ends.connector, "E", 1, 0), 1);
}

/* With the refused write the kernel has discarded the unread frames. */
static void a_write_finds_the_end_of_a_datagram_tunnel(void **state)
{
	(void)state;
	descriptor_close(&ends.peer);
	assert_int_equal(memtun_connector_poll_read(ends.connector, 0), 0);
	assert_int_equal(memtun_connector_write(ends.connector, "E", 1, 0), -1);
	assert_int_equal(errno, EPIPE);
	assert_ended();
}

static void a_message_that_is_too_long_is_cut_and_marked(void **state)
{
	const struct memtun_packet *packet;

	(void)state;
	frame[0] = 0x45;
	assert_int_equal(send(ends.peer, frame, sizeof(frame), 0), sizeof(frame));
	packet = memtun_connector_read_packet(ends.connector);
	assert_non_null(packet);
	assert_int_equal(packet->length, FRAME_MAX);
	assert_true(packet->cut);
}

/* --- writing --- */

static void a_written_frame_is_one_message(void **state)
{
	char received[8];

	(void)state;
	assert_int_equal(memtun_connector_write(ends.connector, "one", 3, 0), 3);
	assert_int_equal(memtun_connector_write(ends.connector, "four", 4, MSG_DONTWAIT), 4);
	assert_int_equal(recv(ends.peer, received, sizeof(received), 0), 3);
	assert_int_equal(recv(ends.peer, received, sizeof(received), 0), 4);
}

static void what_is_no_frame_is_not_written(void **state)
{
	(void)state;
	assert_int_equal(memtun_connector_write(ends.connector, "", 0, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(memtun_connector_write(ends.connector, "x", 1, MSG_OOB), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(memtun_connector_poll_read(ends.connector, 0), 0);
}

static int drained;

static void drain_from_alarm(void)
{
	static uint8_t received[1514];

	while (recv(ends.peer, received, sizeof(received), MSG_DONTWAIT) > 0)
		drained++;
}

static void a_full_tunnel_waits_or_answers_eagain_as_asked(void **state)
{
	int written = 0;

	(void)state;
	while (memtun_connector_write(ends.connector, frame, 1514, MSG_DONTWAIT) == 1514)
		written++;
	assert_int_equal(errno, EAGAIN);
	assert_true(written > 0);
	drained = 0;
	alarms_start(drain_from_alarm);
	assert_int_equal(memtun_connector_write(ends.connector, frame, 1514, 0), 1514);
	alarms_stop();
	assert_true(drained > 0);
}

/* --- descriptors of each kind --- */

static void what_is_no_tunnel_is_refused_and_stays_open(void **state)
{
	int stream[2];
	int pipes[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
	assert_int_equal(pipe(pipes), 0);
	assert_null(memtun_connector_open_fd(stream[0], MEMTUN_TAP, 0));
	assert_int_equal(errno, EPROTOTYPE);
	assert_null(memtun_connector_open_fd(pipes[0], MEMTUN_TAP, 0));
	assert_int_equal(errno, EPROTOTYPE);
	assert_null(memtun_connector_open_fd(-1, MEMTUN_TAP, 0));
	assert_int_equal(errno, EBADF);
	assert_null(memtun_connector_open_fd(ends.peer, 3, 0));
	assert_int_equal(errno, EINVAL);
	assert_null(memtun_connector_open_fd(ends.peer, MEMTUN_TAP, MEMTUN_CONNECTOR_LOOP));
	assert_int_equal(errno, EINVAL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(close(stream[i]), 0);
		assert_int_equal(close(pipes[i]), 0);
	}
}

static void the_descriptors_flags_are_left_alone(void **state)
{
	int fd = memtun_connector_fd(ends.connector);

	(void)state;
	assert_int_equal(memtun_connector_poll_read(ends.connector, 0), 0);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(memtun_connector_write_fd(ends.connector), fd);
}

static void closing_nothing_is_nothing(void **state)
{
	(void)state;
	memtun_connector_close(NULL);
}

static void a_tunnel_has_no_addresses(void **state)
{
	struct sockaddr_in address;

	(void)state;
	assert_int_equal(memtun_connector_group_address(ends.connector, &address), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(memtun_connector_own_address(ends.connector, &address), -1);
	assert_int_equal(errno, EOPNOTSUPP);
}

static void packet_information_is_taken_off_and_put_on(void **state)
{
	static const uint8_t expected[] = {0, 0, 0x08, 0x00};
	static const struct tun_pi stripped = {.flags = TUN_PKT_STRIP};
	struct memtun_connector *connector;
	const struct memtun_packet *packet;
	uint8_t received[128];
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	connector = memtun_connector_open_fd(fds[0], MEMTUN_TUN, MEMTUN_CONNECTOR_PI);
	assert_non_null(connector);
	memcpy(frame, expected, 4);
	size_t length = udp_frame_make(frame + 4, sizeof(frame) - 4, MEMTUN_TUN, 9);

	assert_int_equal(send(fds[1], frame, 4, 0), 4); /* packet information alone is no frame */
	assert_int_equal(send(fds[1], frame, length + 4, 0), length + 4);
	packet = memtun_connector_read_packet(connector);
	assert_int_equal(packet_port(packet), 9);
	assert_int_equal(packet->length, length);
	assert_false(packet->cut);
	memcpy(frame, &stripped, sizeof(stripped));
	assert_int_equal(send(fds[1], frame, length + 4, 0), length + 4);
	packet = memtun_connector_read_packet(connector);
	assert_non_null(packet);
	assert_true(packet->cut);
	memcpy(frame, expected, 4);
	assert_int_equal(memtun_connector_write(connector, frame + 4, length, 0), length);
	assert_int_equal(recv(fds[1], received, sizeof(received), 0), length + 4);
	assert_memory_equal(received, frame, length + 4);
	memtun_connector_close(connector);
	close(fds[1]);
}

static void a_device_is_not_waited_for(void **state)
{
	struct memtun_connector *connector;
	const struct memtun_packet *packet;
	struct termios raw;
	int device;
	int driver;

	(void)state;
	assert_int_equal(openpty(&driver, &device, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(device, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(device, TCSANOW, &raw), 0);
	connector = memtun_connector_open_fd(device, MEMTUN_TUN, 0);
	assert_non_null(connector);
	assert_null(memtun_connector_read_packet(connector));
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(memtun_connector_poll_read(connector, 1), 0);
	size_t length = udp_frame_make(frame, sizeof(frame), MEMTUN_TUN, 9);

	assert_int_equal(write(driver, frame, length), length);
	assert_int_equal(packet_port(memtun_connector_blocking_read(connector)), 9);
	assert_int_equal(memtun_connector_write(connector, frame, length, 0), length);
	memset(frame, 0, length);
	assert_int_equal(read(driver, frame, length), length);
	assert_int_equal(frame[0], 0x45);
	assert_null(memtun_connector_read_packet(connector));
	close(driver);
	packet = memtun_connector_blocking_read(connector);
	assert_null(packet);
	memtun_connector_close(connector);
}

/* --- the kernel's tun device, in a network namespace of a child --- */

/* Set the interface up. Return a packet socket on it, or -1. */
static int interface_up(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memcpy(request.ifr_name, name, strlen(name));
	return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? fd : -1;
}

/* Return the number of the check that failed; 0: none; 77: no kernel tun device here. */
static int kernel_checks(void)
{
	struct ifreq request = {.ifr_name = "tap0", .ifr_flags = IFF_TAP};
	struct memtun_connector *connector;
	const struct memtun_packet *packet;
	int fd;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return 77;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		return 77;
	connector = memtun_connector_open_fd(fd, MEMTUN_TAP, MEMTUN_CONNECTOR_PI);
	if (!connector)
		return 1;
	if (memtun_connector_read_packet(connector) || errno != EAGAIN)
		return 2;
	if (interface_up("tap0") < 0)
		return 3;
	/* A new interface sends multicast listener reports and router solicitations. */
	packet = memtun_connector_blocking_read(connector);
	if (!packet || packet->ipv6 != 14 || packet->icmpv6 < 0)
		return 4;
	size_t length = udp_frame_make(frame, sizeof(frame), MEMTUN_TAP, 9);

	if (memtun_connector_write(connector, frame, length, 0) != (ssize_t)length)
		return 5;
	memtun_connector_close(connector);
	return 0;
}

static void a_kernel_tap_is_a_tunnel_too(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(kernel_checks());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		test_skip("no /dev/net/tun, or no right to a network namespace");
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- packets --- */

/* Assert that a connector of that mode reads this sample. */
static void assert_sample(const char *name, const struct memtun_packet *expected)
{
	const struct frame_sample *sample = frame_sample_find(name);
	struct memtun_connector *connector;
	const struct memtun_packet *packet;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	connector = memtun_connector_open_fd(fds[0], sample->mode, 0);
	assert_non_null(connector);
	assert_int_equal(send(fds[1], sample->bytes, sample->length, 0), sample->length);
	packet = memtun_connector_read_packet(connector);
	assert_non_null(packet);
	assert_int_equal(packet->length, sample->length);
	assert_memory_equal(packet->data, sample->bytes, sample->length);
	assert_int_equal(packet->mode, sample->mode);
	assert_int_equal(packet->ethernet, expected->ethernet);
	assert_int_equal(packet->vlan, expected->vlan);
	assert_int_equal(packet->vlan_id, expected->vlan_id);
	assert_int_equal(packet->arp, expected->arp);
	assert_int_equal(packet->ipv4, expected->ipv4);
	assert_int_equal(packet->ipv6, expected->ipv6);
	assert_int_equal(packet->icmp, expected->icmp);
	assert_int_equal(packet->tcp, expected->tcp);
	assert_int_equal(packet->udp, expected->udp);
	assert_int_equal(packet->payload, expected->payload);
	assert_int_equal(packet->payload_length, expected->payload_length);
	assert_int_equal(packet->fragment, expected->fragment);
	assert_false(packet->malformed);
	assert_false(packet->cut);
	memtun_connector_close(connector);
	close(fds[1]);
}

/* Initializers of a packet without headers. A later initializer of a member replaces them. */
#pragma GCC diagnostic ignored "-Woverride-init"
#define PACKET(...)                     \
	(&(const struct memtun_packet){ \
		.ethernet = -1,         \
		.vlan = -1,             \
		.vlan_id = -1,          \
		.arp = -1,              \
		.ipv4 = -1,             \
		.ipv6 = -1,             \
		.icmp = -1,             \
		.tcp = -1,              \
		.udp = -1,              \
		__VA_ARGS__,            \
	})

static void a_packet_has_the_offsets_of_its_headers(void **state)
{
	(void)state;
	assert_sample("udp4", PACKET(.ipv4 = 0, .udp = 20, .payload = 28, .payload_length = 12));
	assert_sample("udp4_vlan_broadcast",
		      PACKET(.ethernet = 0, .vlan = 12, .vlan_id = 5, .ipv4 = 18, .udp = 38,
			     .payload = 46, .payload_length = 12));
	assert_sample("udp6_extensions",
		      PACKET(.ipv6 = 0, .udp = 56, .payload = 64, .payload_length = 5));
	assert_sample("udp6_first_fragment", PACKET(.ipv6 = 0, .udp = 48, .payload = 56,
						    .payload_length = 40, .fragment = true));
}

static void a_frame_that_contradicts_itself_is_malformed(void **state)
{
	const struct memtun_packet *packet;

	(void)state;
	assert_int_equal(send(ends.peer, "\x45\x00", 2, 0), 2);
	packet = memtun_connector_read_packet(ends.connector);
	assert_non_null(packet);
	assert_true(packet->malformed);
	assert_int_equal(packet->udp, -1);
	assert_int_equal(packet->ipv4, -1);
	assert_int_equal(packet->ethernet, -1);
	assert_int_equal(packet->length, 2);
}

/* --- the multicast LAN --- */

static void members_of_a_lan_receive_each_others_frames_and_not_their_own(void **state)
{
	int64_t start;

	(void)state;
	SEND(1);
	assert_int_equal(packet_port(memtun_connector_blocking_read(ends.connector)), 1);
	start = clock_now();
	/* The connector's own frame wakes its poll(2) early. */
	assert_int_equal(memtun_connector_poll_read(ends.other, 20), 0);
	assert_elapsed(start, 20);
}

static void loop_lets_a_member_receive_its_own_frames(void **state)
{
	struct memtun_connector *connector = memtun_connector_open_multicast(
		LAN_GROUP, port_find(), NULL, 1, MEMTUN_CONNECTOR_LOOP);
	size_t length = udp_frame_make(frame, sizeof(frame), MEMTUN_TAP, 9);

	(void)state;
	assert_non_null(connector);
	assert_int_equal(memtun_connector_write(connector, frame, length, 0), length);
	assert_int_equal(packet_port(memtun_connector_blocking_read(connector)), 9);
	memtun_connector_close(connector);
}

static void a_lan_carries_full_and_largest_frames(void **state)
{
	static const size_t lengths[] = {60, 1514, 65507};
	const struct memtun_packet *packet;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(frame, (int)i + 1, lengths[i]);
		assert_int_equal(memtun_connector_write(ends.other, frame, lengths[i], 0),
				 lengths[i]);
		packet = memtun_connector_blocking_read(ends.connector);
		assert_non_null(packet);
		assert_int_equal(packet->length, lengths[i]);
		assert_memory_equal(packet->data, frame, lengths[i]);
		assert_int_equal(packet->ethernet, 0);
	}
	assert_int_equal(memtun_connector_write(ends.other, frame, 65508, 0), -1);
	assert_int_equal(errno, EMSGSIZE);
}

static void a_lan_has_addresses_and_two_descriptors(void **state)
{
	struct sockaddr_in group;
	struct sockaddr_in own;
	struct sockaddr_in other;
	struct pollfd polled = {.fd = memtun_connector_fd(ends.connector), .events = POLLIN};

	(void)state;
	assert_int_equal(memtun_connector_group_address(ends.connector, &group), 0);
	assert_int_equal(group.sin_addr.s_addr, inet_addr(LAN_GROUP));
	assert_int_equal(memtun_connector_own_address(ends.connector, &own), 0);
	assert_int_equal(own.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_not_equal(own.sin_port, 0);
	assert_int_equal(memtun_connector_own_address(ends.other, &other), 0);
	assert_int_not_equal(own.sin_port, other.sin_port);
	assert_int_not_equal(memtun_connector_write_fd(ends.connector), polled.fd);
	SEND(1);
	assert_int_equal(poll(&polled, 1, 5000), 1);
	assert_int_equal(packet_port(memtun_connector_read_packet(ends.connector)), 1);
	assert_int_equal(poll(&polled, 1, 0), 0);
}

static void assert_no_lan(const char *group, uint16_t port, const char *ifaddr, int ttl,
			  unsigned int flags, int error)
{
	errno = 0;
	assert_null(memtun_connector_open_multicast(group, port, ifaddr, ttl, flags));
	assert_int_equal(errno, error);
}

static void what_is_no_lan_is_refused(void **state)
{
	(void)state;
	assert_no_lan("lan", 5009, NULL, 1, 0, EINVAL);
	assert_no_lan("ff02::1", 5009, NULL, 1, 0, EINVAL);
	assert_no_lan("10.0.0.1", 5009, NULL, 1, 0, EINVAL);
	assert_no_lan(LAN_GROUP, 0, NULL, 1, 0, EINVAL);
	assert_no_lan(LAN_GROUP, 5009, "lo", 1, 0, EINVAL);
	assert_no_lan(LAN_GROUP, 5009, NULL, 256, 0, EINVAL);
	assert_no_lan(LAN_GROUP, 5009, NULL, -1, 0, EINVAL);
	assert_no_lan(LAN_GROUP, 5009, NULL, 1, MEMTUN_CONNECTOR_PI, EINVAL);
	assert_no_lan(LAN_GROUP, 5009, "198.51.100.7", 1, 0, ENODEV);
}

static const struct CMUnitTest tests[] = {
	ON_PAIR(frames_are_read_one_by_one_and_in_order),
	ON_DATAGRAMS(frames_are_read_one_by_one_and_in_order),
	ON_LAN(frames_are_read_one_by_one_and_in_order),
	ON_PAIR(a_packet_has_the_time_it_was_read_at),
	ON_PAIR(poll_read_tells_without_taking),
	ON_DATAGRAMS(poll_read_tells_without_taking),
	ON_LAN(poll_read_tells_without_taking),
	ON_PAIR(a_long_frame_after_a_short_one_is_whole),
	ON_PAIR(poll_read_waits_its_time_however_often_interrupted),
	ON_LAN(poll_read_waits_its_time_however_often_interrupted),
	ON_PAIR(blocking_read_waits_for_a_frame),
	ON_DATAGRAMS(blocking_read_waits_for_a_frame),
	ON_PAIR(empty_messages_are_no_frames_and_no_end),
	ON_DATAGRAMS(empty_messages_are_no_frames_and_no_end),
	ON_PAIR(the_end_comes_behind_the_last_frame),
	ON_PAIR(frames_of_a_peer_that_left_some_unread_are_read),
	ON_PAIR(a_peer_that_only_stopped_sending_is_an_end_of_reading),
	ON_DATAGRAMS(a_write_finds_the_end_of_a_datagram_tunnel),
	ON_PAIR(a_message_that_is_too_long_is_cut_and_marked),
	ON_PAIR(a_written_frame_is_one_message),
	ON_DATAGRAMS(a_written_frame_is_one_message),
	ON_PAIR(what_is_no_frame_is_not_written),
	ON_LAN(what_is_no_frame_is_not_written),
	ON_PAIR(a_full_tunnel_waits_or_answers_eagain_as_asked),
	ON_DATAGRAMS(a_full_tunnel_waits_or_answers_eagain_as_asked),
	ON_PAIR(what_is_no_tunnel_is_refused_and_stays_open),
	ON_PAIR(the_descriptors_flags_are_left_alone),
	ON_PAIR(a_tunnel_has_no_addresses),
	cmocka_unit_test(closing_nothing_is_nothing),
	cmocka_unit_test(packet_information_is_taken_off_and_put_on),
	cmocka_unit_test(a_device_is_not_waited_for),
	cmocka_unit_test(a_kernel_tap_is_a_tunnel_too),
	cmocka_unit_test(a_packet_has_the_offsets_of_its_headers),
	ON_PAIR(a_frame_that_contradicts_itself_is_malformed),
	ON_LAN(members_of_a_lan_receive_each_others_frames_and_not_their_own),
	cmocka_unit_test(loop_lets_a_member_receive_its_own_frames),
	ON_LAN(a_lan_carries_full_and_largest_frames),
	ON_LAN(a_lan_has_addresses_and_two_descriptors),
	cmocka_unit_test(what_is_no_lan_is_refused),
};

int main(void)
{
	return RUN_TESTS(tests);
}
