/* SPDX-License-Identifier: MIT */
/* Frames on their way through the broker, as scenarios of test_faults. */
#include "tests/unit/broker/fault_scenarios.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/descriptor.h"
#include "broker/tunnel/tunnel.h"
#include "tests/unit/broker/fault_steps.h"

/* ------------------------------------------------------------------------------ frames */

static int frames(struct world *world, const char *text, bool is_stream)
{
	struct end from = {.is_stream = is_stream}, to = {.is_stream = is_stream};
	descriptor_owned one = open_tunnel(world, "t1", text);
	descriptor_owned other = one < 0 ? -1 : open_tunnel(world, "t2", text);
	int result;

	if (other < 0)
		return -1;
	from.fd = one;
	to.fd = other;
	result = frames_exchange(world, &from, &to);
	if (!faults_struck() && result == 0)
		assert_int_equal(to.arrived, FRAMES);
	if (result < 0)
		return -1;
	/* The broker keeps the start of an incomplete frame, and frees it with the queue. */
	if (is_stream)
		assert_int_equal(send(one, "\0\0\5", 3, MSG_NOSIGNAL), 3);
	world_quiesce(world);
	return world_check(world->client,
			   memtun_show(world->client, "t2", true, counters_check, NULL));
}

int frames_seqpacket(struct world *world)
{
	return frames(world, "bridge=b0", false);
}

int frames_dgram(struct world *world)
{
	return frames(world, "bridge=b0,socket=dgram", false);
}

int frames_stream(struct world *world)
{
	return frames(world, "bridge=b0,socket=stream", true);
}

int frames_blocked(struct world *world)
{
	return frames(world, "bridge=b0,queue=8,overflow=block", false);
}

int frames_blocked_stream(struct world *world)
{
	return frames(world, "bridge=b0,queue=8,overflow=block,socket=stream", true);
}

int multi_queue(struct world *world)
{
	const char *text = "bridge=b0,multi_queue";
	struct end from = {0}, to = {0};
	descriptor_owned source = open_tunnel(world, "t1", "bridge=b0");
	descriptor_owned one = source < 0 ? -1 : open_tunnel(world, "t2", text);
	descriptor_owned other = one < 0 ? -1 : open_tunnel(world, "t2", text);

	if (other < 0)
		return -1;
	from.fd = source;
	to.fd = one; /* the frames are one flow, so all arrive here or all at the other */
	if (frames_exchange(world, &from, &to) < 0)
		return -1;
	return world_check(world->client,
			   memtun_show(world->client, "t2", true, counters_check, NULL));
}

/* Packets of a TUN's client wait for a neighbour, which solicits the TUN; some are never
 * resolved. */
static int tun_among_taps(struct world *world, const char *socket)
{
	/* IPv4 from 10.0.0.9 to 10.0.0.1, and to 10.0.0.2, after their lengths. */
	static const char packets[] =
		"\0\0\0\x14\x45\0\0\x14\0\0\0\0\x40\0\0\0\x0a\0\0\x09\x0a\0\0\x01"
		"\0\0\0\x14\x45\0\0\x14\0\0\0\0\x40\0\0\0\x0a\0\0\x09\x0a\0\0\x02";
	/* An ARP request of 10.0.0.1, at 02:00:00:00:00:01, for 10.0.0.9. */
	static const char asks[] = "\xff\xff\xff\xff\xff\xff\2\0\0\0\0\1\x08\x06\0\1\x08\0\6\4\0\1"
				   "\2\0\0\0\0\1\x0a\0\0\1\0\0\0\0\0\0\x0a\0\0\x09";
	descriptor_owned tap = open_tunnel(world, "t1", "bridge=b0");
	descriptor_owned tun = -1;
	char options[64];

	snprintf(options, sizeof(options), "mode=tun,bridge=b0,address=10.0.0.9/24,socket=%s",
		 socket);
	if (tap < 0 || (tun = open_tunnel(world, "t2", options)) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		bool is_stream = strcmp(socket, "stream") == 0;

		if (is_stream)
			send(tun, packets, sizeof(packets) - 1, MSG_NOSIGNAL);
		for (int j = 0; j < 2 && !is_stream; j++)
			send(tun, packets + 24 * j + 4, 20, MSG_NOSIGNAL);
		world_quiesce(world);
		send(tap, asks, sizeof(asks) - 1, MSG_NOSIGNAL);
		world_quiesce(world);
	}
	if (world_check(world->client,
			memtun_show(world->client, "t2", true, counters_check, NULL)) < 0)
		return -1;
	return world_check(world->client, memtun_delete(world->client, "t2"));
}

