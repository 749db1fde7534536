/* SPDX-License-Identifier: MIT */
/*
 * The headers before the packets of each queue, and the offloads of the vnet header: partial
 * checksums and GSO frames, for queues with that header and for queues without.
 */
#include "tests/unit/broker/broker_fixture.h"

#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/frame/checksum.h"

/* Write a UDP packet behind its headers, as the client of a vnet queue does. Return the length. */
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
		/* A partial checksum is not complemented. */
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

static void each_queue_has_its_own_headers(void **state)
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
		broker_quiesce(*state);
		/* Each queue after the first has sent from a host; its packets still go to all. */
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

static void a_checksum_is_completed_for_queues_without_vnet_headers(void **state)
{
	int from = tunnel_opened(*state, "name=from,mode=tun,bridge=b,vnet_hdr");
	int vnet = tunnel_opened(*state, "name=vnet,mode=tun,bridge=b,vnet_hdr");
	int plain = tunnel_opened(*state, "name=plain,mode=tun,bridge=b");
	unsigned char sent[300], right[256], got[300];
	size_t length = vnet_packet(sent, true, 0);

	packet_make(right, "10.0.0.1", "10.0.0.2");
	assert_int_equal(send(from, sent, length, 0), length);
	broker_quiesce(*state);
	assert_int_equal(recv(plain, got, sizeof(got), MSG_DONTWAIT), length - 10);
	assert_memory_equal(got, right, length - 10);
	assert_int_equal(recv(vnet, got, sizeof(got), MSG_DONTWAIT), length);
	/* The checksum is complete or partial, and the header says which. */
	if (got[0] & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		assert_memory_equal(got, sent, length);
	else
		assert_memory_equal(got + 10, right, length - 10);
	close(from);
	close(vnet);
	close(plain);
}

/* Assert that the next record of a capture has these bytes after its header. */
static void assert_captured(int fd, const unsigned char *bytes, size_t length)
{
	unsigned char record[300];

	assert_int_equal(recv(fd, record, sizeof(record), MSG_DONTWAIT),
			 sizeof(struct memtun_capture_header) + length);
	assert_memory_equal(record + sizeof(struct memtun_capture_header), bytes, length);
}

static void a_capture_has_the_bytes_that_the_client_reads(void **state)
{
	int from = tunnel_opened(*state, "name=from,mode=tun,bridge=b,vnet_hdr");
	int plain = tunnel_opened(*state, "name=plain,mode=tun,bridge=b");
	int port = capture_opened(*state, "name=plain");
	int bridge = capture_opened(*state, "bridge=b");
	int source = capture_opened(*state, "name=from");
	int bare = capture_opened(*state, "name=from,plain");
	unsigned char sent[300], right[256], got[300];
	size_t length = vnet_packet(sent, true, 0) - 10;

	packet_make(right, "10.0.0.1", "10.0.0.2");
	assert_int_equal(send(from, sent, length + 10, 0), length + 10);
	broker_quiesce(*state);
	assert_captured(port, right, length);
	/* The packet as it came in, and as it went out. */
	assert_captured(bridge, right, length);
	assert_captured(bridge, right, length);
	assert_captured(source, right, length);
	assert_int_equal(recv(bare, got, sizeof(got), MSG_DONTWAIT), length);
	assert_memory_equal(got, right, length);
	assert_int_equal(recv(plain, got, sizeof(got), MSG_DONTWAIT), length);
	assert_memory_equal(got, right, length);
	close(from);
	close(plain);
	close(port);
	close(bridge);
	close(source);
	close(bare);
}

static void a_capture_of_a_closed_tunnel_has_complete_checksums(void **state)
{
	int from = tunnel_opened(*state, "name=from,mode=tun,bridge=b,vnet_hdr");
	unsigned char sent[300], right[256];
	size_t length = vnet_packet(sent, true, 0) - 10;
	int port;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=plain,mode=tun,bridge=b");
	port = capture_opened(*state, "name=plain");
	packet_make(right, "10.0.0.1", "10.0.0.2");
	assert_int_equal(send(from, sent, length + 10, 0), length + 10);
	broker_quiesce(*state);
	assert_captured(port, right, length);
	close(from);
	close(port);
}

static void a_capture_has_complete_checksums_and_changes_no_frame(void **state)
{
	int from = tunnel_opened(*state, "name=from,mode=tun,bridge=b,vnet_hdr");
	int vnet = tunnel_opened(*state, "name=vnet,mode=tun,bridge=b,vnet_hdr");
	int port = capture_opened(*state, "name=vnet");
	int bridge = capture_opened(*state, "bridge=b");
	int injector = injector_opened(*state, "name=vnet,direction=to-client,vnet_hdr");
	unsigned char sent[300], right[256], got[300];
	size_t length = vnet_packet(sent, true, 0);

	packet_make(right, "10.0.0.1", "10.0.0.2");
	/* From another port, and from an injector. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(send(i == 0 ? from : injector, sent, length, 0), length);
		broker_quiesce(*state);
		assert_captured(port, right, length - 10);
		if (i == 0)
			assert_captured(bridge, right, length - 10);
		assert_captured(bridge, right, length - 10);
		assert_int_equal(recv(vnet, got, sizeof(got), MSG_DONTWAIT), length);
		assert_memory_equal(got, sent, length);
	}
	close(from);
	close(vnet);
	close(port);
	close(bridge);
	close(injector);
}

static void a_capture_changes_no_gso_frame(void **state)
{
	int from = tunnel_opened(*state, "name=from,mode=tun,bridge=b,vnet_hdr");
	int vnet = tunnel_opened(*state, "name=vnet,mode=tun,bridge=b,vnet_hdr");
	int plain = tunnel_opened(*state, "name=plain,mode=tun,bridge=b");
	int port = capture_opened(*state, "name=vnet");
	unsigned char sent[300], got[300];
	size_t length = vnet_packet(sent, true, VIRTIO_NET_HDR_GSO_UDP);

	assert_int_equal(send(from, sent, length, 0), length);
	broker_quiesce(*state);
	assert_captured(port, sent + 10, length - 10);
	assert_int_equal(recv(vnet, got, sizeof(got), MSG_DONTWAIT), length);
	assert_memory_equal(got, sent, length);
	close(from);
	close(vnet);
	close(plain);
	close(port);
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
	/* Only a header, and less than a header. */
	assert_int_equal(send(from, bytes, 10, 0), 10);
	assert_int_equal(send(from, bytes, 3, 0), 3);
	broker_quiesce(*state);
	assert_int_equal(shown(*state, "from", "from-client-dropped-malformed"), 4);
	assert_int_equal(shown(*state, "from", "from-client-dropped-runt"), 2);
	close(from);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(each_queue_has_its_own_headers),
		WITH_BROKER(a_checksum_is_completed_for_queues_without_vnet_headers),
		WITH_BROKER(a_capture_has_the_bytes_that_the_client_reads),
		WITH_BROKER(a_capture_of_a_closed_tunnel_has_complete_checksums),
		WITH_BROKER(a_capture_has_complete_checksums_and_changes_no_frame),
		WITH_BROKER(a_capture_changes_no_gso_frame),
		WITH_BROKER(a_header_that_contradicts_its_frame_is_counted),
	};

	return RUN_TESTS(tests);
}
