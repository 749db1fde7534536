/* SPDX-License-Identifier: MIT */
/* Where frames go on a bridge, and that each of them is delivered or accounted for. */
#include "broker_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address_table.h"
#include "bridge.h"
#include "checksum.h"
#include "frame.h"
#include "frame_build.h"
#include "port.h"
#include "tunnel.h"

/* A port for address tables, which only count in it. */
static struct port some_port, other_port;

/* Three tunnels of a bridge. */
static void open_three(struct broker_fixture *fixture, const char *rest, int fds[3])
{
	for (int i = 0; i < 3; i++) {
		char options[100];

		snprintf(options, sizeof(options), "name=vm%d,bridge=b%s", i, rest);
		fds[i] = tunnel_opened(fixture, options);
	}
}

static void close_three(const int fds[3])
{
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* The frame reaches exactly those of the three, given as bits. */
static void assert_reaches(struct broker_fixture *fixture, const int fds[3], unsigned int where,
			   uint32_t number)
{
	broker_settle(fixture);
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

static void a_frame_floods_until_its_destination_was_seen(void **state)
{
	int fds[3];

	open_three(*state, "", fds);
	assert_true(frame_send(fds[0], 1, 2, 1));
	assert_reaches(*state, fds, 6, 1);
	assert_true(frame_send(fds[1], 2, 1, 2));
	assert_reaches(*state, fds, 1, 2);
	assert_true(frame_send(fds[0], 1, 2, 3));
	assert_reaches(*state, fds, 2, 3);
	assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 2);
	/* Everybody stays everybody. */
	assert_true(frame_send(fds[0], 1, 0xff, 4));
	assert_reaches(*state, fds, 6, 4);
	close_three(fds);
}

static void a_host_that_moves_is_followed(void **state)
{
	int fds[3];

	open_three(*state, "", fds);
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	assert_reaches(*state, fds, 6, 1);
	assert_true(frame_send(fds[1], 1, 0xff, 2));
	assert_reaches(*state, fds, 5, 2);
	assert_true(frame_send(fds[2], 3, 1, 3));
	assert_reaches(*state, fds, 2, 3);
	close_three(fds);
}

static void a_hub_floods_whatever_was_seen(void **state)
{
	int fds[3];

	done(*state, MEMTUN_CMD_BRIDGE_ADD, "name=b,hub");
	open_three(*state, "", fds);
	assert_true(frame_send(fds[1], 2, 1, 1));
	assert_reaches(*state, fds, 5, 1);
	assert_true(frame_send(fds[0], 1, 2, 2));
	assert_reaches(*state, fds, 6, 2);
	assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 0);
	close_three(fds);
}

static void a_frame_never_goes_back_where_it_came_from(void **state)
{
	int fds[3];

	open_three(*state, "", fds);
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	assert_reaches(*state, fds, 6, 1);
	assert_true(frame_send(fds[0], 2, 1, 2)); /* to a host behind the same port */
	assert_reaches(*state, fds, 0, 0);
	assert_int_equal(shown(*state, "vm0", "from-client-dropped-no-destination"), 1);
	close_three(fds);
}

static void a_lone_port_has_no_destination(void **state)
{
	int fd = tunnel_opened(*state, "name=vm,bridge=b");

	assert_true(frame_send(fd, 1, 0xff, 1));
	broker_settle(*state);
	assert_int_equal(frame_receive(fd), -1);
	assert_int_equal(shown(*state, "vm", "from-client-dropped-no-destination"), 1);
	close(fd);
}

