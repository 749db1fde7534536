/* SPDX-License-Identifier: MIT */
/* GSO frames between the ports of a bridge: whole for the clients that take them, in pieces for the
 * others; and the options that say which. */
#include "tests/unit/broker/broker_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/engine/batch.h"
#include "common/frame/frame_segment.h"
#include "tests/unit/common/frame/gso_frame.h"

static unsigned char sent[20 + FRAME_MAX], got[20 + FRAME_MAX], piece[FRAME_MAX];

static const struct gso_frame tcp = {
	.ip_version = 4,
	.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	.gso_size = 100,
	.flags = TH_ACK | TH_PUSH,
	.payload = 250,
};

/* Send a GSO frame behind a vnet header of that size. */
static void gso_send(int fd, const struct gso_frame *gso, size_t header)
{
	struct virtio_net_hdr offload;
	size_t length = gso_frame_make(gso, sent + header, &offload);

	memset(sent, 0, header);
	memcpy(sent, &offload, sizeof(offload));
	assert_int_equal(send(fd, sent, header + length, 0), header + length);
}

/* Assert that a descriptor has the pieces of the frame, each behind `header` bytes, as packets if
 * `strip` is the length of their Ethernet header. Return their number. */
static unsigned int assert_pieces(int fd, const struct gso_frame *gso, size_t header, size_t strip)
{
	static unsigned char frame[FRAME_MAX];
	struct frame_segment segment;
	struct virtio_net_hdr offload;
	size_t length = gso_frame_make(gso, frame, &offload);

	assert_int_equal(frame_segment_begin(&segment, MEMTUN_TAP, frame, length, &offload, 1), 0);
	while ((length = frame_segment_next(&segment, piece)) > 0) {
		assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), header + length - strip);
		assert_memory_equal(got + header, piece + strip, length - strip);
		for (size_t i = 0; i < header; i++)
			assert_int_equal(got[i], 0);
	}
	return segment.count;
}

static void assert_whole(int fd, const struct gso_frame *gso, size_t header)
{
	static unsigned char frame[FRAME_MAX];
	struct virtio_net_hdr offload;
	size_t length = gso_frame_make(gso, frame, &offload);

	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), header + length);
	assert_memory_equal(got, &offload, sizeof(offload));
	assert_memory_equal(got + header, frame, length);
}

static void assert_nothing(int fd)
{
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void a_gso_frame_is_cut_for_the_clients_that_do_not_take_it(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int takes = tunnel_opened(*state, "name=takes,bridge=b,vnet_hdr");
	int refuses = tunnel_opened(*state, "name=refuses,bridge=b,vnet_hdr,offload=1");
	int plain = tunnel_opened(*state, "name=plain,bridge=b");

	gso_send(from, &tcp, 10);
	broker_quiesce(*state);
	assert_whole(takes, &tcp, 10);
	assert_int_equal(assert_pieces(plain, &tcp, 0, 0), 3);
	assert_int_equal(assert_pieces(refuses, &tcp, 10, 0), 3);
	assert_nothing(plain);
	assert_int_equal(shown(*state, "from", "from-client-frames"), 1);
	assert_int_equal(shown(*state, "takes", "to-client-offered"), 1);
	assert_int_equal(shown(*state, "plain", "to-client-offered"), 3);
	assert_int_equal(shown(*state, "plain", "to-client-frames"), 3);
	close(from);
	close(takes);
	close(refuses);
	close(plain);
}

/* Write five frames to a stream at once, so that they are one batch: frames 0, 2 and 4 are plain, 1
 * and 3 are these. Each frame is after its length of 4 bytes and a vnet header. */
static void batch_send(int from, const struct gso_frame *first, const struct gso_frame *second)
{
	unsigned char stream[4096], *at = stream;

	for (unsigned int i = 0; i < 5; i++) {
		struct virtio_net_hdr offload = {0};
		uint32_t length = 60;

		if (i % 2)
			length = (uint32_t)gso_frame_make(i == 1 ? first : second, at + 14,
							  &offload);
		else
			frame_make(at + 14, length, 1, 2, i);
		memcpy(at + 4, &offload, sizeof(offload));
		length = htonl(length + 10);
		memcpy(at, &length, sizeof(length));
		at += 4 + ntohl(length);
	}
	assert_int_equal(send(from, stream, (size_t)(at - stream), 0), at - stream);
}

static void assert_plain(int fd, size_t header, uint32_t number)
{
	unsigned char plain[60];

	frame_make(plain, sizeof(plain), 1, 2, number);
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), header + sizeof(plain));
	assert_memory_equal(got + header, plain, sizeof(plain));
}

