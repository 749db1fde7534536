/* SPDX-License-Identifier: MIT */
/*
 * Uplinks of type vxlan: with sockets of the test as their remotes, and with each other. The tests
 * with the kernel's vxlan device are in tests/system.
 */
#include "tests/unit/broker/uplink/uplink_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST "127.0.0.1"
#define REMOTE "127.0.0.2" /* all of 127/8 is this host */
#define GROUP "239.77.1.1"
#define HEADER 8
#define DATAGRAM_MAX 65507

/* Make a datagram of a network: the header, and a frame of frame_make(). */
struct datagram {
	unsigned char bytes[HEADER + FRAME_SIZE];
};

static struct datagram datagram_make(uint32_t vni, uint32_t number)
{
	struct datagram datagram = {.bytes = {0x08, 0, 0, 0, (unsigned char)(vni >> 16),
					      (unsigned char)(vni >> 8), (unsigned char)vni, 0}};

	frame_make(datagram.bytes + HEADER, FRAME_SIZE, 1, 2, number);
	return datagram;
}

/* Receive a datagram of that network. Return the frame's number; -1: there is none. */
static int64_t datagram_receive(int fd, uint32_t vni)
{
	struct datagram datagram, expected = datagram_make(vni, 0);
	uint32_t number;
	ssize_t length = recv(fd, &datagram, sizeof(datagram), MSG_DONTWAIT);

	if (length < 0)
		return -1;
	assert_int_equal(length, sizeof(datagram));
	assert_memory_equal(datagram.bytes, expected.bytes, HEADER);
	memcpy(&number, datagram.bytes + HEADER + 14, sizeof(number));
	return number;
}

/* An uplink "u" of network 42 on bridge "b" with a tunnel "t", and its remote. */
struct link {
	struct broker_fixture *fixture;
	int tunnel, peer;
	uint16_t port, peer_port;
};

static void link_open(struct link *link, struct broker_fixture *fixture)
{
	*link = (struct link){.fixture = fixture};
	link->port = udp_port_find(HOST);
	link->peer_port = link->port;
	link->peer = udp_open(REMOTE, &link->peer_port);
	link->tunnel = tunnel_opened(fixture, "name=t,bridge=b,mtu=65535");
	uplink_added(fixture, "name=u,bridge=b,type=vxlan,vni=42,local=%s,remote=%s,port=%u", HOST,
		     REMOTE, link->port);
}

static void link_close(struct link *link)
{
	close(link->tunnel);
	close(link->peer);
	broker_quiesce(link->fixture);
}

static void link_send(struct link *link, struct datagram datagram)
{
	udp_send(link->peer, HOST, link->port, &datagram, sizeof(datagram));
	broker_quiesce(link->fixture);
}

static uint64_t counted(struct link *link, const char *word)
{
	return uplink_shown(link->fixture, "u", word);
}

static void frames_pass_both_ways_behind_a_header(void **state)
{
	struct link link;

	link_open(&link, *state);
	link_send(&link, datagram_make(42, 7));
	assert_int_equal(frame_receive(link.tunnel), 7);
	assert_true(frame_send(link.tunnel, 2, 1, 9));
	broker_quiesce(link.fixture);
	assert_int_equal(datagram_receive(link.peer, 42), 9);
	assert_int_equal(counted(&link, "from-client-bytes"), FRAME_SIZE);
	assert_int_equal(counted(&link, "to-client-bytes"), FRAME_SIZE);
	uplink_accounted(link.fixture, "u");
	link_close(&link);
}

static void rules_impair_both_ways(void **state)
{
	struct link link;

	link_open(&link, *state);
	done(link.fixture, MEMTUN_CMD_IMPAIR_ADD, "name=u,drop=2,duplicate=100%,seed=1");
	for (uint32_t number = 1; number <= 3; number++) {
		link_send(&link, datagram_make(42, number));
		assert_true(frame_send(link.tunnel, 2, 1, number));
		broker_quiesce(link.fixture);
		for (int copy = 0; copy < 2 && number != 2; copy++) {
			assert_int_equal(frame_receive(link.tunnel), number);
			assert_int_equal(datagram_receive(link.peer, 42), number);
		}
		assert_int_equal(frame_receive(link.tunnel), -1);
		assert_int_equal(datagram_receive(link.peer, 42), -1);
	}
	assert_int_equal(counted(&link, "from-client-dropped-listed"), 1);
	assert_int_equal(counted(&link, "to-client-dropped-listed"), 1);
	uplink_accounted(link.fixture, "u");
	link_close(&link);
}

