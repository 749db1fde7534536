/* SPDX-License-Identifier: MIT */
/*
* Each allocation and system call of the broker and the library fails once, in all that clients do.
 * fault_world.h says what must be true after each failure.
 */
#include "tests/unit/runner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/lib/connection.h"
#include "common/descriptor.h"
#include "tests/unit/broker/fault_world.h"
#include "tests/unit/broker/uplink/own_search.h"
#include "broker/control/handoff.h"
#include "client/lib/record.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/listening.h"
#include "broker/uplink/uplink.h"
#include "common/container_of.h"

int __real_socketpair(int domain, int type, int protocol, int ends[2]);
ssize_t __real_recvmsg(int socket, struct msghdr *message, int flags);

/* ------------------------------------------------------------------------------ requests */

static void options_free(struct memtun_options **options)
{
	memtun_options_free(*options);
}

#define options_owned __attribute__((cleanup(options_free)))

/* Return options from one text, which the caller frees; NULL if that fails. */
static struct memtun_options *options_make(const char *text)
{
	struct memtun_options *options = memtun_options_new();

	if (!options)
		return NULL;
	if (memtun_options_parse(options, text) == 0)
		return options;
	assert_int_equal(errno, ENOMEM);
	assert_string_not_equal(memtun_options_error(options), "");
	memtun_options_free(options);
	return NULL;
}

static int add(struct world *world, const char *name, const char *text)
{
	options_owned struct memtun_options *options = options_make(text);

	if (!options)
		return -1;
	return world_check(world->client, memtun_add(world->client, name, options));
}

/* Open a tunnel, and assert that a refused open makes no tunnel. Return the descriptor or -1. */
static int open_tunnel(struct world *world, const char *name, const char *text)
{
	options_owned struct memtun_options *options = options_make(text);
	bool is_there;
	int fd;

	if (!options)
		return -1;
	is_there = tunnel_find(world->broker->tunnels, name);
	fd = world_check(world->client, memtun_open(world->client, name, options));
	if (fd < 0 && !is_there && memtun_fd(world->client) >= 0)
		assert_null(tunnel_find(world->broker->tunnels, name));
	return fd;
}

static int set_and_show(struct world *world)
{
	options_owned struct memtun_options *options = options_make("mtu=1400,bridge=other");
	struct memtun *client = world->client;

	if (!options)
		return -1;
	if (world_check(client, memtun_set(client, "t0", options)) < 0 ||
	    world_check(client, memtun_show(client, "t0", true, NULL, NULL)) < 0 ||
	    world_check(client, memtun_show(client, NULL, false, NULL, NULL)) < 0)
		return -1;
	return 0;
}

static int tunnels(struct world *world)
{
	struct memtun *client = world->client;
	descriptor_owned fd = -1;

	if (add(world, "t0", "mode=tap,bridge=b0") < 0 || set_and_show(world) < 0)
		return -1;
	fd = open_tunnel(world, "t0", "");
	if (fd < 0)
		return -1;
	return world_check(client, memtun_delete(client, "t0"));
}

static int bridges(struct world *world)
{
	options_owned struct memtun_options *hub = options_make("hub");
	struct memtun *client = world->client;

	if (!hub || world_check(client, memtun_bridge_add(client, "b0", NULL)) < 0 ||
	    world_check(client, memtun_bridge_add(client, "b1", hub)) < 0 ||
	    add(world, "t0", "bridge=b0") < 0 ||
	    world_check(client, memtun_bridge_show(client, NULL, NULL, NULL)) < 0 ||
	    world_check(client, memtun_bridge_show(client, "b1", NULL, NULL)) < 0 ||
	    world_check(client, memtun_bridge_delete(client, "b1")) < 0)
		return -1;
	return world_check(client, memtun_bridge_delete(client, "b0"));
}

static int opens(struct world *world)
{
	static const char *const texts[] = {"socket=seqpacket,bridge=b0", "socket=dgram,persistent",
					    "socket=stream,pi,vnet_hdr"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char name[MEMTUN_NAME_SIZE];
		descriptor_owned fd = -1;

		snprintf(name, sizeof(name), "t%zu", i);
		fd = open_tunnel(world, name, texts[i]);
		if (fd < 0)
			return -1;
	}
	return 0;
}

