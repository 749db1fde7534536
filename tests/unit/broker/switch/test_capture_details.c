/* SPDX-License-Identifier: MIT */
/* The records of a detailed capture: which frame each is about, and what has happened to the frame. */
#include "tests/unit/broker/broker_fixture.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/common/frame/gso_frame.h"

struct record {
	struct memtun_capture_details details;
	unsigned char frame[FRAME_MAX];
};

static struct record record;

/* Receive one record into `record`, and return its frame's length. */
static size_t record_receive(int fd)
{
	ssize_t length = recv(fd, &record, sizeof(record), MSG_DONTWAIT);

	assert_true(length > (ssize_t)sizeof(record.details));
	assert_int_equal(record.details.size, sizeof(record.details));
	return (size_t)length - sizeof(record.details);
}

/* Assert that the record has the frame with that number from host 1 to host 2. */
static void assert_number(uint32_t number)
{
	unsigned char expected[FRAME_SIZE];

	frame_make(expected, sizeof(expected), 1, 2, number);
	assert_memory_equal(record.frame, expected, sizeof(expected));
}

static void assert_nothing(int fd)
{
	assert_int_equal(recv(fd, &record, sizeof(record), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

/* Receive the record of a frame on its way, and return the frame's id. */
static uint64_t passing(int fd, uint64_t port, enum memtun_direction direction)
{
	record_receive(fd);
	assert_int_equal(record.details.header.port, port);
	assert_int_equal(record.details.header.direction, direction);
	assert_int_equal(record.details.reasons[0], 0);
	assert_int_equal(record.details.rule, 0);
	assert_int_equal(record.details.flags, 0);
	assert_int_not_equal(record.details.frame, 0);
	return record.details.frame;
}

/* Receive the record of a frame that was dropped, and return the frame's id. */
static uint64_t fault(int fd, uint64_t port, enum memtun_mode mode, enum memtun_attribute reason)
{
	record_receive(fd);
	assert_int_equal(record.details.header.port, port);
	assert_int_equal(record.details.header.direction, reason < MEMTUN_A_TO_CLIENT_OFFERED
								  ? MEMTUN_FROM_CLIENT
								  : MEMTUN_TO_CLIENT);
	assert_int_equal(record.details.header.mode, mode);
	assert_int_equal(record.details.reasons[0], reason);
	assert_int_equal(record.details.reasons[1], 0);
	return record.details.frame;
}

/* ------------------------------------------------------------------------------ ids */

static void a_frame_has_one_id_at_each_port(void **state)
{
	int fd, fds[3];
	unsigned int same = 0;
	uint64_t id;

	three_open(*state, "", fds);
	fd = capture_opened(*state, "bridge=b,detailed");
	for (uint32_t i = 0; i < 2; i++)
		assert_true(frame_send(fds[0], 1, 0xff, i));
	broker_quiesce(*state);
	id = passing(fd, shown(*state, "vm0", "id"), MEMTUN_FROM_CLIENT);
	for (int i = 0; i < 5; i++) {
		record_receive(fd);
		same += record.details.frame == id;
	}
	assert_int_equal(same, 2);
	assert_nothing(fd);
	close(fd);
	three_close(fds);
}

/* The capture of the sender's port is detailed too, though no frame of it is read here. */
static void captures_of_two_ports_tell_the_same_id(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b");
	int two = tunnel_opened(*state, "name=vm2,bridge=b");
	int at_one = capture_opened(*state, "name=vm1,detailed");
	int at_two = capture_opened(*state, "name=vm2,detailed");
	uint64_t id;

	assert_true(frame_send(one, 1, 2, 7));
	broker_quiesce(*state);
	id = passing(at_one, shown(*state, "vm1", "id"), MEMTUN_FROM_CLIENT);
	assert_int_equal(passing(at_two, shown(*state, "vm2", "id"), MEMTUN_TO_CLIENT), id);
	close(one);
	close(two);
	close(at_one);
	close(at_two);
}

static void the_pieces_of_a_frame_have_its_id(void **state)
{
	static const struct gso_frame gso = {
		.ip_version = 4,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 100,
		.flags = TH_ACK,
		.payload = 250,
	};
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int to = tunnel_opened(*state, "name=to,bridge=b");
	int fd = capture_opened(*state, "bridge=b,detailed");
	unsigned char bytes[10 + 1024];
	struct virtio_net_hdr offload;
	size_t length = gso_frame_make(&gso, bytes + 10, &offload);
	uint64_t id;

	memcpy(bytes, &offload, 10);
	assert_int_equal(send(from, bytes, 10 + length, 0), 10 + length);
	broker_quiesce(*state);
	id = passing(fd, shown(*state, "from", "id"), MEMTUN_FROM_CLIENT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(passing(fd, shown(*state, "to", "id"), MEMTUN_TO_CLIENT), id);
	assert_nothing(fd);
	close(fd);
	close(from);
	close(to);
}

static void a_packet_keeps_its_id_through_an_adapter(void **state)
{
	int tun = tunnel_opened(*state, "name=ip,bridge=b,mode=tun,address=10.0.0.1/24");
	int tap = tunnel_opened(*state, "name=vm,bridge=b");
	int at_tun = capture_opened(*state, "name=ip,detailed");
	int at_bridge = capture_opened(*state, "bridge=b,detailed,direction=to-client");
	unsigned char packet[256];
	size_t length = packet_make(packet, "10.0.0.1", "10.0.0.255");
	uint64_t id, port;

	broker_quiesce(*state);
	while (recv(at_bridge, &record, sizeof(record), MSG_DONTWAIT) > 0)
		; /* what the adapter announces */
	bytes_send(tun, packet, length);
	broker_quiesce(*state);
	port = shown(*state, "vm", "id");
	id = passing(at_tun, shown(*state, "ip", "id"), MEMTUN_FROM_CLIENT);
	assert_int_equal(passing(at_bridge, port, MEMTUN_TO_CLIENT), id);
	assert_int_equal(record.details.header.mode, MEMTUN_TAP);
	close(tun);
	close(tap);
	close(at_tun);
	close(at_bridge);
}

/* ------------------------------------------------------------------------------ faults */

static void a_frame_without_destination_is_a_fault(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b");
	int fd = capture_opened(*state, "name=vm1,faults");
	int details = capture_opened(*state, "name=vm1,detailed");
	uint64_t id, port = shown(*state, "vm1", "id");

	assert_true(frame_send(one, 1, 2, 7));
	broker_quiesce(*state);
	id = passing(fd, port, MEMTUN_FROM_CLIENT);
	assert_int_equal(fault(fd, port, MEMTUN_TAP, MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION),
			 id);
	assert_nothing(fd);
	/* It is none for a capture that has not asked for faults. */
	passing(details, port, MEMTUN_FROM_CLIENT);
	assert_nothing(details);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=vm1,nobridge");
	assert_true(frame_send(one, 1, 2, 8));
	broker_quiesce(*state);
	passing(fd, port, MEMTUN_FROM_CLIENT);
	fault(fd, port, MEMTUN_TAP, MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION);
	close(fd);
	close(details);
	close(one);
}

static void a_frame_that_a_port_does_not_take_is_a_fault(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b");
	int two = tunnel_opened(*state, "name=vm2,bridge=b,mtu=68");
	int fd = capture_opened(*state, "bridge=b,faults,direction=to-client");
	uint64_t id, port = shown(*state, "vm2", "id");
	unsigned char bytes[100];

	frame_make(bytes, sizeof(bytes), 1, 2, 7);
	bytes_send(one, bytes, sizeof(bytes));
	broker_quiesce(*state);
	id = passing(fd, port, MEMTUN_TO_CLIENT);
	assert_int_equal(fault(fd, port, MEMTUN_TAP, MEMTUN_A_TO_CLIENT_DROPPED_MTU), id);
	assert_memory_equal(record.frame, bytes, sizeof(bytes));
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=vm2,persistent");
	close(two);
	broker_quiesce(*state);
	assert_true(frame_send(one, 1, 2, 8));
	broker_quiesce(*state);
	passing(fd, port, MEMTUN_TO_CLIENT);
	fault(fd, port, MEMTUN_TAP, MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT);
	assert_nothing(fd);
	close(fd);
	close(one);
}

/* Fill the port's queue of one frame, and return the descriptors of both tunnels. */
static void queue_fill(struct broker_fixture *fixture, const char *overflow, int fds[2])
{
	fds[0] = tunnel_opened(fixture, "name=vm1,bridge=b");
	fds[1] = tunnel_opened(fixture, overflow);
	while (shown(fixture, "vm2", "to-client-queued") == 0) {
		assert_true(frame_send(fds[0], 1, 2, 1));
		broker_quiesce(fixture);
	}
}

static void the_frame_that_a_full_queue_drops_is_a_fault(void **state)
{
	int fds[2], fd;
	uint64_t port, id;

	queue_fill(*state, "name=vm2,bridge=b,queue=1", fds);
	port = shown(*state, "vm2", "id");
	fd = capture_opened(*state, "name=vm2,faults");
	assert_true(frame_send(fds[0], 1, 2, 2));
	broker_quiesce(*state);
	id = passing(fd, port, MEMTUN_TO_CLIENT);
	assert_int_equal(fault(fd, port, MEMTUN_TAP, MEMTUN_A_TO_CLIENT_DROPPED_FULL), id);
	/* With drop-head it is the oldest one, which came before the capture and gets an id now. */
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=vm2,overflow=drop-head");
	assert_true(frame_send(fds[0], 1, 2, 3));
	broker_quiesce(*state);
	id = passing(fd, port, MEMTUN_TO_CLIENT);
	assert_int_not_equal(fault(fd, port, MEMTUN_TAP, MEMTUN_A_TO_CLIENT_DROPPED_FULL), id);
	assert_number(1);
	/* The next drop is of the frame that has just been queued. */
	assert_true(frame_send(fds[0], 1, 2, 4));
	broker_quiesce(*state);
	passing(fd, port, MEMTUN_TO_CLIENT);
	assert_int_equal(fault(fd, port, MEMTUN_TAP, MEMTUN_A_TO_CLIENT_DROPPED_FULL), id);
	/* What waits is dropped with its reader. */
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=vm2,persistent");
	close(fds[1]);
	broker_quiesce(*state);
	fault(fd, port, MEMTUN_TAP, MEMTUN_A_TO_CLIENT_DROPPED_NO_CLIENT);
	assert_number(4);
	assert_nothing(fd);
	close(fds[0]);
	close(fd);
}

static void a_malformed_frame_is_a_fault(void **state)
{
	int tap = tunnel_opened(*state, "name=vm1,bridge=b,vnet_hdr");
	int tun = tunnel_opened(*state, "name=ip,mode=tun");
	int at_tap = capture_opened(*state, "name=vm1,faults");
	int at_tun = capture_opened(*state, "name=ip,faults");
	unsigned char bytes[10 + FRAME_SIZE] = {VIRTIO_NET_HDR_F_NEEDS_CSUM};
	const uint16_t beyond = UINT16_MAX;

	bytes_send(tun, "\x70 is no IP", 11);
	bytes_send(tap, bytes, 20);
	memcpy(bytes + 6, &beyond, sizeof(beyond)); /* csum_start */
	frame_make(bytes + 10, FRAME_SIZE, 1, 2, 7);
	bytes_send(tap, bytes, sizeof(bytes));
	broker_quiesce(*state);
	fault(at_tun, shown(*state, "ip", "id"), MEMTUN_TUN,
	      MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED);
	assert_memory_equal(record.frame, "\x70 is no IP", 11);
	fault(at_tap, shown(*state, "vm1", "id"), MEMTUN_TAP, MEMTUN_A_FROM_CLIENT_DROPPED_RUNT);
	fault(at_tap, shown(*state, "vm1", "id"), MEMTUN_TAP,
	      MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED);
	assert_memory_equal(record.frame, bytes + 10, FRAME_SIZE);
	assert_nothing(at_tun);
	assert_nothing(at_tap);
	close(tap);
	close(tun);
	close(at_tap);
	close(at_tun);
}

static void what_an_adapter_drops_is_a_fault(void **state)
{
	int tun = tunnel_opened(*state, "name=ip,bridge=b,mode=tun,address=10.0.0.1/24");
	int tap = tunnel_opened(*state, "name=vm,bridge=b");
	int fd = capture_opened(*state, "name=ip,faults");
	uint64_t port = shown(*state, "ip", "id"), id;
	unsigned char packet[256];
	size_t length = packet_make(packet, "10.0.0.1", "10.0.0.2");

	broker_quiesce(*state);
	assert_true(frame_send(tap, 1, 0xff, 7));
	broker_quiesce(*state);
	fault(fd, port, MEMTUN_TAP, MEMTUN_A_TO_CLIENT_DROPPED_NOT_IP);
	bytes_send(tun, packet, length);
	broker_quiesce(*state);
	id = passing(fd, port, MEMTUN_FROM_CLIENT);
	assert_nothing(fd);
	/* The packet waits for the MAC address of its next hop, and is dropped with its adapter. */
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=ip,nobridge");
	assert_int_equal(fault(fd, port, MEMTUN_TUN, MEMTUN_A_FROM_CLIENT_DROPPED_UNRESOLVED), id);
	assert_memory_equal(record.frame, packet, length);
	assert_nothing(fd);
	close(tun);
	close(tap);
	close(fd);
}

/* ------------------------------------------------------------------------------ rules */

/* Receive the record of what rule 1, whose seed is 7, did to a frame. Return the frame's id. */
static uint64_t ruled(int fd, enum memtun_direction direction, uint64_t number,
		      enum memtun_attribute reason, enum memtun_attribute second)
{
	assert_int_equal(record_receive(fd), FRAME_SIZE);
	assert_int_equal(record.details.header.direction, direction);
	assert_int_equal(record.details.rule, 1);
	assert_int_equal(record.details.seed, 7);
	assert_int_equal(record.details.number, number);
	assert_int_equal(record.details.reasons[0], reason);
	assert_int_equal(record.details.reasons[1], second);
	assert_int_equal(record.details.reasons[2], 0);
	return record.details.frame;
}

static void what_a_rule_drops_is_a_fault(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b,loss=100%,seed=7");
	int two = tunnel_opened(*state, "name=vm2,bridge=b");
	int fd = capture_opened(*state, "name=vm1,faults");
	int at_bridge = capture_opened(*state, "bridge=b,faults,direction=from-client");
	uint64_t id;

	for (uint32_t i = 1; i <= 2; i++) {
		assert_true(frame_send(one, 1, 2, i));
		broker_quiesce(*state);
		id = ruled(fd, MEMTUN_FROM_CLIENT, i, MEMTUN_A_FROM_CLIENT_DROPPED_LOSS, 0);
		assert_number(i);
		assert_int_equal(ruled(at_bridge, MEMTUN_FROM_CLIENT, i,
				       MEMTUN_A_FROM_CLIENT_DROPPED_LOSS, 0),
				 id);
	}
	assert_nothing(fd);
	assert_nothing(at_bridge);
	assert_true(frame_send(two, 2, 1, 3));
	broker_quiesce(*state);
	ruled(fd, MEMTUN_TO_CLIENT, 1, MEMTUN_A_TO_CLIENT_DROPPED_LOSS, 0);
	assert_nothing(fd);
	close(one);
	close(two);
	close(fd);
	close(at_bridge);
}

/* What the rule did is told once, with the frame as it came. Both copies then pass, changed. */
static void a_changed_frame_is_told_as_it_came(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b,corrupt=100%,duplicate=100%,seed=7");
	int fd = capture_opened(*state, "name=vm1,faults,direction=from-client");
	unsigned char expected[FRAME_SIZE];
	uint64_t id, port = shown(*state, "vm1", "id");

	frame_make(expected, sizeof(expected), 1, 2, 9);
	assert_true(frame_send(one, 1, 2, 9));
	broker_quiesce(*state);
	id = ruled(fd, MEMTUN_FROM_CLIENT, 1, MEMTUN_A_FROM_CLIENT_DUPLICATED,
		   MEMTUN_A_FROM_CLIENT_CORRUPTED);
	assert_number(9);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(passing(fd, port, MEMTUN_FROM_CLIENT), id);
		assert_memory_not_equal(record.frame, expected, sizeof(expected));
		assert_int_equal(
			fault(fd, port, MEMTUN_TAP, MEMTUN_A_FROM_CLIENT_DROPPED_NO_DESTINATION),
			id);
	}
	assert_nothing(fd);
	close(one);
	close(fd);
}

static void a_held_frame_keeps_its_id(void **state)
{
	int one = tunnel_opened(*state, "name=vm1,bridge=b,hold,seed=7");
	int two = tunnel_opened(*state, "name=vm2,bridge=b");
	int fd = capture_opened(*state, "bridge=b,faults");
	uint64_t id, other;

	assert_true(frame_send(one, 1, 2, 1));
	assert_true(frame_send(one, 1, 2, 2));
	broker_quiesce(*state);
	id = ruled(fd, MEMTUN_FROM_CLIENT, 1, MEMTUN_A_FROM_CLIENT_HELD, 0);
	other = ruled(fd, MEMTUN_FROM_CLIENT, 2, MEMTUN_A_FROM_CLIENT_HELD, 0);
	assert_int_not_equal(id, other);
	assert_nothing(fd);
	done(*state, MEMTUN_CMD_IMPAIR_RELEASE, "name=vm1,frame=2");
	broker_quiesce(*state);
	assert_int_equal(passing(fd, shown(*state, "vm1", "id"), MEMTUN_FROM_CLIENT), other);
	assert_int_equal(passing(fd, shown(*state, "vm2", "id"), MEMTUN_TO_CLIENT), other);
	assert_nothing(fd);
	/* The other one is released to be dropped. */
	done(*state, MEMTUN_CMD_IMPAIR_RELEASE, "name=vm1,frame=1,discard");
	assert_int_equal(
		ruled(fd, MEMTUN_FROM_CLIENT, 1, MEMTUN_A_FROM_CLIENT_DROPPED_DISCARDED, 0), id);
	assert_nothing(fd);
	close(one);
	close(two);
	close(fd);
}

/* ------------------------------------------------------------------------------ requests */

static void a_plain_capture_cannot_be_detailed(void **state)
{
	int one = tunnel_opened(*state, "name=vm1");

	assert_int_equal(refused(*state, MEMTUN_CMD_CAPTURE, "name=vm1,plain,detailed"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_CAPTURE, "name=vm1,plain,faults"), EINVAL);
	close(one);
}

static const struct CMUnitTest tests[] = {
	WITH_BROKER(a_frame_has_one_id_at_each_port),
	WITH_BROKER(captures_of_two_ports_tell_the_same_id),
	WITH_BROKER(the_pieces_of_a_frame_have_its_id),
	WITH_BROKER(a_packet_keeps_its_id_through_an_adapter),
	WITH_BROKER(a_frame_without_destination_is_a_fault),
	WITH_BROKER(a_frame_that_a_port_does_not_take_is_a_fault),
	WITH_BROKER(the_frame_that_a_full_queue_drops_is_a_fault),
	WITH_BROKER(a_malformed_frame_is_a_fault),
	WITH_BROKER(what_an_adapter_drops_is_a_fault),
	WITH_BROKER(what_a_rule_drops_is_a_fault),
	WITH_BROKER(a_changed_frame_is_told_as_it_came),
	WITH_BROKER(a_held_frame_keeps_its_id),
	WITH_BROKER(a_plain_capture_cannot_be_detailed),
};

int main(void)
{
	return RUN_TESTS(tests);
}
