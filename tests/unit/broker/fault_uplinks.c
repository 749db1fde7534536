/* SPDX-License-Identifier: MIT */
/* Uplinks, as scenarios of test_faults. */
#include "tests/unit/broker/fault_scenarios.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/descriptor.h"
#include "tests/unit/broker/uplink/own_search.h"
#include "broker/uplink/listening.h"
#include "broker/uplink/uplink.h"
#include "common/container_of.h"
#include "tests/unit/broker/fault_steps.h"

int __real_socketpair(int domain, int type, int protocol, int ends[2]);

/* ------------------------------------------------------------------------------ handed in */

/* Hand in a socket and the life of it, and end that. */
int handed_in_with_a_life(struct world *world)
{
	options_owned struct memtun_options *options = options_make("bridge=b0");
	int ends[2] = {-1, -1}, life[2] = {-1, -1}, result = -1;

	if (!options)
		return -1;
	/* Not the product's calls, which fail. */
	assert_int_equal(__real_socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(pipe2(life, O_CLOEXEC), 0);
	search_passes_over(ends[0], ends[1], life[0], life[1]);
	if (world_check(world->client, memtun_uplink_add_fd(world->client, "u0", options, ends[0],
							    life[0])) == 0) {
		result = 0;
		descriptor_close(&life[1]);
		world_quiesce(world);
		assert_null(uplink_find(world->broker->uplinks, "u0"));
	}
	for (int i = 0; i < 2; i++) {
		descriptor_close(&ends[i]);
		descriptor_close(&life[i]);
	}
	world_quiesce(world);
	return result;
}

/* ------------------------------------------------------------------------------ uplinks */

#define LOOPBACK "127.0.0.1"

/* Return a UDP socket that is bound to a free port on loopback. */
static int udp_open(struct sockaddr_in *name)
{
	socklen_t length = sizeof(*name);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*name = (struct sockaddr_in){.sin_family = AF_INET};
	name->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)name, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)name, &length), 0);
	return fd;
}

/* Return a free UDP port. */
static uint16_t udp_port_find(struct sockaddr_in *name)
{
	descriptor_owned fd = udp_open(name);

	return ntohs(name->sin_port);
}