static void frames_before_and_behind_a_cut_frame_keep_their_places(void **state)
{
	struct gso_frame other = tcp;
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr,socket=stream");
	int to = tunnel_opened(*state, "name=to,bridge=b");

	other.payload = 150;
	batch_send(from, &tcp, &other);
	broker_quiesce(*state);
	assert_plain(to, 0, 0);
	assert_int_equal(assert_pieces(to, &tcp, 0, 0), 3);
	assert_plain(to, 0, 2);
	assert_int_equal(assert_pieces(to, &other, 0, 0), 2);
	assert_plain(to, 0, 4);
	assert_nothing(to);
	close(from);
	close(to);
}

static void each_port_of_a_flood_has_its_frames_in_order(void **state)
{
	struct gso_frame udp = tcp;
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr,socket=stream");
	int cuts_all = tunnel_opened(*state, "name=plain,bridge=b");
	int cuts_udp = tunnel_opened(*state, "name=tcp,bridge=b,vnet_hdr,offload=7");
	int cuts_tcp = tunnel_opened(*state, "name=udp,bridge=b,vnet_hdr,offload=97");
	int takes = tunnel_opened(*state, "name=takes,bridge=b,vnet_hdr,offload=103");
	const struct {
		int fd;
		size_t header;
		bool whole_tcp, whole_udp;
	} ports[] = {
		{cuts_all, 0, false, false},
		{cuts_udp, 10, true, false},
		{cuts_tcp, 10, false, true},
		{takes, 10, true, true},
	};

	udp.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	batch_send(from, &tcp, &udp);
	broker_quiesce(*state);
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		int fd = ports[i].fd;

		assert_plain(fd, ports[i].header, 0);
		if (ports[i].whole_tcp)
			assert_whole(fd, &tcp, ports[i].header);
		else
			assert_int_equal(assert_pieces(fd, &tcp, ports[i].header, 0), 3);
		assert_plain(fd, ports[i].header, 2);
		if (ports[i].whole_udp)
			assert_whole(fd, &udp, ports[i].header);
		else
			assert_int_equal(assert_pieces(fd, &udp, ports[i].header, 0), 3);
		assert_plain(fd, ports[i].header, 4);
		assert_nothing(fd);
		close(fd);
	}
	close(from);
}

static void more_pieces_than_a_batch_holds_arrive_in_order(void **state)
{
	struct gso_frame many = tcp;
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int to = tunnel_opened(*state, "name=to,bridge=b");

	many.gso_size = 10;
	many.payload = 2 * BATCH_FRAMES * 10;
	gso_send(from, &many, 10);
	broker_quiesce(*state);
	assert_int_equal(assert_pieces(to, &many, 0, 0), 2 * BATCH_FRAMES);
	many.payload += 1;
	gso_send(from, &many, 10);
	broker_quiesce(*state);
	assert_int_equal(assert_pieces(to, &many, 0, 0), 2 * BATCH_FRAMES + 1);
	assert_nothing(to);
	close(from);
	close(to);
}

