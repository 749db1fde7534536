/* SPDX-License-Identifier: MIT */
/* How frames pass between a TUN and its Ethernet bridge: whole, and each accounted for. */
#include "tests/unit/broker/adapter/adapter_fixture.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/adapter/adapter_parts.h"
#include "broker/switch/bridge.h"
#include "common/frame/checksum.h"
#include "broker/engine/frame.h"
#include "broker/adapter/neighbour_message.h"
#include "broker/tunnel/tunnel.h"

#define UNRESOLVED "from-client-dropped-unresolved"
#define NOT_IP "to-client-dropped-not-ip"

/* Make host 1, at 10.0.0.1, known: it sends a request for the TUN's address. */
static void host_known(struct link *link)
{
	unsigned char bytes[42];

	bytes_send(link->tap, bytes,
		   arp_make(bytes, &(struct arp){everybody, 1, host_mac(1), "10.0.0.1", NULL,
						 "10.0.0.9"}));
	broker_quiesce(link->fixture);
	assert_int_equal(recv(link->tap, bytes, sizeof(bytes), MSG_DONTWAIT), 42);
}

static void known_open(struct link *link, void **state, const char *options)
{
	char text[100];

	snprintf(text, sizeof(text), ",address=10.0.0.9/24%s", options);
	link_open(link, state, text);
	host_known(link);
}

/* ------------------------------------------------------------------------------ to the client */

static void a_tun_receives_packets_without_ethernet_headers(void **state)
{
	static const char *const addresses[][2] = {{"10.0.0.1", "10.0.0.9"},
						   {"fd00::1", "fd00::9"}};
	unsigned char packet[256], frame[300] = {0};
	struct link link;
	size_t length;

	link_open(&link, state, "");
	for (int i = 0; i < 2; i++) {
		const unsigned char *to[] = {link.mac, everybody,
					     (const unsigned char *)"\x01\x00\x5e\x00\x00\x01"};

		length = packet_make(packet, addresses[i][0], addresses[i][1]);
		for (int j = 0; j < 3; j++) {
			/* Followed by Ethernet padding. */
			frame_wrap(frame, to[j], host_mac(1), packet, length);
			bytes_send(link.tap, frame, 14 + length + 20);
			assert_comes(&link, link.tun, packet, length);
		}
	}
	/* The client receives ICMPv6 that is not the adapter's, such as a router advertisement. */
	length = discovery_make(frame, &(struct discovery){
					       .to_mac = everybody,
					       .from_mac = host_mac(1),
					       .type = 134,
					       .from = "fe80::1",
					       .to = "ff02::1",
					       .target = "fd00::",
				       });
	bytes_send(link.tap, frame, length);
	assert_comes(&link, link.tun, frame + 14, length - 14);
	assert_int_equal(counted(&link, NOT_IP), 0);
	assert_int_equal(counted(&link, "to-client-offered"), 7);
	link_close(&link);
}

static void frames_that_are_no_packets_for_the_tun_are_counted(void **state)
{
	/* The byte to change in a frame of 10.0.0.1, and the frame's length; 0 keeps the length. */
	static const struct {
		int at;
		unsigned char byte;
		size_t length;
	} cases[] = {
		{0, 0x06, 0},   /* to another host */
		{12, 0x81, 0},  /* tagged */
		{12, 0x88, 0},  /* not IP */
		{14, 0x65, 0},  /* version 6 in an IPv4 frame */
		{17, 19, 0},    /* shorter than its header */
		{16, 0x01, 0},  /* longer than the frame */
		{14, 0x45, 33}, /* an incomplete header */
		{14, 0x45, 14},
	};
	struct link link;

	link_open(&link, state, "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char packet[256], frame[300];
		size_t length = packet_make(packet, "10.0.0.1", "10.0.0.9");

		length = frame_wrap(frame, link.mac, host_mac(1), packet, length);
		frame[cases[i].at] = cases[i].byte;
		bytes_send(link.tap, frame, cases[i].length ? cases[i].length : length);
		assert_nothing(&link, link.tun);
		assert_int_equal(counted(&link, NOT_IP), i + 1);
	}
	for (size_t length = 14; length < 14 + 40 + 20; length++) {
		unsigned char packet[256], frame[300];

		frame_wrap(frame, link.mac, host_mac(1), packet,
			   packet_make(packet, "fd00::1", "fd00::9"));
		bytes_send(link.tap, frame, length);
	}
	assert_nothing(&link, link.tun);
	assert_int_equal(counted(&link, NOT_IP), 8 + 60);
	assert_accounted(*state, "tun");
	link_close(&link);
}

/* Put a VLAN tag into a frame, and return the frame's length. */
static size_t frame_tag(unsigned char *frame, size_t length, uint16_t control)
{
	unsigned char rest[300];

	/* valgrind 3.19 takes memmove(3) with _FORTIFY_SOURCE for memcpy(3), and reports an overlap. */
	assert_in_range(length, 14, sizeof(rest));
	memcpy(rest, frame + 12, length - 12);
	memcpy(frame + 16, rest, length - 12);
	frame[12] = 0x81;
	frame[13] = 0x00;
	frame[14] = (unsigned char)(control >> 8);
	frame[15] = (unsigned char)control;
	return length + 4;
}