/* ------------------------------------------------------------------------------ many parts */

/* Assert that each frame that was offered to a port is accounted for. */
static void counters_check(const struct memtun_record *record, void *context)
{
	static const char *const parts[] = {
		"to-client-frames",          "to-client-queued",
		"to-client-dropped-full",    "to-client-dropped-no-client",
		"to-client-dropped-mtu",     "to-client-dropped-needs-segmentation",
		"to-client-dropped-refused", "to-client-dropped-not-ip",
	};
	uint64_t offered, sum = 0;

	(void)context;
	assert_int_equal(memtun_record_number(record, "to-client-offered", &offered), 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint64_t number;

		assert_int_equal(memtun_record_number(record, parts[i], &number), 0);
		sum += number;
	}
	assert_int_equal(sum, offered);
}

/* The records of one answer. */
struct answer {
	int fds[8];
	unsigned int fd_count;
	unsigned int records;
	uint32_t queue_id;
	bool done;
	int error;
};

static void answer_part(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	struct answer *answer = context;

	(void)memtun;
	if (!reply->record) {
		assert_false(answer->done);
		answer->done = true;
		answer->error = reply->error;
		return;
	}
	answer->records++;
	if (attribute_set_has(&reply->record->set, MEMTUN_A_TO_CLIENT_OFFERED))
		counters_check(reply->record, NULL);
	answer->queue_id = (uint32_t)attribute_set_number(&reply->record->set, MEMTUN_A_QUEUE_ID);
	if (reply->fd >= 0)
		answer->fds[answer->fd_count++] = reply->fd;
}

static void answer_close(struct answer *answer)
{
	while (answer->fd_count)
		descriptor_close(&answer->fds[--answer->fd_count]);
}

/* Send a request, wait for its answer, and store that in *answer. */
static int ask(struct world *world, enum memtun_command command, const char *name, const char *text,
	       struct answer *answer)
{
	options_owned struct memtun_options *options = options_make(text);
	struct memtun *client = world->client;

	*answer = (struct answer){0};
	if (!options || world_check(client, memtun_request(client, command, name, options,
							   answer_part, answer)) < 0)
		return -1;
	while (!answer->done) {
		int waited = memtun_wait(client, -1);

		assert_int_not_equal(waited < 0 ? errno : 0, ETIME);
		if (waited < 0)
			break;
	}
	assert_true(answer->done);
	if (!answer->error)
		return 0;
	answer_close(answer);
	return -1;
}

static int batch(struct world *world)
{
	struct answer answer;

	if (ask(world, MEMTUN_CMD_QUEUE_OPEN, "many%d", "count=5", &answer) < 0)
		return -1;
	assert_int_equal(answer.records, 5);
	assert_int_equal(answer.fd_count, 5);
	answer_close(&answer);
	return 0;
}

static int attach(struct world *world)
{
	struct answer opened, answer;
	char text[64];

	if (ask(world, MEMTUN_CMD_QUEUE_OPEN, NULL, "socket=stream", &opened) < 0)
		return -1;
	assert_int_equal(opened.fd_count, 1);
	snprintf(text, sizeof(text), "queue-id=%u,socket=stream,bridge=b0", opened.queue_id);
	if (ask(world, MEMTUN_CMD_QUEUE_ATTACH, "t0", text, &answer) < 0)
		goto fail;
	snprintf(text, sizeof(text), "queue-id=%u", opened.queue_id);
	if (ask(world, MEMTUN_CMD_QUEUE_DETACH, NULL, text, &answer) < 0)
		goto fail;
	answer_close(&opened);
	return 0;

fail:
	answer_close(&opened);
	return -1;
}

/* Hand in a socket and the life of it, and end that. */
static int handed_in_with_a_life(struct world *world)
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

/* ------------------------------------------------------------------------------ events */

struct seen {
	unsigned int events;
	bool lost;
};

static void event_seen(const struct memtun_record *record, void *context)
{
	struct seen *seen = context;

	if (attribute_set_number(&record->set, MEMTUN_A_EVENT) == MEMTUN_EVENT_LOST)
		seen->lost = true;
	else
		seen->events++;
}