static void pieces_wait_where_the_client_has_no_room(void **state)
{
	struct gso_frame large = tcp;
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int to = tunnel_opened(*state, "name=to,bridge=b");

	large.gso_size = 1448;
	large.payload = 60000;
	for (int i = 0; i < 10; i++) {
		gso_send(from, &large, 10);
		broker_quiesce(*state);
	}
	assert_int_equal(shown(*state, "to", "to-client-offered"), 10 * 42);
	assert_in_range(shown(*state, "to", "to-client-queued"), 100, 10 * 42);
	for (int i = 0; i < 10; i++) {
		assert_pieces(to, &large, 0, 0);
		broker_quiesce(*state);
	}
	assert_nothing(to);
	assert_accounted(*state, "to");
	close(from);
	close(to);
}

static void a_piece_that_waits_at_several_ports_is_copied_once(void **state)
{
	static const char *const names[] = {"a", "b", "c"};
	struct gso_frame large = tcp;
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int fds[3];
	uint64_t copied = 0, queued = 0;

	for (size_t i = 0; i < 3; i++) {
		char options[32];

		snprintf(options, sizeof(options), "name=%s,bridge=b", names[i]);
		fds[i] = tunnel_opened(*state, options);
	}
	large.gso_size = 500;
	large.payload = 40 * 500; /* all pieces have the same length */
	for (int i = 0; i < 20; i++) {
		gso_send(from, &large, 10);
		broker_quiesce(*state);
	}
	for (size_t i = 0; i < 3; i++) {
		copied += shown(*state, names[i], "to-client-copied-bytes");
		queued = shown(*state, names[i], "to-client-queued");
		assert_in_range(queued, 1, 20 * 40 - 1);
		assert_int_equal(queued, shown(*state, names[0], "to-client-queued"));
		assert_accounted(*state, names[i]);
	}
	assert_int_equal(copied, queued * (54 + 500));
	for (size_t i = 0; i < 3; i++) {
		for (int frame = 0; frame < 20; frame++) {
			assert_int_equal(assert_pieces(fds[i], &large, 0, 0), 40);
			broker_quiesce(*state);
		}
		assert_nothing(fds[i]);
		close(fds[i]);
	}
	close(from);
}

static void a_read_brings_few_gso_frames(void **state)
{
	struct gso_frame many = tcp;
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int to = tunnel_opened(*state, "name=to,bridge=b,overflow=block,queue=1");

	many.payload = 60 * many.gso_size;
	while (shown(*state, "to", "to-client-queued") == 0) {
		gso_send(from, &many, 10);
		broker_quiesce(*state);
	}
	/* The source is paused, so these wait in its socket. */
	for (int i = 0; i < 15; i++)
		gso_send(from, &many, 10);
	while (recv(to, got, sizeof(got), MSG_DONTWAIT) > 0)
		;
	broker_quiesce(*state);
	assert_in_range(shown(*state, "to", "to-client-queued"), 1, 4 * 60);
	close(from);
	close(to);
}

static void a_frame_that_cannot_be_cut_is_counted(void **state)
{
	struct gso_frame bad = tcp;
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int takes = tunnel_opened(*state, "name=takes,bridge=b,vnet_hdr");
	int plain = tunnel_opened(*state, "name=plain,bridge=b");

	bad.gso_type = VIRTIO_NET_HDR_GSO_TCPV6; /* in IPv4 */
	gso_send(from, &bad, 10);
	broker_quiesce(*state);
	assert_nothing(plain);
	assert_whole(takes, &bad, 10);
	assert_int_equal(shown(*state, "plain", "to-client-dropped-needs-segmentation"), 1);
	assert_accounted(*state, "plain");
	close(from);
	close(takes);
	close(plain);
}

static void an_offload_that_is_set_counts_at_once(void **state)
{
	struct gso_frame udp = tcp;
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int to = tunnel_opened(*state, "name=to,bridge=b,vnet_hdr,offload=0");

	udp.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	assert_int_equal(shown(*state, "to", "offload"), 0);
	gso_send(from, &tcp, 10);
	broker_quiesce(*state);
	assert_pieces(to, &tcp, 10, 0);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=to,offload=7");
	assert_int_equal(shown(*state, "to", "offload"), 7);
	gso_send(from, &tcp, 10);
	gso_send(from, &udp, 10);
	broker_quiesce(*state);
	assert_whole(to, &tcp, 10);
	assert_pieces(to, &udp, 10, 0);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=to,offload=103");
	gso_send(from, &udp, 10);
	broker_quiesce(*state);
	assert_whole(to, &udp, 10);
	close(from);
	close(to);
}