/* A tagged frame between two hosts. */
static void tagged_send(int fd, unsigned char from, unsigned char to, int vlan, int protocol,
			uint32_t number)
{
	unsigned char bytes[FRAME_SIZE + 4], plain[FRAME_SIZE];

	frame_make(plain, sizeof(plain), from, to, number);
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, plain, 12);
	bytes[12] = (unsigned char)(protocol >> 8);
	bytes[13] = (unsigned char)protocol;
	/* The number goes where frame_receive() looks for it, with the tag's bits in it. */
	bytes[14] = (unsigned char)(vlan >> 8);
	bytes[15] = (unsigned char)vlan;
	bytes[16] = (unsigned char)number;
	assert_int_equal(send(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
}

static unsigned int reached(struct broker_fixture *fixture, const int fds[3])
{
	unsigned int where = 0;

	broker_settle(fixture);
	for (unsigned int i = 0; i < 3; i++) {
		while (frame_receive(fds[i]) >= 0)
			where |= 1 << i;
	}
	return where;
}

static void vlans_are_learned_apart(void **state)
{
	static const int protocols[] = {0x8100, 0x88a8};
	int fds[3];

	for (int i = 0; i < 2; i++) {
		open_three(*state, "", fds);
		tagged_send(fds[1], 2, 0xff, 5, protocols[i], 1);
		assert_int_equal(reached(*state, fds), 5);
		tagged_send(fds[0], 1, 2, 5, protocols[i], 2);
		assert_int_equal(reached(*state, fds), 2);
		/* The priority is no part of the VLAN. */
		tagged_send(fds[0], 1, 2, 5 | 0xe000, protocols[i], 2);
		assert_int_equal(reached(*state, fds), 2);
		tagged_send(fds[0], 1, 2, 6, protocols[i], 2);
		assert_int_equal(reached(*state, fds), 6);
		assert_true(frame_send(fds[0], 1, 2, 3));
		assert_int_equal(reached(*state, fds), 6);
		close_three(fds);
		broker_settle(*state);
	}
}

static void sources_that_are_no_host_are_not_learned(void **state)
{
	unsigned char bytes[FRAME_SIZE];
	int fds[3];

	open_three(*state, "", fds);
	frame_make(bytes, sizeof(bytes), 1, 0xff, 1);
	bytes[6] |= 1; /* multicast */
	assert_int_equal(send(fds[0], bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_reaches(*state, fds, 6, 1);
	memset(bytes + 6, 0, 6);
	assert_int_equal(send(fds[0], bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_reaches(*state, fds, 6, 1);
	assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 0);
	close_three(fds);
}

static void what_was_learned_goes_with_its_port(void **state)
{
	int fds[3];

	open_three(*state, "", fds);
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	assert_reaches(*state, fds, 6, 1);
	close(fds[0]);
	broker_settle(*state);
	assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 0);
	fds[0] = tunnel_opened(*state, "name=vm0,bridge=b");
	assert_true(frame_send(fds[1], 2, 1, 2));
	assert_reaches(*state, fds, 5, 2);
	close_three(fds);
}

static void order_is_kept_for_each_destination(void **state)
{
	uint32_t next[3] = {0};
	int fds[3];

	open_three(*state, "", fds);
	assert_true(frame_send(fds[1], 2, 0xff, 0));
	assert_true(frame_send(fds[2], 3, 0xff, 0));
	reached(*state, fds);
	/* To one, to the other, to both, in one batch and across several. */
	for (uint32_t i = 0; i < 90; i++) {
		static const unsigned char to[] = {2, 0xff, 3, 3, 77, 2};

		assert_true(frame_send(fds[0], 1, to[i % 6], i + 1));
	}
	broker_settle(*state);
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
	close_three(fds);
}

/* ------------------------------------------------------------------------------ the table */

static struct address address_of(uint64_t number)
{
	return (struct address){.words = {number, 0}, .kind = ADDRESS_ETHERNET};
}

static void an_address_that_is_not_seen_is_forgotten(void **state)
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
	for (uint64_t i = 1; i <= ADDRESS_TABLE_MOST + 10; i++) {
		struct address address = address_of(i);

		address_table_learn(table, &address, i & 1 ? &some_port : &other_port,
				    1 * CLOCK_SECOND);
	}
	assert_int_equal(address_table_count(table, 1 * CLOCK_SECOND), ADDRESS_TABLE_MOST);
	assert_null(address_table_find(table, &extra, 1 * CLOCK_SECOND));
	address_table_forget(table, &some_port);
	assert_int_equal(some_port.addresses, 0);
	assert_int_equal(address_table_count(table, 1 * CLOCK_SECOND), ADDRESS_TABLE_MOST / 2);
	address_table_learn(table, &extra, &some_port, 1 * CLOCK_SECOND);
	assert_ptr_equal(address_table_find(table, &extra, 1 * CLOCK_SECOND), &some_port);
	address_table_free(table);
	assert_int_equal(other_port.addresses, 0);
}

static void one_port_does_not_fill_the_table(void **state)
{
	struct address_table *table = address_table_new();
	struct address extra = address_of(100000);

	(void)state;
	for (uint64_t i = 1; i <= ADDRESS_TABLE_MOST; i++) {
		struct address address = address_of(i);

		address_table_learn(table, &address, &some_port, 1 * CLOCK_SECOND);
	}
	assert_int_equal(some_port.addresses, ADDRESS_TABLE_MOST_A_PORT);
	address_table_learn(table, &extra, &other_port, 1 * CLOCK_SECOND);
	assert_ptr_equal(address_table_find(table, &extra, 1 * CLOCK_SECOND), &other_port);
	/* Nor by what was another's: that is at neither, and floods. */
	address_table_learn(table, &extra, &some_port, 1 * CLOCK_SECOND);
	assert_null(address_table_find(table, &extra, 1 * CLOCK_SECOND));
	assert_int_equal(some_port.addresses, ADDRESS_TABLE_MOST_A_PORT);
	assert_int_equal(other_port.addresses, 0);
	address_table_free(table);
	assert_int_equal(some_port.addresses, 0);
}

/* ------------------------------------------------------------------------------ TUN */

static struct sockaddr_storage ip(const char *text, uint16_t port)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *four = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;

	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return address;
	}
	assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	return address;
}

