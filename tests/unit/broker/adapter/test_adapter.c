/* SPDX-License-Identifier: MIT */
/* How a TUN resolves its neighbours on an Ethernet bridge, and answers their requests. */
#include "tests/unit/broker/adapter/adapter_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/adapter/adapter_parts.h"
#include "broker/switch/bridge.h"
#include "broker/tunnel/tunnel.h"

#define UNRESOLVED "from-client-dropped-unresolved"
#define NOT_IP "to-client-dropped-not-ip"

/* Addresses of each family: the TUN's, two neighbours', and one outside of the prefix. */
static const struct family {
	const char *options, *us, *one, *two, *far;
} families[] = {
	{",address=10.0.0.9/24", "10.0.0.9", "10.0.0.1", "10.0.0.2", "192.0.2.1"},
	{",address=fd00::9/64", "fd00::9", "fd00::1", "fd00::2", "2001:db8::1"},
};

/* ------------------------------------------------------------------------------ configuration */

static void invalid_addresses_are_refused(void **state)
{
	static const struct {
		const char *options, *says;
	} cases[] = {
		{"address=10.0.0.300", "address '10.0.0.300' is no IPv4 or IPv6 address"},
		{"address=10.0.0.1+", "address '' is no"},
		{"address=10.0.0.1%eth0", "is no IPv4"},
		{"address=1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
		 "is no IPv4"},
		{"address=10.0.0.1/33", "address 10.0.0.1: its prefix length is from 1 to 32"},
		{"address=10.0.0.1/0", "from 1 to 32"},
		{"address=10.0.0.1/", "from 1 to 32"},
		{"address=10.0.0.1/+8", "from 1 to 32"},
		{"address=10.0.0.1/24x", "from 1 to 32"},
		{"address=10.0.0.1/ 24", "from 1 to 32"},
		{"address=fd00::1/129", "from 1 to 128, not '129'"},
		{"address=224.0.0.1", "address 224.0.0.1 is not one host's"},
		{"address=255.255.255.255", "not one host's"},
		{"address=0.0.0.0", "not one host's"},
		{"address=::", "not one host's"},
		{"address=ff02::1", "not one host's"},
		{"address=10.0.0.0/24", "address 10.0.0.0/24 is that of the whole network"},
		{"address=10.0.0.255/24", "whole network"},
		{"address=10.0.0.1+10.0.0.2+10.0.0.3+10.0.0.4+10.0.0.5+10.0.0.6+10.0.0.7+10.0.0.8"
		 "+10.0.0.9",
		 "address has more than 8"},
		{"gateway=10.0.0.1+10.0.0.2+10.0.0.3+10.0.0.4+10.0.0.5", "gateway has more than 4"},
		{"gateway=10.0.0.1/24", "gateway '10.0.0.1/24' is no"},
		{"gateway=ff02::1", "gateway ff02::1 is not one host's"},
		{"address=10.0.0.9/24,gateway=10.0.1.1",
		 "gateway 10.0.1.1 is in no prefix of address 10.0.0.9/24"},
		{"address=10.0.0.9/24,gateway=10.0.0.9", "gateway 10.0.0.9 is its own address"},
		{"address=fd00::9/64,gateway=fd01::1", "in no prefix"},
	};
	struct broker_fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer answer;
		char options[200];

		snprintf(options, sizeof(options), "name=tun,mode=tun,%s", cases[i].options);
		assert_int_equal(
			client_ask(&fixture->client, &answer, MEMTUN_CMD_TUNNEL_ADD, options),
			EINVAL);
		if (!strstr(answer.fault.text, cases[i].says))
			fail_msg("%s: %s", options, answer.fault.text);
		assert_false(exists(*state, "tun"));
	}
}

/* Return a text from the tunnel's record, "" if there is none. */
static const char *text_shown(struct broker_fixture *fixture, enum memtun_attribute which,
			      struct answer *answer)
{
	const char *text;

	assert_int_equal(client_ask(&fixture->client, answer, MEMTUN_CMD_TUNNEL_SHOW, "name=tun"),
			 0);
	text = attribute_set_string(&answer->message.set, which);
	return text ? text : "";
}

