/* SPDX-License-Identifier: MIT */
/*
 * Frames that enter a bridge from outside: an Ethernet bridge has a VXLAN uplink, a stream and a
 * TUN with an adapter. The input is steps: a byte for the port, two bytes of length
 * (little-endian), and that many bytes. Each port must account for all frames that were offered to
 * it.
 */
#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <ev.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/control/control.h"
#include "broker/engine/engine.h"
#include "broker/tunnel/queue.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/uplink.h"
#include "broker/broker.h"
#include "common/descriptor.h"
#include "common/log.h"
#include "common/spec.h"

enum step {
	STEP_DATAGRAM, /* the bytes unchanged */
	STEP_VXLAN,    /* behind a valid VXLAN header */
	STEP_STREAM,
	STEP_TUN,
	STEP_LOSE, /* the uplink goes down and retries */
	STEP_COUNT,
};

/* Iterations of the loop after each step, so that no input takes long. */
#define TURNS 2

static struct {
	struct broker *broker;
	struct uplink *uplink;
	int remote; /* a socket at the address of the uplink's remote, connected to the uplink */
	int stream, tun;
} world;

/* Parse options from one text, which is modified. */
static struct attribute_set options_make(char *text)
{
	struct attribute_set options = {0};
	struct fault fault;

	if (spec_parse_options(text, ~0U, &options, &fault) < 0)
		abort();
	return options;
}

static int tunnel_make(char *text)
{
	struct attribute_set options = options_make(text);
	struct fault fault;
	struct queue *queue;
	int fd;

	if (!tunnel_open(world.broker->tunnels, &options, 1000, 0, &queue, &fd, &fault))
		abort();
	return fd;
}

/* Bind to a port that is also free on the uplink's own address. */
static void uplink_make(void)
{
	struct sockaddr_in local = {.sin_family = AF_INET}, remote;
	socklen_t length = sizeof(local);
	int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct attribute_set options;
	struct fault fault;
	char text[120];

	local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(probe, (struct sockaddr *)&local, sizeof(local)) < 0 ||
	    getsockname(probe, (struct sockaddr *)&local, &length) < 0)
		abort();
	descriptor_close(&probe);
	snprintf(text, sizeof(text),
		 "name=u,bridge=b,type=vxlan,vni=42,local=127.0.0.1,remote=127.0.0.2,port=%u",
		 ntohs(local.sin_port));
	options = options_make(text);
	world.uplink = uplink_add(world.broker->uplinks, &options, NULL, 1000, &fault);
	remote = (struct sockaddr_in){.sin_family = AF_INET};
	remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	world.remote = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!world.uplink || bind(world.remote, (struct sockaddr *)&remote, sizeof(remote)) < 0 ||
	    connect(world.remote, (struct sockaddr *)&local, sizeof(local)) < 0)
		abort();
}

static void world_make(void)
{
	char stream[] = "name=s,bridge=b,socket=stream";
	char tun[] = "name=t,bridge=b,mode=tun,address=10.0.0.2/24+fd00::2/64,gateway=10.0.0.1";

	log_open("fuzz_uplink", LOG_LEVEL_ERROR);
	world.broker = broker_new(ev_loop_new(EVFLAG_AUTO));
	if (!world.broker)
		abort();
	world.stream = tunnel_make(stream);
	world.tun = tunnel_make(tun);
	uplink_make();
}

static void read_all(int fd)
{
	static unsigned char bytes[FRAME_MAX + 4];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* Open a stream that has ended again. */
static void stream_send(const uint8_t *bytes, size_t size)
{
	char text[] = "name=s,bridge=b,socket=stream";

	if (send(world.stream, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return;
	descriptor_close(&world.stream);
	for (int i = 0; i < TURNS; i++)
		ev_run(world.broker->engine->loop, EVRUN_NOWAIT);
	world.stream = tunnel_make(text);
}

static void vxlan_send(const uint8_t *bytes, size_t size)
{
	static uint8_t datagram[8 + UINT16_MAX] = {0x08, 0, 0, 0, 0, 0, 42, 0};

	memcpy(datagram + 8, bytes, size);
	(void)!send(world.remote, datagram, 8 + size, MSG_DONTWAIT);
}

static void uplink_lose_and_try(void)
{
	uplink_lost(world.uplink, "it is tried here");
	ev_timer_stop(world.broker->engine->loop, &world.uplink->timer);
	ev_invoke(world.broker->engine->loop, &world.uplink->timer, EV_TIMER);
}

static void world_step(uint8_t what, const uint8_t *bytes, size_t size)
{
	switch ((enum step)(what % STEP_COUNT)) {
	case STEP_DATAGRAM:
		(void)!send(world.remote, bytes, size, MSG_DONTWAIT);
		break;
	case STEP_VXLAN:
		vxlan_send(bytes, size);
		break;
	case STEP_STREAM:
		stream_send(bytes, size);
		break;
	case STEP_TUN:
		(void)!send(world.tun, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case STEP_LOSE:
		uplink_lose_and_try();
		break;
	case STEP_COUNT:
		break;
	}
	for (int i = 0; i < TURNS; i++)
		ev_run(world.broker->engine->loop, EVRUN_NOWAIT);
	read_all(world.remote);
	read_all(world.stream);
	read_all(world.tun);
}

/* Check that each frame that was offered to a port is delivered, queued, or dropped for a
 * reason. */
static void port_check(const struct port *port, uint64_t waiting)
{
	uint64_t sum = waiting;

	for (int i = MEMTUN_A_TO_CLIENT_FRAMES; i <= MEMTUN_A_TO_CLIENT_DROPPED_NOT_IP; i++) {
		if (i != MEMTUN_A_TO_CLIENT_BYTES && i != MEMTUN_A_TO_CLIENT_QUEUED)
			sum += port_counter(port, (enum memtun_attribute)i);
	}
	if (sum != port_counter(port, MEMTUN_A_TO_CLIENT_OFFERED))
		abort();
}

static uint64_t tunnel_waiting(const struct tunnel *tunnel)
{
	uint64_t waiting = 0;
	struct queue *queue;

	LIST_FOREACH(queue, &tunnel->queues, in_tunnel) {
		waiting += queue->lane.backlog.count;
	}
	return waiting;
}

static void world_end(void)
{
	struct tunnel *tun = tunnel_find(world.broker->tunnels, "t");

	port_check(&world.uplink->port, world.uplink->lane.backlog.count);
	port_check(&tun->port, tunnel_waiting(tun));
	descriptor_close(&world.remote);
	descriptor_close(&world.stream);
	descriptor_close(&world.tun);
	broker_free(world.broker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	world_make();
	while (size >= 3) {
		size_t length = (size_t)(data[1] | data[2] << 8);

		if (length > size - 3)
			length = size - 3;
		world_step(data[0], data + 3, length);
		data += 3 + length;
		size -= 3 + length;
	}
	world_end();
	return 0;
}
