/* SPDX-License-Identifier: MIT */
/*
 * Uplinks of type mcast: with each other, and with another member of the LAN.
 */
#include "tests/unit/broker/uplink/uplink_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/multicast.h"

#define HOST "127.0.0.1"
#define GROUP "239.77.1.2"

/* Two brokers, each with an uplink "u" in the LAN and a tunnel "t", and another member. */
struct lan {
	struct broker_fixture *sides[2];
	int tunnels[2];
	struct multicast member;
	uint16_t port;
};

static void lan_open(struct lan *lan, struct broker_fixture *fixture, const char *options)
{
	struct multicast_options member = {.ttl = 1};
	void *other = NULL;

	assert_int_equal(broker_fixture_set_up(&other), 0);
	lan->sides[0] = fixture;
	lan->sides[1] = other;
	lan->port = udp_port_find(HOST);
	member.port = htons(lan->port);
	assert_int_equal(inet_pton(AF_INET, GROUP, &member.group), 1);
	assert_int_equal(inet_pton(AF_INET, HOST, &member.interface), 1);
	assert_int_equal(multicast_open(&lan->member, &member), 0);
	for (int i = 0; i < 2; i++) {
		lan->tunnels[i] = tunnel_opened(lan->sides[i], "name=t,bridge=b");
		uplink_added(lan->sides[i], "name=u,bridge=b,type=mcast,group=" GROUP ",port=%u%s",
			     lan->port, options);
	}
}

static void lan_quiesce(struct lan *lan)
{
	broker_quiesce(lan->sides[0]);
	broker_quiesce(lan->sides[1]);
	broker_quiesce(lan->sides[0]);
}

static void lan_close(struct lan *lan)
{
	void *other = lan->sides[1];

	close(lan->tunnels[0]);
	close(lan->tunnels[1]);
	multicast_close(&lan->member);
	assert_int_equal(broker_fixture_tear_down(&other), 0);
}

static uint64_t counted(struct lan *lan, const char *word)
{
	return uplink_shown(lan->sides[0], "u", word);
}

static void a_frame_reaches_every_other_member_once(void **state)
{
	struct lan lan;

	lan_open(&lan, *state, "");
	assert_true(frame_send(lan.tunnels[0], 1, 0xff, 7));
	lan_quiesce(&lan);
	assert_int_equal(frame_receive(lan.tunnels[0]), -1);
	assert_int_equal(frame_receive(lan.tunnels[1]), 7);
	assert_int_equal(frame_receive(lan.tunnels[1]), -1);
	assert_int_equal(udp_frame_receive(lan.member.receiver), 7);
	assert_int_equal(udp_frame_receive(lan.member.receiver), -1);
	uplink_accounted(lan.sides[0], "u");
	lan_close(&lan);
}

static void the_frames_of_all_members_are_received(void **state)
{
	struct lan lan;

	lan_open(&lan, *state, ",ifaddr=" HOST);
	udp_frame_send(lan.member.sender, GROUP, lan.port, 1, 2, 7);
	lan_quiesce(&lan);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(frame_receive(lan.tunnels[i]), 7);
		assert_int_equal(uplink_shown(lan.sides[i], "u", "from-client-frames"), 1);
	}
	lan_close(&lan);
}

static void own_frames_come_back_only_with_loop(void **state)
{
	static const char *const options[] = {"", ",loop"};

	for (int loop = 0; loop < 2; loop++) {
		struct broker_fixture *fixture = *state;
		int tunnel = tunnel_opened(fixture, "name=t,bridge=b");

		uplink_added(fixture, "name=u,bridge=b,type=mcast,group=" GROUP ",port=%u%s",
			     udp_port_find(HOST), options[loop]);
		assert_true(frame_send(tunnel, 1, 0xff, 7));
		broker_quiesce(fixture);
		assert_int_equal(frame_receive(tunnel), loop ? 7 : -1);
		for (int i = MEMTUN_A_FROM_CLIENT_FRAMES; i < MEMTUN_A_TO_CLIENT_OFFERED; i++) {
			const char *word = attributes[i].word;
			bool is_sum =
				i == MEMTUN_A_FROM_CLIENT_FRAMES || i == MEMTUN_A_FROM_CLIENT_BYTES;

			assert_int_equal(uplink_shown(fixture, "u", word) != 0, loop && is_sum);
		}
		done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
		close(tunnel);
		broker_quiesce(fixture);
	}
}

static void what_is_no_frame_is_counted(void **state)
{
	static const unsigned char bytes[13];
	struct lan lan;

	lan_open(&lan, *state, "");
	udp_send(lan.member.sender, GROUP, lan.port, bytes, 0);
	udp_send(lan.member.sender, GROUP, lan.port, bytes, sizeof(bytes));
	udp_frame_send(lan.member.sender, GROUP, lan.port, 1, 2, 7);
	lan_quiesce(&lan);
	assert_int_equal(frame_receive(lan.tunnels[0]), 7);
	assert_int_equal(frame_receive(lan.tunnels[0]), -1);
	assert_int_equal(counted(&lan, "from-client-dropped-empty"), 1);
	assert_int_equal(counted(&lan, "from-client-dropped-runt"), 1);
	lan_close(&lan);
}