static void addresses_are_shown_as_given_and_can_be_removed(void **state)
{
	static const char given[] = "10.0.0.9/24+fd00:0::9/64+192.0.2.1+10.9.9.8/31";
	struct answer answer;
	char options[200];

	snprintf(options, sizeof(options),
		 "name=tun,mode=tun,bridge=b,address=%s,gateway=10.0.0.1+fe80::1", given);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, options);
	assert_string_equal(text_shown(*state, MEMTUN_A_ADDRESS, &answer), given);
	assert_string_equal(text_shown(*state, MEMTUN_A_GATEWAY, &answer), "10.0.0.1+fe80::1");
	/* Setting one does not change the other, and both must fit together. */
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,address=10.1.0.9/24"),
			 EINVAL);
	assert_string_equal(text_shown(*state, MEMTUN_A_ADDRESS, &answer), given);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,gateway=none");
	assert_string_equal(text_shown(*state, MEMTUN_A_GATEWAY, &answer), "");
	assert_string_equal(text_shown(*state, MEMTUN_A_ADDRESS, &answer), given);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,address=none");
	assert_string_equal(text_shown(*state, MEMTUN_A_ADDRESS, &answer), "");
	/* Without an adapter, and for a tap, there is no MAC address to show. */
	assert_string_equal(text_shown(*state, MEMTUN_A_MAC, &answer), "");
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap,address=10.0.0.1"),
			 EINVAL);
}

static void the_mac_address_is_unicast_and_locally_administered(void **state)
{
	struct link link;
	struct answer answer;
	char text[20];

	link_open(&link, state, "");
	assert_int_equal(link.mac[0] & 3, 2);
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", link.mac[0], link.mac[1],
		 link.mac[2], link.mac[3], link.mac[4], link.mac[5]);
	assert_string_equal(text_shown(*state, MEMTUN_A_MAC, &answer), text);
	link_close(&link);
}

/* ------------------------------------------------------------------------------ finding them */

static void a_packet_waits_until_its_neighbour_is_resolved(void **state)
{
	for (const struct family *family = families; family < families + 2; family++) {
		struct link link;

		link_open(&link, state, family->options);
		packet_send(&link, family->us, family->one);
		assert_asks(&link, family->us, family->one, NULL);
		assert_nothing(&link, link.tap);
		host_answers(&link, 1, family->one, family->us);
		assert_packet(&link, family->us, family->one, host_mac(1));
		/* Later packets do not wait. */
		packet_send(&link, family->us, family->one);
		assert_packet(&link, family->us, family->one, host_mac(1));
		assert_nothing(&link, link.tap);
		/* The answer was for the adapter and not for the client. */
		assert_nothing(&link, link.tun);
		assert_int_equal(counted(&link, NOT_IP), 1);
		assert_int_equal(counted(&link, UNRESOLVED), 0);
		assert_int_equal(counted(&link, "from-client-frames"), 2);
		assert_accounted(*state, "tun");
		link_close(&link);
	}
}

static void a_tun_without_an_address_solicits_from_the_packets_source(void **state)
{
	for (const struct family *family = families; family < families + 2; family++) {
		struct link link;

		link_open(&link, state, "");
		packet_send(&link, family->two, family->far);
		assert_asks(&link, family->two, family->far, NULL);
		time_passes(*state, 1);
		assert_asks(&link, family->two, family->far, NULL);
		link_close(&link);
	}
}

static void packets_to_a_neighbour_that_does_not_answer_are_dropped(void **state)
{
	for (const struct family *family = families; family < families + 2; family++) {
		struct link link;

		link_open(&link, state, family->options);
		packet_send(&link, family->us, family->one);
		packet_send(&link, family->us, family->one);
		for (int i = 0; i < 3; i++) {
			assert_asks(&link, family->us, family->one, NULL);
			time_passes(*state, 0.5);
			assert_nothing(&link, link.tap);
			assert_int_equal(counted(&link, UNRESOLVED), 0);
			time_passes(*state, 0.5);
		}
		assert_nothing(&link, link.tap);
		assert_int_equal(counted(&link, UNRESOLVED), 2);
		/* A late answer belongs to no request. */
		host_answers(&link, 1, family->one, family->us);
		packet_send(&link, family->us, family->one);
		assert_asks(&link, family->us, family->one, NULL);
		host_answers(&link, 1, family->one, family->us);
		assert_packet(&link, family->us, family->one, host_mac(1));
		link_close(&link);
	}
}

static void packets_that_wait_for_one_neighbour_are_bounded(void **state)
{
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/24");
	for (int i = 1; i <= 5; i++) {
		char from[20];

		snprintf(from, sizeof(from), "10.0.1.%d", i);
		packet_send(&link, from, "10.0.0.1");
	}
	assert_asks(&link, "10.0.0.9", "10.0.0.1", NULL);
	assert_int_equal(counted(&link, UNRESOLVED), 2);
	host_answers(&link, 1, "10.0.0.1", "10.0.0.9");
	/* The oldest was dropped, and the rest is sent in order. */
	assert_packet(&link, "10.0.1.3", "10.0.0.1", host_mac(1));
	assert_packet(&link, "10.0.1.4", "10.0.0.1", host_mac(1));
	assert_packet(&link, "10.0.1.5", "10.0.0.1", host_mac(1));
	assert_nothing(&link, link.tap);
	link_close(&link);
}

