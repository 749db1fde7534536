/* SPDX-License-Identifier: MIT */
/*
 * Uplinks of type udp. connect(2) is wrapped, so that another socket can send before it.
 */
#include "tests/unit/broker/uplink/uplink_fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST "127.0.0.1"
#define DATAGRAM_MAX 65507

/* An uplink "u" on bridge "b" with a tunnel "t", and its remote. */
struct link {
	struct broker_fixture *fixture;
	int tunnel, peer;
	uint16_t port, peer_port; /* of the uplink, of the remote */
};

static void link_open(struct link *link, struct broker_fixture *fixture)
{
	*link = (struct link){.fixture = fixture};
	link->peer = udp_open(HOST, &link->peer_port);
	link->port = udp_port_find(HOST);
	link->tunnel = tunnel_opened(fixture, "name=t,bridge=b,mtu=65535");
	uplink_added(fixture, "name=u,bridge=b,type=udp,local=%s:%u,remote=%s:%u", HOST, link->port,
		     HOST, link->peer_port);
}

static void link_close(struct link *link)
{
	close(link->tunnel);
	close(link->peer);
	broker_quiesce(link->fixture);
}

static uint64_t counted(struct link *link, const char *word)
{
	return uplink_shown(link->fixture, "u", word);
}

static void each_datagram_is_one_frame_both_ways(void **state)
{
	struct link link;

	link_open(&link, *state);
	udp_frame_send(link.peer, HOST, link.port, 1, 2, 7);
	udp_frame_send(link.peer, HOST, link.port, 1, 2, 8);
	broker_quiesce(link.fixture);
	assert_int_equal(frame_receive(link.tunnel), 7);
	assert_int_equal(frame_receive(link.tunnel), 8);
	assert_true(frame_send(link.tunnel, 2, 1, 9));
	broker_quiesce(link.fixture);
	assert_int_equal(udp_frame_receive(link.peer), 9);
	assert_int_equal(counted(&link, "from-client-frames"), 2);
	assert_int_equal(counted(&link, "from-client-bytes"), 2 * FRAME_SIZE);
	assert_int_equal(counted(&link, "to-client-frames"), 1);
	uplink_accounted(link.fixture, "u");
	link_close(&link);
}

static void it_works_with_ipv6(void **state)
{
	struct broker_fixture *fixture = *state;
	uint16_t port, peer_port = 0;
	int peer, tunnel;

	ipv6_needed();
	port = udp_port_find("::1");
	peer = udp_open("::1", &peer_port);
	tunnel = tunnel_opened(fixture, "name=t,bridge=b");
	uplink_added(fixture, "name=u,bridge=b,type=udp,local=[::1]:%u,remote=[::1]:%u", port,
		     peer_port);
	udp_frame_send(peer, "::1", port, 1, 2, 7);
	broker_quiesce(fixture);
	assert_int_equal(frame_receive(tunnel), 7);
	assert_true(frame_send(tunnel, 2, 1, 9));
	broker_quiesce(fixture);
	assert_int_equal(udp_frame_receive(peer), 9);
	close(tunnel);
	close(peer);
}

/* ------------------------------------------------------------------------------ bad input */

static void what_is_no_frame_is_counted(void **state)
{
	static const unsigned char bytes[13];
	struct link link;

	link_open(&link, *state);
	udp_send(link.peer, HOST, link.port, bytes, 0);
	udp_send(link.peer, HOST, link.port, bytes, 13);
	udp_frame_send(link.peer, HOST, link.port, 1, 2, 7);
	udp_send(link.peer, HOST, link.port, bytes, 0);
	broker_quiesce(link.fixture);
	assert_int_equal(frame_receive(link.tunnel), 7);
	assert_int_equal(frame_receive(link.tunnel), -1);
	assert_int_equal(counted(&link, "from-client-dropped-empty"), 2);
	assert_int_equal(counted(&link, "from-client-dropped-runt"), 1);
	assert_int_equal(counted(&link, "from-client-frames"), 1);
	link_close(&link);
}

static void the_largest_datagram_passes(void **state)
{
	unsigned char *bytes = calloc(2, DATAGRAM_MAX + 1);
	unsigned char *received = bytes + DATAGRAM_MAX + 1;
	struct link link;

	assert_non_null(bytes);
	link_open(&link, *state);
	frame_make(bytes, DATAGRAM_MAX, 1, 2, 7);
	bytes[DATAGRAM_MAX - 1] = 'z';
	udp_send(link.peer, HOST, link.port, bytes, DATAGRAM_MAX);
	broker_quiesce(link.fixture);
	assert_int_equal(recv(link.tunnel, received, DATAGRAM_MAX + 1, MSG_DONTWAIT), DATAGRAM_MAX);
	assert_memory_equal(received, bytes, DATAGRAM_MAX);
	free(bytes);
	link_close(&link);
}

