/* SPDX-License-Identifier: MIT */
/* Access ports: which ports frames of a VLAN reach, and where they have their tags. */
#include "tests/unit/broker/broker_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/frame/frame_view.h"
#include "tests/unit/common/frame/gso_frame.h"

#define TAG 4

/* Ports of bridge `b`: a trunk, two access ports of VLAN 5 and one of VLAN 6. */
struct ports {
	int trunk, one, two, other;
};

static void ports_open(struct broker_fixture *fixture, struct ports *ports, const char *rest)
{
	char options[4][120];
	static const char *const names[] = {"name=trunk", "name=one,vlan=5", "name=two,vlan=5",
					    "name=other,vlan=6"};

	for (int i = 0; i < 4; i++)
		snprintf(options[i], sizeof(options[i]), "%s,bridge=b%s", names[i], rest);
	ports->trunk = tunnel_opened(fixture, options[0]);
	ports->one = tunnel_opened(fixture, options[1]);
	ports->two = tunnel_opened(fixture, options[2]);
	ports->other = tunnel_opened(fixture, options[3]);
}

static void ports_close(const struct ports *ports)
{
	close(ports->trunk);
	close(ports->one);
	close(ports->two);
	close(ports->other);
}

/* Write a frame with a tag of that type and control field in front of its type. Return its length. */
static size_t tagged_make(unsigned char *bytes, unsigned char from, unsigned char to, uint16_t type,
			  uint16_t control)
{
	unsigned char plain[FRAME_SIZE];
	uint16_t tag[2] = {htons(type), htons(control)};

	frame_make(plain, sizeof(plain), from, to, 9);
	memcpy(bytes, plain, 12);
	memcpy(bytes + 12, tag, TAG);
	memcpy(bytes + 12 + TAG, plain + 12, sizeof(plain) - 12);
	return sizeof(plain) + TAG;
}

/* Assert that exactly these bytes come to the descriptor; length 0: nothing comes. */
static void assert_comes(struct broker_fixture *fixture, int fd, const void *bytes, size_t length)
{
	unsigned char received[FRAME_SIZE + TAG + 1];
	ssize_t size;

	broker_quiesce(fixture);
	size = recv(fd, received, sizeof(received), MSG_DONTWAIT);
	if (length == 0) {
		assert_int_equal(size, -1);
		return;
	}
	assert_int_equal(size, length);
	assert_memory_equal(received, bytes, length);
}

static void a_vlan_has_tags_on_a_trunk_only(void **state)
{
	unsigned char tagged[FRAME_SIZE + TAG], plain[FRAME_SIZE];
	struct ports ports;
	size_t length;

	ports_open(*state, &ports, "");
	frame_make(plain, sizeof(plain), 1, 0xff, 9);
	length = tagged_make(tagged, 1, 0xff, 0x8100, 5);
	bytes_send(ports.one, plain, sizeof(plain));
	assert_comes(*state, ports.trunk, tagged, length);
	assert_comes(*state, ports.two, plain, sizeof(plain));
	assert_comes(*state, ports.other, NULL, 0);

	frame_make(plain, sizeof(plain), 2, 0xff, 9);
	length = tagged_make(tagged, 2, 0xff, 0x8100, 0xe005);
	bytes_send(ports.trunk, tagged, length);
	assert_comes(*state, ports.one, plain, sizeof(plain));
	assert_comes(*state, ports.two, plain, sizeof(plain));
	assert_comes(*state, ports.other, NULL, 0);
	assert_int_equal(shown(*state, "other", "to-client-offered"), 0);
	ports_close(&ports);
}

