/* SPDX-License-Identifier: MIT */
/* UDP datagrams to a program and from it, over a tunnel in memory. */
#include "tests/unit/runner.h"

#include <arpa/inet.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/frame/checksum.h"
#include "common/frame/frame_build.h"
#include "common/frame/frame_view.h"
#include "client/io/io_memory_parts.h"
#include "memtun/cmocka.h"

#define SERVER4 "10.0.0.9"
#define SERVER6 "fd00::9"
#define PORT 53

static struct sockaddr_storage address(const char *host, uint16_t port)
{
	struct sockaddr_storage made = {0};
	struct sockaddr_in *four = (struct sockaddr_in *)&made;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&made;

	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, host, &six->sin6_addr), 1);
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
	}
	return made;
}

static int send_udp(struct memtun_testing_tunnel *tunnel, const char *text, const char *host,
		    struct sockaddr_storage *from)
{
	struct sockaddr_storage to = address(host, PORT);

	return memtun_testing_send_udp(tunnel, text, strlen(text), (struct sockaddr *)&to, from);
}

/* Assert that the program reads a frame with correct checksums and this description. */
static void assert_program_reads(const struct memtun_fixture *fixture, const char *expected)
{
	int mode = memtun_testing_mode(fixture->tunnel);
	char bytes[2048], line[MEMTUN_TESTING_DESCRIPTION];
	ssize_t length = memtun_io_read(fixture->io, fixture->fd, bytes, sizeof(bytes));

	assert_true(length > 0);
	memtun_testing_describe(line, sizeof(line), (enum memtun_mode)mode, bytes, (size_t)length);
	assert_string_equal(line, expected);
}

/* Write a datagram as the program does, on a TUN, from any address. */
static size_t build(unsigned char *frame, size_t size, enum memtun_mode mode, int vlan,
		    const char *host, uint16_t port, const char *text)
{
	struct frame_udp udp = {
		.vlan = vlan,
		.from = address(strchr(host, ':') ? "fd00::1" : "10.0.0.1", 1000),
		.to = address(host, port),
		.ttl = 64,
		.payload = text,
		.payload_length = strlen(text),
	};
	ssize_t length = frame_build_udp(frame, size, mode, &udp);

	assert_true(length > 0);
	return (size_t)length;
}

static void program_writes(const struct memtun_fixture *fixture, const void *frame, size_t length)
{
	assert_int_equal(memtun_io_write(fixture->io, fixture->fd, frame, length), length);
}

static void program_sends(const struct memtun_fixture *fixture, const char *host, uint16_t port,
			  const char *text)
{
	unsigned char frame[2048];

	program_writes(fixture, frame,
		       build(frame, sizeof(frame), MEMTUN_TUN, -1, host, port, text));
}

