/* SPDX-License-Identifier: MIT */
/* Parsing, formatting and classifying of MAC and IP addresses, prefixes and HOST:PORT. */
#include "tests/unit/runner.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>

#include "common/address.h"

static struct address parsed(const char *text)
{
	struct address address;

	if (address_parse(text, strlen(text), &address) < 0)
		fail_msg("'%s' is not parsed", text);
	return address;
}

static void ip_addresses_are_written_as_they_are_read(void **state)
{
	static const char *const texts[] = {
		"0.0.0.0",
		"10.0.0.1",
		"255.255.255.255",
		"::",
		"fd00::1",
		"::ffff:10.0.0.1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct address address = parsed(texts[i]);
		char text[ADDRESS_TEXT_SIZE];

		assert_string_equal(address_format(&address, text), texts[i]);
		assert_int_equal(address.kind, strchr(texts[i], ':') ? ADDRESS_IPV6 : ADDRESS_IPV4);
		assert_int_equal(address_vlan(&address), -1);
	}
}

static void only_whole_numeric_ip_addresses_are_parsed(void **state)
{
	static const char *const texts[] = {
		"",
		"10.0.0",
		"10.0.0.1.",
		"10.0.0.256",
		" 10.0.0.1",
		"10.0.0.1 ",
		"10.0.0.1/8",
		"localhost",
		"fd00:::1",
		"[fd00::1]",
		"fe80::1%eth0",
		"0x0a000001",
		"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555",
	};
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (address_parse(texts[i], strlen(texts[i]), &address) == 0)
			fail_msg("'%s' is parsed", texts[i]);
	}
}

static void an_address_can_be_a_part_of_a_text(void **state)
{
	struct address address;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(address_parse("10.0.0.12", strlen("10.0.0.1"), &address), 0);
	assert_string_equal(address_format(&address, text), "10.0.0.1");
}

static void a_mac_address_has_its_vlan(void **state)
{
	static const unsigned char mac[ETH_ALEN] = {2, 0, 0xab, 0, 0, 0xff};
	struct address untagged = address_ethernet(mac, 0), tagged = address_ethernet(mac, 4094);
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_string_equal(address_format(&tagged, text), "02:00:ab:00:00:ff");
	assert_int_equal(address_vlan(&untagged), 0);
	assert_int_equal(address_vlan(&tagged), 4094);
	assert_false(address_equal(&untagged, &tagged));
}

static void equal_bytes_of_different_kinds_are_different_addresses(void **state)
{
	struct address four = parsed("10.0.0.1"), six = address_ipv6("\x0a\x00\x00\x01\0\0\0\0"
								     "\0\0\0\0\0\0\0\0");

	(void)state;
	assert_memory_equal(four.words, six.words, sizeof(four.words));
	assert_false(address_equal(&four, &six));
	assert_true(address_equal(&four, &four));
}

static void multicast_broadcast_and_unspecified_addresses_are_no_hosts(void **state)
{
	static const char *const hosts[] = {"0.0.0.1", "10.0.0.1", "223.255.255.255",
					    "::1",     "fe80::1",  "feff::1"};
	static const char *const others[] = {"0.0.0.0",         "224.0.0.1", "240.0.0.1",
					     "255.255.255.255", "::",        "ff02::1"};
	struct address one_mac = address_ethernet("\x02\0\0\0\0\x01", 0);
	struct address group_mac = address_ethernet("\x03\0\0\0\0\x01", 0);
	struct address no_mac = address_ethernet("\0\0\0\0\0\0", 5);

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct address host = parsed(hosts[i]), other = parsed(others[i]);

		if (!address_is_host(&host))
			fail_msg("%s is no host's", hosts[i]);
		if (address_is_host(&other))
			fail_msg("%s is a host's", others[i]);
	}
	assert_true(address_is_host(&one_mac));
	assert_false(address_is_host(&group_mac));
	assert_false(address_is_host(&no_mac));
}

static void fe80_with_ten_bits_is_link_local(void **state)
{
	struct address first = parsed("fe80::"), last = parsed("febf::ffff"),
		       next = parsed("fec0::");
	struct address four = parsed("169.254.0.1");

	(void)state;
	assert_true(address_is_link_local(&first));
	assert_true(address_is_link_local(&last));
	assert_false(address_is_link_local(&next));
	assert_false(address_is_link_local(&four));
}