/* Each event arrives, or the broker reports that events were lost, or the connection ends. */
static int events(struct world *world)
{
	struct memtun *subscriber = world_connect(world);
	struct seen seen = {0};
	int result = -1;

	if (!subscriber)
		return -1;
	if (world_check(subscriber, memtun_subscribe(subscriber, event_seen, &seen)) < 0 ||
	    add(world, "t0", "bridge=b0") < 0 ||
	    world_check(world->client, memtun_delete(world->client, "t0")) < 0)
		goto done;
	for (int i = 0; i < 50 && seen.events < 4 && !seen.lost; i++) {
		if (memtun_wait(subscriber, 20) < 0)
			goto done;
	}
	/* The bridge and the tunnel were added, and both were deleted. */
	assert_true(seen.events == 4 || seen.lost);
	result = 0;

done:
	memtun_free(subscriber);
	return result;
}

/* ------------------------------------------------------------------------------ frames */

#define FRAME_SIZE 1400
#define FRAMES 160 /* more than a socket's buffer holds, so that some are kept */

/* One client's end of a tunnel. */
struct end {
	int fd;
	bool is_stream;
	bool gone;
	unsigned int number;  /* of the next frame to send, or of the last one received */
	unsigned int arrived; /* frames */
	size_t part;          /* bytes of a frame that are sent, or received */
	unsigned char bytes[4 + FRAME_SIZE];
};