static void it_works_with_ipv6(void **state)
{
	struct broker_fixture *fixture = *state;
	struct datagram datagram = datagram_make(0xffffff, 7);
	uint16_t port;
	int peer, tunnel;

	ipv6_needed();
	port = udp_port_find("::1");
	tunnel = tunnel_opened(fixture, "name=t,bridge=b");
	/* Loopback has one IPv6 address, so the uplink is its own remote. */
	uplink_added(fixture, "name=u,bridge=b,type=vxlan,vni=16777215,local=::,remote=::1,port=%u",
		     port);
	peer = udp_open("::1", &(uint16_t){0});
	udp_send(peer, "::1", port, &datagram, sizeof(datagram));
	broker_quiesce(fixture);
	assert_int_equal(frame_receive(tunnel), 7);
	/* The uplink receives its own frames. */
	assert_true(frame_send(tunnel, 2, 9, 8));
	broker_quiesce(fixture);
	assert_int_equal(frame_receive(tunnel), 8);
	assert_int_equal(uplink_shown(fixture, "u", "to-client-frames"), 1);
	assert_int_equal(uplink_shown(fixture, "u", "from-client-frames"), 2);
	close(peer);
	close(tunnel);
}

static void a_datagram_of_ipv6_without_a_checksum_is_accepted(void **state)
{
	struct broker_fixture *fixture = *state;
	struct datagram datagram = datagram_make(42, 7);
	const int on = 1;
	uint16_t port;
	int peer, tunnel;

	ipv6_needed();
	port = udp_port_find("::1");
	tunnel = tunnel_opened(fixture, "name=t,bridge=b");
	uplink_added(fixture, "name=u,bridge=b,type=vxlan,vni=42,local=::,remote=::1,port=%u",
		     port);
	peer = udp_open("::1", &(uint16_t){0});
	assert_int_equal(setsockopt(peer, IPPROTO_UDP, UDP_NO_CHECK6_TX, &on, sizeof(on)), 0);
	udp_send(peer, "::1", port, &datagram, sizeof(datagram));
	broker_quiesce(fixture);
	assert_int_equal(frame_receive(tunnel), 7);
	close(peer);
	close(tunnel);
}

/* ------------------------------------------------------------------------------ bad input */

static void another_networks_frames_are_foreign(void **state)
{
	struct link link;

	link_open(&link, *state);
	link_send(&link, datagram_make(43, 6));
	link_send(&link, datagram_make(42 << 8, 6));
	assert_int_equal(frame_receive(link.tunnel), -1);
	assert_int_equal(counted(&link, "from-client-dropped-foreign"), 2);
	assert_int_equal(counted(&link, "from-client-frames"), 0);
	link_close(&link);
}

static void frames_from_another_host_are_foreign(void **state)
{
	struct datagram datagram = datagram_make(42, 6);
	uint16_t port = 0;
	int stranger = udp_open("127.0.0.3", &port);
	struct link link;

	link_open(&link, *state);
	udp_send(stranger, HOST, link.port, &datagram, sizeof(datagram));
	broker_quiesce(link.fixture);
	assert_int_equal(frame_receive(link.tunnel), -1);
	assert_int_equal(counted(&link, "from-client-dropped-foreign"), 1);
	close(stranger);
	link_close(&link);
}

static void the_remote_may_send_from_any_port(void **state)
{
	struct datagram datagram = datagram_make(42, 7);
	uint16_t port = 0;
	int other = udp_open(REMOTE, &port);
	struct link link;

	link_open(&link, *state);
	udp_send(other, HOST, link.port, &datagram, sizeof(datagram));
	broker_quiesce(link.fixture);
	assert_int_equal(frame_receive(link.tunnel), 7);
	close(other);
	link_close(&link);
}

static void reserved_bits_are_not_looked_at(void **state)
{
	struct datagram datagram = datagram_make(42, 7);
	struct link link;

	link_open(&link, *state);
	datagram.bytes[0] = 0xff;
	memset(datagram.bytes + 1, 0xff, 3);
	datagram.bytes[7] = 0xff;
	link_send(&link, datagram);
	assert_int_equal(frame_receive(link.tunnel), 7);
	link_close(&link);
}

