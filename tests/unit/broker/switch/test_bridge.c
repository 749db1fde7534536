/* SPDX-License-Identifier: MIT */
/* Where frames go on a bridge, and that each of them is delivered or accounted for. */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/switch/address_table.h"
#include "common/clock.h"
#include "broker/engine/frame.h"
#include "broker/switch/port.h"

/* A port for address tables, which use only its counters. */
static struct port some_port, other_port;

/* Assert that a frame reaches exactly those of the three ports, given as bits. */
static void assert_reaches(struct broker_fixture *fixture, const int fds[3], unsigned int where,
			   uint32_t number)
{
	broker_quiesce(fixture);
	for (unsigned int i = 0; i < 3; i++) {
		if (where & 1 << i)
			assert_int_equal(frame_receive(fds[i]), number);
		assert_int_equal(frame_receive(fds[i]), -1);
	}
}

static uint64_t bridge_shown(struct broker_fixture *fixture, enum memtun_attribute which)
{
	struct answer answer;

	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_BRIDGE_SHOW, "name=b"),
			 0);
	return attribute_set_number(&answer.message.set, which);
}

/* ------------------------------------------------------------------------------ TAP */

static void a_frame_floods_until_its_destination_is_learned(void **state)
{
	int fds[3];

	three_open(*state, "", fds);
	assert_true(frame_send(fds[0], 1, 2, 1));
	assert_reaches(*state, fds, 6, 1);
	assert_true(frame_send(fds[1], 2, 1, 2));
	assert_reaches(*state, fds, 1, 2);
	assert_true(frame_send(fds[0], 1, 2, 3));
	assert_reaches(*state, fds, 2, 3);
	assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 2);
	/* A broadcast still goes to all. */
	assert_true(frame_send(fds[0], 1, 0xff, 4));
	assert_reaches(*state, fds, 6, 4);
	three_close(fds);
}

static void a_host_that_moves_is_learned_at_its_new_port(void **state)
{
	int fds[3];

	three_open(*state, "", fds);
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	assert_reaches(*state, fds, 6, 1);
	assert_true(frame_send(fds[1], 1, 0xff, 2));
	assert_reaches(*state, fds, 5, 2);
	assert_true(frame_send(fds[2], 3, 1, 3));
	assert_reaches(*state, fds, 2, 3);
	three_close(fds);
}

static void a_hub_floods_every_frame(void **state)
{
	int fds[3];

	done(*state, MEMTUN_CMD_BRIDGE_ADD, "name=b,hub");
	three_open(*state, "", fds);
	assert_true(frame_send(fds[1], 2, 1, 1));
	assert_reaches(*state, fds, 5, 1);
	assert_true(frame_send(fds[0], 1, 2, 2));
	assert_reaches(*state, fds, 6, 2);
	assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 0);
	three_close(fds);
}

static void a_frame_is_never_sent_back_to_its_port(void **state)
{
	int fds[3];

	three_open(*state, "", fds);
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	assert_reaches(*state, fds, 6, 1);
	assert_true(frame_send(fds[0], 2, 1, 2)); /* to a host behind the same port */
	assert_reaches(*state, fds, 0, 0);
	assert_int_equal(shown(*state, "vm0", "from-client-dropped-no-destination"), 1);
	three_close(fds);
}

static void a_lone_port_has_no_destination(void **state)
{
	int fd = tunnel_opened(*state, "name=vm,bridge=b");

	assert_true(frame_send(fd, 1, 0xff, 1));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(fd), -1);
	assert_int_equal(shown(*state, "vm", "from-client-dropped-no-destination"), 1);
	close(fd);
}