static void a_multicast_address_has_its_groups_mac_address(void **state)
{
	struct address four = parsed("239.129.2.3"), six = parsed("ff02::1:ff00:1234");
	struct address host = parsed("223.1.2.3"), broadcast = parsed("255.255.255.255");
	unsigned char mac[ETH_ALEN];

	(void)state;
	assert_true(address_multicast_mac(&four, mac));
	assert_memory_equal(mac, "\x01\x00\x5e\x01\x02\x03", ETH_ALEN);
	assert_true(address_multicast_mac(&six, mac));
	assert_memory_equal(mac, "\x33\x33\xff\x00\x12\x34", ETH_ALEN);
	assert_false(address_multicast_mac(&host, mac));
	assert_false(address_multicast_mac(&broadcast, mac));
}

static void the_addresses_of_a_packet_are_in_its_header(void **state)
{
	struct ip ip = {.ip_v = 4, .ip_hl = 5};
	struct ip6_hdr ip6 = {.ip6_vfc = 0x60};
	struct address here = parsed("10.0.0.1"), there = parsed("10.0.0.2"), from, to;
	struct address here6 = parsed("fd00::1"), there6 = parsed("fd00::2");

	(void)state;
	ip.ip_src = here.ipv4;
	ip.ip_dst = there.ipv4;
	address_read_packet(&ip, &from, &to);
	assert_true(address_equal(&from, &here));
	assert_true(address_equal(&to, &there));
	ip6.ip6_src = here6.ipv6;
	ip6.ip6_dst = there6.ipv6;
	address_read_packet(&ip6, &from, &to);
	assert_true(address_equal(&from, &here6));
	assert_true(address_equal(&to, &there6));
}

static void a_prefix_length_is_from_one_to_all_bits(void **state)
{
	static const char *const bad[] = {"",   "0",   "-1", "+1",        " 1",
					  "1 ", "0x1", "33", "4294967297"};
	struct address four = parsed("10.0.0.1"), six = parsed("fd00::1");

	(void)state;
	assert_int_equal(address_parse_prefix_length("1", &four), 1);
	assert_int_equal(address_parse_prefix_length("32", &four), 32);
	assert_int_equal(address_parse_prefix_length("33", &six), 33);
	assert_int_equal(address_parse_prefix_length("128", &six), 128);
	assert_int_equal(address_parse_prefix_length("129", &six), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (address_parse_prefix_length(bad[i], &four))
			fail_msg("'%s' is a prefix length", bad[i]);
	}
}

static void addresses_share_the_bits_of_a_prefix(void **state)
{
	struct address one = parsed("10.0.0.1"), near = parsed("10.0.0.6");
	struct address other = parsed("10.0.0.130"), six = parsed("a00::");

	(void)state;
	assert_true(address_shares_prefix(&one, &near, 29));
	assert_false(address_shares_prefix(&one, &near, 30));
	assert_true(address_shares_prefix(&one, &other, 24));
	assert_false(address_shares_prefix(&one, &other, 25));
	assert_false(address_shares_prefix(&one, &other, 32));
	assert_true(address_shares_prefix(&one, &one, 32));
	assert_false(address_shares_prefix(&one, &six, 0));
}

static void the_first_and_last_address_of_an_ipv4_prefix_are_the_networks(void **state)
{
	struct address first = parsed("10.0.0.4"), last = parsed("10.0.0.7"),
		       six = parsed("fd00::");

	(void)state;
	assert_true(address_is_network(&first, 30));
	assert_false(address_is_network(&first, 29));
	assert_false(address_is_network(&last, 30));
	assert_true(address_is_broadcast(&last, 30));
	assert_false(address_is_broadcast(&last, 28));
	assert_false(address_is_broadcast(&first, 30));
	/* RFC 3021: both addresses of a prefix with 31 bits are hosts'. */
	assert_false(address_is_network(&first, 31));
	assert_false(address_is_broadcast(&last, 31));
	assert_false(address_is_network(&six, 16));
}