static void a_header_without_its_flag_is_malformed(void **state)
{
	struct datagram datagram = datagram_make(42, 7);
	struct link link;

	link_open(&link, *state);
	datagram.bytes[0] = 0xf7;
	link_send(&link, datagram);
	assert_int_equal(frame_receive(link.tunnel), -1);
	assert_int_equal(counted(&link, "from-client-dropped-malformed"), 1);
	link_close(&link);
}

/* The bytes that a short datagram lacks aren't taken from the datagram before it. */
static void what_is_too_short_is_counted(void **state)
{
	struct datagram datagram = datagram_make(43, 7);
	struct link link;

	link_open(&link, *state);
	link_send(&link, datagram);
	assert_int_equal(counted(&link, "from-client-dropped-foreign"), 1);
	for (size_t length = 0; length < HEADER + 14; length++)
		udp_send(link.peer, HOST, link.port, datagram_make(42, 7).bytes, length);
	broker_quiesce(link.fixture);
	assert_int_equal(frame_receive(link.tunnel), -1);
	assert_int_equal(counted(&link, "from-client-dropped-empty"), 1);
	assert_int_equal(counted(&link, "from-client-dropped-runt"), HEADER + 13);
	assert_int_equal(counted(&link, "from-client-dropped-foreign"), 1);
	link_close(&link);
}

static void garbage_does_no_harm(void **state)
{
	unsigned char *bytes = malloc(DATAGRAM_MAX);
	struct link link;

	assert_non_null(bytes);
	link_open(&link, *state);
	srandom(42);
	for (size_t i = 0; i < DATAGRAM_MAX; i++)
		bytes[i] = (unsigned char)random();
	for (size_t length = 1; length < DATAGRAM_MAX; length += length / 2 + 1) {
		udp_send(link.peer, HOST, link.port, bytes, length);
		broker_quiesce(link.fixture);
	}
	bytes[0] |= 0x08;
	memcpy(bytes + 4, "\0\0\52\0", 4);
	udp_send(link.peer, HOST, link.port, bytes, DATAGRAM_MAX);
	broker_quiesce(link.fixture);
	assert_int_equal(counted(&link, "from-client-frames"), 1);
	assert_int_equal(counted(&link, "from-client-bytes"), DATAGRAM_MAX - HEADER);
	free(bytes);
	link_close(&link);
}

static void a_frame_that_fits_no_datagram_is_too_long(void **state)
{
	unsigned char bytes[DATAGRAM_MAX] = {0};
	struct link link;

	link_open(&link, *state);
	assert_int_equal(counted(&link, "mtu"), DATAGRAM_MAX - HEADER - 18);
	frame_make(bytes, sizeof(bytes), 2, 1, 7);
	assert_int_equal(send(link.tunnel, bytes, sizeof(bytes), 0), sizeof(bytes));
	/* The longest frame with a VLAN tag fills a datagram. */
	bytes[12] = 0x81;
	bytes[13] = 0x00;
	assert_int_equal(send(link.tunnel, bytes, DATAGRAM_MAX - HEADER, 0), DATAGRAM_MAX - HEADER);
	broker_quiesce(link.fixture);
	assert_int_equal(recv(link.peer, bytes, sizeof(bytes), 0), DATAGRAM_MAX);
	assert_int_equal(counted(&link, "to-client-dropped-mtu"), 1);
	uplink_accounted(link.fixture, "u");
	link_close(&link);
}

static void what_the_kernel_had_no_room_for_is_counted(void **state)
{
	enum {
		MANY = 3000
	};
	struct datagram datagram = datagram_make(42, 7);
	struct link link;
	uint64_t received;

	link_open(&link, *state);
	for (int i = 0; i < MANY; i++)
		udp_send(link.peer, HOST, link.port, &datagram, sizeof(datagram));
	broker_quiesce(link.fixture);
	link_send(&link, datagram); /* the kernel reports the overruns with it */
	received = counted(&link, "from-client-frames");
	assert_true(received < MANY);
	assert_int_equal(counted(&link, "from-client-dropped-overrun"), MANY + 1 - received);
	link_close(&link);
}

/* ------------------------------------------------------------------------------ several */

#define SHARER "type=vxlan,local=" HOST ",remote=" REMOTE