/* Send a frame with a VLAN tag from one host to another. */
static void tagged_send(int fd, unsigned char from, unsigned char to, int vlan, int protocol,
			uint32_t number)
{
	unsigned char bytes[FRAME_SIZE + 4], plain[FRAME_SIZE];

	frame_make(plain, sizeof(plain), from, to, number);
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, plain, 12);
	bytes[12] = (unsigned char)(protocol >> 8);
	bytes[13] = (unsigned char)protocol;
	/* The number is where frame_receive() reads it, and the tag is a part of it. */
	bytes[14] = (unsigned char)(vlan >> 8);
	bytes[15] = (unsigned char)vlan;
	bytes[16] = (unsigned char)number;
	assert_int_equal(send(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
}

static void addresses_are_learned_for_each_vlan(void **state)
{
	static const int protocols[] = {0x8100, 0x88a8};
	int fds[3];

	for (int i = 0; i < 2; i++) {
		three_open(*state, "", fds);
		tagged_send(fds[1], 2, 0xff, 5, protocols[i], 1);
		assert_int_equal(three_reached(*state, fds), 5);
		tagged_send(fds[0], 1, 2, 5, protocols[i], 2);
		assert_int_equal(three_reached(*state, fds), 2);
		/* The priority does not belong to the VLAN's number. */
		tagged_send(fds[0], 1, 2, 5 | 0xe000, protocols[i], 2);
		assert_int_equal(three_reached(*state, fds), 2);
		tagged_send(fds[0], 1, 2, 6, protocols[i], 2);
		assert_int_equal(three_reached(*state, fds), 6);
		assert_true(frame_send(fds[0], 1, 2, 3));
		assert_int_equal(three_reached(*state, fds), 6);
		three_close(fds);
		broker_quiesce(*state);
	}
}

static void sources_that_are_no_host_are_not_learned(void **state)
{
	unsigned char bytes[FRAME_SIZE];
	int fds[3];

	three_open(*state, "", fds);
	frame_make(bytes, sizeof(bytes), 1, 0xff, 1);
	bytes[6] |= 1; /* multicast */
	assert_int_equal(send(fds[0], bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_reaches(*state, fds, 6, 1);
	memset(bytes + 6, 0, 6);
	assert_int_equal(send(fds[0], bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_reaches(*state, fds, 6, 1);
	assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 0);
	three_close(fds);
}

static void learned_addresses_are_removed_with_their_port(void **state)
{
	int fds[3];

	three_open(*state, "", fds);
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	assert_reaches(*state, fds, 6, 1);
	close(fds[0]);
	broker_quiesce(*state);
	assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 0);
	fds[0] = tunnel_opened(*state, "name=vm0,bridge=b");
	assert_true(frame_send(fds[1], 2, 1, 2));
	assert_reaches(*state, fds, 5, 2);
	three_close(fds);
}

static void order_is_kept_for_each_destination(void **state)
{
	uint32_t next[3] = {0};
	int fds[3];

	three_open(*state, "", fds);
	assert_true(frame_send(fds[1], 2, 0xff, 0));
	assert_true(frame_send(fds[2], 3, 0xff, 0));
	three_reached(*state, fds);
	/* To one, to the other and to both, in one batch and in several. */
	for (uint32_t i = 0; i < 90; i++) {
		static const unsigned char to[] = {2, 0xff, 3, 3, 77, 2};

		assert_true(frame_send(fds[0], 1, to[i % 6], i + 1));
	}
	broker_quiesce(*state);
	for (int i = 1; i < 3; i++) {
		unsigned int count = 0;
		int64_t number;

		while ((number = frame_receive(fds[i])) >= 0) {
			assert_true((uint32_t)number > next[i]);
			next[i] = (uint32_t)number;
			count++;
		}
		assert_int_equal(count, 60);
	}
	three_close(fds);
}

/* ------------------------------------------------------------------------------ the table */

static struct address address_of(uint64_t number)
{
	return (struct address){.words = {number, 0}, .kind = ADDRESS_ETHERNET};
}

static void an_unused_address_ages_out(void **state)
{
	struct address_table *table = address_table_new();
	struct address one = address_of(1), two = address_of(2);

	(void)state;
	address_table_learn(table, &one, &some_port, 1000 * CLOCK_SECOND);
	address_table_learn(table, &two, &other_port, 1000 * CLOCK_SECOND);
	assert_ptr_equal(address_table_find(table, &one, 1299 * CLOCK_SECOND), &some_port);
	address_table_learn(table, &one, &some_port, 1299 * CLOCK_SECOND);
	assert_null(address_table_find(table, &two, 1301 * CLOCK_SECOND));
	assert_ptr_equal(address_table_find(table, &one, 1301 * CLOCK_SECOND), &some_port);
	assert_int_equal(address_table_count(table, 1301 * CLOCK_SECOND), 1);
	assert_int_equal(address_table_count(table, 1600 * CLOCK_SECOND), 0);
	assert_int_equal(some_port.addresses, 0);
	address_table_free(table);
}

static void a_full_table_learns_no_more(void **state)
{
	struct address_table *table = address_table_new();
	struct address extra = address_of(100000);

	(void)state;
	for (uint64_t i = 1; i <= ADDRESS_TABLE_MAX + 10; i++) {
		struct address address = address_of(i);

		address_table_learn(table, &address, i & 1 ? &some_port : &other_port,
				    1 * CLOCK_SECOND);
	}
	assert_int_equal(address_table_count(table, 1 * CLOCK_SECOND), ADDRESS_TABLE_MAX);
	assert_null(address_table_find(table, &extra, 1 * CLOCK_SECOND));
	address_table_forget(table, &some_port);
	assert_int_equal(some_port.addresses, 0);
	assert_int_equal(address_table_count(table, 1 * CLOCK_SECOND), ADDRESS_TABLE_MAX / 2);
	address_table_learn(table, &extra, &some_port, 1 * CLOCK_SECOND);
	assert_ptr_equal(address_table_find(table, &extra, 1 * CLOCK_SECOND), &some_port);
	address_table_free(table);
	assert_int_equal(other_port.addresses, 0);
}

static void aged_addresses_make_room(void **state)
{
	struct address_table *table = address_table_new();
	struct address extra = address_of(100000);

	(void)state;
	for (uint64_t i = 1; i <= ADDRESS_TABLE_PORT_MAX; i++) {
		struct address address = address_of(i);

		address_table_learn(table, &address, &some_port, i * CLOCK_MILLISECOND);
	}
	address_table_learn(table, &extra, &some_port, 200 * CLOCK_SECOND);
	assert_null(address_table_find(table, &extra, 200 * CLOCK_SECOND));
	/* The first addresses have aged, the others have not. */
	address_table_learn(table, &extra, &some_port, 302 * CLOCK_SECOND);
	assert_ptr_equal(address_table_find(table, &extra, 302 * CLOCK_SECOND), &some_port);
	assert_in_range(some_port.addresses, 2000, 2200);
	address_table_free(table);
}

static void one_port_does_not_fill_the_table(void **state)
{
	struct address_table *table = address_table_new();
	struct address extra = address_of(100000);

	(void)state;
	for (uint64_t i = 1; i <= ADDRESS_TABLE_MAX; i++) {
		struct address address = address_of(i);

		address_table_learn(table, &address, &some_port, 1 * CLOCK_SECOND);
	}
	assert_int_equal(some_port.addresses, ADDRESS_TABLE_PORT_MAX);
	address_table_learn(table, &extra, &other_port, 1 * CLOCK_SECOND);
	assert_ptr_equal(address_table_find(table, &extra, 1 * CLOCK_SECOND), &other_port);
	/* Nor by addresses of another port: such an address belongs to neither, so its frames
	 * flood. */
	address_table_learn(table, &extra, &some_port, 1 * CLOCK_SECOND);
	assert_null(address_table_find(table, &extra, 1 * CLOCK_SECOND));
	assert_int_equal(some_port.addresses, ADDRESS_TABLE_PORT_MAX);
	assert_int_equal(other_port.addresses, 0);
	address_table_free(table);
	assert_int_equal(some_port.addresses, 0);
}

/* ------------------------------------------------------------------------------ TUN */

static unsigned int packet_reaches(struct broker_fixture *fixture, const int fds[3], int by,
				   const char *from, const char *to)
{
	unsigned char bytes[256], got[256];
	size_t length = packet_make(bytes, from, to);
	unsigned int where = 0;

	assert_int_equal(send(fds[by], bytes, length, 0), length);
	broker_quiesce(fixture);
	for (unsigned int i = 0; i < 3; i++) {
		if (recv(fds[i], got, sizeof(got), MSG_DONTWAIT) < 0)
			continue;
		assert_memory_equal(got, bytes, length);
		where |= 1 << i;
	}
	return where;
}

static void tuns_learn_ip_addresses(void **state)
{
	static const char *const hosts[][2] = {
		{"10.0.0.1", "10.0.0.2"},
		{"fd00::1", "fd00::2"},
	};
	int fds[3];

	three_open(*state, ",mode=tun", fds);
	for (int i = 0; i < 2; i++) {
		const char *one = hosts[i][0], *two = hosts[i][1];

		assert_int_equal(packet_reaches(*state, fds, 0, one, two), 6);
		assert_int_equal(packet_reaches(*state, fds, 1, two, one), 1);
		assert_int_equal(packet_reaches(*state, fds, 0, one, two), 2);
	}
	assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 4);
	three_close(fds);
}

static void addresses_that_are_no_hosts_are_not_learned(void **state)
{
	static const char *const sources[] = {
		"fe80::1", "febf::1", "::", "ff02::1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
	};
	int fds[3];

	three_open(*state, ",mode=tun", fds);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		const char *to = strchr(sources[i], ':') ? "fd00::9" : "10.0.0.9";

		assert_int_equal(packet_reaches(*state, fds, 0, sources[i], to), 6);
		assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 0);
	}
	/* A multicast packet goes to all. */
	assert_int_equal(packet_reaches(*state, fds, 0, "fd00::1", "ff02::1"), 6);
	assert_int_equal(packet_reaches(*state, fds, 0, "10.0.0.1", "224.0.0.1"), 6);
	three_close(fds);
}