static void checksums_are_completed_for_a_client_that_does_not_take_partial_ones(void **state)
{
	struct gso_frame one = tcp;
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int to = tunnel_opened(*state, "name=to,bridge=b,vnet_hdr,offload=0");

	/* Not GSO: the vnet header only leaves the checksum to the receiver. */
	one.gso_size = 0;
	one.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	gso_send(from, &one, 10);
	sent[1] = VIRTIO_NET_HDR_GSO_NONE;
	assert_int_equal(send(from, sent, 10 + 54 + one.payload, 0), 10 + 54 + one.payload);
	broker_quiesce(*state);
	one.gso_size = (uint16_t)one.payload; /* the only piece has a complete checksum */
	assert_pieces(to, &one, 10, 0);
	assert_nothing(to);
	assert_int_equal(shown(*state, "from", "from-client-dropped-malformed"), 1);
	close(from);
	close(to);
}

static void the_size_of_the_header_changes_on_a_live_queue(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr,vnet_hdr_size=20");
	int to = tunnel_opened(*state, "name=to,bridge=b,vnet_hdr");

	assert_int_equal(shown(*state, "to", "vnet_hdr_size"), 10);
	/* Frames that were written before the change have headers of the old size. */
	gso_send(from, &tcp, 20);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=from,vnet_hdr_size=12");
	broker_quiesce(*state);
	assert_whole(to, &tcp, 10);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=to,vnet_hdr_size=12,offload=0");
	gso_send(from, &tcp, 12);
	broker_quiesce(*state);
	assert_pieces(to, &tcp, 12, 0);
	close(from);
	close(to);
}

static void the_first_open_sets_the_headers_and_later_ones_keep_them(void **state)
{
	int first, second;

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=it,vnet_hdr,multi_queue,offload=7");
	first = tunnel_opened(*state, "name=it,vnet_hdr,multi_queue,offload=0,vnet_hdr_size=12");
	assert_int_equal(shown(*state, "it", "offload"), 0);
	assert_int_equal(shown(*state, "it", "vnet_hdr_size"), 12);
	second = tunnel_opened(*state, "name=it,vnet_hdr,multi_queue,offload=1,vnet_hdr_size=10");
	assert_int_equal(shown(*state, "it", "offload"), 0);
	assert_int_equal(shown(*state, "it", "vnet_hdr_size"), 12);
	close(first);
	close(second);
}

static void an_offload_that_no_tunnel_can_have_is_refused(void **state)
{
	static const char *const bad[] = {"2", "16", "39", "71"};
	char options[64];

	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=it,vnet_hdr");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=plain");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=left,peer=right,vnet_hdr");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(options, sizeof(options), "name=it,offload=%s", bad[i]);
		assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SET, options), EINVAL);
	}
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SET, "name=plain,offload=1"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SET, "name=plain,vnet_hdr_size=12"),
			 EINVAL);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=plain,offload=0");
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SET, "name=left,offload=1"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=x,offload=7"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=x,peer=y,vnet_hdr,offload=7"),
			 EINVAL);
	assert_false(exists(*state, "x"));
}

static void the_mtu_limits_the_pieces_and_not_the_frame(void **state)
{
	struct gso_frame large = tcp;
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int takes = tunnel_opened(*state, "name=takes,bridge=b,vnet_hdr,mtu=540");
	int plain = tunnel_opened(*state, "name=plain,bridge=b,mtu=540");

	large.gso_size = 500;
	large.payload = 2000;
	gso_send(from, &large, 10);
	broker_quiesce(*state);
	assert_whole(takes, &large, 10);
	assert_int_equal(assert_pieces(plain, &large, 0, 0), 4);
	large.gso_size = 501;
	gso_send(from, &large, 10);
	broker_quiesce(*state);
	assert_nothing(takes);
	assert_int_equal(shown(*state, "takes", "to-client-dropped-mtu"), 1);
	/* The last piece is short enough. */
	assert_int_equal(shown(*state, "plain", "to-client-dropped-mtu"), 3);
	close(from);
	close(takes);
	close(plain);
}

