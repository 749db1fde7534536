/* SPDX-License-Identifier: MIT */
/*
 * What the adapter of a TUN sends of its own accord: its MAC address stays the same, it announces
 * its addresses, and it reports the groups of its IPv6 addresses to switches.
 */
#include "tests/unit/broker/adapter/adapter_fixture.h"
#include "tests/unit/broker/uplink/uplink_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/adapter/adapter_parts.h"
#include "broker/adapter/multicast_listener.h"
#include "common/frame/checksum.h"

static const unsigned char all_routers[ETH_ALEN] = {0x33, 0x33, 0, 0, 0, 0x16};
static const unsigned char all_nodes[ETH_ALEN] = {0x33, 0x33, 0, 0, 0, 1};

/* ------------------------------------------------------------------------------ the MAC address */

static void assert_mac(void **state, const char *options, const char *expected)
{
	struct address mac;
	char text[ADDRESS_TEXT_SIZE];
	struct link link;

	link_open(&link, state, options);
	mac = address_ethernet(link.mac, 0);
	assert_string_equal(address_format(&mac, text), expected);
	link_close(&link);
}

static void the_mac_address_is_that_of_the_first_ipv4_address(void **state)
{
	assert_mac(state, ",address=10.1.2.3/24", "02:00:0a:01:02:03");
	assert_mac(state, ",address=fd00::1/64+10.1.2.4/24+10.1.2.5/24", "02:00:0a:01:02:04");
}

static void mac_of(void **state, const char *options, unsigned char mac[ETH_ALEN])
{
	struct link link;

	link_open(&link, state, options);
	memcpy(mac, link.mac, ETH_ALEN);
	link_close(&link);
}

static void without_an_ipv4_address_the_mac_address_is_that_of_the_name_and_the_broker(void **state)
{
	struct broker_fixture *fixture = *state;
	unsigned char first[ETH_ALEN], again[ETH_ALEN], other[ETH_ALEN];
	int fd;

	mac_of(state, ",address=fd00::1/64", first);
	mac_of(state, "", again);
	assert_memory_equal(first, again, ETH_ALEN);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap,bridge=b");
	fd = tunnel_opened(*state, "name=other,mode=tun,bridge=b");
	assert_memory_not_equal(first, adapter_of(*state, "other")->mac, ETH_ALEN);
	close(fd);
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=tap");
	fixture->broker->engine->identity++;
	mac_of(state, "", other);
	assert_memory_not_equal(first, other, ETH_ALEN);
}

/* ------------------------------------------------------------------------------ announcements */

static void assert_announces_ipv4(struct link *link, const char *address)
{
	unsigned char expected[100];

	assert_comes(link, link->tap, expected,
		     arp_make(expected, &(struct arp){
						.to = everybody,
						.operation = 1,
						.sender_mac = link->mac,
						.sender = address,
						.target = address,
					}));
}

static void assert_announces_ipv6(struct link *link, const char *address)
{
	unsigned char expected[100];

	assert_comes(link, link->tap, expected,
		     discovery_make(expected, &(struct discovery){
						      .to_mac = all_nodes,
						      .from_mac = link->mac,
						      .type = 136,
						      .from = address,
						      .to = "ff02::1",
						      .target = address,
						      .flags = 0x20,
						      .option = 2,
					      }));
}

static void addresses_are_announced_on_joining(void **state)
{
	struct link link = {.fixture = *state};

	link.tap = tunnel_opened(*state, "name=tap,bridge=b");
	link.tun =
		tunnel_opened(*state, "name=tun,mode=tun,bridge=b,address=10.0.0.9/24+fd00::9/64");
	link.mac = adapter_of(*state, "tun")->mac;
	assert_announces_ipv4(&link, "10.0.0.9");
	assert_announces_ipv6(&link, "fd00::9");
	assert_nothing(&link, link.tap);
	link_close(&link);
}

static void addresses_are_announced_once_more_after_two_seconds(void **state)
{
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/24");
	/* A change begins anew, with the new address. */
	for (int i = 7; i < 9; i++) {
		char option[40], address[16];

		snprintf(address, sizeof(address), "10.0.0.%d", i);
		snprintf(option, sizeof(option), "name=tun,address=%s/24", address);
		done(*state, MEMTUN_CMD_TUNNEL_SET, option);
		assert_announces_ipv4(&link, address);
		time_passes(*state, 1.9);
		assert_nothing(&link, link.tap);
		time_passes(*state, 0.1);
		assert_announces_ipv4(&link, address);
		assert_nothing(&link, link.tap);
		assert_false(due_is_set(&adapter_of(*state, "tun")->due));
	}
	link_close(&link);
}

static void a_probe_does_not_wait_for_the_announcement(void **state)
{
	struct broker_fixture *fixture = *state;
	struct link link;
	struct due_queue *queue = &fixture->broker->engine->due;

	link_open(&link, state, ",address=10.0.0.9/24");
	done(fixture, MEMTUN_CMD_TUNNEL_SET, "name=tun,address=10.0.0.8/24");
	assert_announces_ipv4(&link, "10.0.0.8");
	assert_int_equal(due_next(queue) - due_now(queue), 2 * CLOCK_SECOND);
	packet_send(&link, "10.0.0.8", "10.0.0.1");
	assert_asks(&link, "10.0.0.8", "10.0.0.1", NULL);
	assert_int_equal(due_next(queue) - due_now(queue), CLOCK_SECOND);
	link_close(&link);
}