static void a_frame_that_fits_no_datagram_is_too_long(void **state)
{
	unsigned char bytes[DATAGRAM_MAX + 1] = {0};
	struct link link;

	link_open(&link, *state);
	assert_int_equal(counted(&link, "mtu"), DATAGRAM_MAX - 18);
	frame_make(bytes, sizeof(bytes), 2, 1, 7);
	assert_int_equal(send(link.tunnel, bytes, sizeof(bytes), 0), sizeof(bytes));
	/* The longest frame with a VLAN tag fills a datagram. */
	bytes[12] = 0x81;
	bytes[13] = 0x00;
	assert_int_equal(send(link.tunnel, bytes, DATAGRAM_MAX, 0), DATAGRAM_MAX);
	broker_quiesce(link.fixture);
	assert_int_equal(recv(link.peer, bytes, sizeof(bytes), 0), DATAGRAM_MAX);
	assert_int_equal(counted(&link, "to-client-dropped-mtu"), 1);
	uplink_accounted(link.fixture, "u");
	link_close(&link);
}

/* ------------------------------------------------------------------------------ other senders */

static void datagrams_of_others_are_kept_off(void **state)
{
	uint16_t port = 0;
	int stranger = udp_open(HOST, &port);
	struct link link;

	link_open(&link, *state);
	udp_frame_send(stranger, HOST, link.port, 1, 2, 6);
	udp_frame_send(link.peer, HOST, link.port, 1, 2, 7);
	broker_quiesce(link.fixture);
	assert_int_equal(frame_receive(link.tunnel), 7);
	assert_int_equal(frame_receive(link.tunnel), -1);
	close(stranger);
	link_close(&link);
}

/* The socket that sends a frame to the port while the uplink connects; -1: none. */
static struct {
	int fd;
	uint16_t port;
} quick = {.fd = -1};

int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	if (quick.fd >= 0)
		udp_frame_send(quick.fd, HOST, quick.port, 1, 2, 6);
	return __real_connect(fd, address, length);
}

static void datagrams_of_others_before_the_connect_are_foreign(void **state)
{
	struct broker_fixture *fixture = *state;
	uint16_t port = 0, peer_port = 0;
	int tunnel = tunnel_opened(fixture, "name=t,bridge=b");
	int peer = udp_open(HOST, &peer_port);

	quick.fd = udp_open(HOST, &port);
	quick.port = udp_port_find(HOST);
	uplink_added(fixture, "name=u,bridge=b,type=udp,local=%s:%u,remote=%s:%u", HOST, quick.port,
		     HOST, peer_port);
	broker_quiesce(fixture);
	assert_int_equal(frame_receive(tunnel), -1);
	assert_int_equal(uplink_shown(fixture, "u", "from-client-dropped-foreign"), 1);
	close(quick.fd);
	quick.fd = -1;
	close(peer);
	close(tunnel);
}

/* ------------------------------------------------------------------------------ transient
 * errors */

static void a_peer_that_is_not_there_is_waited_for(void **state)
{
	struct pollfd told = {0};
	struct link link;
	struct lane *lane;
	int64_t number;

	link_open(&link, *state);
	close(link.peer);
	/* The kernel reports that no socket has the port at the next send or receive. */
	lane = &uplink_find(link.fixture->broker->uplinks, "u")->lane;
	lane_set_reading(lane, false);
	assert_true(frame_send(link.tunnel, 2, 1, 1));
	broker_quiesce(link.fixture);
	told.fd = lane->io.fd;
	assert_int_equal(poll(&told, 1, 10000), 1);
	assert_true(frame_send(link.tunnel, 2, 1, 2));
	broker_quiesce(link.fixture);
	assert_int_equal(counted(&link, "to-client-dropped-refused"), 1);
	uplink_accounted(link.fixture, "u");
	lane_set_reading(lane, true);
	for (uint32_t i = 3; i < 8; i++) {
		assert_true(frame_send(link.tunnel, 2, 1, i));
		broker_quiesce(link.fixture);
	}
	assert_int_equal(counted(&link, "state"), MEMTUN_UP);
	uplink_accounted(link.fixture, "u");

	link.peer = udp_open(HOST, &link.peer_port);
	udp_frame_send(link.peer, HOST, link.port, 1, 2, 7);
	assert_true(frame_send(link.tunnel, 2, 1, 8));
	broker_quiesce(link.fixture);
	assert_int_equal(frame_receive(link.tunnel), 7);
	assert_true(frame_send(link.tunnel, 2, 1, 9));
	broker_quiesce(link.fixture);
	while ((number = udp_frame_receive(link.peer)) != 9)
		assert_int_not_equal(number, -1);
	uplink_accounted(link.fixture, "u");
	link_close(&link);
}

static void what_the_kernel_had_no_room_for_is_counted(void **state)
{
	enum {
		MANY = 3000
	};
	struct link link;
	int64_t received = 0;

	link_open(&link, *state);
	for (uint32_t i = 0; i < MANY; i++)
		udp_frame_send(link.peer, HOST, link.port, 1, 2, i);
	broker_quiesce(link.fixture);
	/* The kernel reports the overruns with the next datagram. */
	udp_frame_send(link.peer, HOST, link.port, 1, 2, MANY);
	broker_quiesce(link.fixture);
	received = (int64_t)counted(&link, "from-client-frames");
	assert_true(received < MANY);
	assert_int_equal(counted(&link, "from-client-dropped-overrun"), MANY + 1 - received);
	link_close(&link);
}

