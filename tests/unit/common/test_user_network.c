/* SPDX-License-Identifier: MIT */
/* The networks and the forwards of uplinks of type user. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/user_network.h"
#include "memtun/protocol.h"

static int parse(struct user_network *network, const char *net, const char *net6,
		 const char *forwards, struct fault *fault)
{
	*fault = (struct fault){0};
	user_network_init(network);
	return user_network_parse(network, net, net6, forwards, fault);
}

static void the_default_is_the_network_of_qemu(void **state)
{
	char text[ADDRESS_TEXT_SIZE];
	struct user_network network;
	struct fault fault;

	(void)state;
	assert_int_equal(parse(&network, NULL, NULL, NULL, &fault), 0);
	assert_string_equal(address_format(&network.ipv4, text), "10.0.2.0");
	assert_int_equal(network.prefix4, 24);
	assert_string_equal(address_format(&network.ipv6, text), "fec0::");
	assert_int_equal(network.prefix6, 64);
	assert_int_equal(network.forward_count, 0);
}

static void the_bits_of_the_host_are_cleared(void **state)
{
	static const struct {
		const char *net, *is;
		unsigned int prefix;
	} nets[] = {
		{"10.255.255.255/8", "10.0.0.0", 8},
		{"192.168.77.213/26", "192.168.77.192", 26},
		{"172.16.129.1/17", "172.16.128.0", 17},
	};
	char text[ADDRESS_TEXT_SIZE];
	struct user_network network;
	struct fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
		assert_int_equal(parse(&network, nets[i].net, NULL, NULL, &fault), 0);
		assert_string_equal(address_format(&network.ipv4, text), nets[i].is);
		assert_int_equal(network.prefix4, nets[i].prefix);
	}
	assert_int_equal(parse(&network, NULL, "fd00:1:2:3:4:5:6:7/64", NULL, &fault), 0);
	assert_string_equal(address_format(&network.ipv6, text), "fd00:1:2:3::");
}

static void a_network_that_does_not_fit_is_refused(void **state)
{
	static const char *const nets[] = {"",           "/",           "10.0.0.0",   "10.0.0.0/",
					   "10.0.0.0/7", "10.0.0.0/27", "10.0.0.0/0", "10.0.0.0/x",
					   "10.0.0/24",  "224.0.0.0/8", "0.0.0.0/8",  "fd00::/24",
					   "10.0.0.0/-1"};
	static const char *const nets6[] = {"",          "fd00::",    "fd00::/63", "fd00::/65",
					    "fe80::/64", "ff02::/64", "::/64",     "10.0.0.0/64"};
	struct user_network network;
	struct fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
		if (parse(&network, nets[i], NULL, NULL, &fault) == 0)
			fail_msg("net %s is taken", nets[i]);
		assert_int_equal(fault.error, EINVAL);
		assert_memory_equal(fault.text, "net takes", strlen("net takes"));
	}
	for (size_t i = 0; i < sizeof(nets6) / sizeof(nets6[0]); i++) {
		if (parse(&network, NULL, nets6[i], NULL, &fault) == 0)
			fail_msg("net6 %s is taken", nets6[i]);
		assert_int_equal(fault.error, EINVAL);
		assert_memory_equal(fault.text, "net6 takes", strlen("net6 takes"));
	}
}

static void forwards_have_a_protocol_and_two_places(void **state)
{
	const struct sockaddr_in *local, *target;
	const struct sockaddr_in6 *target6;
	struct user_network network;
	struct fault fault;

	(void)state;
	assert_int_equal(parse(&network, NULL, NULL,
			       "tcp/127.0.0.1:8080/10.0.2.15:80+udp/[::1]:53/[fec0::15]:5353",
			       &fault),
			 0);
	assert_int_equal(network.forward_count, 2);
	local = (const struct sockaddr_in *)&network.forwards[0].local;
	target = (const struct sockaddr_in *)&network.forwards[0].target;
	assert_false(network.forwards[0].is_udp);
	assert_int_equal(ntohl(local->sin_addr.s_addr), 0x7f000001);
	assert_int_equal(ntohs(local->sin_port), 8080);
	assert_int_equal(ntohl(target->sin_addr.s_addr), 0x0a00020f);
	assert_int_equal(ntohs(target->sin_port), 80);
	target6 = (const struct sockaddr_in6 *)&network.forwards[1].target;
	assert_true(network.forwards[1].is_udp);
	assert_int_equal(target6->sin6_family, AF_INET6);
	assert_int_equal(ntohs(target6->sin6_port), 5353);
}

static void a_wrong_forward_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *text, *says;
	} forwards[] = {
		{"", "forward takes tcp/"},
		{"tcp", "forward takes tcp/"},
		{"tcp/127.0.0.1:80", "forward takes tcp/"},
		{"tcp/127.0.0.1:80/10.0.2.15:80+", "forward takes tcp/"},
		{"TCP/127.0.0.1:80/10.0.2.15:80", "forward is of tcp or udp"},
		{"/127.0.0.1:80/10.0.2.15:80", "forward is of tcp or udp"},
		{"tcp//10.0.2.15:80", "no address with a port"},
		{"tcp/127.0.0.1:80/", "no address with a port"},
		{"tcp/127.0.0.1:80/10.0.2.15:80/x", "no address with a port"},
		{"tcp/127.0.0.1:65536/10.0.2.15:80", "no address with a port"},
		{"tcp/localhost:80/10.0.2.15:80", "no address with a port"},
		{"udp/127.0.0.1:80/[fec0::15]:80", "different families"},
		{"tcp/127.0.0.1:0/10.0.2.15:80", "port 0"},
		{"udp/[::1]:53/[fec0::15]:0", "port 0"},
		{"tcp/127.0.0.1:80/10.0.3.15:80",
		 "forward: 10.0.3.15 is not in the network 10.0.2.0/24, which net sets"},
		{"tcp/127.0.0.1:80/10.0.2.15:80+udp/127.0.0.1:80/192.168.1.1:80",
		 "forward: 192.168.1.1 is not in the network 10.0.2.0/24"},
		{"tcp/[::1]:80/[fec0:0:0:1::15]:80",
		 "forward: fec0:0:0:1::15 is not in the network fec0::/64, which net6 sets"},
	};
	struct user_network network;
	struct fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(forwards) / sizeof(forwards[0]); i++) {
		if (parse(&network, NULL, NULL, forwards[i].text, &fault) == 0)
			fail_msg("forward %s is taken", forwards[i].text);
		assert_int_equal(fault.error, EINVAL);
		if (!strstr(fault.text, forwards[i].says))
			fail_msg("forward %s: %s", forwards[i].text, fault.text);
	}
}

static void a_forward_leads_to_the_network_that_is_set(void **state)
{
	static const char forwards[] = "tcp/127.0.0.1:80/10.200.0.1:80+tcp/[::1]:80/[fd00::9]:80";
	struct user_network network;
	struct fault fault;

	(void)state;
	assert_int_equal(parse(&network, "10.7.7.7/8", "fd00::/64", forwards, &fault), 0);
	assert_int_equal(network.forward_count, 2);
	assert_int_equal(parse(&network, NULL, NULL, "udp/[::1]:80/[fe80::9]:80", &fault), 0);
	assert_int_equal(parse(&network, NULL, "fd00::/64", forwards, &fault), -1);
	assert_int_equal(parse(&network, "10.7.7.7/8", NULL, forwards, &fault), -1);
}

static void there_is_a_maximum_of_forwards(void **state)
{
	static const char one[] = "udp/[1111:2222:3333:4444:5555:6666:7777:8888]:65535/"
				  "[1111:2222:3333:4444:5555:6666:7777:9999]:65535";
	char text[1100] = "";
	struct user_network network;
	struct fault fault;

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		strlcat(text, i ? "+" : "", sizeof(text));
		strlcat(text, one, sizeof(text));
		assert_int_equal(parse(&network, NULL, "1111:2222:3333:4444::/64", text, &fault),
				 0);
		assert_int_equal(network.forward_count, i + 1);
	}
	for (int i = 0; i < 2; i++) {
		strlcat(text, i ? "x" : "+tcp/[::]:1/[1::]:1", sizeof(text));
		assert_int_equal(parse(&network, NULL, NULL, text, &fault), -1);
		assert_string_equal(fault.text, "forward takes at most 8 forwards");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_is_the_network_of_qemu),
		cmocka_unit_test(the_bits_of_the_host_are_cleared),
		cmocka_unit_test(a_network_that_does_not_fit_is_refused),
		cmocka_unit_test(forwards_have_a_protocol_and_two_places),
		cmocka_unit_test(a_wrong_forward_is_refused_with_its_reason),
		cmocka_unit_test(a_forward_leads_to_the_network_that_is_set),
		cmocka_unit_test(there_is_a_maximum_of_forwards),
	};

	return RUN_TESTS(tests);
}