static void packets_that_wait_for_all_neighbours_are_bounded(void **state)
{
	struct link link;
	char to[20];

	link_open(&link, state, ",address=10.0.0.9/16");
	for (int i = 1; i <= ADAPTER_PENDING_MAX + 1; i++) {
		snprintf(to, sizeof(to), "10.0.1.%d", i);
		packet_send(&link, "10.0.0.9", to);
		assert_asks(&link, "10.0.0.9", to, NULL);
	}
	assert_int_equal(counted(&link, UNRESOLVED), 1);
	host_answers(&link, 1, "10.0.1.1", "10.0.0.9");
	assert_nothing(&link, link.tap);
	host_answers(&link, 2, "10.0.1.2", "10.0.0.9");
	assert_packet(&link, "10.0.0.9", "10.0.1.2", host_mac(2));
	link_close(&link);
	broker_quiesce(*state);
}

static void the_table_of_neighbours_is_bounded(void **state)
{
	struct link link;
	char to[20];

	link_open(&link, state, ",address=10.0.0.9/16");
	/* The first is used in between, so the second is evicted. */
	for (int i = 1; i <= NEIGHBOURS_MAX + 1; i++) {
		snprintf(to, sizeof(to), "10.0.%d.%d", 1 + i / 200, i % 200 + 1);
		packet_send(&link, "10.0.0.9", to);
		assert_asks(&link, "10.0.0.9", to, NULL);
		host_answers(&link, 1, to, "10.0.0.9");
		assert_packet(&link, "10.0.0.9", to, host_mac(1));
		if (i == 100) {
			packet_send(&link, "10.0.0.9", "10.0.1.2");
			assert_packet(&link, "10.0.0.9", "10.0.1.2", host_mac(1));
		}
	}
	packet_send(&link, "10.0.0.9", "10.0.1.2");
	assert_packet(&link, "10.0.0.9", "10.0.1.2", host_mac(1));
	packet_send(&link, "10.0.0.9", "10.0.1.3");
	assert_asks(&link, "10.0.0.9", "10.0.1.3", NULL);
	link_close(&link);
}

static void packets_for_an_evicted_neighbour_are_dropped(void **state)
{
	struct link link;
	char from[20];

	link_open(&link, state, ",address=10.0.0.9/16");
	packet_send(&link, "10.0.0.9", "10.0.1.1");
	assert_asks(&link, "10.0.0.9", "10.0.1.1", NULL);
	/* A host that sends a request is known too. */
	for (int i = 1; i <= NEIGHBOURS_MAX; i++) {
		unsigned char bytes[42];

		assert_int_equal(counted(&link, UNRESOLVED), 0);
		snprintf(from, sizeof(from), "10.0.%d.%d", 2 + i / 200, i % 200 + 1);
		bytes_send(link.tap, bytes,
			   arp_make(bytes, &(struct arp){everybody, 1, host_mac(3), from, NULL,
							 "10.0.0.9"}));
		broker_quiesce(*state);
		assert_int_equal(recv(link.tap, bytes, sizeof(bytes), MSG_DONTWAIT), 42);
	}
	assert_int_equal(counted(&link, UNRESOLVED), 1);
	link_close(&link);
}

static void a_stale_neighbour_is_probed_while_it_is_used(void **state)
{
	for (const struct family *family = families; family < families + 2; family++) {
		struct link link;

		link_open(&link, state, family->options);
		packet_send(&link, family->us, family->one);
		assert_asks(&link, family->us, family->one, NULL);
		host_answers(&link, 1, family->one, family->us);
		assert_packet(&link, family->us, family->one, host_mac(1));
		time_passes(*state, 60);
		packet_send(&link, family->us, family->one);
		assert_packet(&link, family->us, family->one, host_mac(1));
		assert_nothing(&link, link.tap);
		time_passes(*state, 1);
		assert_nothing(&link, link.tap);
		/* The neighbour answers. */
		packet_send(&link, family->us, family->one);
		assert_packet(&link, family->us, family->one, host_mac(1));
		assert_asks(&link, family->us, family->one, host_mac(1));
		host_answers(&link, 1, family->one, family->us);
		time_passes(*state, 30);
		packet_send(&link, family->us, family->one);
		assert_packet(&link, family->us, family->one, host_mac(1));
		assert_nothing(&link, link.tap);
		/* The neighbour does not answer. */
		time_passes(*state, 61);
		for (int i = 0; i < 3; i++) {
			packet_send(&link, family->us, family->one);
			if (i == 0)
				assert_packet(&link, family->us, family->one, host_mac(1));
			assert_asks(&link, family->us, family->one, host_mac(1));
			if (i > 0)
				assert_packet(&link, family->us, family->one, host_mac(1));
			time_passes(*state, 1);
		}
		assert_nothing(&link, link.tap);
		packet_send(&link, family->us, family->one);
		assert_asks(&link, family->us, family->one, NULL);
		assert_int_equal(counted(&link, UNRESOLVED), 0);
		link_close(&link);
	}
}