static int receive(const struct memtun_fixture *fixture, const char *host)
{
	int fd = memtun_testing_receive_udp(fixture->tunnel, host, PORT, O_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static void assert_yields(int fd, const char *text)
{
	char payload[2048];

	assert_int_equal(read(fd, payload, sizeof(payload)), strlen(text));
	assert_memory_equal(payload, text, strlen(text));
}

static void assert_yields_nothing(int fd)
{
	char byte;

	assert_fails(read(fd, &byte, 1), EAGAIN);
}

/* ------------------------------------------------------------------------------ to the program */

static void a_datagram_comes_from_its_own_address(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct sockaddr_storage from = {0};
	char host[INET6_ADDRSTRLEN];

	assert_int_equal(send_udp(fixture->tunnel, "hello", SERVER4, &from), 1);
	assert_int_equal(from.ss_family, AF_INET);
	assert_int_equal(((struct sockaddr_in *)&from)->sin_port, htons(21345));
	assert_string_equal(
		inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, host, sizeof(host)),
		"10.1.2.3");
	assert_program_reads(fixture, "IPv4 10.1.2.3 > 10.0.0.9 UDP 21345 > 53 length 5");
	assert_int_equal(send_udp(fixture->tunnel, "hello!", SERVER6, NULL), 1);
	assert_program_reads(fixture, "IPv6 fd00::1:2:3 > fd00::9 UDP 21345 > 53 length 6");
}

static void a_datagram_comes_from_where_it_is_told_to(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct sockaddr_storage from = address("192.0.2.1", 7);

	assert_int_equal(send_udp(fixture->tunnel, "", SERVER4, &from), 1);
	assert_program_reads(fixture, "IPv4 192.0.2.1 > 10.0.0.9 UDP 7 > 53 length 0");
	from = address("2001:db8::1", 8);
	assert_int_equal(send_udp(fixture->tunnel, "x", SERVER6, &from), 1);
	assert_program_reads(fixture, "IPv6 2001:db8::1 > fd00::9 UDP 8 > 53 length 1");
	assert_fails(send_udp(fixture->tunnel, "x", SERVER4, &from), EINVAL);
	assert_int_equal(memtun_testing_count_unread(fixture->tunnel), 0);
}

static void a_tap_gets_it_in_ethernet(void **state)
{
	const struct memtun_fixture *fixture = *state;

	assert_int_equal(send_udp(fixture->tunnel, "hello", SERVER6, NULL), 1);
	assert_program_reads(fixture, "00:00:00:00:00:00 > ff:ff:ff:ff:ff:ff "
				      "IPv6 fd00::1:2:3 > fd00::9 UDP 21345 > 53 length 5");
}

static void what_is_no_datagram_is_not_sent(void **state)
{
	const struct memtun_fixture *fixture = *state;
	static const char large[70000];
	struct sockaddr_storage to = address(SERVER4, PORT);
	struct sockaddr unknown = {.sa_family = AF_UNIX};

	assert_fails(send_udp(NULL, "hello", SERVER4, NULL), ENODEV);
	assert_fails(memtun_testing_send_udp(fixture->tunnel, "", 0, &unknown, NULL), EINVAL);
	/* 65535 bytes is the maximum, headers included. */
	assert_fails(memtun_testing_send_udp(fixture->tunnel, large, 65508, (struct sockaddr *)&to,
					     NULL),
		     EMSGSIZE);
	assert_fails(memtun_testing_send_udp(fixture->tunnel, large, sizeof(large),
					     (struct sockaddr *)&to, NULL),
		     EMSGSIZE);
	assert_int_equal(memtun_testing_send_udp(fixture->tunnel, large, 65507,
						 (struct sockaddr *)&to, NULL),
			 1);
	memtun_io_close(fixture->io, fixture->fd);
	assert_fails(send_udp(memtun_testing_tunnel(fixture->io, -1), "", SERVER4, NULL), ENODEV);
}

/* ------------------------------------------------------------------------------ from it */

static void a_receiver_yields_what_is_sent_there_and_leaves_the_rest(void **state)
{
	const struct memtun_fixture *fixture = *state;
	int four = receive(fixture, SERVER4), six = receive(fixture, SERVER6);
	struct pollfd readable = {four, POLLIN, 0};

	assert_int_equal(poll(&readable, 1, 0), 0);
	program_sends(fixture, SERVER4, PORT + 1, "another port");
	program_sends(fixture, "10.0.0.8", PORT, "another host");
	program_sends(fixture, "fd00::8", PORT, "another host");
	assert_int_equal(poll(&readable, 1, 0), 0);
	program_sends(fixture, SERVER4, PORT, "first");
	assert_int_equal(poll(&readable, 1, 0), 1);
	program_sends(fixture, SERVER6, PORT, "six");
	program_sends(fixture, SERVER4, PORT, "");
	program_sends(fixture, SERVER4, PORT, "third");
	assert_yields(four, "first");
	assert_yields(four, "");
	assert_yields(four, "third");
	assert_yields_nothing(four);
	assert_yields(six, "six");
	assert_yields_nothing(six);
	assert_udp_received(fixture->tunnel, "10.0.0.8", PORT, "another host", 12);
	assert_int_equal(memtun_testing_count_written(fixture->tunnel), 2);
	close(four);
	close(six);
}

static void what_was_written_before_counts(void **state)
{
	const struct memtun_fixture *fixture = *state;
	int fd;

	program_sends(fixture, SERVER4, PORT, "one");
	program_sends(fixture, "10.0.0.8", PORT, "other");
	assert_int_equal(memtun_testing_count_written(fixture->tunnel), 2);
	program_sends(fixture, SERVER4, PORT, "two");
	fd = receive(fixture, SERVER4);
	program_sends(fixture, SERVER4, PORT, "three");
	assert_yields(fd, "one");
	assert_yields(fd, "two");
	assert_yields(fd, "three");
	assert_int_equal(memtun_testing_count_written(fixture->tunnel), 1);
	close(fd);
}

static void the_first_of_two_receivers_takes_all(void **state)
{
	const struct memtun_fixture *fixture = *state;
	int first = receive(fixture, SERVER4), second = receive(fixture, SERVER4);

	program_sends(fixture, SERVER4, PORT, "one");
	assert_yields_nothing(second);
	assert_yields(first, "one");
	close(first);
	program_sends(fixture, SERVER4, PORT, "two");
	assert_yields(second, "two");
	close(second);
	program_sends(fixture, SERVER4, PORT, "three");
	assert_udp_received(fixture->tunnel, SERVER4, PORT, "three", 5);
}

static void a_plain_write_is_sorted_at_the_next_call(void **state)
{
	const struct memtun_fixture *fixture = *state;
	int fd = receive(fixture, SERVER4);
	unsigned char frame[100];
	size_t length = build(frame, sizeof(frame), MEMTUN_TUN, -1, SERVER4, PORT, "plain");

	assert_int_equal(write(fixture->fd, frame, length), length);
	assert_yields_nothing(fd);
	assert_int_equal(memtun_testing_count_written(fixture->tunnel), 0);
	assert_yields(fd, "plain");
	assert_int_equal(write(fixture->fd, frame, length), length);
	assert_fails(memtun_io_read(fixture->io, fixture->fd, frame, sizeof(frame)), EAGAIN);
	assert_yields(fd, "plain");
	assert_int_equal(write(fixture->fd, frame, length), length);
	assert_null(memtun_testing_take_frame(fixture->tunnel));
	assert_yields(fd, "plain");
	/* This is the last call for the tunnel. */
	assert_int_equal(write(fixture->fd, frame, length), length);
	memtun_io_close(fixture->io, fixture->fd);
	assert_yields(fd, "plain");
	assert_int_equal(read(fd, frame, 1), 0);
	close(fd);
}

static void a_receiver_ends_with_the_tunnel(void **state)
{
	const struct memtun_fixture *fixture = *state;
	int fd = memtun_testing_receive_udp(fixture->tunnel, SERVER4, PORT, 0);
	struct pollfd end = {fd, POLLIN, 0};
	char byte;

	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	memtun_io_close(fixture->io, fixture->fd);
	assert_int_equal(poll(&end, 1, 0), 1);
	assert_true(end.revents & POLLHUP);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
}

static void payloads_wait_in_order_until_they_are_read(void **state)
{
	const struct memtun_fixture *fixture = *state;
	int fd = receive(fixture, SERVER4);
	unsigned int sent, left;
	char text[16];

	for (sent = 0; sent < 5000; sent++) {
		snprintf(text, sizeof(text), "%u", sent);
		program_sends(fixture, SERVER4, PORT, text);
		if (memtun_testing_count_written(fixture->tunnel) > 0)
			break;
	}
	assert_true(sent > IO_MEMORY_WRITTEN && sent < 5000);
	for (unsigned int i = 0; i < sent; i++) {
		snprintf(text, sizeof(text), "%u", i);
		/* Each of these calls moves waiting payloads on. */
		left = memtun_testing_count_written(fixture->tunnel);
		assert_int_equal(left, 1);
		assert_yields(fd, text);
	}
	assert_yields_nothing(fd);
	snprintf(text, sizeof(text), "%u", sent);
	assert_udp_received(fixture->tunnel, SERVER4, PORT, text, strlen(text));
	close(fd);
}

static void a_receiver_that_no_one_reads_costs_no_more(void **state)
{
	const struct memtun_fixture *fixture = *state;
	int fd = receive(fixture, SERVER4);
	unsigned char frame[100];
	size_t length = build(frame, sizeof(frame), MEMTUN_TUN, -1, SERVER4, PORT, "x");
	unsigned int count = 0;

	while (memtun_io_write(fixture->io, fixture->fd, frame, length) > 0)
		assert_true(++count < 5000);
	assert_int_equal(errno, EAGAIN);
	close(fd);
	memtun_io_close(fixture->io, fixture->fd);
}

/* ------------------------------------------------------------------------------ odd frames */

/* Return whether the receiver yields the datagram. If not, take the frame. */
static bool is_yielded(const struct memtun_fixture *fixture, const char *host, const void *frame,
		       size_t length)
{
	int fd = receive(fixture, host);
	char payload[16];
	bool yielded;

	program_writes(fixture, frame, length);
	yielded = read(fd, payload, sizeof(payload)) == 5 && memcmp(payload, "hello", 5) == 0;
	assert_int_equal(memtun_testing_count_written(fixture->tunnel), !yielded);
	memtun_testing_frame_free(memtun_testing_take_frame(fixture->tunnel));
	close(fd);
	return yielded;
}

static void fix_ipv4(unsigned char *packet)
{
	uint16_t sum;

	memset(packet + 10, 0, 2);
	sum = checksum_fold(checksum_add(0, packet, (packet[0] & 15) * 4u));
	memcpy(packet + 10, &sum, 2);
}

static void a_wrong_checksum_is_not_yielded(void **state)
{
	const struct memtun_fixture *fixture = *state;
	unsigned char frame[100];
	size_t length = build(frame, sizeof(frame), MEMTUN_TUN, -1, SERVER4, PORT, "hello");

	assert_true(is_yielded(fixture, SERVER4, frame, length));
	frame[length - 1] ^= 1;
	assert_false(is_yielded(fixture, SERVER4, frame, length));
	frame[length - 1] ^= 1;
	frame[8]--; /* ttl */
	assert_false(is_yielded(fixture, SERVER4, frame, length));
	fix_ipv4(frame);
	assert_true(is_yielded(fixture, SERVER4, frame, length));
	/* A checksum may be missing in IPv4, but not in IPv6. */
	memset(frame + 26, 0, 2);
	assert_true(is_yielded(fixture, SERVER4, frame, length));
	length = build(frame, sizeof(frame), MEMTUN_TUN, -1, SERVER6, PORT, "hello");
	assert_true(is_yielded(fixture, SERVER6, frame, length));
	memset(frame + 46, 0, 2);
	assert_false(is_yielded(fixture, SERVER6, frame, length));
}

static void options_are_stepped_over(void **state)
{
	const struct memtun_fixture *fixture = *state;
	unsigned char frame[100], other[100];
	size_t length = build(frame, sizeof(frame), MEMTUN_TUN, -1, SERVER4, PORT, "hello");

	memcpy(other, frame, 20);
	memcpy(other + 20, "\1\1\1\0", 4);
	memcpy(other + 24, frame + 20, length - 20);
	other[0] = 0x46;
	other[3] += 4;
	fix_ipv4(other);
	assert_true(is_yielded(fixture, SERVER4, other, length + 4));
	length = build(frame, sizeof(frame), MEMTUN_TUN, -1, SERVER6, PORT, "hello");
	memcpy(other, frame, 40);
	/* A destination options header with 4 bytes of padding. */
	memcpy(other + 40, "\x11\0\1\4\0\0\0\0", 8);
	memcpy(other + 48, frame + 40, length - 40);
	other[5] += 8;
	other[6] = 60;
	assert_true(is_yielded(fixture, SERVER6, other, length + 8));
}

static void fragments_and_cut_packets_stay(void **state)
{
	const struct memtun_fixture *fixture = *state;
	unsigned char frame[100], other[100];
	size_t length = build(frame, sizeof(frame), MEMTUN_TUN, -1, SERVER4, PORT, "hello");

	assert_false(is_yielded(fixture, SERVER4, frame, length - 1));
	frame[6] = 0x20; /* more fragments follow */
	fix_ipv4(frame);
	assert_false(is_yielded(fixture, SERVER4, frame, length));
	length = build(frame, sizeof(frame), MEMTUN_TUN, -1, SERVER6, PORT, "hello");
	memcpy(other, frame, 40);
	memcpy(other + 40, "\x11\0\0\1\0\0\0\7", 8);
	memcpy(other + 48, frame + 40, length - 40);
	other[5] += 8;
	other[6] = 44;
	assert_false(is_yielded(fixture, SERVER6, other, length + 8));
	/* A fragment header on a packet that is complete. */
	other[43] = 0;
	assert_true(is_yielded(fixture, SERVER6, other, length + 8));
}

static void ethernet_and_tags_are_stepped_over(void **state)
{
	const struct memtun_fixture *fixture = *state;
	unsigned char frame[100] = {0};
	size_t length = build(frame, sizeof(frame), MEMTUN_TAP, -1, SERVER4, PORT, "hello");

	/* A short frame has padding. */
	assert_true(is_yielded(fixture, SERVER4, frame, length < 60 ? 60 : length));
	length = build(frame, sizeof(frame), MEMTUN_TAP, 5, SERVER6, PORT, "hello");
	assert_true(is_yielded(fixture, SERVER6, frame, length));
}

/* A tunnel with packet information and a vnet header. */
static int set_up_headers(void **state)
{
	return memtun_set_up(state, IFF_TUN | IFF_VNET_HDR);
}

static void headers_are_taken_off(void **state)
{
	const struct memtun_fixture *fixture = *state;
	unsigned char frame[100] = {0, 0, 8, 0};

	assert_true(is_yielded(fixture, SERVER4, frame,
			       14 + build(frame + 14, 80, MEMTUN_TUN, -1, SERVER4, PORT, "hello")));
}

static void a_checksum_that_is_left_to_the_device_is_made(void **state)
{
	const struct memtun_fixture *fixture = *state;
	const struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 20, .csum_offset = 6};
	struct virtio_net_hdr other = header;
	unsigned char frame[100] = {0, 0, 8, 0}, *packet = frame + 14;
	size_t length = build(packet, 80, MEMTUN_TUN, -1, SERVER4, PORT, "hello");
	/* A program that leaves the checksum writes the sum of the pseudo header. */
	uint16_t sum = (uint16_t)~checksum_fold(checksum_pseudo_ipv4(
		packet + 12, packet + 16, IPPROTO_UDP, (uint16_t)(length - 20)));

	memcpy(packet + 26, &sum, 2);
	assert_false(is_yielded(fixture, SERVER4, frame, 14 + length));
	memcpy(frame + 4, &header, 10);
	assert_true(is_yielded(fixture, SERVER4, frame, 14 + length));
	/* A packet that is to be segmented stays. */
	other.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	other.gso_size = 1000;
	memcpy(frame + 4, &other, 10);
	assert_false(is_yielded(fixture, SERVER4, frame, 14 + length));
}

