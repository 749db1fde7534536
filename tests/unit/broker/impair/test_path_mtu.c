/* SPDX-License-Identifier: MIT */
/* Packets that are longer than a path's MTU: the errors, and their way back to the sender. */
#include "tests/unit/broker/broker_fixture.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/impair/path_mtu.h"
#include "common/frame/frame_build.h"
#include "common/frame/frame_view.h"

/* Write a UDP packet with that many bytes of payload. Return its length. */
static size_t udp_make(unsigned char *packet, size_t size, enum memtun_mode mode, const char *from,
		       const char *to, size_t payload)
{
	static const unsigned char bytes[2000];
	struct frame_udp udp = {
		.from_mac = {2, 0, 0, 0, 0, 1},
		.to_mac = {2, 0, 0, 0, 0, 2},
		.vlan = -1,
		.ttl = 64,
		.payload = bytes,
		.payload_length = payload,
	};
	socklen_t length;
	ssize_t made;

	udp.from = internet_address(from, 1000, &length);
	udp.to = internet_address(to, 2000, &length);
	made = frame_build_udp(packet, size, mode, &udp);
	assert_true(made > 0);
	return (size_t)made;
}

static void an_error_of_ipv4_has_the_mtu_and_the_packet(void **state)
{
	unsigned char packet[2000], error[PATH_MTU_ERROR_MAX];
	size_t length = udp_make(packet, sizeof(packet), MEMTUN_TAP, "10.0.0.1", "10.0.0.2", 1000);
	size_t size = path_mtu_error(error, MEMTUN_TAP, packet, (uint32_t)length, 600);
	struct frame_view view;
	struct ip ip;

	(void)state;
	assert_int_equal(size, 14 + 576);
	assert_int_equal(frame_view_parse(&view, MEMTUN_TAP, error, size), 0);
	assert_int_equal(view.kind, FRAME_ICMP);
	assert_true(frame_view_checksums_are_valid(&view, error, size));
	assert_memory_equal(error, packet + 6, 6);
	assert_memory_equal(error + 6, packet, 6);
	memcpy(&ip, error + 14, sizeof(ip));
	assert_int_equal(ip.ip_src.s_addr, inet_addr("10.0.0.2"));
	assert_int_equal(ip.ip_dst.s_addr, inet_addr("10.0.0.1"));
	assert_int_equal(error[34], ICMP_UNREACH);
	assert_int_equal(error[35], ICMP_UNREACH_NEEDFRAG);
	assert_int_equal(error[40] << 8 | error[41], 600);
	assert_memory_equal(error + 42, packet + 14, 548);
}

static void an_error_of_ipv6_has_the_mtu_and_the_packet(void **state)
{
	unsigned char packet[2000], error[PATH_MTU_ERROR_MAX];
	size_t length = udp_make(packet, sizeof(packet), MEMTUN_TUN, "fd00::1", "fd00::2", 1400);
	size_t size = path_mtu_error(error, MEMTUN_TUN, packet, (uint32_t)length, 1300);
	struct frame_view view;
	uint32_t mtu;

	(void)state;
	assert_int_equal(size, 1280);
	assert_int_equal(frame_view_parse(&view, MEMTUN_TUN, error, size), 0);
	assert_int_equal(view.kind, FRAME_ICMPV6);
	assert_true(frame_view_checksums_are_valid(&view, error, size));
	assert_int_equal(error[40], ICMP6_PACKET_TOO_BIG);
	memcpy(&mtu, error + 44, sizeof(mtu));
	assert_int_equal(ntohl(mtu), 1300);
	assert_memory_equal(error + 8, packet + 24, 16);
	assert_memory_equal(error + 24, packet + 8, 16);
	assert_memory_equal(error + 48, packet, 1232);
}

static void packets_that_must_have_no_error_get_none(void **state)
{
	unsigned char packet[2000], error[PATH_MTU_ERROR_MAX], more[PATH_MTU_ERROR_MAX];
	size_t length, size;

	(void)state;
	length = udp_make(packet, sizeof(packet), MEMTUN_TUN, "10.0.0.1", "10.0.0.2", 1000);
	size = path_mtu_error(error, MEMTUN_TUN, packet, (uint32_t)length, 600);
	assert_true(size > 0);
	/* An error. */
	assert_int_equal(path_mtu_error(more, MEMTUN_TUN, error, (uint32_t)size, 100), 0);
	/* It may be cut. */
	packet[6] = 0;
	assert_int_equal(path_mtu_error(error, MEMTUN_TUN, packet, (uint32_t)length, 600), 0);
	/* A group, and no host. */
	length = udp_make(packet, sizeof(packet), MEMTUN_TUN, "10.0.0.1", "224.0.0.1", 1000);
	assert_int_equal(path_mtu_error(error, MEMTUN_TUN, packet, (uint32_t)length, 600), 0);
	length = udp_make(packet, sizeof(packet), MEMTUN_TUN, "0.0.0.0", "10.0.0.2", 1000);
	assert_int_equal(path_mtu_error(error, MEMTUN_TUN, packet, (uint32_t)length, 600), 0);
	/* No IP. */
	frame_make(packet, 60, 1, 2, 1);
	assert_int_equal(path_mtu_error(error, MEMTUN_TAP, packet, 60, 68), 0);
}

/* The sender is vm0; the rule is on that port or on the one of the receiver. */
static void the_sender_gets_the_error(void **state)
{
	static const char *const rules[] = {"name=vm0,pmtu=600,icmp", "name=vm1,pmtu=600,icmp"};

	for (int i = 0; i < 2; i++) {
		unsigned char packet[2000], received[2000];
		size_t length =
			udp_make(packet, sizeof(packet), MEMTUN_TUN, "10.0.0.1", "10.0.0.2", 1000);
		int from = tunnel_opened(*state, "name=vm0,bridge=b,mode=tun");
		int to = tunnel_opened(*state, "name=vm1,bridge=b,mode=tun");

		done(*state, MEMTUN_CMD_IMPAIR_ADD, rules[i]);
		assert_int_equal(send(from, packet, length, 0), length);
		broker_quiesce(*state);
		assert_int_equal(recv(to, received, sizeof(received), MSG_DONTWAIT), -1);
		assert_int_equal(recv(from, received, sizeof(received), MSG_DONTWAIT), 576);
		assert_int_equal(received[20], ICMP_UNREACH);
		length = udp_make(packet, sizeof(packet), MEMTUN_TUN, "10.0.0.1", "10.0.0.2", 572);
		assert_int_equal(send(from, packet, length, 0), 600);
		broker_quiesce(*state);
		assert_int_equal(recv(to, received, sizeof(received), MSG_DONTWAIT), 600);
		assert_accounted(*state, "vm0");
		assert_accounted(*state, "vm1");
		close(from);
		close(to);
		broker_quiesce(*state);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_of_ipv4_has_the_mtu_and_the_packet),
		cmocka_unit_test(an_error_of_ipv6_has_the_mtu_and_the_packet),
		cmocka_unit_test(packets_that_must_have_no_error_get_none),
		WITH_BROKER(the_sender_gets_the_error),
	};

	return RUN_TESTS(tests);
}