static void a_frame_with_only_a_priority_is_in_no_vlan(void **state)
{
	unsigned char packet[256], frame[300];
	struct link link;
	size_t length, tagged;

	link_open(&link, state, ",address=10.0.0.9/24+fd00::9/64");
	for (int family = 4; family <= 6; family += 2) {
		length = packet_make(packet, family == 4 ? "10.0.0.1" : "fd00::1",
				     family == 4 ? "10.0.0.9" : "fd00::9");
		tagged = frame_wrap(frame, link.mac, host_mac(1), packet, length);
		bytes_send(link.tap, frame, frame_tag(frame, tagged, 0xa000));
		assert_comes(&link, link.tun, packet, length);
		/* Not in VLAN 7. */
		frame[15] = 7;
		bytes_send(link.tap, frame, tagged + 4);
		assert_nothing(&link, link.tun);
	}
	assert_int_equal(counted(&link, NOT_IP), 2);
	/* The answer to a request with a tag has none. */
	length = arp_make(frame, &(struct arp){
					 .to = everybody,
					 .operation = 1,
					 .sender_mac = host_mac(1),
					 .sender = "10.0.0.1",
					 .target = "10.0.0.9",
				 });
	bytes_send(link.tap, frame, frame_tag(frame, length, 0xa000));
	length = arp_make(frame, &(struct arp){
					 .to = host_mac(1),
					 .operation = 2,
					 .sender_mac = link.mac,
					 .sender = "10.0.0.9",
					 .target_mac = host_mac(1),
					 .target = "10.0.0.1",
				 });
	assert_comes(&link, link.tap, frame, length);
	link_close(&link);
}

static void long_packets_pass_both_ways(void **state)
{
	static unsigned char packet[65535], frame[65549];
	static const size_t lengths[] = {9000, 65535};
	struct link link;

	known_open(&link, state, "");
	for (int i = 0; i < 2; i++) {
		size_t length = lengths[i];

		packet_make(packet, "10.0.0.9", "10.0.0.1");
		packet[2] = (unsigned char)(length >> 8);
		packet[3] = (unsigned char)length;
		bytes_send(link.tun, packet, length);
		frame_wrap(frame, host_mac(1), link.mac, packet, length);
		assert_comes(&link, link.tap, frame, 14 + length);
		frame_wrap(frame, link.mac, host_mac(1), packet, length);
		bytes_send(link.tap, frame, 14 + length);
		assert_comes(&link, link.tun, packet, length);
	}
	link_close(&link);
}

static void a_packet_with_no_room_for_a_header_is_counted(void **state)
{
	unsigned char *packet = calloc(1, FRAME_MAX);
	struct link link;

	known_open(&link, state, "");
	packet_make(packet, "10.0.0.9", "10.0.0.1");
	bytes_send(link.tun, packet, FRAME_MAX - ETH_HLEN + 1);
	assert_nothing(&link, link.tap);
	assert_int_equal(counted(&link, "from-client-dropped-oversize"), 1);
	free(packet);
	link_close(&link);
}

/* ------------------------------------------------------------------------------ offloads */

/* Make the packet's UDP checksum partial, and return the vnet header that says so. */
static struct virtio_net_hdr checksum_leave(unsigned char *packet, size_t before)
{
	unsigned char *sum = packet + 20 + 6;
	unsigned char pseudo[12] = {0};
	uint16_t partial;

	memcpy(pseudo, packet + 12, 8);
	pseudo[9] = IPPROTO_UDP;
	pseudo[11] = 20;
	partial = (uint16_t)~checksum_fold(checksum_add(0, pseudo, sizeof(pseudo)));
	memcpy(sum, &partial, 2);
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)(before + 20),
		.csum_offset = 6,
	};
}

/* Send a frame behind a vnet header. */
static void vnet_send(int fd, const struct virtio_net_hdr *header, const unsigned char *frame,
		      size_t length)
{
	unsigned char bytes[2048];

	memcpy(bytes, header, 10);
	memcpy(bytes + 10, frame, length);
	bytes_send(fd, bytes, 10 + length);
}

/* Assert that a frame arrives behind a vnet header: either with its checksum complete, or with the
 * partial checksum and a header that says so. */
static void assert_vnet_comes(struct link *link, int fd, const struct virtio_net_hdr *header,
			      const unsigned char *left, const unsigned char *whole, size_t length)
{
	unsigned char got[2048];
	struct virtio_net_hdr said;

	broker_quiesce(link->fixture);
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 10 + length);
	memcpy(&said, got, 10);
	if (said.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		assert_memory_equal(got, header, 10);
		assert_memory_equal(got + 10, left, length);
	} else {
		assert_memory_equal(got + 10, whole, length);
	}
}