static void a_capture_has_what_crosses_its_port(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int plain = tunnel_opened(*state, "name=plain,bridge=b");
	int port = capture_opened(*state, "name=plain");
	int bridge = capture_opened(*state, "bridge=b,direction=to-client");
	int whole = capture_opened(*state, "name=from");
	unsigned char record[2048];

	gso_send(from, &tcp, 10);
	broker_quiesce(*state);
	while (recv(plain, got, sizeof(got), MSG_DONTWAIT) > 0) {
		size_t length = sizeof(struct memtun_capture_header);

		for (int i = 0; i < 2; i++) {
			ssize_t size =
				recv(i ? port : bridge, record, sizeof(record), MSG_DONTWAIT);

			assert_true(size > (ssize_t)length);
			assert_memory_equal(record + length, got, (size_t)size - length);
		}
	}
	assert_nothing(port);
	assert_nothing(bridge);
	assert_int_equal(recv(whole, record, sizeof(record), MSG_DONTWAIT),
			 sizeof(struct memtun_capture_header) + 54 + tcp.payload);
	close(from);
	close(plain);
	close(port);
	close(bridge);
	close(whole);
}

static void the_pieces_of_a_frame_go_to_one_queue(void **state)
{
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int one = tunnel_opened(*state, "name=to,bridge=b,multi_queue");
	int other = tunnel_opened(*state, "name=to,bridge=b,multi_queue");
	ssize_t peeked;

	gso_send(from, &tcp, 10);
	broker_quiesce(*state);
	peeked = recv(one, got, sizeof(got), MSG_DONTWAIT | MSG_PEEK);
	assert_pieces(peeked > 0 ? one : other, &tcp, 0, 0);
	assert_nothing(one);
	assert_nothing(other);
	close(from);
	close(one);
	close(other);
}

static void a_tun_on_an_ethernet_bridge_gets_pieces_of_packets(void **state)
{
	struct gso_frame broadcast = tcp;
	int from = tunnel_opened(*state, "name=from,bridge=b,vnet_hdr");
	int tun = tunnel_opened(*state, "name=tun,bridge=b,mode=tun,address=10.0.0.2/24");
	struct virtio_net_hdr offload;
	size_t length = gso_frame_make(&broadcast, sent + 10, &offload);

	broker_quiesce(*state);
	while (recv(from, got, sizeof(got), MSG_DONTWAIT) > 0)
		; /* the adapter's announcements */
	memset(sent + 10, 0xff, 6);
	memcpy(sent, &offload, sizeof(offload));
	assert_int_equal(send(from, sent, 10 + length, 0), 10 + length);
	broker_quiesce(*state);
	assert_int_equal(assert_pieces(tun, &tcp, 0, 14), 3);
	assert_nothing(tun);
	close(from);
	close(tun);
}

static void packets_of_a_tun_are_cut_behind_their_ethernet_header(void **state)
{
	struct gso_frame packet = tcp;
	int tun = tunnel_opened(*state, "name=tun,bridge=b,mode=tun,vnet_hdr,address=10.0.0.1/24");
	int tap = tunnel_opened(*state, "name=tap,bridge=b");
	static unsigned char frame[FRAME_MAX];
	struct virtio_net_hdr offload;
	size_t length;

	broker_quiesce(*state);
	while (recv(tap, got, sizeof(got), MSG_DONTWAIT) > 0)
		;
	packet.mode = MEMTUN_TUN;
	length = gso_frame_make(&packet, sent + 10, &offload);
	/* To a group of hosts, whose MAC address no host has to tell: 224.0.0.2. */
	memcpy(sent + 10 + 16, "\xe0\0\0\2", 4);
	memcpy(sent, &offload, sizeof(offload));
	assert_int_equal(send(tun, sent, 10 + length, 0), 10 + length);
	broker_quiesce(*state);
	for (size_t left = packet.payload; left > 0;) {
		size_t size = left < packet.gso_size ? left : packet.gso_size;

		assert_int_equal(recv(tap, got, sizeof(got), MSG_DONTWAIT), 54 + size);
		assert_memory_equal(got, "\1\0\x5e\0\0\2", 6);
		memcpy(frame, sent + 10 + 40 + (packet.payload - left), size);
		assert_memory_equal(got + 54, frame, size);
		left -= size;
	}
	assert_nothing(tap);
	close(tun);
	close(tap);
}