/* ------------------------------------------------------------------------------ bridges */

static void a_bridge_with_a_tap_is_an_ethernet_bridge(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tun,mode=tun,bridge=b");
	assert_int_equal(bridge_shown(*state, MEMTUN_A_MODE), MEMTUN_TUN);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap,bridge=b");
	assert_int_equal(bridge_shown(*state, MEMTUN_A_MODE), MEMTUN_TAP);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tun2,mode=tun,bridge=b");
	assert_int_equal(bridge_shown(*state, MEMTUN_A_PORTS), 3);
}

static void a_bridge_made_by_a_port_is_deleted_when_it_is_empty(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=one,bridge=b");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=two,bridge=b");
	assert_int_equal(bridge_shown(*state, MEMTUN_A_PORTS), 2);
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=one");
	assert_int_equal(bridge_shown(*state, MEMTUN_A_PERSISTENT), 0);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=two,bridge=c");
	assert_int_equal(refused(*state, MEMTUN_CMD_BRIDGE_SHOW, "name=b"), ENOENT);
	done(*state, MEMTUN_CMD_BRIDGE_SHOW, "name=c");
}

static void a_bridge_that_was_added_stays_when_it_is_empty(void **state)
{
	done(*state, MEMTUN_CMD_BRIDGE_ADD, "name=b");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=one,bridge=b");
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=one");
	assert_int_equal(bridge_shown(*state, MEMTUN_A_PORTS), 0);
	assert_int_equal(refused(*state, MEMTUN_CMD_BRIDGE_ADD, "name=b"), EBUSY);
	done(*state, MEMTUN_CMD_BRIDGE_DELETE, "name=b");
	assert_int_equal(refused(*state, MEMTUN_CMD_BRIDGE_DELETE, "name=b"), ENOENT);
}