static void a_partial_checksum_from_a_tun_is_completed_or_passed_on(void **state)
{
	unsigned char whole[256], left[256], whole_frame[300], left_frame[300];
	struct virtio_net_hdr header, shifted;
	struct link link;
	size_t length;
	int vnet;

	known_open(&link, state, ",vnet_hdr");
	vnet = tunnel_opened(*state, "name=vnet,bridge=b,vnet_hdr");
	/* To a known and to an unknown neighbour, and by broadcast. */
	static const char *const to[] = {"10.0.0.255", "10.0.0.1", "10.0.0.2"};
	for (int i = 0; i < 3; i++) {
		const unsigned char *mac = i == 0 ? everybody : host_mac((unsigned int)i);

		length = packet_make(whole, "10.0.0.9", to[i]);
		memcpy(left, whole, length);
		header = checksum_leave(left, 0);
		shifted = header;
		shifted.csum_start += 14;
		vnet_send(link.tun, &header, left, length);
		frame_wrap(whole_frame, mac, link.mac, whole, length);
		frame_wrap(left_frame, mac, link.mac, left, length);
		if (i == 2) {
			assert_asks(&link, "10.0.0.9", to[i], NULL);
			host_answers(&link, 2, to[i], "10.0.0.9");
			recv(vnet, left, sizeof(left), MSG_DONTWAIT);
		}
		assert_comes(&link, link.tap, whole_frame, 14 + length);
		if (i == 0)
			assert_vnet_comes(&link, vnet, &shifted, left_frame, whole_frame,
					  14 + length);
	}
	close(vnet);
	link_close(&link);
}

static void a_partial_checksum_from_a_tap_is_completed_once(void **state)
{
	unsigned char whole[256], left[256], whole_frame[300], left_frame[300];
	struct virtio_net_hdr header, shifted;
	size_t length = packet_make(whole, "10.0.0.1", "10.0.0.255");
	struct broker_fixture *fixture = *state;

	/* Ports receive a flooded frame in the order of joining or the reverse, so try both. */
	for (int i = 0; i < 4; i++) {
		static const char *const options[4][3] = {
			{"name=p,mode=tun,bridge=b", "name=t,bridge=b", "name=v,bridge=b,vnet_hdr"},
			{"name=t,bridge=b", "name=p,mode=tun,bridge=b", "name=v,bridge=b,vnet_hdr"},
			{"name=v,bridge=b,vnet_hdr", "name=t,bridge=b",
			 "name=p,mode=tun,bridge=b,vnet_hdr"},
			{"name=p,mode=tun,bridge=b,vnet_hdr", "name=t,bridge=b",
			 "name=v,bridge=b,vnet_hdr"},
		};
		int from = tunnel_opened(fixture, "name=from,bridge=b,vnet_hdr");
		struct link link = {.fixture = fixture};
		int fds[3];

		memcpy(left, whole, length);
		header = checksum_leave(left, 14);
		shifted = header;
		shifted.csum_start -= 14;
		frame_wrap(whole_frame, everybody, host_mac(1), whole, length);
		frame_wrap(left_frame, everybody, host_mac(1), left, length);
		for (int j = 0; j < 3; j++)
			fds[j] = tunnel_opened(fixture, options[i][j]);
		vnet_send(from, &header, left_frame, 14 + length);
		for (int j = 0; j < 3; j++) {
			bool vnet = strstr(options[i][j], "vnet_hdr");
			bool tun = strstr(options[i][j], "mode=tun");

			if (vnet && tun)
				assert_vnet_comes(&link, fds[j], &shifted, left, whole, length);
			else if (vnet)
				assert_vnet_comes(&link, fds[j], &header, left_frame, whole_frame,
						  14 + length);
			else if (tun)
				assert_comes(&link, fds[j], whole, length);
			else
				assert_comes(&link, fds[j], whole_frame, 14 + length);
			close(fds[j]);
		}
		close(from);
		broker_quiesce(fixture);
	}
}

/* Send the longest IPv6 packet, with a partial checksum whose start is before the packet. */
static void vnet_send_long(int fd, const unsigned char *to)
{
	static unsigned char bytes[10 + 14 + 40 + 65535];
	const struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
	unsigned char packet[256];
	size_t length = packet_make(packet, "fd00::1", "fd00::9");

	memcpy(bytes, &header, 10);
	frame_wrap(bytes + 10, to, host_mac(1), packet, length);
	memset(bytes + 10 + 14 + 4, 0xff, 2);
	bytes_send(fd, bytes, sizeof(bytes));
}