static size_t packet_make(unsigned char bytes[256], const char *from, const char *to)
{
	struct frame_udp udp = {
		.vlan = -1,
		.from = ip(from, 1000),
		.to = ip(to, 2000),
		.ttl = 64,
		.payload = "twelve bytes",
		.payload_length = 12,
	};
	ssize_t length = frame_build_udp(bytes, 256, MEMTUN_TUN, &udp);

	assert_true(length > 0);
	return (size_t)length;
}

static unsigned int packet_reaches(struct broker_fixture *fixture, const int fds[3], int by,
				   const char *from, const char *to)
{
	unsigned char bytes[256], got[256];
	size_t length = packet_make(bytes, from, to);
	unsigned int where = 0;

	assert_int_equal(send(fds[by], bytes, length, 0), length);
	broker_settle(fixture);
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

	open_three(*state, ",mode=tun", fds);
	for (int i = 0; i < 2; i++) {
		const char *one = hosts[i][0], *two = hosts[i][1];

		assert_int_equal(packet_reaches(*state, fds, 0, one, two), 6);
		assert_int_equal(packet_reaches(*state, fds, 1, two, one), 1);
		assert_int_equal(packet_reaches(*state, fds, 0, one, two), 2);
	}
	assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 4);
	close_three(fds);
}

static void addresses_that_are_no_hosts_are_not_learned(void **state)
{
	static const char *const sources[] = {
		"fe80::1", "febf::1", "::", "ff02::1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
	};
	int fds[3];

	open_three(*state, ",mode=tun", fds);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		const char *to = strchr(sources[i], ':') ? "fd00::9" : "10.0.0.9";

		assert_int_equal(packet_reaches(*state, fds, 0, sources[i], to), 6);
		assert_int_equal(bridge_shown(*state, MEMTUN_A_ADDRESSES), 0);
	}
	/* And what is sent to many goes to all. */
	assert_int_equal(packet_reaches(*state, fds, 0, "fd00::1", "ff02::1"), 6);
	assert_int_equal(packet_reaches(*state, fds, 0, "10.0.0.1", "224.0.0.1"), 6);
	close_three(fds);
}

/* ------------------------------------------------------------------------------ bridges */

static void a_bridge_with_a_tap_is_one_of_ethernet(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tun,mode=tun,bridge=b");
	assert_int_equal(bridge_shown(*state, MEMTUN_A_MODE), MEMTUN_TUN);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap,bridge=b");
	assert_int_equal(bridge_shown(*state, MEMTUN_A_MODE), MEMTUN_TAP);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tun2,mode=tun,bridge=b");
	assert_int_equal(bridge_shown(*state, MEMTUN_A_PORTS), 3);
}

static void a_bridge_made_by_being_named_goes_when_it_is_empty(void **state)
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

static void a_deleted_bridge_leaves_its_tunnels_alone(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;
	int fds[3];

	open_three(fixture, "", fds);
	done(fixture, MEMTUN_CMD_BRIDGE_DELETE, "name=b");
	assert_true(frame_send(fds[0], 1, 0xff, 1));
	assert_reaches(fixture, fds, 0, 0);
	client_ask(&fixture->client, &answer, MEMTUN_CMD_TUNNEL_SHOW, "name=vm0");
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_BRIDGE));
	done(fixture, MEMTUN_CMD_TUNNEL_SET, "name=vm0,bridge=c");
	done(fixture, MEMTUN_CMD_TUNNEL_SET, "name=vm1,bridge=c");
	assert_true(frame_send(fds[0], 1, 0xff, 2));
	assert_reaches(fixture, fds, 2, 2);
	close_three(fds);
}

/* ------------------------------------------------------------------------------ bad frames */

static void frames_that_are_none_are_counted(void **state)
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
		int word; /* -1: it passes */
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
		broker_settle(*state);
		for (int word = 0; word < 3; word++)
			assert_int_equal(shown(*state, "one", words[word]), word == cases[i].word);
		assert_int_equal(shown(*state, "one", "from-client-frames"), cases[i].word < 0);
		close(one);
		close(two);
		broker_settle(*state);
	}
	free(bytes);
}

static void a_cut_tag_is_no_huge_packet(void **state)
{
	static const size_t lengths[] = {14, 15, 16, 17, 18};
	unsigned char bytes[FRAME_SIZE];
	int fds[3];

	open_three(*state, "", fds);
	frame_make(bytes, sizeof(bytes), 1, 0xff, 1);
	bytes[12] = 0x81;
	bytes[13] = 0x00;
	for (int i = 0; i < 5; i++)
		assert_int_equal(send(fds[0], bytes, lengths[i], 0), lengths[i]);
	broker_settle(*state);
	for (int i = 0; i < 5; i++)
		assert_int_equal(recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT), lengths[i]);
	assert_int_equal(shown(*state, "vm1", "to-client-dropped-mtu"), 0);
	close_three(fds);
}