static void one_datagram_can_be_taken(void **state)
{
	const struct memtun_fixture *fixture = *state;
	struct memtun_testing_frame *frame;
	const void *payload;
	size_t length;

	program_sends(fixture, "10.0.0.8", PORT, "other");
	program_sends(fixture, SERVER4, PORT, "one");
	program_sends(fixture, SERVER4, PORT, "two");
	frame = memtun_testing_take_udp(fixture->tunnel, SERVER4, PORT, &payload, &length);
	assert_non_null(frame);
	assert_int_equal(length, 3);
	assert_memory_equal(payload, "one", 3);
	assert_true(memtun_testing_frame_time(frame) > 0);
	memtun_testing_frame_bytes(frame, &length);
	assert_int_equal(length, 31);
	memtun_testing_frame_free(frame);
	assert_int_equal(memtun_testing_count_written(fixture->tunnel), 2);
	/* The last frame is taken, and the next one follows the frames that stay. */
	frame = memtun_testing_take_udp(fixture->tunnel, SERVER4, PORT, &payload, &length);
	assert_non_null(frame);
	assert_memory_equal(payload, "two", 3);
	memtun_testing_frame_free(frame);
	program_sends(fixture, SERVER4, PORT, "six");
	assert_int_equal(memtun_testing_count_written(fixture->tunnel), 2);
	assert_null(memtun_testing_take_udp(fixture->tunnel, SERVER6, PORT, &payload, &length));
	assert_int_equal(errno, EAGAIN);
	assert_null(memtun_testing_take_udp(fixture->tunnel, "host", PORT, &payload, &length));
	assert_int_equal(errno, EINVAL);
	assert_null(memtun_testing_take_udp(NULL, SERVER4, PORT, &payload, &length));
	assert_int_equal(errno, ENODEV);
}