/* Add uplink uN of network N on bridge bN with a tunnel tN, for each N from first to last. */
static void sharers_add(struct broker_fixture *fixture, uint16_t port, int first, int last,
			int tunnels[])
{
	for (int i = first; i <= last; i++) {
		char options[64];

		snprintf(options, sizeof(options), "name=t%d,bridge=b%d", i, i);
		tunnels[i] = tunnel_opened(fixture, options);
		uplink_added(fixture, "name=u%d,bridge=b%d," SHARER ",vni=%d,port=%u", i, i, i,
			     port);
	}
}

/* Check that each uplink's frames reach its own tunnel, and none is lost or foreign. */
static void sharers_check(struct broker_fixture *fixture, int peer, uint16_t port, int last,
			  const int tunnels[])
{
	for (int i = 0; i <= last; i++) {
		struct datagram datagram = datagram_make((uint32_t)i, 100 + (uint32_t)i);

		if (tunnels[i] < 0)
			continue;
		udp_send(peer, HOST, port, &datagram, sizeof(datagram));
		broker_quiesce(fixture);
		assert_int_equal(frame_receive(tunnels[i]), 100 + i);
		assert_true(frame_send(tunnels[i], 2, 1, (uint32_t)i));
		broker_quiesce(fixture);
		assert_int_equal(datagram_receive(peer, (uint32_t)i), i);
	}
	for (int i = 0; i <= last; i++) {
		char name[MEMTUN_NAME_SIZE];

		if (tunnels[i] < 0)
			continue;
		assert_int_equal(frame_receive(tunnels[i]), -1);
		snprintf(name, sizeof(name), "u%d", i);
		assert_int_equal(uplink_shown(fixture, name, "from-client-dropped-foreign"), 0);
	}
}

static void sharer_delete(struct broker_fixture *fixture, int i, int tunnels[])
{
	char options[16];

	snprintf(options, sizeof(options), "name=u%d", i);
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, options);
	close(tunnels[i]);
	tunnels[i] = -1;
	broker_quiesce(fixture);
}

static void networks_share_an_address_while_others_come_and_go(void **state)
{
	enum {
		LAST = 9
	};
	static const int leaving[] = {0, 9, 4, 1};
	struct broker_fixture *fixture = *state;
	uint16_t port = udp_port_find(HOST), peer_port = port;
	int peer = udp_open(REMOTE, &peer_port);
	int tunnels[LAST + 1];

	sharers_add(fixture, port, 0, LAST, tunnels);
	sharers_check(fixture, peer, port, LAST, tunnels);
	for (size_t i = 0; i < sizeof(leaving) / sizeof(leaving[0]); i++) {
		sharer_delete(fixture, leaving[i], tunnels);
		sharers_check(fixture, peer, port, LAST, tunnels);
	}
	sharers_add(fixture, port, 4, 4, tunnels);
	sharers_add(fixture, port, 0, 0, tunnels);
	sharers_check(fixture, peer, port, LAST, tunnels);
	/* Delete all, one by one, and begin again. */
	for (int i = 0; i <= LAST; i++) {
		if (tunnels[i] >= 0)
			sharer_delete(fixture, i, tunnels);
		sharers_check(fixture, peer, port, LAST, tunnels);
	}
	sharers_add(fixture, port, 3, 4, tunnels);
	sharers_check(fixture, peer, port, LAST, tunnels);
	for (int i = 3; i <= 4; i++)
		close(tunnels[i]);
	close(peer);
}

static void networks_share_an_ipv6_address(void **state)
{
	struct broker_fixture *fixture = *state;
	uint16_t port, any = 0;
	int tunnels[3];
	int peer;

	ipv6_needed();
	port = udp_port_find("::1");
	peer = udp_open("::1", &any);
	for (int i = 0; i < 3; i++) {
		char options[64];

		snprintf(options, sizeof(options), "name=t%d,bridge=b%d", i, i);
		tunnels[i] = tunnel_opened(fixture, options);
		uplink_added(fixture,
			     "name=u%d,bridge=b%d,type=vxlan,vni=%d,local=::,remote=::1,port=%u", i,
			     i, i, port);
	}
	for (uint32_t i = 0; i < 12; i++) {
		struct datagram datagram = datagram_make(i % 3, i);

		udp_send(peer, "::1", port, &datagram, sizeof(datagram));
		broker_quiesce(fixture);
		assert_int_equal(frame_receive(tunnels[i % 3]), i);
	}
	for (int i = 0; i < 3; i++)
		close(tunnels[i]);
	close(peer);
}