static void frames_to_a_closed_tunnel_are_dropped(void **state)
{
	int fd = tunnel_opened(*state, "name=one,bridge=b");
	int late;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=two,bridge=b");
	assert_true(frame_send(fd, 1, 0xff, 1));
	broker_settle(*state);
	assert_int_equal(shown(*state, "two", "to-client-dropped-no-client"), 1);
	late = tunnel_opened(*state, "name=two");
	broker_settle(*state);
	assert_int_equal(frame_receive(late), -1);
	close(fd);
	close(late);
}

/* ------------------------------------------------------------------------------ overflow */

static uint64_t dropped(struct broker_fixture *fixture, const char *name)
{
	return shown(fixture, name, "to-client-dropped-full") +
	       shown(fixture, name, "to-client-dropped-no-client") +
	       shown(fixture, name, "to-client-dropped-mtu") +
	       shown(fixture, name, "to-client-dropped-needs-segmentation") +
	       shown(fixture, name, "to-client-dropped-refused");
}

static void assert_accounted(struct broker_fixture *fixture, const char *name)
{
	assert_int_equal(shown(fixture, name, "to-client-offered"),
			 shown(fixture, name, "to-client-frames") +
				 shown(fixture, name, "to-client-queued") + dropped(fixture, name));
}

static int64_t receive_of(const char *socket, int fd)
{
	return strcmp(socket, "stream") == 0 ? stream_frame_receive(fd) : frame_receive(fd);
}

static const char *const sockets[] = {"seqpacket", "dgram", "stream"};

static void a_full_queue_drops_what_comes(void **state)
{
	for (int type = 0; type < 3; type++) {
		int from = tunnel_opened(*state, "name=from,bridge=b");
		uint32_t sent = 2000, next = 0;
		char options[100];
		int64_t number;
		int to;

		snprintf(options, sizeof(options), "name=to,bridge=b,queue=50,socket=%s",
			 sockets[type]);
		to = tunnel_opened(*state, options);
		for (uint32_t i = 0; i < sent; i++) {
			assert_true(frame_send(from, 1, 0xff, i));
			if (i % 32 == 0)
				broker_settle(*state);
		}
		broker_settle(*state);
		assert_accounted(*state, "to");
		assert_int_equal(shown(*state, "to", "to-client-queued"), 50);
		assert_true(shown(*state, "to", "to-client-dropped-full") > 0);
		/* What comes out is the beginning, whole and in order. */
		do {
			while ((number = receive_of(sockets[type], to)) >= 0)
				assert_int_equal(number, next++);
			broker_settle(*state);
		} while (shown(*state, "to", "to-client-queued"));
		while ((number = receive_of(sockets[type], to)) >= 0)
			assert_int_equal(number, next++);
		assert_int_equal(next, shown(*state, "to", "to-client-frames"));
		assert_int_equal(next + shown(*state, "to", "to-client-dropped-full"), sent);
		assert_accounted(*state, "to");
		close(from);
		close(to);
		/* So that a datagram's end is seen. */
		close(tunnel_opened(*state, "name=to"));
		broker_settle(*state);
	}
}

static void a_full_queue_may_drop_what_waited_longest(void **state)
{
	for (int type = 0; type < 3; type++) {
		int from = tunnel_opened(*state, "name=from,bridge=b");
		uint32_t sent = 2000, last = 0, count = 0;
		char options[100];
		int64_t number;
		int to;

		snprintf(options, sizeof(options),
			 "name=to,bridge=b,queue=50,overflow=drop-head,socket=%s", sockets[type]);
		to = tunnel_opened(*state, options);
		for (uint32_t i = 1; i <= sent; i++) {
			assert_true(frame_send(from, 1, 0xff, i));
			if (i % 32 == 0)
				broker_settle(*state);
		}
		broker_settle(*state);
		assert_accounted(*state, "to");
		assert_int_equal(shown(*state, "to", "to-client-queued"), 50);
		for (int i = 0; i < 20; i++) {
			while ((number = receive_of(sockets[type], to)) >= 0) {
				assert_true((uint32_t)number > last);
				last = (uint32_t)number;
				count++;
			}
			broker_settle(*state);
		}
		/* The newest have stayed. */
		assert_int_equal(last, sent);
		assert_int_equal(count + shown(*state, "to", "to-client-dropped-full"), sent);
		assert_accounted(*state, "to");
		close(from);
		close(to);
		close(tunnel_opened(*state, "name=to"));
		broker_settle(*state);
	}
}

static void the_bytes_that_wait_are_bounded_too(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b");
	int to = tunnel_opened(*state, "name=to,bridge=b,mtu=65535,queue=1000000");
	unsigned char bytes[60000];

	frame_make(bytes, sizeof(bytes), 1, 0xff, 1);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(send(from, bytes, sizeof(bytes), 0), sizeof(bytes));
		broker_settle(*state);
	}
	assert_in_range(shown(*state, "to", "to-client-queued"), 60,
			4 * 1024 * 1024 / sizeof(bytes) + 1);
	assert_accounted(*state, "to");
	close(from);
	close(to);
}