static void assert_arp_answer(struct link *link, const char *address, const char *sender)
{
	unsigned char request[42], answer[42];

	bytes_send(
		link->tap, request,
		arp_make(request, &(struct arp){everybody, 1, host_mac(1), sender, NULL, address}));
	assert_comes(link, link->tap, answer,
		     arp_make(answer, &(struct arp){host_mac(1), 2, link->mac, address, host_mac(1),
						    sender}));
}

static void a_probe_comes_from_the_address_that_the_neighbour_asked_for(void **state)
{
	unsigned char bytes[42];
	struct link link;

	link_open(&link, state, "");
	packet_send(&link, "10.0.0.9", "224.0.0.1");
	broker_quiesce(*state);
	recv(link.tap, bytes, sizeof(bytes), MSG_DONTWAIT);
	assert_arp_answer(&link, "10.0.0.9", "10.0.0.1");
	time_passes(*state, 61);
	packet_send(&link, "10.0.0.9", "10.0.0.1");
	assert_packet(&link, "10.0.0.9", "10.0.0.1", host_mac(1));
	assert_asks(&link, "10.0.0.9", "10.0.0.1", host_mac(1));
	link_close(&link);
}

static void multicast_packets_go_to_a_multicast_mac_address(void **state)
{
	static const struct {
		const char *from, *to;
		unsigned char mac[ETH_ALEN];
	} cases[] = {
		{"10.0.0.9", "224.0.0.1", {0x01, 0x00, 0x5e, 0x00, 0x00, 0x01}},
		{"10.0.0.9", "239.129.2.3", {0x01, 0x00, 0x5e, 0x01, 0x02, 0x03}},
		{"10.0.0.9", "255.255.255.255", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{"10.0.0.9", "10.0.0.255", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{"0.0.0.0", "255.255.255.255", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{"fd00::9", "ff02::1:ff01:203", {0x33, 0x33, 0xff, 0x01, 0x02, 0x03}},
		{"::", "ff02::16", {0x33, 0x33, 0x00, 0x00, 0x00, 0x16}},
	};
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/24+172.16.0.8/31");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		packet_send(&link, cases[i].from, cases[i].to);
		assert_packet(&link, cases[i].from, cases[i].to, cases[i].mac);
	}
	/* These are addresses of hosts. */
	packet_send(&link, "172.16.0.8", "172.16.0.9");
	assert_asks(&link, "172.16.0.8", "172.16.0.9", NULL);
	packet_send(&link, "10.0.0.9", "10.0.1.255");
	assert_asks(&link, "10.0.0.9", "10.0.1.255", NULL);
	link_close(&link);
}

static void packets_outside_the_prefix_go_to_the_gateway(void **state)
{
	static const struct {
		const char *from, *to, *asks, *for_whom;
	} cases[] = {
		{"10.0.0.9", "10.0.0.7", "10.0.0.9", "10.0.0.7"},
		{"10.0.0.9", "192.0.2.1", "10.0.0.9", "10.0.0.1"},
		{"10.1.0.9", "192.0.2.1", "10.1.0.9", "10.1.0.1"},
		{"198.51.100.1", "10.1.0.7", "10.1.0.9", "10.1.0.7"},
		{"fd00::9", "2001:db8::1", "fd00::9", "fe80::1"},
		{"fd00::9", "fe80::2", "fd00::9", "fe80::2"},
		{"fd00::9", "fd00::7", "fd00::9", "fd00::7"},
	};
	struct link link;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		link_open(&link, state,
			  ",address=10.0.0.9/24+10.1.0.9/24+fd00::9/64,"
			  "gateway=10.0.0.1+10.1.0.1+fe80::1");
		packet_send(&link, cases[i].from, cases[i].to);
		assert_asks(&link, cases[i].asks, cases[i].for_whom, NULL);
		host_answers(&link, 1, cases[i].for_whom, cases[i].asks);
		assert_packet(&link, cases[i].from, cases[i].to, host_mac(1));
		link_close(&link);
	}
	/* With only a gateway all packets go there; without one, no packet is sent. */
	link_open(&link, state, ",gateway=10.0.0.1");
	packet_send(&link, "10.0.0.9", "10.0.0.7");
	assert_asks(&link, "10.0.0.9", "10.0.0.1", NULL);
	packet_send(&link, "fd00::9", "fd00::7");
	assert_asks(&link, "fd00::9", "fd00::7", NULL);
	link_close(&link);
}

static void a_packet_to_no_host_counts_as_unresolved(void **state)
{
	struct link link;

	link_open(&link, state, "");
	packet_send(&link, "10.0.0.9", "0.0.0.0");
	packet_send(&link, "fd00::9", "::");
	/* No host has asked for an address. */
	packet_send(&link, "::", "fd00::1");
	assert_nothing(&link, link.tap);
	assert_int_equal(counted(&link, UNRESOLVED), 3);
	packet_send(&link, "0.0.0.0", "10.0.0.1");
	assert_asks(&link, "0.0.0.0", "10.0.0.1", NULL);
	link_close(&link);
}

/* ------------------------------------------------------------------------------ learning */

/* Assert that the neighbour is known, and as that host. */
static void assert_known(struct link *link, const char *us, const char *address, unsigned int n)
{
	packet_send(link, us, address);
	assert_packet(link, us, address, host_mac(n));
	assert_nothing(link, link->tap);
}

static void a_neighbours_new_mac_address_is_learned(void **state)
{
	unsigned char bytes[100];
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/24+fd00::9/64");
	for (const struct family *family = families; family < families + 2; family++) {
		packet_send(&link, family->us, family->one);
		assert_asks(&link, family->us, family->one, NULL);
		host_answers(&link, 1, family->one, family->us);
		assert_packet(&link, family->us, family->one, host_mac(1));
	}
	/* It announces itself: by a request for its own address, and by an unsolicited
	 * advertisement. */
	bytes_send(link.tap, bytes,
		   arp_make(bytes, &(struct arp){everybody, 1, host_mac(2), "10.0.0.1", NULL,
						 "10.0.0.1"}));
	assert_known(&link, "10.0.0.9", "10.0.0.1", 2);
	struct discovery moved = {
		.to_mac = (const unsigned char *)"\x33\x33\x00\x00\x00\x01",
		.from_mac = host_mac(2),
		.type = 136,
		.from = "fd00::1",
		.to = "ff02::1",
		.target = "fd00::1",
		.flags = 0x20,
		.option = 2,
	};
	bytes_send(link.tap, bytes, discovery_make(bytes, &moved));
	assert_known(&link, "fd00::9", "fd00::1", 2);
	/* A proxy's advertisement without the override flag changes nothing. */
	moved.from_mac = host_mac(3);
	moved.flags = 0;
	bytes_send(link.tap, bytes, discovery_make(bytes, &moved));
	assert_known(&link, "fd00::9", "fd00::1", 2);
	/* An answer without the MAC address confirms the known one. */
	time_passes(*state, 59);
	moved.option = 0;
	moved.flags = 0x40;
	bytes_send(link.tap, bytes, discovery_make(bytes, &moved));
	time_passes(*state, 2);
	assert_known(&link, "fd00::9", "fd00::1", 2);
	link_close(&link);
}

static void an_unsolicited_answer_makes_no_neighbour(void **state)
{
	unsigned char bytes[42];
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/24+fd00::9/64");
	bytes_send(link.tap, bytes,
		   arp_make(bytes, &(struct arp){everybody, 1, host_mac(1), "10.0.0.1", NULL,
						 "10.0.0.77"}));
	for (const struct family *family = families; family < families + 2; family++) {
		host_answers(&link, 1, family->one, family->us);
		packet_send(&link, family->us, family->one);
		assert_asks(&link, family->us, family->one, NULL);
	}
	link_close(&link);
}

static void an_invalid_mac_address_of_a_neighbour_is_not_learned(void **state)
{
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/24+fd00::9/64");
	const unsigned char *macs[] = {everybody, (const unsigned char *)"\0\0\0\0\0\0", link.mac};

	for (const struct family *family = families; family < families + 2; family++) {
		packet_send(&link, family->us, family->one);
		assert_asks(&link, family->us, family->one, NULL);
	}
	for (size_t i = 0; i < 3; i++) {
		unsigned char bytes[100];

		arp_make(bytes,
			 &(struct arp){link.mac, 2, macs[i], "10.0.0.1", link.mac, "10.0.0.9"});
		memcpy(bytes + 6, host_mac(1), ETH_ALEN);
		bytes_send(link.tap, bytes, 42);
		bytes_send(link.tap, bytes,
			   discovery_make(bytes, &(struct discovery){
							 .to_mac = link.mac,
							 .from_mac = host_mac(1),
							 .type = 136,
							 .from = "fd00::1",
							 .to = "fd00::9",
							 .target = "fd00::1",
							 .flags = 0x60,
							 .option = 2,
							 .option_mac = macs[i],
						 }));
		assert_nothing(&link, link.tap);
	}
	for (const struct family *family = families; family < families + 2; family++) {
		host_answers(&link, 1, family->one, family->us);
		assert_packet(&link, family->us, family->one, host_mac(1));
	}
	link_close(&link);
}

/* ------------------------------------------------------------------------------ being found */

static void arp_requests_for_its_addresses_are_answered(void **state)
{
	unsigned char request[42];
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/24");
	/* For its own address; then the sender is known. */
	assert_arp_answer(&link, "10.0.0.9", "10.0.0.1");
	assert_known(&link, "10.0.0.9", "10.0.0.1", 1);
	/* For an address that its client has sent from. */
	packet_send(&link, "10.8.0.1", "10.0.0.1");
	assert_packet(&link, "10.8.0.1", "10.0.0.1", host_mac(1));
	assert_arp_answer(&link, "10.8.0.1", "10.0.0.1");
	/* A host without an address probes whether the address is free. */
	assert_arp_answer(&link, "10.0.0.9", "0.0.0.0");
	/* For addresses of others there is no answer. */
	bytes_send(link.tap, request,
		   arp_make(request, &(struct arp){everybody, 1, host_mac(1), "10.0.0.1", NULL,
						   "10.0.0.8"}));
	/* Nor for an address that another host has by now; but always for its own. */
	bytes_send(link.tap, request,
		   arp_make(request, &(struct arp){everybody, 1, host_mac(2), "10.8.0.1", NULL,
						   "10.8.0.1"}));
	bytes_send(link.tap, request,
		   arp_make(request, &(struct arp){everybody, 1, host_mac(1), "10.0.0.1", NULL,
						   "10.8.0.1"}));
	assert_nothing(&link, link.tap);
	bytes_send(link.tap, request,
		   arp_make(request, &(struct arp){everybody, 1, host_mac(2), "10.0.0.9", NULL,
						   "10.0.0.9"}));
	assert_nothing(&link, link.tap);
	assert_arp_answer(&link, "10.0.0.9", "10.0.0.1");
	assert_nothing(&link, link.tun);
	assert_accounted(*state, "tun");
	link_close(&link);
}

/* Return host 1's solicitation for a target. */
static struct discovery solicitation(const char *from, const char *target)
{
	return (struct discovery){
		.to_mac = (const unsigned char *)"\x33\x33\xff\x00\x00\x09",
		.from_mac = host_mac(1),
		.type = 135,
		.from = from,
		.to = "ff02::1:ff00:9",
		.target = target,
		.option = strcmp(from, "::") == 0 ? 0 : 1,
	};
}

static void assert_advertises(struct link *link, const struct discovery *asks, const char *to,
			      const unsigned char *to_mac)
{
	unsigned char bytes[100];

	bytes_send(link->tap, bytes, discovery_make(bytes, asks));
	assert_comes(
		link, link->tap, bytes,
		discovery_make(bytes, &(struct discovery){
					      .to_mac = to_mac,
					      .from_mac = link->mac,
					      .type = 136,
					      .from = asks->target,
					      .to = to,
					      .target = asks->target,
					      .flags = strcmp(to, "ff02::1") == 0 ? 0x20 : 0x60,
					      .option = 2,
				      }));
}

static void solicitations_are_answered_for_its_addresses(void **state)
{
	struct discovery asks = solicitation("fd00::1", "fd00::9");
	unsigned char bytes[100];
	struct link link;

	link_open(&link, state, ",address=fd00::9/64");
	assert_advertises(&link, &asks, "fd00::1", host_mac(1));
	assert_known(&link, "fd00::9", "fd00::1", 1);
	/* Without an option the answer goes to the source of the solicitation's frame. */
	asks.option = 0;
	assert_advertises(&link, &asks, "fd00::1", host_mac(1));
	/* A host that probes the address is answered by multicast. */
	asks = solicitation("::", "fd00::9");
	assert_advertises(&link, &asks, "ff02::1",
			  (const unsigned char *)"\x33\x33\x00\x00\x00\x01");
	packet_send(&link, "fe80::9", "fd00::1");
	assert_packet(&link, "fe80::9", "fd00::1", host_mac(1));
	asks = solicitation("fe80::1", "fe80::9");
	assert_advertises(&link, &asks, "fe80::1", host_mac(1));
	asks = solicitation("fd00::1", "fd00::8");
	bytes_send(link.tap, bytes, discovery_make(bytes, &asks));
	assert_nothing(&link, link.tap);
	assert_nothing(&link, link.tun);
	link_close(&link);
}

static void invalid_solicitations_are_not_answered(void **state)
{
	struct discovery asks = solicitation("fd00::1", "fd00::9");
	/* The byte to change, and whether the checksum is set again. */
	static const struct {
		int at;
		unsigned char byte;
		bool sum;
	} cases[] = {
		{21, 254, true},   /* the hop limit: a router has forwarded it */
		{57, 0xee, false}, /* the checksum */
		{55, 1, true},     /* the code */
		{62, 0xff, true},  /* its target is a group */
		{79, 0, true},     /* an option of length 0 */
		{79, 2, true},     /* an option beyond the message */
		{80, 0x03, true},  /* a group's MAC address */
		{22, 0xff, true},  /* its source is a group */
		{6, 0x03, true},   /* the frame's source is a group */
		{19, 23, false},   /* shorter than the minimum */
		{19, 200, false},  /* longer than the frame */
		{54, 135, true},   /* unchanged */
	};
	struct link link;

	link_open(&link, state, ",address=fd00::9/64");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool right = i == sizeof(cases) / sizeof(cases[0]) - 1;
		unsigned char bytes[100];
		size_t length = discovery_make(bytes, &asks);

		bytes[cases[i].at] = cases[i].byte;
		if (cases[i].sum)
			discovery_sum(bytes, length);
		bytes_send(link.tap, bytes, length);
		broker_quiesce(*state);
		if ((recv(link.tap, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) != right)
			fail_msg("case %zu", i);
		assert_nothing(&link, link.tun);
		assert_int_equal(counted(&link, NOT_IP), i + 1);
	}
	/* An unspecified source must not have the option, and a group cannot be a source. */
	for (int i = 0; i < 2; i++) {
		unsigned char bytes[100];

		asks = solicitation(i ? "ff02::2" : "::", "fd00::9");
		asks.option = !i;
		bytes_send(link.tap, bytes, discovery_make(bytes, &asks));
		assert_nothing(&link, link.tap);
	}
	link_close(&link);
}

static void invalid_arp_is_not_answered(void **state)
{
	static const int at[] = {14, 15, 16, 18, 19, 20, 21};
	unsigned char bytes[60];
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/24");
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		arp_make(bytes,
			 &(struct arp){everybody, 1, host_mac(1), "10.0.0.1", NULL, "10.0.0.9"});
		bytes[at[i]] ^= 0x40;
		bytes_send(link.tap, bytes, 42);
	}
	arp_make(bytes, &(struct arp){everybody, 1, host_mac(1), "10.0.0.1", NULL, "10.0.0.9"});
	for (size_t length = 14; length < 42; length++)
		bytes_send(link.tap, bytes, length);
	bytes[6] |= 1;
	bytes_send(link.tap, bytes, 42);
	assert_nothing(&link, link.tap);
	assert_int_equal(counted(&link, NOT_IP), 7 + 28 + 1);
	link_close(&link);
}