static void a_partial_checksum_outside_of_the_packet_is_counted(void **state)
{
	static const struct virtio_net_hdr headers[] = {
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 4, .csum_offset = 6},
		/* In the Ethernet padding. */
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 14 + 40, .csum_offset = 0},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 14 + 39, .csum_offset = 0},
	};
	unsigned char packet[256], frame[300] = {0};
	size_t length = packet_make(packet, "10.0.0.1", "10.0.0.9");
	struct link link = {.fixture = *state};

	/* No other port that would complete the checksum first. */
	link.tap = tunnel_opened(*state, "name=tap,bridge=b,vnet_hdr");
	link.tun = tunnel_opened(*state, "name=tun,mode=tun,bridge=b");
	link.mac = adapter_of(*state, "tun")->mac;
	frame_wrap(frame, link.mac, host_mac(1), packet, length);
	for (size_t i = 0; i < 3; i++) {
		vnet_send(link.tap, &headers[i], frame, 14 + length + 20);
		assert_nothing(&link, link.tun);
		assert_int_equal(counted(&link, NOT_IP), i + 1);
	}
	/* A packet so long that the offset could wrap around into it. */
	vnet_send_long(link.tap, link.mac);
	assert_nothing(&link, link.tun);
	assert_int_equal(counted(&link, NOT_IP), 4);
	link_close(&link);
}

/* Send frames until the client's socket is full, so that later frames go to the backlog. */
static void crowd(struct broker_fixture *fixture, int fd)
{
	static const struct virtio_net_hdr none;
	unsigned char frame[FRAME_SIZE];

	for (unsigned int i = 0; i < 600; i++) {
		frame_make(frame, sizeof(frame), 1, 0xff, i);
		vnet_send(fd, &none, frame, sizeof(frame));
		if (i % 20 == 0)
			broker_quiesce(fixture);
	}
	broker_quiesce(fixture);
}

/* Receive all frames. Return the length of the last. */
static size_t last_read(struct broker_fixture *fixture, const char *name, int fd,
			unsigned char bytes[300])
{
	ssize_t length, last = 0;

	do {
		broker_quiesce(fixture);
		while ((length = recv(fd, bytes, 300, MSG_DONTWAIT)) > 0)
			last = length;
	} while (shown(fixture, name, "to-client-queued") || length > 0);
	return (size_t)last;
}

static void a_checksum_completed_for_a_tun_stays_completed_in_the_backlog(void **state)
{
	static const char *const options[2][3] = {
		{"name=v,bridge=b,vnet_hdr", "name=p,mode=tun,bridge=b", "name=t,bridge=b"},
		{"name=t,bridge=b", "name=p,mode=tun,bridge=b", "name=v,bridge=b,vnet_hdr"},
	};
	unsigned char whole[256], left[256], whole_frame[300], left_frame[300], got[300];
	size_t length = packet_make(whole, "10.0.0.1", "10.0.0.255");
	struct broker_fixture *fixture = *state;
	struct virtio_net_hdr header;

	memcpy(left, whole, length);
	header = checksum_leave(left, 14);
	frame_wrap(whole_frame, everybody, host_mac(1), whole, length);
	frame_wrap(left_frame, everybody, host_mac(1), left, length);
	for (int i = 0; i < 2; i++) {
		int from = tunnel_opened(fixture, "name=from,bridge=b,vnet_hdr");
		struct link link = {.fixture = fixture};
		int fds[3];

		for (int j = 0; j < 3; j++)
			fds[j] = tunnel_opened(fixture, options[i][j]);
		crowd(fixture, from);
		vnet_send(from, &header, left_frame, 14 + length);
		assert_comes(&link, fds[1], whole, length);
		assert_true(shown(fixture, "t", "to-client-queued") > 0);
		assert_int_equal(last_read(fixture, "t", fds[i ? 0 : 2], got), 14 + length);
		assert_memory_equal(got, whole_frame, 14 + length);
		assert_int_equal(last_read(fixture, "v", fds[i ? 2 : 0], got), 10 + 14 + length);
		assert_memory_equal(got + 10,
				    got[0] & VIRTIO_NET_HDR_F_NEEDS_CSUM ? left_frame : whole_frame,
				    14 + length);
		for (int j = 0; j < 3; j++)
			close(fds[j]);
		close(from);
		broker_quiesce(fixture);
	}
}

static void offsets_that_an_ethernet_header_makes_too_large_are_malformed(void **state)
{
	static unsigned char bytes[10 + 65600];
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = 65525,
	};
	struct link link;

	known_open(&link, state, ",vnet_hdr");
	packet_make(bytes + 10, "10.0.0.9", "10.0.0.1");
	memcpy(bytes, &header, 10);
	bytes_send(link.tun, bytes, sizeof(bytes));
	header = (struct virtio_net_hdr){.hdr_len = 65525};
	memcpy(bytes, &header, 10);
	bytes_send(link.tun, bytes, sizeof(bytes));
	assert_int_equal(counted(&link, "from-client-dropped-malformed"), 2);
	link_close(&link);
}