static void a_stopped_reader_slows_nobody(void **state)
{
	int fds[3];

	open_three(*state, ",queue=10", fds);
	for (uint32_t i = 0; i < 3000; i++) {
		assert_true(frame_send(fds[0], 1, 0xff, i)); /* the second never reads */
		broker_settle(*state);
		assert_int_equal(frame_receive(fds[2]), i);
	}
	assert_int_equal(shown(*state, "vm2", "to-client-dropped-full"), 0);
	assert_true(shown(*state, "vm1", "to-client-dropped-full") > 0);
	close_three(fds);
}

/* Sends until the socket is full: its tunnel isn't read any more. */
static uint32_t send_all(struct broker_fixture *fixture, int fd, unsigned char from,
			 unsigned char to, uint32_t number)
{
	while (frame_send(fd, from, to, number)) {
		number++;
		if (number % 16 == 0)
			broker_settle(fixture);
		assert_true(number < 100000);
	}
	broker_settle(fixture);
	return number;
}

static void blocking_pauses_who_sent_and_loses_nothing(void **state)
{
	for (int type = 0; type < 3; type++) {
		char options[100];
		uint32_t sent, next = 0;
		int64_t number;
		int fds[3], slow;

		open_three(*state, "", fds);
		snprintf(options, sizeof(options),
			 "name=slow,bridge=b,overflow=block,queue=40,socket=%s", sockets[type]);
		slow = tunnel_opened(*state, options);
		/* So that 1 and 2 know each other, and only 0 sends to the slow one. */
		assert_true(frame_send(fds[1], 2, 0xff, 0));
		assert_true(frame_send(fds[2], 3, 0xff, 0));
		assert_true(type == 2 ? stream_frame_send(slow, 99, 0xff, 0)
				      : frame_send(slow, 99, 0xff, 0));
		reached(*state, fds);
		sent = send_all(*state, fds[0], 1, 99, 10);
		assert_in_range(shown(*state, "slow", "to-client-queued"), 40, 40 + 32);
		/* The others' traffic goes on. */
		for (uint32_t i = 0; i < 200; i++) {
			assert_true(frame_send(fds[1], 2, 3, i));
			broker_settle(*state);
			assert_int_equal(frame_receive(fds[2]), i);
		}
		/* The paused one is read again once half of the queue is out, not before. */
		assert_false(frame_send(fds[0], 1, 99, sent));
		assert_int_equal(receive_of(sockets[type], slow), 0);
		assert_int_equal(receive_of(sockets[type], slow), 0);
		next = 10;
		for (int round = 0; next < sent && round < 100000; round++) {
			number = receive_of(sockets[type], slow);
			if (number >= 0)
				assert_int_equal(number, next++);
			else
				broker_settle(*state);
		}
		assert_int_equal(next, sent);
		assert_int_equal(dropped(*state, "slow"), 0);
		assert_true(frame_send(fds[0], 1, 99, sent));
		broker_settle(*state);
		assert_int_equal(receive_of(sockets[type], slow), sent);
		assert_accounted(*state, "slow");
		close_three(fds);
		close(slow);
		close(tunnel_opened(*state, "name=slow"));
		broker_settle(*state);
	}
}

static void a_paused_source_resumes_at_half(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b");
	int slow = tunnel_opened(*state, "name=slow,bridge=b,overflow=block,queue=40");
	uint64_t before;

	send_all(*state, from, 1, 0xff, 0);
	for (;;) {
		uint64_t queued = shown(*state, "slow", "to-client-queued");
		bool paused =
			tunnel_find(((struct broker_fixture *)*state)->broker, "from")->port.holds;

		before = shown(*state, "from", "from-client-frames");
		if (!paused)
			break;
		assert_true(queued > 20);
		/* One frame at a time makes room in the socket now and then. */
		assert_true(frame_receive(slow) >= 0);
		broker_settle(*state);
		if (shown(*state, "from", "from-client-frames") != before)
			break;
	}
	close(from);
	close(slow);
}

static void a_flood_pauses_its_source_too(void **state)
{
	int fds[3], slow;
	uint32_t sent;

	open_three(*state, "", fds);
	slow = tunnel_opened(*state, "name=slow,bridge=b,overflow=block,queue=40");
	sent = send_all(*state, fds[0], 1, 0xff, 0);
	assert_int_equal(dropped(*state, "slow"), 0);
	assert_true(sent > shown(*state, "slow", "to-client-offered"));
	close(slow);
	broker_settle(*state);
	/* The blocking one is gone: nothing holds its source any more. */
	assert_int_equal(shown(*state, "vm0", "from-client-frames"), sent);
	close_three(fds);
}

static void a_queue_that_blocks_no_more_lets_go(void **state)
{
	static const char *const ways[] = {
		"name=slow,overflow=drop-tail", "name=slow,overflow=drop-head",
		"name=slow,queue=100000",       "name=slow,bridge=",
		"name=slow,bridge=other",       "name=from,bridge=other",
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int from = tunnel_opened(*state, "name=from,bridge=b");
		int slow = tunnel_opened(*state, "name=slow,bridge=b,overflow=block,queue=40");
		uint32_t sent = send_all(*state, from, 1, 0xff, 0);

		assert_true(shown(*state, "from", "from-client-frames") < sent);
		done(*state, MEMTUN_CMD_TUNNEL_SET, ways[i]);
		broker_settle(*state);
		if (shown(*state, "from", "from-client-frames") != sent)
			fail_msg("after %s its source is still held", ways[i]);
		close(from);
		close(slow);
		broker_settle(*state);
	}
}