/* Write frame `number`, after its length. */
static void frame_make(unsigned char bytes[4 + FRAME_SIZE], unsigned int number)
{
	uint32_t length = htonl(FRAME_SIZE);

	memset(bytes, (int)(number & 0xff), 4 + FRAME_SIZE);
	memcpy(bytes, &length, sizeof(length));
	memcpy(bytes + 4, "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14);
	memcpy(bytes + 18, &number, sizeof(number));
}

/* Send the rest of the next frame. Return false if there is no room now. */
static bool end_send(struct end *end)
{
	size_t before = end->is_stream ? 0 : 4;
	ssize_t sent;

	if (!end->part)
		frame_make(end->bytes, end->number);
	sent = send(end->fd, end->bytes + before + end->part, 4 + FRAME_SIZE - before - end->part,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0) {
		end->gone = errno != EAGAIN;
		return false;
	}
	end->part += (size_t)sent;
	if (before + end->part < 4 + FRAME_SIZE)
		return true;
	end->part = 0;
	end->number++;
	return true;
}

/* Assert that a frame is as it was sent, and was sent after the previous one. */
static void end_arrived(struct end *end)
{
	unsigned char expected[4 + FRAME_SIZE];
	unsigned int number;

	memcpy(&number, end->bytes + 18, sizeof(number));
	assert_true(end->arrived == 0 || number > end->number);
	frame_make(expected, number);
	assert_memory_equal(end->bytes + 4, expected + 4, FRAME_SIZE);
	end->number = number;
	end->arrived++;
}

/* Receive a frame, or a part of one. Return false if there is none now. */
static bool end_receive(struct end *end)
{
	size_t before = end->is_stream ? 0 : 4;
	ssize_t received = recv(end->fd, end->bytes + before + end->part,
				4 + FRAME_SIZE - before - end->part, MSG_DONTWAIT);

	if (received <= 0) {
		end->gone = received == 0 || errno != EAGAIN;
		return false;
	}
	end->part += (size_t)received;
	if (before + end->part < 4 + FRAME_SIZE) {
		assert_true(end->is_stream);
		return true;
	}
	end->part = 0;
	end_arrived(end);
	return true;
}

/* Send all frames, and begin to receive only when there is no more room for them. */
static int frames_exchange(struct world *world, struct end *from, struct end *to)
{
	unsigned int idle = 0;

	while (from->number < FRAMES && !from->gone && idle < 4) {
		idle = end_send(from) ? 0 : idle + 1;
		if (from->number % 8 == 0 || idle)
			world_turn(world);
	}
	for (idle = 0; idle < 8 && !from->gone && !to->gone; idle++) {
		while (from->number < FRAMES && end_send(from))
			idle = 0;
		world_turn(world);
		while (end_receive(to))
			idle = 0;
	}
	return from->gone || to->gone ? -1 : 0;
}

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

static int frames_seqpacket(struct world *world)
{
	return frames(world, "bridge=b0", false);
}

static int frames_dgram(struct world *world)
{
	return frames(world, "bridge=b0,socket=dgram", false);
}

static int frames_stream(struct world *world)
{
	return frames(world, "bridge=b0,socket=stream", true);
}

static int frames_blocked(struct world *world)
{
	return frames(world, "bridge=b0,queue=8,overflow=block", false);
}

static int frames_blocked_stream(struct world *world)
{
	return frames(world, "bridge=b0,queue=8,overflow=block,socket=stream", true);
}

static int multi_queue(struct world *world)
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

static int tun_among_taps_seqpacket(struct world *world)
{
	return tun_among_taps(world, "seqpacket");
}

static int tun_among_taps_stream(struct world *world)
{
	return tun_among_taps(world, "stream");
}

/* The first TAP makes adapters for all TUNs on the bridge. */
static int tuns_before_taps(struct world *world)
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

static int captured_and_injected(struct world *world)
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
static int uplinks(struct world *world)
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
static int uplink_with_a_file(struct world *world)
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

static int listening_uplinks(struct world *world)
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
static int listening_switch(struct world *world)
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
static int frames_uplink(struct world *world)
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

static int peers(struct world *world)
{
	return peers_of(world, "peer=p1");
}

static int peers_dgram(struct world *world)
{
	return peers_of(world, "peer=p1,socket=dgram");
}

static int peers_by_opening(struct world *world)
{
	descriptor_owned one = open_tunnel(world, "p0", "peer=p1");

	if (one < 0) {
		if (memtun_fd(world->client) >= 0)
			assert_null(tunnel_find(world->broker->tunnels, "p1"));
		return -1;
	}
	return 0;
}

/* ------------------------------------------------------------------------------ the handoff */

static int handoff_connect(const char *path)
{
	descriptor_owned fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	assert_true(fd >= 0);
	strlcpy(name.sun_path, path, sizeof(name.sun_path));
	assert_int_equal(connect(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
	return descriptor_take(&fd);
}

/* Return the descriptor; -1 if the connection ended without one. */
static int handoff_receive(int fd)
{
	char byte;
	struct iovec bytes = {&byte, 1};
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
	ssize_t received = -1;
	int passed;

	message.msg_control = control.room;
	message.msg_controllen = sizeof(control.room);
	/* After a transient error the listener retries after a tenth of a second. */
	for (int i = 0; i < 2000 && received < 0; i++) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

		assert_true(poll(&poll_fd, 1, 1) >= 0);
		received = __real_recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (received < 0)
			assert_int_equal(errno, EAGAIN);
	}
	assert_true(received >= 0);
	if (received == 0)
		return -1;
	assert_int_equal(message.msg_flags & MSG_CTRUNC, 0);
	assert_int_equal(CMSG_FIRSTHDR(&message)->cmsg_len, CMSG_LEN(sizeof(int)));
	memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(passed));
	return passed;
}

static int plain_handoff(struct world *world)
{
	char path[CONTROL_ADDRESS_SIZE + 2], text[CONTROL_ADDRESS_SIZE + 32];
	descriptor_owned socket = -1, passed = -1;
	struct fault fault = {0};
	struct handoff *handoff;

	snprintf(path, sizeof(path), "%sh", world->address);
	snprintf(text, sizeof(text), "%s=h0:bridge=b0", path);
	handoff = handoff_new(world->broker->control, text, &fault);
	if (!handoff) {
		assert_int_not_equal(fault.error, 0);
		assert_string_not_equal(fault.text, "");
		return -1;
	}
	socket = handoff_connect(path);
	passed = handoff_receive(socket);
	handoff_free(handoff);
	return passed < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------ interfaces */

static int interfaces(struct world *world)
{
	static const char *const texts[] = {
		"interface-address=10.0.0.9/24+10.3.0.0/24,interface-route=default via 10.0.0.1",
		"interface-address=10.0.0.8/24,interface-neighbour=10.0.0.1 nud permanent",
	};
	struct answer answer;

	if (add(world, "tap", "mode=tap,bridge=b0") < 0 ||
	    add(world, "tun", "mode=tun,bridge=b0") < 0 ||
	    world_check(world->client, memtun_subscribe(world->client, NULL, NULL)) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (ask(world, MEMTUN_CMD_INTERFACE_SET, "tun", texts[i], &answer) < 0)
			return -1;
	}
	if (ask(world, MEMTUN_CMD_INTERFACE_SET, "tap", "", &answer) < 0 ||
	    add(world, "t0", "mode=tun") < 0)
		return -1;
	return ask(world, MEMTUN_CMD_TUNNEL_RENAME, "tun", "new-name=t%d", &answer);
}

/* ------------------------------------------------------------------------------ rules */

static int rule_add(struct world *world, const char *name, const char *text)
{
	options_owned struct memtun_options *options = options_make(text);

	if (!options)
		return -1;
	return world_check(world->client,
			   memtun_impair_add(world->client, name, options, NULL, NULL));
}

/* Send some frames, of which a rule of t1 holds the first two, and one of t2 delays the others. */
static int rules_used(struct world *world, struct end *from)
{
	options_owned struct memtun_options *changed = options_make("rule=1,duplicate=10%");
	options_owned struct memtun_options *rest = options_make("frame=0,discard");
	struct memtun *client = world->client;

	while (from->number < 6 && end_send(from))
		world_turn(world);
	world_quiesce(world);
	if (!changed || !rest ||
	    world_check(client, memtun_impair_set(client, "t2", changed)) < 0 ||
	    world_check(client, memtun_impair_show(client, NULL, NULL, NULL)) < 0)
		return -1;
	/* A frame for which the broker had no memory is dropped, and then it holds one less. */
	if (world_check(client, memtun_impair_release(client, "t1", NULL)) < 0 &&
	    (!faults_struck() || errno != ENOENT))
		return -1;
	if (world_check(client, memtun_impair_release(client, "t1", rest)) < 0)
		return -1;
	world_quiesce(world);
	return world_check(client, memtun_show(client, "t1", true, NULL, NULL));
}

/* Rules with each kind of allocation: a filter, a list of numbers, frames that wait and copies. */
static int rules(struct world *world)
{
	struct end from = {0};
	descriptor_owned one = open_tunnel(world, "t1", "bridge=b0,hold,until=2");
	descriptor_owned other = one < 0 ? -1 : open_tunnel(world, "t2", "bridge=b0");

	from.fd = one;
	if (other < 0 || rule_add(world, "t2", "direction=to-client,delay=1h,duplicate=50%") < 0 ||
	    rule_add(world, "t1", "match=ether[14] >= 3,match-code=1+6 0 0 262144,drop=9") < 0 ||
	    rule_add(world, "t1", "loss=1%,loss-burst=2,until-time=1h") < 0 ||
	    rules_used(world, &from) < 0 ||
	    world_check(world->client, memtun_impair_delete(world->client, "t1", 2)) < 0)
		return -1;
	return world_check(world->client, memtun_impair_delete(world->client, "t2", 0));
}

/* ------------------------------------------------------------------------------ the walks */

static const struct {
	const char *name;
	scenario_function *run;
} scenarios[] = {
	{"tunnels", tunnels},
	{"bridges", bridges},
	{"opens", opens},
	{"a batch", batch},
	{"attaching", attach},
	{"events", events},
	{"frames, seqpacket", frames_seqpacket},
	{"frames, dgram", frames_dgram},
	{"frames, stream", frames_stream},
	{"frames, blocked", frames_blocked},
	{"frames, blocked stream", frames_blocked_stream},
	{"multi-queue", multi_queue},
	{"a TUN among TAPs", tun_among_taps_seqpacket},
	{"a TUN among TAPs, stream", tun_among_taps_stream},
	{"TUNs before TAPs", tuns_before_taps},
	{"captured, injected", captured_and_injected},
	{"uplinks", uplinks},
	{"an uplink with a file", uplink_with_a_file},
	{"listening uplinks", listening_uplinks},
	{"a listening switch", listening_switch},
	{"handed in", handed_in_with_a_life},
	{"frames, uplink", frames_uplink},
	{"rules", rules},
	{"peers", peers},
	{"peers, dgram", peers_dgram},
	{"peers by opening", peers_by_opening},
	{"plain handoff", plain_handoff},
	{"interfaces", interfaces},
};

/* Walk every scenario and the broker's start. The function must be called in one of them. */
static void walk(enum faulty which, int error)
{
	unsigned int calls = world_walk_start("the start", which, error);

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		calls += world_walk(scenarios[i].name, scenarios[i].run, which, error);
	print_message("%s failed %u times\n", faulty_names[which], calls);
	assert_true(calls > 0);
}

#define WALK(test, which, error)       \
	static void test(void **state) \
	{                              \
		(void)state;           \
		walk(which, error);    \
	}

WALK(no_malloc_that_fails_does_harm, FAULTY_MALLOC, ENOMEM)
WALK(no_calloc_that_fails_does_harm, FAULTY_CALLOC, ENOMEM)
WALK(no_strdup_that_fails_does_harm, FAULTY_STRDUP, ENOMEM)
WALK(no_socketpair_that_fails_does_harm, FAULTY_SOCKETPAIR, EMFILE)
WALK(no_fcntl_that_fails_does_harm, FAULTY_FCNTL, EMFILE)
WALK(no_sendmsg_short_of_buffers_does_harm, FAULTY_SENDMSG, ENOBUFS)
WALK(no_sendmsg_short_of_memory_does_harm, FAULTY_SENDMSG, ENOMEM)
WALK(no_sendmsg_short_of_descriptors_does_harm, FAULTY_SENDMSG, EMFILE)
WALK(no_sendmsg_with_too_many_in_flight_does_harm, FAULTY_SENDMSG, ETOOMANYREFS)
WALK(no_sendmsg_to_nobody_does_harm, FAULTY_SENDMSG, EPIPE)
WALK(no_recvmsg_that_fails_does_harm, FAULTY_RECVMSG, ENOMEM)
WALK(no_sendmmsg_that_fails_does_harm, FAULTY_SENDMMSG, ENOBUFS)
WALK(no_recvmmsg_that_fails_does_harm, FAULTY_RECVMMSG, ENOMEM)
WALK(no_accept_that_fails_does_harm, FAULTY_ACCEPT4, EMFILE)
WALK(no_fstat_that_fails_does_harm, FAULTY_FSTAT, ENOMEM)
WALK(no_setsockopt_that_fails_does_harm, FAULTY_SETSOCKOPT, ENOMEM)
WALK(no_getsockopt_that_fails_does_harm, FAULTY_GETSOCKOPT, ENOMEM)

#define WALK_TEST(test) cmocka_unit_test_teardown(test, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WALK_TEST(no_malloc_that_fails_does_harm),
		WALK_TEST(no_calloc_that_fails_does_harm),
		WALK_TEST(no_strdup_that_fails_does_harm),
		WALK_TEST(no_socketpair_that_fails_does_harm),
		WALK_TEST(no_fcntl_that_fails_does_harm),
		WALK_TEST(no_sendmsg_short_of_buffers_does_harm),
		WALK_TEST(no_sendmsg_short_of_memory_does_harm),
		WALK_TEST(no_sendmsg_short_of_descriptors_does_harm),
		WALK_TEST(no_sendmsg_with_too_many_in_flight_does_harm),
		WALK_TEST(no_sendmsg_to_nobody_does_harm),
		WALK_TEST(no_recvmsg_that_fails_does_harm),
		WALK_TEST(no_sendmmsg_that_fails_does_harm),
		WALK_TEST(no_recvmmsg_that_fails_does_harm),
		WALK_TEST(no_accept_that_fails_does_harm),
		WALK_TEST(no_fstat_that_fails_does_harm),
		WALK_TEST(no_setsockopt_that_fails_does_harm),
		WALK_TEST(no_getsockopt_that_fails_does_harm),
	};

	return RUN_TESTS(tests);
}
