/* SPDX-License-Identifier: MIT */
/* What clients ask the broker for, as scenarios of test_faults. */
#include "tests/unit/broker/fault_scenarios.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/descriptor.h"
#include "broker/control/handoff.h"
#include "client/lib/record.h"
#include "tests/unit/broker/fault_steps.h"

ssize_t __real_recvmsg(int socket, struct msghdr *message, int flags);

/* ------------------------------------------------------------------------------ requests */

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

int tunnels(struct world *world)
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

int bridges(struct world *world)
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

int opens(struct world *world)
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

int batch(struct world *world)
{
	struct answer answer;

	if (ask(world, MEMTUN_CMD_QUEUE_OPEN, "many%d", "count=5", &answer) < 0)
		return -1;
	assert_int_equal(answer.records, 5);
	assert_int_equal(answer.fd_count, 5);
	answer_close(&answer);
	return 0;
}

int attach(struct world *world)
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
int events(struct world *world)
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

int plain_handoff(struct world *world)
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

int interfaces(struct world *world)
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