static void what_is_no_address_is_refused(void **state)
{
	const struct memtun_fixture *fixture = *state;

	assert_fails(memtun_testing_receive_udp(fixture->tunnel, "localhost", PORT, 0), EINVAL);
	assert_fails(memtun_testing_receive_udp(fixture->tunnel, "::g", PORT, 0), EINVAL);
	assert_fails(memtun_testing_receive_udp(fixture->tunnel, SERVER4, PORT, O_APPEND), EINVAL);
	assert_fails(memtun_testing_receive_udp(NULL, SERVER4, PORT, 0), ENODEV);
}

/* ------------------------------------------------------------------------------ shortage */

/* Which of the calls below is to fail: 1 is the next; 0: none. */
static unsigned int fails_in;

static bool fails_now(void)
{
	if (!fails_in || --fails_in)
		return false;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

int __real_socketpair(int domain, int type, int protocol, int ends[2]);
int __wrap_socketpair(int domain, int type, int protocol, int ends[2]);
int __wrap_socketpair(int domain, int type, int protocol, int ends[2])
{
	return fails_now() ? -1 : __real_socketpair(domain, type, protocol, ends);
}

int __real_fcntl(int fd, int request, ...);
int __wrap_fcntl(int fd, int request, long argument);
int __wrap_fcntl(int fd, int request, long argument)
{
	return fails_now() ? -1 : __real_fcntl(fd, request, argument);
}

/* The name of fcntl() with 64-bit file offsets. */
int __wrap_fcntl64(int fd, int request, long argument);
int __wrap_fcntl64(int fd, int request, long argument)
{
	return __wrap_fcntl(fd, request, argument);
}

static void a_shortage_is_reported_and_leaves_nothing(void **state)
{
	const struct memtun_fixture *fixture = *state;
	unsigned int call;
	int result = -1;

	for (call = 1; result < 0; call++) {
		fails_in = call;
		result = memtun_testing_receive_udp(fixture->tunnel, SERVER4, PORT, O_NONBLOCK);
		assert_true(result >= 0 || errno == ENOMEM);
	}
	fails_in = 0;
	/* The socketpair, its flags, the receiver, and the buffer for messages. */
	assert_in_range(call, 4, 6);
	close(result);
	result = -1;
	for (call = 1; result < 0; call++) {
		fails_in = call;
		result = send_udp(fixture->tunnel, "hello", SERVER4, NULL);
		assert_true(result == 1 || errno == ENOMEM);
	}
	fails_in = 0;
	/* The packet and its frame. */
	assert_in_range(call, 4, 5);
	assert_int_equal(memtun_testing_count_unread(fixture->tunnel), 1);
}

#define TUN(name) cmocka_unit_test_setup_teardown(name, memtun_set_up_tun, memtun_tear_down)
#define TAP(name) cmocka_unit_test_setup_teardown(name, memtun_set_up_tap, memtun_tear_down)
#define HEADERS(name) cmocka_unit_test_setup_teardown(name, set_up_headers, memtun_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TUN(a_datagram_comes_from_its_own_address),
		TUN(a_datagram_comes_from_where_it_is_told_to),
		TAP(a_tap_gets_it_in_ethernet),
		TUN(what_is_no_datagram_is_not_sent),
		TUN(a_receiver_yields_what_is_sent_there_and_leaves_the_rest),
		TUN(what_was_written_before_counts),
		TUN(the_first_of_two_receivers_takes_all),
		TUN(a_plain_write_is_sorted_at_the_next_call),
		TUN(a_receiver_ends_with_the_tunnel),
		TUN(payloads_wait_in_order_until_they_are_read),
		TUN(a_receiver_that_no_one_reads_costs_no_more),
		TUN(a_wrong_checksum_is_not_yielded),
		TUN(options_are_stepped_over),
		TUN(fragments_and_cut_packets_stay),
		TAP(ethernet_and_tags_are_stepped_over),
		HEADERS(headers_are_taken_off),
		HEADERS(a_checksum_that_is_left_to_the_device_is_made),
		TUN(one_datagram_can_be_taken),
		TUN(what_is_no_address_is_refused),
		TAP(a_shortage_is_reported_and_leaves_nothing),
	};

	return RUN_TESTS(tests);
}