static void new_addresses_are_announced(void **state)
{
	unsigned char mac[ETH_ALEN];
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/24");
	memcpy(mac, link.mac, ETH_ALEN);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,address=10.0.0.8/24");
	assert_announces_ipv4(&link, "10.0.0.8");
	assert_nothing(&link, link.tap);
	/* Its neighbours know it by the MAC address that it has. */
	assert_memory_equal(mac, link.mac, ETH_ALEN);
	link_close(&link);
}

static void tuns_announce_themselves_to_the_first_tap(void **state)
{
	struct link link = {.fixture = *state};

	link.tun = tunnel_opened(*state, "name=tun,mode=tun,bridge=b,address=10.0.0.9/24");
	link.tap = tunnel_opened(*state, "name=tap,bridge=b");
	link.mac = adapter_of(*state, "tun")->mac;
	assert_announces_ipv4(&link, "10.0.0.9");
	link_close(&link);
}

static void tuns_announce_themselves_when_an_uplink_comes_up(void **state)
{
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/24");
	uplink_added(*state, "name=u,bridge=b,type=udp,local=127.0.0.1:%u,remote=127.0.0.1:9",
		     udp_port_find("127.0.0.1"));
	assert_announces_ipv4(&link, "10.0.0.9");
	link_close(&link);
}

/* ------------------------------------------------------------------------------ groups */

/* Write a report of these groups. Return the frame's length. */
static size_t report_make(unsigned char *bytes, const unsigned char *from_mac, const char *from,
			  int type, int count, const char *const groups[])
{
	size_t size = 8 + 20 * (size_t)count;
	uint32_t sum;
	uint16_t folded;

	memset(bytes, 0, 62 + size);
	memcpy(bytes, all_routers, ETH_ALEN);
	memcpy(bytes + 6, from_mac, ETH_ALEN);
	memcpy(bytes + 12, "\x86\xdd\x60", 3);
	bytes[19] = (unsigned char)(8 + size);
	bytes[21] = 1;
	assert_int_equal(inet_pton(AF_INET6, from, bytes + 22), 1);
	assert_int_equal(inet_pton(AF_INET6, "ff02::16", bytes + 38), 1);
	memcpy(bytes + 54, "\x3a\x00\x05\x02\x00\x00\x01\x00", 8);
	bytes[62] = 143;
	bytes[69] = (unsigned char)count;
	for (int i = 0; i < count; i++) {
		bytes[70 + 20 * i] = (unsigned char)type;
		assert_int_equal(inet_pton(AF_INET6, groups[i], bytes + 74 + 20 * i), 1);
	}
	sum = checksum_pseudo_ipv6(bytes + 22, bytes + 38, IPPROTO_ICMPV6, (uint32_t)size);
	folded = checksum_fold(checksum_add(sum, bytes + 62, size));
	memcpy(bytes + 64, &folded, 2);
	return 62 + size;
}

static void assert_reports(struct link *link, const char *from, int type, int count,
			   const char *const groups[])
{
	unsigned char expected[500], got[500];
	size_t length = report_make(expected, link->mac, from, type, count, groups);

	broker_quiesce(link->fixture);
	assert_int_equal(recv(link->tap, got, sizeof(got), MSG_DONTWAIT), length);
	assert_memory_equal(got, expected, length);
}

static void the_groups_of_its_addresses_are_reported_on_joining(void **state)
{
	static const char *const groups[] = {"ff02::1:ff00:9", "ff02::1:ff00:8"};
	struct link link = {.fixture = *state};

	link.tap = tunnel_opened(*state, "name=tap,bridge=b");
	link.tun = tunnel_opened(
		*state, "name=tun,mode=tun,bridge=b,address=fd00::9/64+fd01::9/64+fd00::8/64");
	link.mac = adapter_of(*state, "tun")->mac;
	assert_reports(&link, "::", 4, 2, groups);
	frames_discard(link.tap);
	/* A report comes from a link-local address, if there is one. */
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,address=fd00::9/64+fe80::8");
	assert_reports(&link, "fe80::8", 4, 2, groups);
	link_close(&link);
}

static void the_group_of_a_learned_address_is_reported(void **state)
{
	static const char *const group[] = {"ff02::1:ff00:7"};
	struct link link;

	link_open(&link, state, "");
	packet_send(&link, "fd00::7", "fd00::1");
	assert_reports(&link, "::", 4, 1, group);
	frames_discard(link.tap);
	packet_send(&link, "fd00::7", "ff02::5");
	broker_quiesce(*state);
	assert_packet(&link, "fd00::7", "ff02::5", (const unsigned char[]){0x33, 0x33, 0, 0, 0, 5});
	assert_nothing(&link, link.tap);
	link_close(&link);
}