static void an_address_is_learned_in_its_vlan(void **state)
{
	struct ports ports;
	unsigned char tagged[FRAME_SIZE + TAG];

	ports_open(*state, &ports, "");
	assert_true(frame_send(ports.one, 1, 0xff, 1));
	broker_quiesce(*state);
	frame_receive(ports.trunk);
	assert_int_equal(frame_receive(ports.two), 1);
	/* Known in VLAN 5, so it goes to one port; not in VLAN 6, where only the trunk is left. */
	assert_true(frame_send(ports.two, 2, 1, 2));
	assert_comes(*state, ports.trunk, NULL, 0);
	assert_int_equal(frame_receive(ports.one), 2);
	assert_true(frame_send(ports.other, 3, 1, 9));
	assert_comes(*state, ports.trunk, tagged, tagged_make(tagged, 3, 1, 0x8100, 6));
	ports_close(&ports);
}

static void frames_without_a_tag_stay_on_trunks(void **state)
{
	int trunk;
	struct ports ports;

	ports_open(*state, &ports, "");
	assert_true(frame_send(ports.trunk, 1, 0xff, 1));
	assert_comes(*state, ports.one, NULL, 0);
	assert_int_equal(shown(*state, "trunk", "from-client-dropped-no-destination"), 1);
	trunk = tunnel_opened(*state, "name=trunk2,bridge=b");
	assert_true(frame_send(ports.trunk, 1, 0xff, 2));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(trunk), 2);
	assert_int_equal(frame_receive(ports.other), -1);
	close(trunk);
	ports_close(&ports);
}

static void a_client_of_an_access_port_cannot_choose_a_vlan(void **state)
{
	static const struct {
		uint16_t type, control;
		size_t length; /* 0: all */
	} foreign[] = {{0x8100, 5, 0},      {0x8100, 6, 0},  {0x8100, 4095, 0}, {0x88a8, 0, 0},
		       {0x8100, 0xe006, 0}, {0x8100, 0, 17}, {0x8100, 0, 14}};
	unsigned char tagged[FRAME_SIZE + TAG], plain[FRAME_SIZE];
	struct ports ports;
	size_t count = sizeof(foreign) / sizeof(foreign[0]), length;

	ports_open(*state, &ports, "");
	for (size_t i = 0; i < count; i++) {
		length = tagged_make(tagged, 1, 0xff, foreign[i].type, foreign[i].control);
		bytes_send(ports.one, tagged, foreign[i].length ? foreign[i].length : length);
		assert_comes(*state, ports.trunk, NULL, 0);
		assert_comes(*state, ports.two, NULL, 0);
		assert_comes(*state, ports.other, NULL, 0);
		assert_int_equal(shown(*state, "one", "from-client-dropped-foreign"), i + 1);
	}
	/* A tag with only a priority is none of a VLAN, and the priority is kept. */
	length = tagged_make(tagged, 1, 0xff, 0x8100, 0xa000);
	bytes_send(ports.one, tagged, length);
	tagged_make(tagged, 1, 0xff, 0x8100, 0xa005);
	assert_comes(*state, ports.trunk, tagged, length);
	frame_make(plain, sizeof(plain), 1, 0xff, 9);
	assert_comes(*state, ports.two, plain, sizeof(plain));
	ports_close(&ports);
}

static void a_cut_tag_is_in_no_vlan(void **state)
{
	unsigned char tagged[FRAME_SIZE + TAG];
	struct ports ports;

	ports_open(*state, &ports, "");
	tagged_make(tagged, 1, 0xff, 0x8100, 5);
	for (size_t length = 14; length < 18; length++) {
		bytes_send(ports.trunk, tagged, length);
		assert_comes(*state, ports.one, NULL, 0);
	}
	bytes_send(ports.trunk, tagged, 18);
	memmove(tagged + 12, tagged + 16, 2);
	assert_comes(*state, ports.one, tagged, 14);
	ports_close(&ports);
}