static void an_address_with_its_port_is_written_as_it_is_read(void **state)
{
	static const char *const texts[] = {
		"10.0.0.1:0",
		"10.0.0.1:65535",
		"[fd00::1]:7777",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char text[SOCKET_ADDRESS_TEXT_SIZE];
		struct sockaddr_storage address;

		assert_int_equal(socket_address_parse_with_port(texts[i], &address), 0);
		assert_string_equal(socket_address_format(&address, text), texts[i]);
		assert_int_equal(address.ss_family, texts[i][0] == '[' ? AF_INET6 : AF_INET);
		assert_int_equal(socket_address_size(&address),
				 texts[i][0] == '[' ? sizeof(struct sockaddr_in6)
						    : sizeof(struct sockaddr_in));
	}
}

static void only_an_address_and_a_decimal_port_are_parsed(void **state)
{
	static const char *const texts[] = {
		"",
		":",
		":7",
		"10.0.0.1",
		"10.0.0.1:",
		"10.0.0.1:65536",
		"10.0.0.1:-1",
		"10.0.0.1:+1",
		"10.0.0.1: 1",
		"10.0.0.1:7x",
		"10.0.0.1:18446744073709551623",
		"[10.0.0.1]:7",
		"fd00::1:7",
		"fd00::1",
		"[fd00::1]",
		"[fd00::1]:",
		"[fd00::1]7",
		"[fd00::1:7",
		"fd00::1]:7",
		"[]:7",
		"[:7",
		"]:7",
		"localhost:7",
	};
	struct sockaddr_storage address;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (socket_address_parse_with_port(texts[i], &address) == 0)
			fail_msg("'%s' is parsed", texts[i]);
	}
}

static void an_address_without_a_port_takes_the_callers(void **state)
{
	struct sockaddr_storage address;
	char text[SOCKET_ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(socket_address_parse("fd00::1", 4789, &address), 0);
	assert_string_equal(socket_address_format(&address, text), "[fd00::1]:4789");
	assert_int_equal(socket_address_port(&address), 4789);
	assert_int_equal(((struct sockaddr_in6 *)&address)->sin6_port, htons(4789));
	assert_int_equal(socket_address_parse("10.0.0.1:7", 4789, &address), -1);
}

static void socket_addresses_differ_by_host_port_or_family(void **state)
{
	struct sockaddr_storage one, port, host, six;

	(void)state;
	assert_int_equal(socket_address_parse_with_port("10.0.0.1:7", &one), 0);
	assert_int_equal(socket_address_parse_with_port("10.0.0.1:8", &port), 0);
	assert_int_equal(socket_address_parse_with_port("10.0.0.2:7", &host), 0);
	assert_int_equal(socket_address_parse_with_port("[a00:1::]:7", &six), 0);
	assert_true(socket_address_equal(&one, &one));
	assert_false(socket_address_equal(&one, &port));
	assert_false(socket_address_equal(&one, &host));
	assert_false(socket_address_equal(&one, &six));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip_addresses_are_written_as_they_are_read),
		cmocka_unit_test(only_whole_numeric_ip_addresses_are_parsed),
		cmocka_unit_test(an_address_can_be_a_part_of_a_text),
		cmocka_unit_test(a_mac_address_has_its_vlan),
		cmocka_unit_test(equal_bytes_of_different_kinds_are_different_addresses),
		cmocka_unit_test(multicast_broadcast_and_unspecified_addresses_are_no_hosts),
		cmocka_unit_test(fe80_with_ten_bits_is_link_local),
		cmocka_unit_test(a_multicast_address_has_its_groups_mac_address),
		cmocka_unit_test(the_addresses_of_a_packet_are_in_its_header),
		cmocka_unit_test(a_prefix_length_is_from_one_to_all_bits),
		cmocka_unit_test(addresses_share_the_bits_of_a_prefix),
		cmocka_unit_test(the_first_and_last_address_of_an_ipv4_prefix_are_the_networks),
		cmocka_unit_test(an_address_with_its_port_is_written_as_it_is_read),
		cmocka_unit_test(only_an_address_and_a_decimal_port_are_parsed),
		cmocka_unit_test(an_address_without_a_port_takes_the_callers),
		cmocka_unit_test(socket_addresses_differ_by_host_port_or_family),
	};

	return RUN_TESTS(tests);
}