static int add_uplink(struct world *world, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int add_uplink(struct world *world, const char *name, const char *format, ...)
{
	struct answer answer;
	va_list arguments;
	char text[200];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return ask(world, MEMTUN_CMD_UPLINK_ADD, name, text, &answer);
}

static int delete_uplink(struct world *world, const char *name)
{
	struct answer answer;

	return ask(world, MEMTUN_CMD_UPLINK_DELETE, name, "", &answer);
}

/* Add an uplink of each kind. Of those that share an address, delete the first and keep the
 * others. */
int uplinks(struct world *world)
{
	struct sockaddr_in name;
	unsigned int port = udp_port_find(&name), shared = udp_port_find(&name);

	if (add_uplink(world, "m0",
		       "bridge=b0,type=mcast,group=239.77.1.3,ifaddr=" LOOPBACK ",port=%u",
		       port) < 0 ||
	    add_uplink(world, "x0",
		       "bridge=b0,type=vxlan,vni=1,local=" LOOPBACK ",remote=127.0.0.2,port=%u",
		       shared) < 0 ||
	    add_uplink(world, "x1",
		       "bridge=b0,type=vxlan,vni=2,local=" LOOPBACK ",remote=127.0.0.2,port=%u",
		       shared) < 0 ||
	    add_uplink(world, "x2",
		       "bridge=b1,type=vxlan,vni=3,local=" LOOPBACK
		       ",group=239.77.1.3,ttl=1,port=%u",
		       shared) < 0)
		return -1;
	return delete_uplink(world, "x0") < 0 || delete_uplink(world, "m0") < 0 ? -1 : 0;
}

/* An uplink that the broker refuses leaves no file. */
int uplink_with_a_file(struct world *world)
{
	char path[CONTROL_ADDRESS_SIZE + 2];

	snprintf(path, sizeof(path), "%sd", world->address);
	if (add_uplink(world, "d0", "bridge=b2,type=dgram,path=%s", path) == 0)
		return delete_uplink(world, "d0");
	if (memtun_fd(world->client) >= 0)
		assert_int_equal(access(path, F_OK), -1);
	return -1;
}

/* Return a socket that is connected to the path, and bound to `own` unless that is NULL. */
static int peer_open(int type, const char *path, const char *own)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un name;
	struct fault fault;
	socklen_t size;

	assert_true(fd >= 0);
	if (own) {
		assert_int_equal(control_socket_parse(own, &name, &size, &fault), 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
	}
	if (path) {
		assert_int_equal(control_socket_parse(path, &name, &size, &fault), 0);
		assert_int_equal(connect(fd, (struct sockaddr *)&name, size), 0);
	}
	return fd;
}

/* Add a listening uplink, let one peer connect, and delete the uplink. Nothing is left of it. The
 * request is what the peer sends. */
static int listen_once(struct world *world, const char *type, int socket_type, const char *path,
		       const char *own, const void *request, size_t size)
{
	struct uplink *uplink;
	uint64_t told;
	int fd;

	if (add_uplink(world, "l", "bridge=b2,type=%s,listen=%s", type, path) < 0)
		return -1;
	fd = peer_open(socket_type, path, own);
	if (size)
		assert_int_equal(send(fd, request, size, MSG_NOSIGNAL), size);
	world_quiesce(world);
	uplink = uplink_find(world->broker->uplinks, "l");
	assert_non_null(uplink);
	told = container_of(uplink, struct listening, uplink)->accepted +
	       container_of(uplink, struct listening, uplink)->refused;
	if (!faults_struck())
		assert_int_equal(container_of(uplink, struct listening, uplink)->accepted, 1);
	/* accept4(2) is tried again later. */
	assert_true(told <= 1);
	close(fd);
	if (own)
		unlink(own);
	world_quiesce(world);
	return delete_uplink(world, "l");
}

int listening_uplinks(struct world *world)
{
	char path[CONTROL_ADDRESS_SIZE + 2], own[CONTROL_ADDRESS_SIZE + 2];
	int result;

	snprintf(path, sizeof(path), "%sl", world->address);
	snprintf(own, sizeof(own), "%so", world->address);
	result = listen_once(world, "stream", SOCK_STREAM, path, NULL, NULL, 0);
	if (result == 0)
		result = listen_once(world, "dgram", SOCK_DGRAM, path, own, "VFKT", 4);
	/* The uplink is still there if the request to delete it was not sent. */
	if (memtun_fd(world->client) >= 0 && !uplink_find(world->broker->uplinks, "l"))
		assert_int_equal(access(path, F_OK), -1);
	return result;
}

/* The same of type vde, whose client has a control socket and a data socket. */
int listening_switch(struct world *world)
{
	struct {
		uint32_t magic, version, type;
		struct sockaddr_un socket;
	} __attribute__((packed)) request = {0xfeedface, 3, 0, {.sun_family = AF_UNIX}};
	char directory[CONTROL_ADDRESS_SIZE + 2], control[CONTROL_ADDRESS_SIZE + 8];
	int fd, data, result;

	snprintf(directory, sizeof(directory), "%ss", world->address);
	snprintf(control, sizeof(control), "%s/ctl", directory);
	if (add_uplink(world, "s", "bridge=b2,type=vde,listen=%s", directory) < 0) {
		if (memtun_fd(world->client) >= 0)
			assert_int_equal(access(directory, F_OK), -1);
		return -1;
	}
	snprintf(request.socket.sun_path, sizeof(request.socket.sun_path), "%.90s/own", directory);
	data = peer_open(SOCK_DGRAM, NULL, request.socket.sun_path);
	fd = peer_open(SOCK_STREAM, control, NULL);
	assert_int_equal(send(fd, &request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
	world_quiesce(world);
	if (!faults_struck())
		assert_non_null(uplink_find(world->broker->uplinks, "s0"));
	close(fd);
	close(data);
	unlink(request.socket.sun_path);
	world_quiesce(world);
	result = delete_uplink(world, "s");
	if (result == 0)
		assert_int_equal(access(directory, F_OK), -1);
	return result;
}

/* Frames that arrive at an uplink reach the bridge as long as they fit into its socket. Frames to
 * it are accounted for, while it is down too. */
int frames_uplink(struct world *world)
{
	struct end from = {0}, to = {0};
	struct sockaddr_in name;
	unsigned int port = udp_port_find(&name);
	struct sockaddr_in peer_name;
	descriptor_owned peer = udp_open(&peer_name), fd = -1;
	struct answer answer;

	if (add_uplink(world, "u0",
		       "bridge=b0,type=udp,local=" LOOPBACK ":%u,remote=" LOOPBACK ":%u", port,
		       ntohs(peer_name.sin_port)) < 0)
		return -1;
	fd = open_tunnel(world, "t1", "bridge=b0");
	if (fd < 0)
		return -1;
	assert_int_equal(connect(peer, (struct sockaddr *)&name, sizeof(name)), 0);
	from.fd = peer;
	to.fd = fd;
	if (frames_exchange(world, &from, &to) < 0)
		return -1;
	if (!faults_struck())
		assert_int_equal(to.arrived, FRAMES);
	to.number = 0;
	while (to.number < 8 && end_send(&to))
		world_turn(world);
	uplink_lost(uplink_find(world->broker->uplinks, "u0"), "it is tried here");
	while (to.number < 16 && end_send(&to))
		world_turn(world);
	world_quiesce(world);
	return ask(world, MEMTUN_CMD_UPLINK_SHOW, "u0", "statistics", &answer);
}