static void a_port_can_change_its_vlan(void **state)
{
	struct ports ports;

	ports_open(*state, &ports, "");
	assert_true(frame_send(ports.one, 1, 0xff, 1));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(ports.two), 1);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=one,vlan=6");
	assert_int_equal(shown(*state, "one", "vlan"), 6);
	/* What was learned in VLAN 5 is forgotten. */
	assert_true(frame_send(ports.two, 2, 1, 2));
	assert_comes(*state, ports.one, NULL, 0);
	assert_true(frame_send(ports.other, 3, 0xff, 3));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(ports.one), 3);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=one,vlan=0");
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=two,vlan=0");
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=other,vlan=0");
	assert_true(frame_send(ports.two, 2, 0xff, 4));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(ports.one), 4);
	assert_int_equal(frame_receive(ports.other), 4);
	ports_close(&ports);
}

static void a_hub_has_vlans(void **state)
{
	struct ports ports;

	done(*state, MEMTUN_CMD_BRIDGE_ADD, "name=b,hub");
	ports_open(*state, &ports, "");
	for (int i = 0; i < 2; i++) {
		assert_true(frame_send(ports.one, 1, 2, 1));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(ports.two), 1);
		assert_int_equal(frame_receive(ports.other), -1);
		assert_true(frame_send(ports.two, 2, 1, 2));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(ports.one), 2);
	}
	ports_close(&ports);
}

static void every_kind_of_socket_has_room_for_a_tag(void **state)
{
	for (enum socket_type type = 0; type < SOCKET_TYPES; type++) {
		unsigned char tagged[FRAME_SIZE + TAG];
		char options[80];
		int from, to, trunk;
		size_t length = tagged_make(tagged, 1, 0xff, 0x8100, 4094);

		snprintf(options, sizeof(options), "name=from,bridge=b,vlan=4094,socket=%s",
			 socket_names[type]);
		from = tunnel_opened(*state, options);
		to = tunnel_opened(*state, "name=to,bridge=b,vlan=4094");
		trunk = tunnel_opened(*state, "name=trunk,bridge=b");
		/* Two frames of one read lie side by side on a stream. */
		assert_true(typed_frame_send(type, from, 1, 0xff, 9));
		assert_true(typed_frame_send(type, from, 1, 0xff, 9));
		for (int i = 0; i < 2; i++)
			assert_comes(*state, trunk, tagged, length);
		assert_int_equal(frame_receive(to), 9);
		assert_int_equal(frame_receive(to), 9);
		close(from);
		close(to);
		close(trunk);
		broker_quiesce(*state);
	}
}

static void frames_that_wait_keep_the_tags_of_their_port(void **state)
{
	unsigned char tagged[FRAME_SIZE + TAG], plain[FRAME_SIZE];
	size_t length = tagged_make(tagged, 1, 0xff, 0x8100, 5);
	struct ports ports;
	unsigned int count = 0;

	ports_open(*state, &ports, ",overflow=block");
	frame_make(plain, sizeof(plain), 1, 0xff, 9);
	while (shown(*state, "trunk", "to-client-queued") == 0 ||
	       shown(*state, "two", "to-client-queued") == 0) {
		bytes_send(ports.one, plain, sizeof(plain));
		broker_quiesce(*state);
		count++;
	}
	for (unsigned int i = 0; i < count; i++) {
		assert_comes(*state, ports.trunk, tagged, length);
		assert_comes(*state, ports.two, plain, sizeof(plain));
	}
	assert_accounted(*state, "trunk");
	assert_accounted(*state, "two");
	ports_close(&ports);
}