static void an_injected_frame_is_cut_where_it_has_to_be(void **state)
{
	int plain = tunnel_opened(*state, "name=plain,bridge=b");
	int takes = tunnel_opened(*state, "name=takes,bridge=b,vnet_hdr");
	int to_plain = injector_opened(*state, "name=plain,direction=to-client,vnet_hdr");
	int to_takes = injector_opened(*state, "name=takes,direction=to-client,vnet_hdr");
	int from = injector_opened(*state, "name=takes,direction=from-client,vnet_hdr");
	struct memtun_inject_result result;

	gso_send(to_plain, &tcp, 10);
	gso_send(to_takes, &tcp, 10);
	broker_quiesce(*state);
	assert_pieces(plain, &tcp, 0, 0);
	assert_whole(takes, &tcp, 10);
	gso_send(from, &tcp, 10);
	broker_quiesce(*state);
	assert_pieces(plain, &tcp, 0, 0);
	/* One byte is less than a header, and the last header has an unknown type. */
	assert_int_equal(send(to_plain, "", 1, 0), 1);
	sent[1] = 77;
	assert_int_equal(send(to_plain, sent, 200, 0), 200);
	assert_int_equal(shutdown(to_plain, SHUT_WR), 0);
	broker_quiesce(*state);
	assert_int_equal(recv(to_plain, &result, sizeof(result), MSG_DONTWAIT), sizeof(result));
	assert_int_equal(result.frames, 3);
	assert_int_equal(result.offered, 3 + 2);
	assert_int_equal(result.dropped_refused, 2);
	close(plain);
	close(takes);
	close(to_plain);
	close(to_takes);
	close(from);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_BROKER(a_gso_frame_is_cut_for_the_clients_that_do_not_take_it),
		WITH_BROKER(frames_before_and_behind_a_cut_frame_keep_their_places),
		WITH_BROKER(each_port_of_a_flood_has_its_frames_in_order),
		WITH_BROKER(more_pieces_than_a_batch_holds_arrive_in_order),
		WITH_BROKER(pieces_wait_where_the_client_has_no_room),
		WITH_BROKER(a_piece_that_waits_at_several_ports_is_copied_once),
		WITH_BROKER(a_read_brings_few_gso_frames),
		WITH_BROKER(a_frame_that_cannot_be_cut_is_counted),
		WITH_BROKER(an_offload_that_is_set_counts_at_once),
		WITH_BROKER(checksums_are_completed_for_a_client_that_does_not_take_partial_ones),
		WITH_BROKER(the_size_of_the_header_changes_on_a_live_queue),
		WITH_BROKER(the_first_open_sets_the_headers_and_later_ones_keep_them),
		WITH_BROKER(an_offload_that_no_tunnel_can_have_is_refused),
		WITH_BROKER(the_mtu_limits_the_pieces_and_not_the_frame),
		WITH_BROKER(a_capture_has_what_crosses_its_port),
		WITH_BROKER(the_pieces_of_a_frame_go_to_one_queue),
		WITH_BROKER(a_tun_on_an_ethernet_bridge_gets_pieces_of_packets),
		WITH_BROKER(an_injected_frame_is_cut_where_it_has_to_be),
		WITH_BROKER(packets_of_a_tun_are_cut_behind_their_ethernet_header),
	};

	return RUN_TESTS(tests);
}