static void pending_control_frames_are_bounded(void **state)
{
	struct address us = {.words = {htonl(0x0a000009)}, .kind = ADDRESS_IPV4};
	struct address one = {.words = {htonl(0x0a000001)}, .kind = ADDRESS_IPV4};
	struct adapter *adapter;
	unsigned int answers = 0;
	unsigned char answer[42];
	struct link link;

	link_open(&link, state, ",address=10.0.0.9");
	for (int i = 0; i < ADAPTER_CONTROL_MAX + 10; i++)
		adapter_reply(adapter_of(*state, "tun"), &us, &one, host_mac(1));
	adapter = adapter_of(*state, "tun");
	adapter->operations->flush_now(adapter->port);
	do {
		while (recv(link.tap, answer, sizeof(answer), MSG_DONTWAIT) > 0)
			answers++;
		broker_quiesce(*state);
	} while (shown(*state, "tap", "to-client-queued"));
	while (recv(link.tap, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		answers++;
	assert_int_equal(answers, ADAPTER_CONTROL_MAX);
	assert_arp_answer(&link, "10.0.0.9", "10.0.0.1");
	link_close(&link);
}

static void answers_to_a_port_that_never_reads_are_bounded(void **state)
{
	unsigned char request[42];
	struct link link = {.fixture = *state};

	link.tap = tunnel_opened(*state, "name=tap,bridge=b,overflow=block,queue=10");
	link.tun = tunnel_opened(*state, "name=tun,mode=tun,bridge=b,address=10.0.0.9/24");
	arp_make(request, &(struct arp){everybody, 1, host_mac(1), "10.0.0.1", NULL, "10.0.0.9"});
	for (int i = 0; i < 5000; i++) {
		bytes_send(link.tap, request, sizeof(request));
		if (i % 50 == 0)
			broker_quiesce(*state);
	}
	broker_quiesce(*state);
	/* The full backlog, and one batch more. */
	assert_in_range(shown(*state, "tap", "to-client-queued"), 10, 10 + 32);
	while (recv(link.tap, request, sizeof(request), MSG_DONTWAIT) > 0)
		broker_quiesce(*state);
	assert_int_equal(shown(*state, "tap", "to-client-queued"), 0);
	link.mac = adapter_of(*state, "tun")->mac;
	assert_arp_answer(&link, "10.0.0.9", "10.0.0.1");
	link_close(&link);
}

static void learned_addresses_that_are_answered_for_are_bounded(void **state)
{
	unsigned char request[42];
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/16");
	assert_arp_answer(&link, "10.0.0.9", "10.0.0.1");
	for (int i = 0; i <= ADDRESS_RING_MAX; i++) {
		char from[20];

		snprintf(from, sizeof(from), "10.8.%d.%d", i / 200, i % 200 + 1);
		for (int j = 0; j < 2; j++) {
			packet_send(&link, from, "10.0.0.1");
			assert_packet(&link, from, "10.0.0.1", host_mac(1));
		}
	}
	bytes_send(link.tap, request,
		   arp_make(request, &(struct arp){everybody, 1, host_mac(1), "10.0.0.1", NULL,
						   "10.8.0.1"}));
	assert_nothing(&link, link.tap);
	assert_arp_answer(&link, "10.8.0.2", "10.0.0.1");
	assert_arp_answer(&link, "10.8.1.57", "10.0.0.1");
	assert_arp_answer(&link, "10.0.0.9", "10.0.0.1");
	link_close(&link);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_MANUAL_CLOCK(invalid_addresses_are_refused),
		WITH_MANUAL_CLOCK(addresses_are_shown_as_given_and_can_be_removed),
		WITH_MANUAL_CLOCK(the_mac_address_is_unicast_and_locally_administered),
		WITH_MANUAL_CLOCK(a_packet_waits_until_its_neighbour_is_resolved),
		WITH_MANUAL_CLOCK(a_tun_without_an_address_solicits_from_the_packets_source),
		WITH_MANUAL_CLOCK(packets_to_a_neighbour_that_does_not_answer_are_dropped),
		WITH_MANUAL_CLOCK(packets_that_wait_for_one_neighbour_are_bounded),
		WITH_MANUAL_CLOCK(packets_that_wait_for_all_neighbours_are_bounded),
		WITH_MANUAL_CLOCK(the_table_of_neighbours_is_bounded),
		WITH_MANUAL_CLOCK(packets_for_an_evicted_neighbour_are_dropped),
		WITH_MANUAL_CLOCK(a_stale_neighbour_is_probed_while_it_is_used),
		WITH_MANUAL_CLOCK(a_probe_comes_from_the_address_that_the_neighbour_asked_for),
		WITH_MANUAL_CLOCK(multicast_packets_go_to_a_multicast_mac_address),
		WITH_MANUAL_CLOCK(packets_outside_the_prefix_go_to_the_gateway),
		WITH_MANUAL_CLOCK(a_packet_to_no_host_counts_as_unresolved),
		WITH_MANUAL_CLOCK(a_neighbours_new_mac_address_is_learned),
		WITH_MANUAL_CLOCK(an_unsolicited_answer_makes_no_neighbour),
		WITH_MANUAL_CLOCK(an_invalid_mac_address_of_a_neighbour_is_not_learned),
		WITH_MANUAL_CLOCK(arp_requests_for_its_addresses_are_answered),
		WITH_MANUAL_CLOCK(solicitations_are_answered_for_its_addresses),
		WITH_MANUAL_CLOCK(invalid_solicitations_are_not_answered),
		WITH_MANUAL_CLOCK(invalid_arp_is_not_answered),
		WITH_MANUAL_CLOCK(answers_to_a_port_that_never_reads_are_bounded),
		WITH_MANUAL_CLOCK(pending_control_frames_are_bounded),
		WITH_MANUAL_CLOCK(learned_addresses_that_are_answered_for_are_bounded),
	};

	return RUN_TESTS(tests);
}