static void the_largest_datagram_passes(void **state)
{
	unsigned char *bytes = calloc(2, MULTICAST_FRAME_MAX);
	unsigned char *received = bytes + MULTICAST_FRAME_MAX;
	struct lan lan;

	assert_non_null(bytes);
	lan_open(&lan, *state, "");
	frame_make(bytes, MULTICAST_FRAME_MAX, 1, 0xff, 7);
	/* It has a VLAN tag. An untagged frame of this length would exceed the mtu. */
	bytes[12] = 0x81;
	bytes[13] = 0x00;
	assert_int_equal(send(lan.tunnels[0], bytes, MULTICAST_FRAME_MAX, 0), MULTICAST_FRAME_MAX);
	lan_quiesce(&lan);
	assert_int_equal(recv(lan.member.receiver, received, MULTICAST_FRAME_MAX, 0),
			 MULTICAST_FRAME_MAX);
	assert_memory_equal(received, bytes, MULTICAST_FRAME_MAX);
	assert_int_equal(uplink_shown(lan.sides[1], "u", "from-client-bytes"), MULTICAST_FRAME_MAX);
	bytes[12] = 0x88;
	assert_int_equal(send(lan.tunnels[0], bytes, MULTICAST_FRAME_MAX, 0), MULTICAST_FRAME_MAX);
	lan_quiesce(&lan);
	assert_int_equal(counted(&lan, "to-client-dropped-mtu"), 1);
	uplink_accounted(lan.sides[0], "u");
	free(bytes);
	lan_close(&lan);
}

static void what_the_kernel_had_no_room_for_is_counted(void **state)
{
	enum {
		MANY = 3000
	};
	uint64_t received;
	struct lan lan;

	lan_open(&lan, *state, "");
	for (uint32_t i = 0; i < MANY; i++)
		udp_frame_send(lan.member.sender, GROUP, lan.port, 1, 2, i);
	lan_quiesce(&lan);
	udp_frame_send(lan.member.sender, GROUP, lan.port, 1, 2,
		       MANY); /* the kernel reports the overruns with it */
	lan_quiesce(&lan);
	received = counted(&lan, "from-client-frames");
	assert_true(received < MANY);
	assert_int_equal(counted(&lan, "from-client-dropped-overrun"), MANY + 1 - received);
	lan_close(&lan);
}

/* ------------------------------------------------------------------------------ refused */

#define MCAST "name=u,bridge=b,type=mcast,"

static void options_that_make_no_sense_are_refused(void **state)
{
	static const struct uplink_refusal tries[] = {
		{MCAST "group=239.1.1.1", "needs port"},
		{MCAST "port=5000", "needs group"},
		{MCAST "group=239.1.1.1,port=5000,local=127.0.0.1", "takes no local"},
		{MCAST "group=127.0.0.1,port=5000", "group 127.0.0.1 is no multicast address"},
		{MCAST "group=240.0.0.1,port=5000", "group 240.0.0.1 is no multicast address"},
		{MCAST "group=lan,port=5000", "group takes an IP address, not 'lan'"},
		{MCAST "group=ff02::1,port=5000", "group takes an IPv4 address"},
		{MCAST "group=239.1.1.1,port=5000,ifaddr=eth0", "ifaddr takes an IP address"},
		{MCAST "group=239.1.1.1,port=5000,ifaddr=::1", "ifaddr takes an IPv4 address"},
		{MCAST "group=239.1.1.1,port=5000,mtu=65490", "packets of 65489 bytes"},
	};

	uplinks_refused(*state, tries, sizeof(tries) / sizeof(tries[0]));
}

static void a_lan_that_cannot_be_joined_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	uint16_t port = udp_port_find(HOST), taken = port;
	int other = udp_open(GROUP, &taken);

	uplink_refused(fixture, ENODEV, "cannot join 239.1.1.1 on 192.0.2.1: No such device",
		       MCAST "group=239.1.1.1,port=%u,ifaddr=192.0.2.1", port);
	/* The port belongs to a socket without SO_REUSEADDR. */
	uplink_refused(fixture, EADDRINUSE,
		       "cannot join " GROUP " on 127.0.0.1: ", MCAST "group=" GROUP ",port=%u",
		       port);
	assert_int_equal(refused(fixture, MEMTUN_CMD_BRIDGE_SHOW, "name=b"), ENOENT);
	close(other);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_frame_reaches_every_other_member_once),
		WITH_BROKER(the_frames_of_all_members_are_received),
		WITH_BROKER(own_frames_come_back_only_with_loop),
		WITH_BROKER(what_is_no_frame_is_counted),
		WITH_BROKER(the_largest_datagram_passes),
		WITH_BROKER(what_the_kernel_had_no_room_for_is_counted),
		WITH_BROKER(options_that_make_no_sense_are_refused),
		WITH_BROKER(a_lan_that_cannot_be_joined_is_refused),
	};

	return RUN_TESTS(tests);
}