static void deleting_a_bridge_keeps_its_tunnels(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;
	int fds[3];

	three_open(fixture, "", fds);
	done(fixture, MEMTUN_CMD_BRIDGE_DELETE, "name=b");
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	assert_reaches(fixture, fds, 0, 0);
	client_ask(&fixture->client, &answer, MEMTUN_CMD_TUNNEL_SHOW, "name=vm0");
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_BRIDGE));
	done(fixture, MEMTUN_CMD_TUNNEL_SET, "name=vm0,bridge=c");
	done(fixture, MEMTUN_CMD_TUNNEL_SET, "name=vm1,bridge=c");
	assert_true(frame_send(fds[0], 1, 0xff, 2));
	assert_reaches(fixture, fds, 2, 2);
	three_close(fds);
}

/* ------------------------------------------------------------------------------ bad frames */

static void malformed_frames_are_counted(void **state)
{
	static const char *const words[] = {
		"from-client-dropped-runt",
		"from-client-dropped-malformed",
		"from-client-dropped-oversize",
	};
	static const struct {
		const char *mode;
		size_t length;
		unsigned char first;
		int word; /* -1: the frame is valid */
	} cases[] = {
		{"tap", 13, 2, 0},
		{"tap", 14, 2, -1},
		{"tun", 19, 0x45, 0},
		{"tun", 20, 0x45, -1},
		{"tun", 39, 0x60, 0},
		{"tun", 40, 0x60, -1},
		{"tun", 60, 0x50, 1},
		{"tun", 60, 0x00, 1},
		{"tap", FRAME_MAX + 1, 2, 2},
		{"tun", FRAME_MAX + 1, 0x45, 2},
		{"tun", FRAME_MAX, 0x45, -1},
	};
	unsigned char *bytes = calloc(1, FRAME_MAX + 1);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char options[64];
		int one, two;

		snprintf(options, sizeof(options), "name=one,bridge=b,mode=%s,mtu=65535",
			 cases[i].mode);
		one = tunnel_opened(*state, options);
		options[5] = 't';
		two = tunnel_opened(*state, options);
		bytes[0] = cases[i].first;
		assert_int_equal(send(one, bytes, cases[i].length, 0), cases[i].length);
		broker_quiesce(*state);
		for (int word = 0; word < 3; word++)
			assert_int_equal(shown(*state, "one", words[word]), word == cases[i].word);
		assert_int_equal(shown(*state, "one", "from-client-frames"), cases[i].word < 0);
		close(one);
		close(two);
		broker_quiesce(*state);
	}
	free(bytes);
}