static void two_that_block_each_other_do_not_block_the_broker(void **state)
{
	int one = tunnel_opened(*state, "name=one,bridge=b,overflow=block,queue=10");
	int two = tunnel_opened(*state, "name=two,bridge=b,overflow=block,queue=10");
	uint32_t sent[2];
	uint32_t got[2] = {0};

	sent[0] = send_all(*state, one, 1, 2, 0);
	sent[1] = send_all(*state, two, 2, 1, 0);
	assert_true(exists(*state, "one"));
	for (int round = 0; round < 100000 && (got[0] < sent[1] || got[1] < sent[0]); round++) {
		int64_t number = frame_receive(one);

		if (number >= 0)
			assert_int_equal(number, got[0]++);
		number = frame_receive(two);
		if (number >= 0)
			assert_int_equal(number, got[1]++);
		else
			broker_settle(*state);
	}
	assert_int_equal(got[0], sent[1]);
	assert_int_equal(got[1], sent[0]);
	close(one);
	close(two);
}

/* ------------------------------------------------------------------------------ headers */

/* A UDP packet behind headers, as a vnet queue's client writes it; its whole length. */
static size_t vnet_packet(unsigned char bytes[300], bool needs_checksum, uint8_t gso)
{
	struct virtio_net_hdr header = {0};
	size_t length = packet_make(bytes + sizeof(header), "10.0.0.1", "10.0.0.2");
	unsigned char *sum = bytes + sizeof(header) + 20 + 6;

	if (needs_checksum) {
		unsigned char pseudo[12] = {0};
		uint16_t partial;

		header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header.csum_start = 20;
		header.csum_offset = 6;
		memcpy(pseudo, bytes + sizeof(header) + 12, 8);
		pseudo[9] = IPPROTO_UDP;
		pseudo[11] = 20;
		/* The sum that is there is not complemented. */
		partial = (uint16_t)~checksum_fold(checksum_add(0, pseudo, sizeof(pseudo)));
		memcpy(sum, &partial, 2);
	}
	if (gso) {
		header.gso_type = gso;
		header.gso_size = 4;
		header.hdr_len = 28;
	}
	memcpy(bytes, &header, sizeof(header));
	return sizeof(header) + length;
}

static void headers_are_each_queues_own(void **state)
{
	int plain = tunnel_opened(*state, "name=plain,mode=tun,bridge=b");
	int pi = tunnel_opened(*state, "name=pi,mode=tun,bridge=b,pi");
	int vnet = tunnel_opened(*state, "name=vnet,mode=tun,bridge=b,vnet_hdr");
	int both = tunnel_opened(*state, "name=both,mode=tun,bridge=b,pi,vnet_hdr");
	const struct {
		int fd;
		size_t pi, vnet;
	} ends[] = {{plain, 0, 0}, {pi, 4, 0}, {vnet, 0, 10}, {both, 4, 10}};
	static const unsigned char information[] = {0, 0, 0x08, 0x00};
	static const unsigned char none[10];
	unsigned char packet[256], bytes[300];
	size_t length = packet_make(packet, "10.0.0.1", "10.255.255.255");

	for (int from = 0; from < 4; from++) {
		size_t before = ends[from].pi + ends[from].vnet;

		memset(bytes, 0, sizeof(bytes));
		memcpy(bytes + before, packet, length);
		assert_int_equal(send(ends[from].fd, bytes, before + length, 0), before + length);
		broker_settle(*state);
		/* Each after the first has learned a host; its packets go to all the same. */
		for (int to = 0; to < 4; to++) {
			unsigned char *at = bytes;

			if (to == from)
				continue;
			assert_int_equal(recv(ends[to].fd, bytes, sizeof(bytes), MSG_DONTWAIT),
					 ends[to].pi + ends[to].vnet + length);
			if (ends[to].pi)
				assert_memory_equal(at, information, 4);
			at += ends[to].pi;
			if (ends[to].vnet)
				assert_memory_equal(at, none, 10);
			at += ends[to].vnet;
			assert_memory_equal(at, packet, length);
		}
	}
	for (int i = 0; i < 4; i++)
		close(ends[i].fd);
}