static void one_that_was_down_finds_its_place_again(void **state)
{
	struct broker_fixture *fixture = *state;
	uint16_t port = udp_port_find(HOST), peer_port = port;
	int peer = udp_open(REMOTE, &peer_port);
	int tunnels[3];

	sharers_add(fixture, port, 0, 2, tunnels);
	uplink_lost(uplink_find(fixture->broker->uplinks, "u0"), "it is tried here");
	uplink_rest(fixture, "u0");
	for (int i = 1; i <= 2; i++) {
		struct datagram datagram = datagram_make((uint32_t)i, 5);

		udp_send(peer, HOST, port, &datagram, sizeof(datagram));
		broker_quiesce(fixture);
		assert_int_equal(frame_receive(tunnels[i]), 5);
	}
	uplink_retry(fixture, "u0");
	sharers_check(fixture, peer, port, 2, tunnels);
	for (int i = 0; i <= 2; i++)
		close(tunnels[i]);
	close(peer);
}

static void a_network_is_on_an_address_once(void **state)
{
	struct broker_fixture *fixture = *state;
	uint16_t port = udp_port_find(HOST);

	uplink_added(fixture, "name=u0,bridge=b," SHARER ",vni=5,port=%u", port);
	uplink_refused(fixture, EADDRINUSE,
		       "is uplink 'u0': ", "name=u1,bridge=c," SHARER ",vni=5,port=%u", port);
	/* On another address the network's number is free. */
	uplink_added(fixture,
		     "name=u1,bridge=b,type=vxlan,local=127.0.0.3,remote=" REMOTE ",vni=5,port=%u",
		     port);
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u0");
	uplink_added(fixture, "name=u0,bridge=b," SHARER ",vni=5,port=%u", port);
}

static void an_address_has_so_many_networks_and_no_more(void **state)
{
	struct broker_fixture *fixture = *state;
	uint16_t port = udp_port_find(HOST);
	struct datagram datagram = datagram_make(256, 7);
	int tunnel = tunnel_opened(fixture, "name=t,bridge=last");
	uint16_t any = 0;
	int peer = udp_open(REMOTE, &any);

	for (int i = 1; i < 256; i++)
		uplink_added(fixture, "name=u%d,bridge=b," SHARER ",vni=%d,port=%u", i, i, port);
	uplink_added(fixture, "name=u256,bridge=last," SHARER ",vni=256,port=%u", port);
	uplink_refused(fixture, EUSERS,
		       "has 256 uplinks: ", "name=u257,bridge=b," SHARER ",vni=257,port=%u", port);
	udp_send(peer, HOST, port, &datagram, sizeof(datagram));
	broker_quiesce(fixture);
	assert_int_equal(frame_receive(tunnel), 7);
	close(peer);
	close(tunnel);
}

static void another_broker_on_the_same_address_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	uint16_t port = udp_port_find(HOST);
	void *other = NULL;

	assert_int_equal(broker_fixture_set_up(&other), 0);
	uplink_added(fixture, "name=u0,bridge=b," SHARER ",vni=5,port=%u", port);
	uplink_refused(other, EADDRINUSE,
		       "cannot listen on 127.0.0.1:", "name=u1,bridge=b," SHARER ",vni=6,port=%u",
		       port);
	uplink_added(fixture, "name=u1,bridge=b," SHARER ",vni=6,port=%u", port);
	uplink_refused(other, EADDRINUSE,
		       "cannot listen on 127.0.0.1:", "name=u1,bridge=b," SHARER ",vni=7,port=%u",
		       port);
	assert_int_equal(broker_fixture_tear_down(&other), 0);
}

/* Makes the attaching of a new program fail. */
static bool program_fails;

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length);

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	if (program_fails && level == SOL_SOCKET && option == SO_ATTACH_REUSEPORT_CBPF) {
		errno = ENOMEM;
		return -1;
	}
	return __real_setsockopt(fd, level, option, value, length);
}