static void a_tag_does_not_count_for_the_mtu(void **state)
{
	static const int protocols[] = {ETH_P_8021Q, ETH_P_8021AD};
	unsigned char frame[ETH_HLEN + 4 + 1501] = {0};
	int fds[3];

	three_open(*state, "", fds);
	for (size_t i = 0; i < 2; i++) {
		frame_make(frame, sizeof(frame), 1, 0xff, 1);
		frame[12] = (unsigned char)(protocols[i] >> 8);
		frame[13] = (unsigned char)protocols[i];
		assert_int_equal(send(fds[0], frame, sizeof(frame) - 1, 0), sizeof(frame) - 1);
		broker_quiesce(*state);
		assert_int_equal(three_reached(*state, fds), 6);
		assert_int_equal(send(fds[0], frame, sizeof(frame), 0), sizeof(frame));
		broker_quiesce(*state);
		assert_int_equal(three_reached(*state, fds), 0);
		assert_int_equal(shown(*state, "vm1", "to-client-dropped-mtu"), i + 1);
	}
	three_close(fds);
}

static void a_truncated_vlan_tag_does_not_exceed_the_mtu(void **state)
{
	static const size_t lengths[] = {14, 15, 16, 17, 18};
	unsigned char bytes[FRAME_SIZE];
	int fds[3];

	three_open(*state, "", fds);
	frame_make(bytes, sizeof(bytes), 1, 0xff, 1);
	bytes[12] = 0x81;
	bytes[13] = 0x00;
	for (int i = 0; i < 5; i++)
		assert_int_equal(send(fds[0], bytes, lengths[i], 0), lengths[i]);
	broker_quiesce(*state);
	for (int i = 0; i < 5; i++)
		assert_int_equal(recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT), lengths[i]);
	assert_int_equal(shown(*state, "vm1", "to-client-dropped-mtu"), 0);
	three_close(fds);
}

static void frames_to_a_closed_tunnel_are_dropped(void **state)
{
	int fd = tunnel_opened(*state, "name=one,bridge=b");
	int late;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=two,bridge=b");
	assert_true(frame_send(fd, 1, 0xff, 1));
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "two", "to-client-dropped-no-client"), 1);
	late = tunnel_opened(*state, "name=two");
	broker_quiesce(*state);
	assert_int_equal(frame_receive(late), -1);
	close(fd);
	close(late);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_frame_floods_until_its_destination_is_learned),
		WITH_BROKER(a_host_that_moves_is_learned_at_its_new_port),
		WITH_BROKER(a_hub_floods_every_frame),
		WITH_BROKER(a_frame_is_never_sent_back_to_its_port),
		WITH_BROKER(a_lone_port_has_no_destination),
		WITH_BROKER(addresses_are_learned_for_each_vlan),
		WITH_BROKER(sources_that_are_no_host_are_not_learned),
		WITH_BROKER(learned_addresses_are_removed_with_their_port),
		WITH_BROKER(order_is_kept_for_each_destination),
		cmocka_unit_test(an_unused_address_ages_out),
		cmocka_unit_test(a_full_table_learns_no_more),
		cmocka_unit_test(aged_addresses_make_room),
		cmocka_unit_test(one_port_does_not_fill_the_table),
		WITH_BROKER(tuns_learn_ip_addresses),
		WITH_BROKER(addresses_that_are_no_hosts_are_not_learned),
		WITH_BROKER(a_bridge_with_a_tap_is_an_ethernet_bridge),
		WITH_BROKER(a_bridge_made_by_a_port_is_deleted_when_it_is_empty),
		WITH_BROKER(a_bridge_that_was_added_stays_when_it_is_empty),
		WITH_BROKER(deleting_a_bridge_keeps_its_tunnels),
		WITH_BROKER(malformed_frames_are_counted),
		WITH_BROKER(a_tag_does_not_count_for_the_mtu),
		WITH_BROKER(a_truncated_vlan_tag_does_not_exceed_the_mtu),
		WITH_BROKER(frames_to_a_closed_tunnel_are_dropped),
	};

	return RUN_TESTS(tests);
}