static void a_checksum_is_completed_for_who_needs_it(void **state)
{
	int from = tunnel_opened(*state, "name=from,mode=tun,bridge=b,vnet_hdr");
	int vnet = tunnel_opened(*state, "name=vnet,mode=tun,bridge=b,vnet_hdr");
	int plain = tunnel_opened(*state, "name=plain,mode=tun,bridge=b");
	unsigned char sent[300], right[256], got[300];
	size_t length = vnet_packet(sent, true, 0);

	packet_make(right, "10.0.0.1", "10.0.0.2");
	assert_int_equal(send(from, sent, length, 0), length);
	broker_settle(*state);
	assert_int_equal(recv(plain, got, sizeof(got), MSG_DONTWAIT), length - 10);
	assert_memory_equal(got, right, length - 10);
	assert_int_equal(recv(vnet, got, sizeof(got), MSG_DONTWAIT), length);
	/* Whole, or still to be completed: either way its header says which. */
	if (got[0] & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		assert_memory_equal(got, sent, length);
	else
		assert_memory_equal(got + 10, right, length - 10);
	close(from);
	close(vnet);
	close(plain);
}

static void an_uncut_frame_goes_only_to_who_takes_it(void **state)
{
	int from = tunnel_opened(*state, "name=from,mode=tun,bridge=b,vnet_hdr");
	int vnet = tunnel_opened(*state, "name=vnet,mode=tun,bridge=b,vnet_hdr,mtu=68");
	int plain = tunnel_opened(*state, "name=plain,mode=tun,bridge=b");
	unsigned char sent[300], got[300];
	size_t length = vnet_packet(sent, true, VIRTIO_NET_HDR_GSO_UDP);

	assert_int_equal(send(from, sent, length, 0), length);
	broker_settle(*state);
	assert_int_equal(frame_receive(plain), -1);
	assert_int_equal(shown(*state, "plain", "to-client-dropped-needs-segmentation"), 1);
	assert_int_equal(recv(vnet, got, sizeof(got), MSG_DONTWAIT), length);
	assert_memory_equal(got, sent, length);
	close(from);
	close(vnet);
	close(plain);
}

static void a_header_that_contradicts_its_frame_is_counted(void **state)
{
	int from = tunnel_opened(*state, "name=from,mode=tun,bridge=b,vnet_hdr");
	unsigned char bytes[300];
	size_t length = vnet_packet(bytes, true, 0);
	struct virtio_net_hdr bad[4] = {
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = (uint16_t)(length - 11)},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 65535},
		{.gso_type = 77, .gso_size = 1},
		{.gso_type = VIRTIO_NET_HDR_GSO_UDP, .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM},
	};

	for (int i = 0; i < 4; i++) {
		memcpy(bytes, &bad[i], sizeof(bad[i]));
		assert_int_equal(send(from, bytes, length, 0), length);
	}
	/* Nothing but a header, and less. */
	assert_int_equal(send(from, bytes, 10, 0), 10);
	assert_int_equal(send(from, bytes, 3, 0), 3);
	broker_settle(*state);
	assert_int_equal(shown(*state, "from", "from-client-dropped-malformed"), 4);
	assert_int_equal(shown(*state, "from", "from-client-dropped-runt"), 2);
	close(from);
}

/* ------------------------------------------------------------------------------ streams */

static void a_stream_may_be_split_anywhere(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b,socket=stream");
	int to = tunnel_opened(*state, "name=to,bridge=b");
	unsigned char bytes[3 * (4 + FRAME_SIZE)];
	uint32_t length = htonl(FRAME_SIZE);

	for (uint32_t i = 0; i < 3; i++) {
		memcpy(bytes + i * (4 + FRAME_SIZE), &length, 4);
		frame_make(bytes + i * (4 + FRAME_SIZE) + 4, FRAME_SIZE, 1, 0xff, i);
	}
	for (size_t split = 1; split < sizeof(bytes); split++) {
		assert_int_equal(send(from, bytes, split, 0), split);
		broker_settle(*state);
		assert_int_equal(send(from, bytes + split, sizeof(bytes) - split, 0),
				 sizeof(bytes) - split);
		broker_settle(*state);
		for (int i = 0; i < 3; i++)
			assert_int_equal(frame_receive(to), i);
		assert_int_equal(frame_receive(to), -1);
	}
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(send(from, bytes + i, 1, 0), 1);
		broker_settle(*state);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(frame_receive(to), i);
	close(from);
	close(to);
}

static void a_stream_of_many_small_frames_arrives_whole(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b,socket=stream");
	int to = tunnel_opened(*state, "name=to,bridge=b,queue=100000");
	enum {
		COUNT = 1000
	};
	unsigned char *bytes = malloc(COUNT * (4 + FRAME_SIZE));
	uint32_t length = htonl(FRAME_SIZE);
	int64_t number;
	uint32_t next = 0;

	for (uint32_t i = 0; i < COUNT; i++) {
		memcpy(bytes + i * (4 + FRAME_SIZE), &length, 4);
		frame_make(bytes + i * (4 + FRAME_SIZE) + 4, FRAME_SIZE, 1, 0xff, i);
	}
	/* One write, one read, more than a turn's batches. */
	assert_int_equal(send(from, bytes, COUNT * (4 + FRAME_SIZE), 0), COUNT * (4 + FRAME_SIZE));
	for (int i = 0; i < 20; i++) {
		broker_settle(*state);
		while ((number = frame_receive(to)) >= 0)
			assert_int_equal(number, next++);
	}
	assert_int_equal(next, COUNT);
	free(bytes);
	close(from);
	close(to);
}