/* Frames never go to the wrong bridge: the uplink is down until the program is right again. */
static void one_that_the_kernel_cannot_tell_from_others_goes_down(void **state)
{
	struct broker_fixture *fixture = *state;
	uint16_t port = udp_port_find(HOST), peer_port = port;
	int peer = udp_open(REMOTE, &peer_port);
	int tunnels[4];

	sharers_add(fixture, port, 0, 2, tunnels);
	program_fails = true;
	uplink_refused(fixture, ENOMEM,
		       "cannot listen on 127.0.0.1:", "name=u3,bridge=b3," SHARER ",vni=3,port=%u",
		       port);
	tunnels[3] = -1;
	sharers_check(fixture, peer, port, 3, tunnels);
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u0");
	uplink_rest(fixture, "u2");
	close(tunnels[0]);
	tunnels[0] = -1;
	assert_int_equal(uplink_shown(fixture, "u2", "state"), MEMTUN_DOWN);
	assert_string_equal(uplink_text(fixture, "u2", "reason"),
			    "the kernel cannot tell its frames from those of another uplink");
	program_fails = false;
	for (int i = 1; i <= 2; i++) {
		const char *name = i == 1 ? "u1" : "u2";

		if (uplink_shown(fixture, name, "state") == MEMTUN_DOWN)
			uplink_retry(fixture, name);
	}
	sharers_check(fixture, peer, port, 3, tunnels);
	close(tunnels[1]);
	close(tunnels[2]);
	close(peer);
}

/* ------------------------------------------------------------------------------ groups */

/* Two brokers, each with an uplink "u" in the group and a tunnel "t". */
struct group {
	struct broker_fixture *sides[2];
	int tunnels[2];
	uint16_t port;
};

static const char *const group_hosts[] = {HOST, REMOTE};

static void group_open(struct group *group, struct broker_fixture *fixture)
{
	void *other = NULL;

	assert_int_equal(broker_fixture_set_up(&other), 0);
	group->sides[0] = fixture;
	group->sides[1] = other;
	group->port = udp_port_find(HOST);
	for (int i = 0; i < 2; i++) {
		group->tunnels[i] = tunnel_opened(group->sides[i], "name=t,bridge=b");
		uplink_added(group->sides[i],
			     "name=u,bridge=b,type=vxlan,vni=42,local=%s,group=" GROUP ",port=%u",
			     group_hosts[i], group->port);
	}
}

static void group_quiesce(struct group *group)
{
	broker_quiesce(group->sides[0]);
	broker_quiesce(group->sides[1]);
	broker_quiesce(group->sides[0]);
}

static void group_close(struct group *group)
{
	void *other = group->sides[1];

	close(group->tunnels[0]);
	close(group->tunnels[1]);
	assert_int_equal(broker_fixture_tear_down(&other), 0);
}

static void members_of_a_group_receive_from_each_other_and_not_themselves(void **state)
{
	struct group group;

	group_open(&group, *state);
	for (int i = 0; i < 2; i++) {
		assert_true(frame_send(group.tunnels[i], 1, 0xff, 7));
		group_quiesce(&group);
		assert_int_equal(frame_receive(group.tunnels[i]), -1);
		assert_int_equal(frame_receive(group.tunnels[!i]), 7);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(uplink_shown(group.sides[i], "u", "from-client-frames"), 1);
		assert_int_equal(uplink_shown(group.sides[i], "u", "from-client-dropped-foreign"),
				 0);
	}
	group_close(&group);
}

/* The kernel's vxlan device sends by unicast to an address that it has learned. */
static void a_members_unicast_is_received_too(void **state)
{
	struct datagram datagram = datagram_make(42, 8);
	uint16_t port = 0;
	int member = udp_open("127.0.0.3", &port);
	struct group group;

	group_open(&group, *state);
	udp_send(member, HOST, group.port, &datagram, sizeof(datagram));
	group_quiesce(&group);
	assert_int_equal(frame_receive(group.tunnels[0]), 8);
	assert_int_equal(frame_receive(group.tunnels[1]), -1);
	close(member);
	group_close(&group);
}

static void networks_share_a_group(void **state)
{
	struct group group;
	int tunnel;

	group_open(&group, *state);
	tunnel = tunnel_opened(group.sides[0], "name=t2,bridge=b2");
	uplink_added(group.sides[0],
		     "name=u2,bridge=b2,type=vxlan,vni=43,local=" HOST ",group=" GROUP ",port=%u",
		     group.port);
	assert_true(frame_send(tunnel, 1, 0xff, 7));
	assert_true(frame_send(group.tunnels[0], 1, 0xff, 8));
	group_quiesce(&group);
	assert_int_equal(frame_receive(group.tunnels[0]), -1);
	assert_int_equal(frame_receive(tunnel), -1);
	assert_int_equal(frame_receive(group.tunnels[1]), 8);
	assert_int_equal(frame_receive(group.tunnels[1]), -1);
	assert_int_equal(uplink_shown(group.sides[1], "u", "from-client-dropped-foreign"), 1);
	/* The broker's own frames are ignored. */
	assert_int_equal(uplink_shown(group.sides[0], "u", "from-client-dropped-foreign"), 0);
	close(tunnel);
	group_close(&group);
}