static void the_path_may_cut_frames_into_fragments(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "[::1]"};

	for (size_t i = 0; i < 2; i++) {
		struct broker_fixture *fixture = *state;
		int discover = -1;
		socklen_t size = sizeof(discover);
		int fd;

		if (i)
			ipv6_needed();
		uplink_added(fixture, "name=u,bridge=b,type=udp,local=%s:%u,remote=%s:9", hosts[i],
			     udp_port_find(i ? "::1" : HOST), hosts[i]);
		fd = uplink_find(fixture->broker->uplinks, "u")->lane.io.fd;
		assert_int_equal(getsockopt(fd, i ? IPPROTO_IPV6 : IPPROTO_IP,
					    i ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &discover,
					    &size),
				 0);
		assert_int_equal(discover, i ? IPV6_PMTUDISC_DONT : IP_PMTUDISC_DONT);
		done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=u");
	}
}

/* ------------------------------------------------------------------------------ refused */

static void options_that_make_no_sense_are_refused(void **state)
{
#define UDP "name=u,bridge=b,type=udp,"
	static const struct uplink_refusal tries[] = {
		{UDP "local=127.0.0.1:5000", "needs remote"},
		{UDP "remote=127.0.0.1:5000", "needs local"},
		{UDP "local=127.0.0.1:5000,remote=127.0.0.1:5001,port=3", "takes no port"},
		{UDP "local=127.0.0.1,remote=127.0.0.1:5001", "local takes ADDRESS:PORT"},
		{UDP "local=127.0.0.1:5000,remote=127.0.0.1:0", "remote takes ADDRESS:PORT"},
		{UDP "local=127.0.0.1:5000,remote=127.0.0.1:65536", "remote takes"},
		{UDP "local=127.0.0.1:5000,remote=:5001", "remote takes"},
		{UDP "local=127.0.0.1:5000,remote=[]:5001", "remote takes"},
		{UDP "local=127.0.0.1:5000,remote=[127.0.0.1]:5001", "remote takes"},
		{UDP "local=::1:5000,remote=[::1]:5001", "local takes"},
		{UDP "local=localhost:5000,remote=127.0.0.1:5001", "not 'localhost:5000'"},
		{UDP "local=127.0.0.1:5000,remote=[::1]:5001", "both IPv4 or both IPv6"},
		{UDP "local=127.0.0.1:5000,remote=127.0.0.1:5000", "are the same"},
		{UDP "local=[::1]:5000,remote=[::1]:5000", "are the same"},
		{UDP "local=127.0.0.1:5000,remote=127.0.0.1:5001,mtu=65490", "65489 bytes"},
	};

	uplinks_refused(*state, tries, sizeof(tries) / sizeof(tries[0]));
}

static void an_address_that_cannot_be_had_is_refused(void **state)
{
	struct broker_fixture *fixture = *state;
	uint16_t port = 0;
	int other = udp_open(HOST, &port);

	uplink_refused(fixture, EADDRNOTAVAIL, "cannot listen on 192.0.2.1:5000: ",
		       UDP "local=192.0.2.1:5000,remote=127.0.0.1:5001");
	uplink_refused(fixture, EADDRINUSE,
		       "cannot listen on 127.0.0.1:", UDP "local=127.0.0.1:%u,remote=127.0.0.1:9",
		       port);
	uplink_refused(fixture, EACCES, "cannot send to 255.255.255.255:9: ",
		       UDP "local=127.0.0.1:%u,remote=255.255.255.255:9", udp_port_find(HOST));
	/* No uplink and no bridge is left. */
	assert_int_equal(refused(fixture, MEMTUN_CMD_BRIDGE_SHOW, "name=b"), ENOENT);
	assert_int_equal(refused(fixture, MEMTUN_CMD_UPLINK_SHOW, "name=u"), ENOENT);
	close(other);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(each_datagram_is_one_frame_both_ways),
		WITH_BROKER(it_works_with_ipv6),
		WITH_BROKER(what_is_no_frame_is_counted),
		WITH_BROKER(the_largest_datagram_passes),
		WITH_BROKER(a_frame_that_fits_no_datagram_is_too_long),
		WITH_BROKER(datagrams_of_others_are_kept_off),
		WITH_BROKER(datagrams_of_others_before_the_connect_are_foreign),
		WITH_BROKER(a_peer_that_is_not_there_is_waited_for),
		WITH_BROKER(what_the_kernel_had_no_room_for_is_counted),
		WITH_BROKER(the_path_may_cut_frames_into_fragments),
		WITH_BROKER(options_that_make_no_sense_are_refused),
		WITH_BROKER(an_address_that_cannot_be_had_is_refused),
	};

	return RUN_TESTS(tests);
}