static void gso_packets_pass_both_ways(void **state)
{
	unsigned char packet[256], frame[300];
	struct virtio_net_hdr header, shifted;
	struct link link;
	size_t length;
	int vnet;

	known_open(&link, state, ",vnet_hdr");
	vnet = tunnel_opened(*state, "name=vnet,bridge=b,vnet_hdr");
	length = packet_make(packet, "10.0.0.9", "10.0.0.255");
	header = checksum_leave(packet, 0);
	header.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	header.gso_size = 4;
	header.hdr_len = 28;
	shifted = header;
	shifted.csum_start += 14;
	shifted.hdr_len += 14;
	vnet_send(link.tun, &header, packet, length);
	frame_wrap(frame, everybody, link.mac, packet, length);
	assert_vnet_comes(&link, vnet, &shifted, frame, NULL, 14 + length);
	assert_nothing(&link, link.tap);
	frame_wrap(frame, everybody, host_mac(2), packet, length);
	vnet_send(vnet, &shifted, frame, 14 + length);
	assert_vnet_comes(&link, link.tun, &header, packet, NULL, length);
	/* Longer than its header's length field allows. */
	packet[2] = packet[3] = 0;
	frame_wrap(frame, everybody, host_mac(2), packet, length);
	vnet_send(vnet, &shifted, frame, 14 + length);
	assert_vnet_comes(&link, link.tun, &header, packet, NULL, length);
	close(vnet);
	link_close(&link);
}

static void packets_of_a_stream_are_framed_too(void **state)
{
	unsigned char bytes[3 * (4 + 256)], frame[300], packet[256];
	struct link link;
	size_t length = 0, each = 0;

	known_open(&link, state, ",socket=stream");
	for (int i = 0; i < 3; i++) {
		char to[20];

		/* By broadcast, to a known and to an unknown neighbour. */
		snprintf(to, sizeof(to), "10.0.0.%d", i == 0 ? 255 : i);
		each = packet_make(bytes + length + 4, "10.0.0.9", to);
		memcpy(bytes + length, "\0\0\0", 3);
		bytes[length + 3] = (unsigned char)each;
		length += 4 + each;
	}
	bytes_send(link.tun, bytes, length);
	assert_packet(&link, "10.0.0.9", "10.0.0.255", everybody);
	assert_packet(&link, "10.0.0.9", "10.0.0.1", host_mac(1));
	assert_asks(&link, "10.0.0.9", "10.0.0.2", NULL);
	host_answers(&link, 2, "10.0.0.2", "10.0.0.9");
	assert_packet(&link, "10.0.0.9", "10.0.0.2", host_mac(2));
	each = packet_make(packet, "10.0.0.1", "10.0.0.9");
	bytes_send(link.tap, frame, frame_wrap(frame, link.mac, host_mac(1), packet, each));
	memcpy(bytes, "\0\0\0", 3);
	bytes[3] = (unsigned char)each;
	memcpy(bytes + 4, packet, each);
	assert_comes(&link, link.tun, bytes, 4 + each);
	link_close(&link);
}

/* ------------------------------------------------------------------------------ coming and going
 */

static void tuns_get_adapters_when_the_first_tap_joins(void **state)
{
	struct link link = {.fixture = *state};
	unsigned char packet[256];
	size_t length;
	int other;

	link.tun = tunnel_opened(*state, "name=tun,mode=tun,bridge=b,address=10.0.0.9/24");
	other = tunnel_opened(*state, "name=other,mode=tun,bridge=b,address=10.0.0.8/24");
	length = packet_make(packet, "10.0.0.9", "10.0.0.8");
	bytes_send(link.tun, packet, length);
	assert_comes(&link, other, packet, length);
	/* From now on the bridge is an Ethernet, and the TUNs resolve each other. */
	link.tap = tunnel_opened(*state, "name=tap,bridge=b");
	link.mac = adapter_of(*state, "tun")->mac;
	broker_quiesce(*state);
	frames_discard(link.tap); /* their announcements */
	bytes_send(link.tun, packet, length);
	assert_comes(&link, other, packet, length);
	assert_asks(&link, "10.0.0.9", "10.0.0.8", NULL);
	assert_nothing(&link, link.tap);
	length = packet_make(packet, "10.0.0.8", "10.0.0.9");
	bytes_send(other, packet, length);
	assert_comes(&link, link.tun, packet, length);
	/* It stays an Ethernet without the TAP. */
	close(link.tap);
	broker_quiesce(*state);
	bytes_send(other, packet, length);
	assert_comes(&link, link.tun, packet, length);
	close(other);
	/* It is an IP bridge again once all have left. */
	close(link.tun);
	broker_quiesce(*state);
	link.tun = tunnel_opened(*state, "name=tun,mode=tun,bridge=b");
	assert_null(tunnel_find(link.fixture->broker->tunnels, "tun")->port.adapter);
	close(link.tun);
}

static void leaving_a_bridge_drops_waiting_packets(void **state)
{
	struct link link;

	link_open(&link, state, "");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=far,bridge=c");
	packet_send(&link, "10.0.0.9", "10.0.0.1");
	packet_send(&link, "10.0.0.9", "10.0.0.2");
	assert_asks(&link, "10.0.0.9", "10.0.0.1", NULL);
	assert_asks(&link, "10.0.0.9", "10.0.0.2", NULL);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,bridge=c");
	assert_int_equal(counted(&link, UNRESOLVED), 2);
	/* On another bridge the TUN has another adapter, which knows no neighbour yet. */
	packet_send(&link, "10.0.0.9", "10.0.0.1");
	assert_nothing(&link, link.tap);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,bridge=b");
	link.mac = adapter_of(*state, "tun")->mac;
	assert_int_equal(counted(&link, UNRESOLVED), 3);
	packet_send(&link, "10.0.0.9", "10.0.0.1");
	assert_asks(&link, "10.0.0.9", "10.0.0.1", NULL);
	/* Packets that wait in a deleted tunnel's adapter are dropped with it. */
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=tun");
	link_close(&link);
}