static bool is_held(void *context)
{
	struct broker_fixture *fixture = context;

	return uplink_find(fixture->broker->uplinks, "u")->port.source.pause_count > 0;
}

/* A full tunnel pauses both sockets of the uplink. */
static void a_paused_uplink_reads_neither_socket(void **state)
{
	struct datagram datagram = datagram_make(42, 8);
	uint16_t port = 0;
	int member = udp_open("127.0.0.3", &port);
	struct group group;
	uint64_t received;
	int slow;

	group_open(&group, *state);
	slow = tunnel_opened(group.sides[0], "name=slow,bridge=b,queue=1,overflow=block");
	for (int i = 0; i < 2000 && !is_held(group.sides[0]); i++) {
		udp_send(member, HOST, group.port, &datagram, sizeof(datagram));
		broker_quiesce(group.sides[0]);
	}
	assert_true(is_held(group.sides[0]));
	received = uplink_shown(group.sides[0], "u", "from-client-frames");
	udp_send(member, HOST, group.port, &datagram, sizeof(datagram));
	assert_true(frame_send(group.tunnels[1], 1, 0xff, 7));
	group_quiesce(&group);
	assert_int_equal(uplink_shown(group.sides[0], "u", "from-client-frames"), received);
	while (frame_receive(slow) >= 0)
		;
	broker_quiesce(group.sides[0]);
	while (frame_receive(slow) >= 0)
		;
	broker_quiesce(group.sides[0]);
	assert_int_equal(uplink_shown(group.sides[0], "u", "from-client-frames"), received + 2);
	close(slow);
	close(member);
	group_close(&group);
}

/* ------------------------------------------------------------------------------ refused */

#define VXLAN "name=u,bridge=b,type=vxlan,"

static void options_that_make_no_sense_are_refused(void **state)
{
	static const struct uplink_refusal tries[] = {
		{VXLAN "local=127.0.0.1,remote=127.0.0.2", "needs vni"},
		{VXLAN "vni=5,remote=127.0.0.2", "needs local"},
		{VXLAN "vni=5,local=127.0.0.1", "either remote or group"},
		{VXLAN "vni=5,local=127.0.0.1,remote=127.0.0.2,group=239.1.1.1",
		 "either remote or group"},
		{VXLAN "vni=5,local=127.0.0.1,remote=127.0.0.2,ifaddr=127.0.0.1",
		 "takes no ifaddr"},
		{VXLAN "vni=5,local=nowhere,remote=127.0.0.2", "local takes an IP address"},
		{VXLAN "vni=5,local=127.0.0.1,remote=127.0.0.2:4789", "remote takes an IP address"},
		{VXLAN "vni=5,local=127.0.0.1,remote=::1", "both IPv4 or both IPv6"},
		{VXLAN "vni=5,local=::1,group=239.1.1.1", "local and group are both"},
		{VXLAN "vni=5,local=127.0.0.1,remote=127.0.0.1", "are the same"},
		{VXLAN "vni=5,local=127.0.0.1,remote=0.0.0.0", "one host's address"},
		{VXLAN "vni=5,local=127.0.0.1,remote=239.1.1.1", "one host's address"},
		{VXLAN "vni=5,local=::1,remote=ff02::1", "one host's address"},
		{VXLAN "vni=5,local=239.1.1.1,remote=127.0.0.2", "is a multicast address"},
		{VXLAN "vni=5,local=ff02::1,remote=::1", "is a multicast address"},
		{VXLAN "vni=5,local=127.0.0.1,group=127.0.0.2", "no IPv4 multicast address"},
		{VXLAN "vni=5,local=::1,group=ff02::1", "no IPv4 multicast address"},
		{VXLAN "vni=5,local=0.0.0.0,group=239.1.1.1", "an address of its interface"},
		{VXLAN "vni=5,local=127.0.0.1,remote=127.0.0.2,ttl=0", "ttl 0 is for groups"},
		{VXLAN "vni=5,local=127.0.0.1,remote=127.0.0.2,mtu=65482", "65481 bytes"},
	};

	uplinks_refused(*state, tries, sizeof(tries) / sizeof(tries[0]));
}