int tun_among_taps_seqpacket(struct world *world)
{
	return tun_among_taps(world, "seqpacket");
}

int tun_among_taps_stream(struct world *world)
{
	return tun_among_taps(world, "stream");
}

/* The first TAP makes adapters for all TUNs on the bridge. */
int tuns_before_taps(struct world *world)
{
	if (add(world, "t0", "mode=tun,bridge=b0,address=10.0.0.9/24,gateway=10.0.0.1") < 0 ||
	    add(world, "t1", "mode=tun,bridge=b0") < 0 || add(world, "t2", "bridge=b0") < 0)
		return -1;
	return 0;
}

/* A capture counts the frames that it misses, so the numbers of the others have no unknown gap. */
static unsigned int captured_frames(struct world *world, int capture)
{
	struct {
		struct memtun_capture_header header;
		unsigned char frame[FRAME_SIZE];
	} record;
	unsigned int number, count = 0;

	while (recv(capture, &record, sizeof(record), MSG_DONTWAIT) == sizeof(record)) {
		memcpy(&number, record.frame + 14, sizeof(number));
		assert_int_equal(number, count + record.header.missed);
		count++;
		world_turn(world);
	}
	return count;
}

int captured_and_injected(struct world *world)
{
	struct memtun *client = world->client;
	struct end from = {0}, to = {0};
	descriptor_owned capture = -1, injector = -1;
	unsigned int captured;
	descriptor_owned fd = open_tunnel(world, "t1", "queue=8");

	if (fd >= 0)
		capture = world_check(client,
				      memtun_capture(client, "t1", false, MEMTUN_TO_CLIENT, false));
	if (capture >= 0)
		injector = world_check(client, memtun_inject(client, "t1", MEMTUN_TO_CLIENT));
	if (injector < 0)
		return -1;
	from.fd = injector;
	to.fd = fd;
	if (frames_exchange(world, &from, &to) < 0)
		return -1;
	captured = captured_frames(world, capture);
	if (!faults_struck()) {
		assert_int_equal(to.arrived, FRAMES);
		assert_int_equal(captured, FRAMES);
	}
	return world_check(client, memtun_show(client, "t1", true, counters_check, NULL));
}

/* ------------------------------------------------------------------------------ peers */

static int peers_of(struct world *world, const char *text)
{
	descriptor_owned one = -1, other = -1;
	char byte;

	if (add(world, "p0", text) < 0)
		return -1;
	one = open_tunnel(world, "p0", "");
	other = one < 0 ? -1 : open_tunnel(world, "p1", "");
	if (other < 0)
		return -1;
	assert_int_equal(send(one, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(other, &byte, 1, MSG_DONTWAIT), 1);
	/* Both ends were opened, so the next open makes a new pair. */
	descriptor_close(&one);
	one = open_tunnel(world, "p0", "");
	if (one < 0)
		return -1;
	return world_check(world->client, memtun_delete(world->client, "p1"));
}

int peers(struct world *world)
{
	return peers_of(world, "peer=p1");
}

int peers_dgram(struct world *world)
{
	return peers_of(world, "peer=p1,socket=dgram");
}

int peers_by_opening(struct world *world)
{
	descriptor_owned one = open_tunnel(world, "p0", "peer=p1");

	if (one < 0) {
		if (memtun_fd(world->client) >= 0)
			assert_null(tunnel_find(world->broker->tunnels, "p1"));
		return -1;
	}
	return 0;
}