static void new_addresses_are_used_at_once(void **state)
{
	struct link link;

	link_open(&link, state, ",address=10.0.0.9/24,gateway=10.0.0.1");
	packet_send(&link, "10.0.0.9", "192.0.2.1");
	assert_asks(&link, "10.0.0.9", "10.0.0.1", NULL);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,address=10.0.0.7/24,gateway=10.0.0.2");
	broker_quiesce(*state);
	frames_discard(link.tap); /* the announcement */
	packet_send(&link, "10.0.0.9", "192.0.2.1");
	assert_asks(&link, "10.0.0.7", "10.0.0.2", NULL);
	time_passes(*state, 1);
	assert_asks(&link, "10.0.0.7", "10.0.0.1", NULL);
	link_close(&link);
}

static void solicitations_of_a_tun_alone_are_not_counted_as_its_clients(void **state)
{
	struct link link;

	link_open(&link, state, "");
	close(link.tap);
	broker_quiesce(*state);
	packet_send(&link, "10.0.0.9", "10.0.0.1");
	broker_quiesce(*state);
	/* The adapter's solicitations do not count as frames of its client. */
	assert_int_equal(counted(&link, "from-client-dropped-no-destination"), 0);
	packet_send(&link, "10.0.0.9", "224.0.0.1");
	assert_int_equal(counted(&link, "from-client-dropped-no-destination"), 1);
	for (int i = 0; i < 3; i++)
		time_passes(*state, 1);
	assert_int_equal(counted(&link, "from-client-dropped-no-destination"), 1);
	assert_int_equal(counted(&link, UNRESOLVED), 1);
	close(link.tun);
}

static void without_randomness_a_tun_joins_no_taps(void **state)
{
	random_fails = true;
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap,bridge=b");
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tun,mode=tun,bridge=b"),
			 ENOSYS);
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=tap");
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tun,mode=tun,bridge=b");
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap,bridge=b"), ENOSYS);
	random_fails = false;
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap,bridge=b");
}

/* ------------------------------------------------------------------------------ all of it */

static void captures_see_each_side_of_the_adapter(void **state)
{
	unsigned char packet[256], frame[300];
	struct link link;
	size_t length;
	int ethernet, ip;

	known_open(&link, state, "");
	ethernet = capture_opened(*state, "bridge=b,plain");
	ip = capture_opened(*state, "name=tun,plain");
	packet_send(&link, "10.0.0.9", "10.0.0.1");
	assert_packet(&link, "10.0.0.9", "10.0.0.1", host_mac(1));
	length = packet_make(packet, "10.0.0.9", "10.0.0.1");
	assert_comes(&link, ip, packet, length);
	frame_wrap(frame, host_mac(1), link.mac, packet, length);
	assert_comes(&link, ethernet, frame, 14 + length); /* from one port */
	assert_comes(&link, ethernet, frame, 14 + length); /* to the other port */
	length = packet_make(packet, "10.0.0.1", "10.0.0.9");
	frame_wrap(frame, link.mac, host_mac(1), packet, length);
	bytes_send(link.tap, frame, 14 + length);
	assert_comes(&link, link.tun, packet, length);
	assert_comes(&link, ip, packet, length);
	assert_comes(&link, ethernet, frame, 14 + length);
	assert_comes(&link, ethernet, frame, 14 + length);
	/* Solicitations are on the Ethernet only. */
	packet_send(&link, "10.0.0.9", "10.0.0.2");
	assert_comes(&link, ip, packet, packet_make(packet, "10.0.0.9", "10.0.0.2"));
	assert_asks(&link, "10.0.0.9", "10.0.0.2", NULL);
	broker_quiesce(*state);
	assert_int_equal(recv(ethernet, frame, sizeof(frame), MSG_DONTWAIT), 42);
	assert_nothing(&link, ip);
	close(ethernet);
	close(ip);
	link_close(&link);
}

static void packets_that_wait_for_a_slow_client_stay_whole(void **state)
{
	unsigned char packet[256], frame[300] = {0}, got[300];
	struct link link;
	size_t length = packet_make(packet, "10.0.0.1", "10.0.0.9");
	unsigned int count = 0;

	link_open(&link, state, ",queue=2000");
	frame_wrap(frame, everybody, host_mac(1), packet, length);
	/* More than fits into its socket. */
	for (int i = 0; i < 1500; i++) {
		frame[14 + length - 1] = (unsigned char)i;
		bytes_send(link.tap, frame, 14 + length + 6);
		if (i % 20 == 0)
			broker_quiesce(*state);
	}
	broker_quiesce(*state);
	assert_true(counted(&link, "to-client-queued") > 0);
	assert_accounted(*state, "tun");
	do {
		while (recv(link.tun, got, sizeof(got), MSG_DONTWAIT) == (ssize_t)length)
			assert_int_equal(got[length - 1], count++ & 0xff);
		broker_quiesce(*state);
	} while (counted(&link, "to-client-queued") || count < 1500);
	assert_int_equal(count, 1500);
	link_close(&link);
}