static void an_address_that_cannot_be_had_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	uint16_t port = 0;
	int other = udp_open(HOST, &port);
	uint16_t group_port = udp_port_find(HOST), taken = group_port;
	int in_group;

	uplink_refused(fixture, EADDRNOTAVAIL, "cannot listen on 192.0.2.1:4789: ",
		       VXLAN "vni=5,local=192.0.2.1,remote=127.0.0.2");
	uplink_refused(fixture, EADDRINUSE, "cannot listen on 127.0.0.1:",
		       VXLAN "vni=5,local=127.0.0.1,remote=127.0.0.2,port=%u", port);
	/* A socket without SO_REUSEADDR has the group's port. */
	in_group = udp_open(GROUP, &taken);
	uplink_refused(fixture, EADDRINUSE, "cannot join " GROUP " on 127.0.0.1: ",
		       VXLAN "vni=5,local=127.0.0.1,group=" GROUP ",port=%u", group_port);
	close(in_group);
	/* The refused uplink has left no socket open. */
	uplink_added(fixture, VXLAN "vni=5,local=127.0.0.1,group=" GROUP ",port=%u", group_port);
	close(other);
}

static void the_ttl_is_what_was_asked_for(void **state)
{
	struct broker_fixture *fixture = *state;
	static const struct {
		const char *options;
		int level, option, value;
	} tries[] = {
		{"local=127.0.0.1,remote=127.0.0.2,ttl=7", IPPROTO_IP, IP_TTL, 7},
		{"local=::,remote=::1,ttl=7", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 7},
		{"local=127.0.0.1,group=" GROUP ",ttl=0", IPPROTO_IP, IP_MULTICAST_TTL, 0},
		{"local=127.0.0.1,group=" GROUP, IPPROTO_IP, IP_MULTICAST_TTL, 1},
	};

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int value = -1;
		socklen_t size = sizeof(value);

		uplink_added(fixture, VXLAN "vni=5,port=%u,%s", udp_port_find(HOST),
			     tries[i].options);
		assert_int_equal(getsockopt(uplink_find(fixture->broker->uplinks, "u")->lane.io.fd,
					    tries[i].level, tries[i].option, &value, &size),
				 0);
		assert_int_equal(value, tries[i].value);
		done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(frames_pass_both_ways_behind_a_header),
		WITH_BROKER(rules_impair_both_ways),
		WITH_BROKER(it_works_with_ipv6),
		WITH_BROKER(a_datagram_of_ipv6_without_a_checksum_is_accepted),
		WITH_BROKER(another_networks_frames_are_foreign),
		WITH_BROKER(frames_from_another_host_are_foreign),
		WITH_BROKER(the_remote_may_send_from_any_port),
		WITH_BROKER(reserved_bits_are_not_looked_at),
		WITH_BROKER(a_header_without_its_flag_is_malformed),
		WITH_BROKER(what_is_too_short_is_counted),
		WITH_BROKER(garbage_does_no_harm),
		WITH_BROKER(a_frame_that_fits_no_datagram_is_too_long),
		WITH_BROKER(what_the_kernel_had_no_room_for_is_counted),
		WITH_BROKER(networks_share_an_address_while_others_come_and_go),
		WITH_BROKER(networks_share_an_ipv6_address),
		WITH_BROKER(one_that_was_down_finds_its_place_again),
		WITH_BROKER(a_network_is_on_an_address_once),
		WITH_BROKER(an_address_has_so_many_networks_and_no_more),
		WITH_BROKER(one_that_the_kernel_cannot_tell_from_others_goes_down),
		WITH_BROKER(another_broker_on_the_same_address_is_refused),
		WITH_BROKER(members_of_a_group_receive_from_each_other_and_not_themselves),
		WITH_BROKER(a_members_unicast_is_received_too),
		WITH_BROKER(networks_share_a_group),
		WITH_BROKER(a_paused_uplink_reads_neither_socket),
		WITH_BROKER(options_that_make_no_sense_are_refused),
		WITH_BROKER(an_address_that_cannot_be_had_is_refused),
		WITH_BROKER(the_ttl_is_what_was_asked_for),
	};

	return RUN_TESTS(tests);
}