static void a_tun_is_a_host_of_its_vlan(void **state)
{
	unsigned char packet[256], bytes[512];
	size_t length = packet_make(packet, "10.0.0.1", "10.0.0.255");
	int trunk = tunnel_opened(*state, "name=trunk,bridge=b");
	int access = tunnel_opened(*state, "name=access,bridge=b,vlan=5");
	int other = tunnel_opened(*state, "name=other,bridge=b,vlan=6");
	int tun = tunnel_opened(*state, "name=tun,mode=tun,bridge=b,vlan=5,address=10.0.0.1/24");
	ssize_t size = 0;

	broker_quiesce(*state);
	/* Its announcements are in the VLAN, too: they are control frames of the adapter. */
	size = recv(trunk, bytes, sizeof(bytes), MSG_DONTWAIT);
	assert_true(size > 18 && bytes[12] == 0x81 && bytes[15] == 5);
	assert_true(recv(access, bytes, sizeof(bytes), MSG_DONTWAIT) > 14);
	assert_int_equal(recv(other, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
	while (recv(trunk, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	while (recv(access, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	bytes_send(tun, packet, length);
	broker_quiesce(*state);
	assert_int_equal(recv(trunk, bytes, sizeof(bytes), MSG_DONTWAIT), 18 + length);
	assert_memory_equal(bytes + 12, "\x81\x00\x00\x05\x08\x00", 6);
	assert_memory_equal(bytes + 18, packet, length);
	assert_int_equal(recv(access, bytes, sizeof(bytes), MSG_DONTWAIT), 14 + length);
	assert_memory_equal(bytes + 14, packet, length);
	/* The same bytes from the trunk, in the VLAN and in none. */
	memset(bytes, 0xff, 6);
	memcpy(bytes + 6, "\x02\x00\x00\x00\x00\x01\x81\x00\x00\x05\x08\x00", 12);
	memcpy(bytes + 18, packet, length);
	bytes_send(trunk, bytes, 18 + length);
	broker_quiesce(*state);
	assert_int_equal(recv(tun, bytes, sizeof(bytes), MSG_DONTWAIT), length);
	assert_memory_equal(bytes, packet, length);
	done(*state, MEMTUN_CMD_TUNNEL_SET, "name=tun,vlan=6");
	broker_quiesce(*state);
	assert_true(recv(other, bytes, sizeof(bytes), MSG_DONTWAIT) > 14);
	close(tun);
	close(trunk);
	close(access);
	close(other);
}

static void tuns_of_two_vlans_exchange_nothing(void **state)
{
	unsigned char packet[256], bytes[256];
	size_t length = packet_make(packet, "10.0.0.1", "10.0.0.2");
	static const char *const options[] = {
		"name=five,mode=tun,bridge=b,vlan=5", "name=six,mode=tun,bridge=b,vlan=6",
		"name=too,mode=tun,bridge=b,vlan=5", "name=none,mode=tun,bridge=b"};
	int fds[4];

	for (int i = 0; i < 4; i++)
		fds[i] = tunnel_opened(*state, options[i]);
	bytes_send(fds[0], packet, length);
	assert_comes(*state, fds[1], NULL, 0);
	assert_int_equal(recv(fds[2], bytes, sizeof(bytes), MSG_DONTWAIT), length);
	assert_comes(*state, fds[3], NULL, 0);
	/* Known behind a port of another VLAN. */
	length = packet_make(packet, "10.0.0.2", "10.0.0.1");
	bytes_send(fds[1], packet, length);
	assert_comes(*state, fds[0], NULL, 0);
	assert_int_equal(shown(*state, "six", "from-client-dropped-no-destination"), 1);
	bytes_send(fds[2], packet, length);
	broker_quiesce(*state);
	assert_int_equal(recv(fds[0], bytes, sizeof(bytes), MSG_DONTWAIT), length);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

/* ------------------------------------------------------------------------------ offloads */

static const struct gso_frame gso = {
	.name = "TCP over IPv4",
	.ip_version = 4,
	.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	.gso_size = 1000,
	.payload = 2500,
};

/* Receive frames, and assert that each has the VLAN (-1: none) and valid checksums. Return how many
 * came. */
static int pieces_receive(int fd, int vlan)
{
	unsigned char bytes[4096];
	struct frame_view view;
	ssize_t length;
	int count = 0;

	while ((length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		assert_int_equal(frame_view_parse(&view, MEMTUN_TAP, bytes, (size_t)length), 0);
		assert_int_equal(view.vlan, vlan);
		assert_true(frame_view_checksums_are_valid(&view, bytes, (size_t)length));
		count++;
	}
	return count;
}

static void offsets_follow_the_tag(void **state)
{
	unsigned char sent[8192], received[8192];
	struct virtio_net_hdr offload, moved;
	size_t length = sizeof(offload) + gso_frame_make(&gso, sent + sizeof(offload), &offload);
	int one = tunnel_opened(*state, "name=one,bridge=b,vlan=5,vnet_hdr,offload=127");
	int trunk = tunnel_opened(*state, "name=trunk,bridge=b,vnet_hdr,offload=127");
	int plain_trunk = tunnel_opened(*state, "name=ptrunk,bridge=b");
	int plain = tunnel_opened(*state, "name=plain,bridge=b,vlan=5");

	memcpy(sent, &offload, sizeof(offload));
	memset(sent + sizeof(offload), 0xff, 6); /* to all */
	bytes_send(one, sent, length);
	broker_quiesce(*state);
	assert_int_equal(recv(trunk, received, sizeof(received), MSG_DONTWAIT), length + TAG);
	memcpy(&moved, received, sizeof(moved));
	assert_int_equal(moved.csum_start, offload.csum_start + TAG);
	assert_int_equal(moved.hdr_len, offload.hdr_len ? offload.hdr_len + TAG : 0);
	assert_int_equal(pieces_receive(plain_trunk, 5), 3);
	assert_int_equal(pieces_receive(plain, -1), 3);
	/* And back. */
	received[sizeof(moved) + 11]++; /* another source */
	bytes_send(trunk, received, length + TAG);
	broker_quiesce(*state);
	assert_int_equal(recv(one, received, sizeof(received), MSG_DONTWAIT), length);
	assert_memory_equal(received, sent, sizeof(offload) + 11);
	assert_memory_equal(received + sizeof(offload) + 12, sent + sizeof(offload) + 12,
			    length - sizeof(offload) - 12);
	assert_int_equal(pieces_receive(plain, -1), 3);
	close(one);
	close(trunk);
	close(plain_trunk);
	close(plain);
}

static void a_checksum_of_the_tag_is_completed_before_it_goes(void **state)
{
	unsigned char sent[FRAME_SIZE + TAG + 10], received[128];
	int trunk = tunnel_opened(*state, "name=trunk,bridge=b,vnet_hdr,offload=127");
	int access = tunnel_opened(*state, "name=access,bridge=b,vlan=5,vnet_hdr,offload=127");

	for (uint16_t start = 0; start < 22; start++) {
		struct virtio_net_hdr offload = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
						 .csum_start = start,
						 .csum_offset =
							 (uint16_t)(FRAME_SIZE + TAG - 2 - start)};
		size_t length = tagged_make(sent + 10, 1, 0xff, 0x8100, 5) + sizeof(offload);

		memcpy(sent, &offload, sizeof(offload));
		bytes_send(trunk, sent, length);
		broker_quiesce(*state);
		assert_int_equal(recv(access, received, sizeof(received), MSG_DONTWAIT),
				 length - TAG);
		memcpy(&offload, received, sizeof(offload));
		assert_int_equal(offload.flags, start < 18 ? 0 : VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(offload.csum_start, start < 18 ? 0 : start - TAG);
	}
	close(trunk);
	close(access);
}

/* ------------------------------------------------------------------------------ the rest */

static void a_capture_has_the_frame_as_it_crosses_the_port(void **state)
{
	unsigned char plain[FRAME_SIZE], tagged[FRAME_SIZE + TAG];
	int one = tunnel_opened(*state, "name=one,bridge=b,vlan=5");
	int two = tunnel_opened(*state, "name=two,bridge=b,vlan=5");
	int trunk = tunnel_opened(*state, "name=trunk,bridge=b");
	int capture = capture_opened(*state, "bridge=b,plain");
	int of_two = capture_opened(*state, "name=two,plain");

	frame_make(plain, sizeof(plain), 1, 0xff, 9);
	bytes_send(one, plain, sizeof(plain));
	assert_comes(*state, capture, plain, sizeof(plain)); /* from one */
	assert_comes(*state, capture, tagged, tagged_make(tagged, 1, 0xff, 0x8100, 5));
	assert_comes(*state, capture, plain, sizeof(plain)); /* to two */
	assert_comes(*state, of_two, plain, sizeof(plain));
	close(one);
	close(two);
	close(trunk);
	close(capture);
	close(of_two);
}

static void an_mtu_does_not_count_the_tag(void **state)
{
	unsigned char frame[14 + 1001], received[2000];
	struct ports ports;

	ports_open(*state, &ports, ",mtu=1000");
	for (size_t packet = 1000; packet <= 1001; packet++) {
		bool fits = packet == 1000;

		frame_make(frame, 14 + packet, 1, 0xff, 9);
		bytes_send(ports.one, frame, 14 + packet);
		broker_quiesce(*state);
		assert_int_equal(recv(ports.two, received, sizeof(received), MSG_DONTWAIT),
				 fits ? 14 + 1000 : -1);
		assert_int_equal(recv(ports.trunk, received, sizeof(received), MSG_DONTWAIT),
				 fits ? 14 + TAG + 1000 : -1);
	}
	assert_int_equal(shown(*state, "two", "to-client-dropped-mtu"), 1);
	assert_int_equal(shown(*state, "trunk", "to-client-dropped-mtu"), 1);
	/* The same from the trunk, where the tag goes. */
	for (size_t packet = 1000; packet <= 1001; packet++) {
		unsigned char tagged[14 + TAG + 1001] = {0};

		frame_make(frame, 14 + packet, 2, 0xff, 9);
		memcpy(tagged, frame, 12);
		memcpy(tagged + 12, (const unsigned char[TAG]){0x81, 0, 0, 5}, TAG);
		memcpy(tagged + 12 + TAG, frame + 12, 2 + packet);
		bytes_send(ports.trunk, tagged, 14 + TAG + packet);
		broker_quiesce(*state);
		assert_int_equal(recv(ports.one, received, sizeof(received), MSG_DONTWAIT),
				 packet == 1000 ? 14 + 1000 : -1);
	}
	assert_int_equal(shown(*state, "one", "to-client-dropped-mtu"), 1);
	ports_close(&ports);
}

static void bad_vlans_are_refused(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap,bridge=b");
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=t,vlan=4095"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SET, "name=tap,vlan=4095"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=t,peer=u,vlan=5"), EINVAL);
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=t,peer=u");
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_SET, "name=t,vlan=5"), EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_UPLINK_ADD,
				 "name=l,bridge=b,type=mcast,group=230.0.0.1,port=9,vlan=4095"),
			 EINVAL);
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=tap,vlan=5"), EINVAL);
	close(tunnel_opened(*state, "name=tap,vlan=0"));
}

static const struct CMUnitTest tests[] = {
	WITH_BROKER(a_vlan_has_tags_on_a_trunk_only),
	WITH_BROKER(an_address_is_learned_in_its_vlan),
	WITH_BROKER(frames_without_a_tag_stay_on_trunks),
	WITH_BROKER(a_client_of_an_access_port_cannot_choose_a_vlan),
	WITH_BROKER(a_cut_tag_is_in_no_vlan),
	WITH_BROKER(a_port_can_change_its_vlan),
	WITH_BROKER(a_hub_has_vlans),
	WITH_BROKER(every_kind_of_socket_has_room_for_a_tag),
	WITH_BROKER(frames_that_wait_keep_the_tags_of_their_port),
	WITH_BROKER(a_tun_is_a_host_of_its_vlan),
	WITH_BROKER(tuns_of_two_vlans_exchange_nothing),
	WITH_BROKER(offsets_follow_the_tag),
	WITH_BROKER(a_checksum_of_the_tag_is_completed_before_it_goes),
	WITH_BROKER(a_capture_has_the_frame_as_it_crosses_the_port),
	WITH_BROKER(an_mtu_does_not_count_the_tag),
	WITH_BROKER(bad_vlans_are_refused),
};

int main(void)
{
	return RUN_TESTS(tests);
}