static void a_stream_that_is_none_ends(void **state)
{
	int from, to = tunnel_opened(*state, "name=to,bridge=b");

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=from,bridge=b,socket=stream");
	from = tunnel_opened(*state, "name=from");
	assert_true(stream_frame_send(from, 1, 0xff, 1));
	assert_int_equal(send(from, "\x7f\xff\xff\xff", 4, 0), 4);
	broker_settle(*state);
	assert_int_equal(frame_receive(to), 1);
	assert_true(fd_ended(from));
	assert_int_equal(shown(*state, "from", "from-client-dropped-oversize"), 1);
	assert_int_equal(shown(*state, "from", "state"), MEMTUN_CLOSED);
	close(from);
	close(to);
}

static void a_slow_stream_reader_gets_every_frame_whole(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b");
	int to = tunnel_opened(*state, "name=to,bridge=b,socket=stream,overflow=block,queue=20");
	unsigned char bytes[1014], got[4 + sizeof(bytes)];
	uint32_t sent = 0, received = 0;
	size_t filled = 0;

	for (int round = 0; round < 100000 && received < 2000; round++) {
		ssize_t length;

		while (sent < 2000) {
			frame_make(bytes, sizeof(bytes), 1, 0xff, sent);
			if (send(from, bytes, sizeof(bytes), MSG_DONTWAIT) < 0)
				break;
			sent++;
		}
		broker_settle(*state);
		/* An odd piece at a time. */
		length =
			recv(to, got + filled,
			     sizeof(got) - filled < 333 ? sizeof(got) - filled : 333, MSG_DONTWAIT);
		if (length <= 0)
			continue;
		filled += (size_t)length;
		if (filled < sizeof(got))
			continue;
		frame_make(bytes, sizeof(bytes), 1, 0xff, received);
		assert_memory_equal(got + 4, bytes, sizeof(bytes));
		received++;
		filled = 0;
	}
	assert_int_equal(received, 2000);
	close(from);
	close(to);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_frame_floods_until_its_destination_was_seen),
		WITH_BROKER(a_host_that_moves_is_followed),
		WITH_BROKER(a_hub_floods_whatever_was_seen),
		WITH_BROKER(a_frame_never_goes_back_where_it_came_from),
		WITH_BROKER(a_lone_port_has_no_destination),
		WITH_BROKER(vlans_are_learned_apart),
		WITH_BROKER(sources_that_are_no_host_are_not_learned),
		WITH_BROKER(what_was_learned_goes_with_its_port),
		WITH_BROKER(order_is_kept_for_each_destination),
		cmocka_unit_test(an_address_that_is_not_seen_is_forgotten),
		cmocka_unit_test(a_full_table_learns_no_more),
		cmocka_unit_test(one_port_does_not_fill_the_table),
		WITH_BROKER(tuns_learn_ip_addresses),
		WITH_BROKER(addresses_that_are_no_hosts_are_not_learned),
		WITH_BROKER(a_bridge_with_a_tap_is_one_of_ethernet),
		WITH_BROKER(a_bridge_made_by_being_named_goes_when_it_is_empty),
		WITH_BROKER(a_bridge_that_was_added_stays_when_it_is_empty),
		WITH_BROKER(a_deleted_bridge_leaves_its_tunnels_alone),
		WITH_BROKER(frames_that_are_none_are_counted),
		WITH_BROKER(a_cut_tag_is_no_huge_packet),
		WITH_BROKER(frames_to_a_closed_tunnel_are_dropped),
		WITH_BROKER(a_full_queue_drops_what_comes),
		WITH_BROKER(a_full_queue_may_drop_what_waited_longest),
		WITH_BROKER(the_bytes_that_wait_are_bounded_too),
		WITH_BROKER(a_stopped_reader_slows_nobody),
		WITH_BROKER(blocking_pauses_who_sent_and_loses_nothing),
		WITH_BROKER(a_paused_source_resumes_at_half),
		WITH_BROKER(a_flood_pauses_its_source_too),
		WITH_BROKER(a_queue_that_blocks_no_more_lets_go),
		WITH_BROKER(two_that_block_each_other_do_not_block_the_broker),
		WITH_BROKER(headers_are_each_queues_own),
		WITH_BROKER(a_checksum_is_completed_for_who_needs_it),
		WITH_BROKER(an_uncut_frame_goes_only_to_who_takes_it),
		WITH_BROKER(a_header_that_contradicts_its_frame_is_counted),
		WITH_BROKER(a_stream_may_be_split_anywhere),
		WITH_BROKER(a_stream_of_many_small_frames_arrives_whole),
		WITH_BROKER(a_stream_that_is_none_ends),
		WITH_BROKER(a_slow_stream_reader_gets_every_frame_whole),
	};

	return RUN_TESTS(tests);
}