/* Write a query for a group, of version 2 of the protocol. Return the frame's length. */
static size_t query_make(unsigned char *bytes, const char *from, const char *group)
{
	const size_t size = 28;
	uint32_t sum;
	uint16_t folded;

	memset(bytes, 0, 62 + size);
	memcpy(bytes, all_nodes, ETH_ALEN);
	memcpy(bytes + 6, host_mac(5), ETH_ALEN);
	memcpy(bytes + 12, "\x86\xdd\x60", 3);
	bytes[19] = (unsigned char)(8 + size);
	bytes[21] = 1;
	assert_int_equal(inet_pton(AF_INET6, from, bytes + 22), 1);
	assert_int_equal(inet_pton(AF_INET6, "ff02::1", bytes + 38), 1);
	memcpy(bytes + 54, "\x3a\x00\x05\x02\x00\x00\x01\x00", 8);
	bytes[62] = 130;
	assert_int_equal(inet_pton(AF_INET6, group, bytes + 70), 1);
	sum = checksum_pseudo_ipv6(bytes + 22, bytes + 38, IPPROTO_ICMPV6, (uint32_t)size);
	folded = checksum_fold(checksum_add(sum, bytes + 62, size));
	memcpy(bytes + 64, &folded, 2);
	return 62 + size;
}

static void each_query_is_answered_with_the_groups(void **state)
{
	static const char *const groups[] = {"ff02::1:ff00:9", "ff02::1:ff00:7"};
	unsigned char bytes[200];
	struct link link;
	size_t length;

	link_open(&link, state, ",address=fd00::9/64");
	packet_send(&link, "fd00::7", "ff02::5");
	broker_quiesce(*state);
	frames_discard(link.tap);
	length = query_make(bytes, "fe80::5", "::");
	for (int i = 0; i < 2; i++) {
		bytes_send(link.tap, bytes, length);
		assert_reports(&link, "::", 2, 2, groups);
		/* The program may have joined groups of its own. */
		assert_comes(&link, link.tun, bytes + 14, length - 14);
	}
	length = query_make(bytes, "fe80::5", "ff02::1:ff00:7");
	bytes_send(link.tap, bytes, length);
	assert_reports(&link, "::", 2, 2, groups);
	link_close(&link);
}

static void invalid_queries_are_not_answered(void **state)
{
	unsigned char bytes[200], got[200];
	struct link link;
	size_t length;

	link_open(&link, state, ",address=fd00::9/64");
	bytes_send(link.tap, bytes, query_make(bytes, "fd00::5", "::"));
	bytes_send(link.tap, bytes, query_make(bytes, "fe80::5", "ff02::1:ff00:1"));
	length = query_make(bytes, "fe80::5", "::");
	bytes[21] = 2; /* hop limit */
	bytes_send(link.tap, bytes, length);
	length = query_make(bytes, "fe80::5", "::");
	bytes[56] = 1; /* no router alert option */
	bytes_send(link.tap, bytes, length);
	length = query_make(bytes, "fe80::5", "::");
	bytes[64] ^= 1; /* checksum */
	bytes_send(link.tap, bytes, length);
	broker_quiesce(*state);
	assert_int_equal(recv(link.tap, got, sizeof(got), MSG_DONTWAIT), -1);
	link_close(&link);
}

static void no_query_is_read_beyond_its_end(void **state)
{
	unsigned int valid = 0;

	(void)state;
	srand(5);
	for (int i = 0; i < 20000; i++) {
		unsigned char bytes[200], *own;
		size_t length = query_make(bytes, "fe80::5", "::");
		struct address group;

		for (int j = rand() % 3; j > 0; j--)
			bytes[12 + rand() % ((int)length - 12)] = (unsigned char)rand();
		if (i % 2)
			length -= (size_t)rand() % (length - 14 + 1);
		own = malloc(length);
		assert_non_null(own);
		memcpy(own, bytes, length);
		valid += multicast_query_read(&group, own, length);
		free(own);
	}
	assert_true(valid > 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_MANUAL_CLOCK(the_mac_address_is_that_of_the_first_ipv4_address),
		WITH_MANUAL_CLOCK(
			without_an_ipv4_address_the_mac_address_is_that_of_the_name_and_the_broker),
		WITH_MANUAL_CLOCK(addresses_are_announced_on_joining),
		WITH_MANUAL_CLOCK(addresses_are_announced_once_more_after_two_seconds),
		WITH_MANUAL_CLOCK(a_probe_does_not_wait_for_the_announcement),
		WITH_MANUAL_CLOCK(new_addresses_are_announced),
		WITH_MANUAL_CLOCK(tuns_announce_themselves_to_the_first_tap),
		WITH_MANUAL_CLOCK(tuns_announce_themselves_when_an_uplink_comes_up),
		WITH_MANUAL_CLOCK(the_groups_of_its_addresses_are_reported_on_joining),
		WITH_MANUAL_CLOCK(the_group_of_a_learned_address_is_reported),
		WITH_MANUAL_CLOCK(each_query_is_answered_with_the_groups),
		WITH_MANUAL_CLOCK(invalid_queries_are_not_answered),
		cmocka_unit_test(no_query_is_read_beyond_its_end),
	};

	return RUN_TESTS(tests);
}