/* Write a frame of a TAP, or a packet, with a few bytes changed. Return its length. */
static size_t anything_make(struct link *link, unsigned char *bytes, bool tap)
{
	unsigned char packet[256];
	char one[20], other[20];
	size_t length;

	snprintf(one, sizeof(one), "10.0.0.%d", rand() % 12);
	snprintf(other, sizeof(other), "10.0.0.%d", rand() % 12);
	switch (tap ? rand() % 4 : 3) {
	case 0:
		length = arp_make(bytes,
				  &(struct arp){rand() % 2 ? everybody : link->mac, 1 + rand() % 2,
						host_mac(1), one, NULL, other});
		break;
	case 1:
		length = discovery_make(bytes, &(struct discovery){
						       .to_mac = link->mac,
						       .from_mac = host_mac(1),
						       .type = 133 + rand() % 5,
						       .from = "fd00::1",
						       .to = "fd00::9",
						       .target = rand() % 2 ? "fd00::1" : "fd00::9",
						       .flags = 0x60,
						       .option = rand() % 3,
					       });
		break;
	case 2:
		length = packet_make(packet, "fd00::1", "fd00::9");
		length = frame_wrap(bytes, link->mac, host_mac(1), packet, length);
		break;
	default:
		length = packet_make(packet, one, other);
		if (tap)
			length = frame_wrap(bytes, rand() % 2 ? everybody : link->mac, host_mac(1),
					    packet, length);
		else
			memcpy(bytes, packet, length);
	}
	for (int i = rand() % 3; i > 0; i--)
		bytes[(size_t)rand() % length] = (unsigned char)rand();
	return (size_t)rand() % 8 ? length : 1 + (size_t)rand() % length;
}

/* Send a packet of host 1 to the TUN. */
static void tap_packet_send(struct link *link)
{
	unsigned char packet[256], frame[300];
	size_t length = packet_make(packet, "10.0.0.1", "10.0.0.9");

	bytes_send(link->tap, frame, frame_wrap(frame, link->mac, host_mac(1), packet, length));
}

/* A rule of the TUN counts the packets of its client, and no request or answer of its adapter. */
static void a_rule_of_a_tun_sees_packets_behind_the_adapter(void **state)
{
	unsigned char packet[256];
	struct link link;

	known_open(&link, state, ",drop=2,seed=1");
	for (int number = 1; number <= 3; number++) {
		packet_send(&link, "10.0.0.9", "10.0.0.1");
		if (number == 2)
			assert_nothing(&link, link.tap);
		else
			assert_packet(&link, "10.0.0.9", "10.0.0.1", host_mac(1));
		host_known(&link);
		tap_packet_send(&link);
		if (number == 2)
			assert_nothing(&link, link.tun);
		else
			assert_comes(&link, link.tun, packet,
				     packet_make(packet, "10.0.0.1", "10.0.0.9"));
	}
	assert_int_equal(counted(&link, "from-client-dropped-listed"), 1);
	assert_int_equal(counted(&link, "to-client-dropped-listed"), 1);
	assert_accounted(*state, "tun");
	link_close(&link);
}

static void a_delayed_packet_of_a_tun_passes_the_adapter_later(void **state)
{
	unsigned char packet[256];
	struct link link;

	known_open(&link, state, ",delay=1s,duplicate=100%");
	packet_send(&link, "10.0.0.9", "10.0.0.1");
	tap_packet_send(&link);
	assert_nothing(&link, link.tap);
	assert_nothing(&link, link.tun);
	time_passes(link.fixture, 1);
	for (int copy = 0; copy < 2; copy++) {
		assert_packet(&link, "10.0.0.9", "10.0.0.1", host_mac(1));
		assert_comes(&link, link.tun, packet, packet_make(packet, "10.0.0.1", "10.0.0.9"));
	}
	assert_nothing(&link, link.tap);
	assert_nothing(&link, link.tun);
	assert_accounted(*state, "tun");
	link_close(&link);
}

static void random_frames_are_accounted_for(void **state)
{
	static const char *const names[] = {"tap", "tun", "other"};
	struct link link;
	int other;

	srand(4);
	link_open(&link, state, ",address=10.0.0.9/24+fd00::9/64,queue=20");
	other = tunnel_opened(*state, "name=other,mode=tun,bridge=b,address=10.0.0.8/24,gateway="
				      "10.0.0.1");
	for (int i = 0; i < 20000; i++) {
		const int fds[] = {link.tap, link.tun, other};
		unsigned int which = (unsigned int)rand() % 3;
		unsigned char bytes[300];
		size_t length = anything_make(&link, bytes, which == 0);

		if (send(fds[which], bytes, length, MSG_DONTWAIT) < 0)
			assert_int_equal(errno, EAGAIN);
		if (rand() % 16 == 0)
			broker_quiesce(*state);
		if (rand() % 64 == 0)
			time_passes(*state, 0.5);
		for (int j = 0; j < 3 && i % 5000 > 4500; j++)
			recv(fds[j], bytes, sizeof(bytes), MSG_DONTWAIT);
	}
	broker_quiesce(*state);
	for (int i = 0; i < 3; i++)
		assert_accounted(*state, names[i]);
	/* Each packet of the TUN's client was sent, was dropped, or waits. */
	assert_true(shown(*state, "tun", UNRESOLVED) > 0);
	assert_true(shown(*state, "tun", NOT_IP) > 0);
	assert_true(shown(*state, "tun", "to-client-dropped-full") > 0);
	assert_true(shown(*state, "tun", "to-client-frames") > 0);
	close(other);
	link_close(&link);
}

/* Parse a message in memory of its exact size, so that valgrind sees a read beyond the end. Return
 * whether it is valid. */
static bool message_try(const unsigned char *bytes, size_t length)
{
	struct neighbour_message message;
	unsigned char *own = malloc(length);
	bool valid;

	assert_non_null(own);
	memcpy(own, bytes, length);
	valid = neighbour_message_read(&message, own, length) == NEIGHBOUR_GOOD;
	if (valid)
		assert_true(message.asks || message.tells);
	free(own);
	return valid;
}

static void no_message_is_read_beyond_its_end(void **state)
{
	const struct discovery discovery = {
		.to_mac = everybody,
		.from_mac = host_mac(1),
		.type = 136,
		.from = "fd00::1",
		.to = "fd00::9",
		.target = "fd00::1",
		.flags = 0x60,
		.option = 2,
	};

	unsigned int valid = 0;

	(void)state;
	srand(5);
	for (int i = 0; i < 50000; i++) {
		unsigned char bytes[100];
		size_t length = 86;

		if (i % 4)
			discovery_make(bytes, &discovery);
		else
			length = arp_make(bytes, &(struct arp){everybody, 1, host_mac(1),
							       "10.0.0.1", NULL, "10.0.0.9"});
		for (int j = rand() % 4; j > 0; j--)
			bytes[14 + rand() % ((int)length - 14)] = (unsigned char)rand();
		if (i % 2)
			length -= (size_t)rand() % (length - 14 + 1);
		/* A message whose length and checksum are valid is read to its end. */
		if (i % 4 && length > 58) {
			bytes[18] = 0;
			bytes[19] = (unsigned char)(length - 54);
			discovery_sum(bytes, length);
		}
		valid += message_try(bytes, length);
	}
	assert_true(valid > 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_MANUAL_CLOCK(a_tun_receives_packets_without_ethernet_headers),
		WITH_MANUAL_CLOCK(frames_that_are_no_packets_for_the_tun_are_counted),
		WITH_MANUAL_CLOCK(a_frame_with_only_a_priority_is_in_no_vlan),
		WITH_MANUAL_CLOCK(long_packets_pass_both_ways),
		WITH_MANUAL_CLOCK(a_packet_with_no_room_for_a_header_is_counted),
		WITH_MANUAL_CLOCK(a_partial_checksum_from_a_tun_is_completed_or_passed_on),
		WITH_MANUAL_CLOCK(a_partial_checksum_from_a_tap_is_completed_once),
		WITH_MANUAL_CLOCK(a_checksum_completed_for_a_tun_stays_completed_in_the_backlog),
		WITH_MANUAL_CLOCK(a_partial_checksum_outside_of_the_packet_is_counted),
		WITH_MANUAL_CLOCK(offsets_that_an_ethernet_header_makes_too_large_are_malformed),
		WITH_MANUAL_CLOCK(gso_packets_pass_both_ways),
		WITH_MANUAL_CLOCK(packets_of_a_stream_are_framed_too),
		WITH_MANUAL_CLOCK(tuns_get_adapters_when_the_first_tap_joins),
		WITH_MANUAL_CLOCK(leaving_a_bridge_drops_waiting_packets),
		WITH_MANUAL_CLOCK(new_addresses_are_used_at_once),
		WITH_MANUAL_CLOCK(solicitations_of_a_tun_alone_are_not_counted_as_its_clients),
		WITH_MANUAL_CLOCK(without_randomness_a_tun_joins_no_taps),
		WITH_MANUAL_CLOCK(captures_see_each_side_of_the_adapter),
		WITH_MANUAL_CLOCK(packets_that_wait_for_a_slow_client_stay_whole),
		cmocka_unit_test(no_message_is_read_beyond_its_end),
		WITH_MANUAL_CLOCK(a_rule_of_a_tun_sees_packets_behind_the_adapter),
		WITH_MANUAL_CLOCK(a_delayed_packet_of_a_tun_passes_the_adapter_later),
		WITH_MANUAL_CLOCK(random_frames_are_accounted_for),
	};

	return RUN_TESTS(tests);
}
