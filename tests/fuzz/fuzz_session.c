/* SPDX-License-Identifier: MIT */
/*
 * Two clients of a broker, in one process with it, over socketpairs. The input says what each of
 * them does. It is a byte of settings, then steps: a byte for the kind of step, a byte for the
 * tunnel, two bytes of length (little-endian), and that many bytes. The broker must answer only in
 * well-formed records, must become idle, and must leave no descriptor open.
 */
#include "tests/fuzz/fuzz.h"

#include <ev.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/control/control.h"
#include "broker/engine/engine.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/uplink.h"
#include "broker/broker.h"
#include "common/descriptor.h"
#include "common/log.h"
#include "common/message.h"
#include "broker/control/session.h"

/* The bits of the first byte. */
#define GREET 1     /* both send hello first */
#define SAME_USER 2 /* both belong to one user */

enum step {
	STEP_REQUEST,       /* the bytes unchanged, on the first connection */
	STEP_OTHER_REQUEST, /* the same on the second connection */
	STEP_WHOLE_REQUEST, /* with the correct length in the header */
	STEP_OTHER_WHOLE_REQUEST,
	STEP_REQUEST_WITH_DESCRIPTOR,
	STEP_SEND_FRAME, /* the bytes are a frame to a tunnel */
	STEP_RECEIVE_FRAMES,
	STEP_CLOSE_TUNNEL,
	STEP_SHUT_TUNNEL,
	STEP_STOP_READING, /* the first connection's answers are not read */
	STEP_LEAVE,        /* the second connection is closed */
	STEP_COUNT,
};

/* Enough for a batch of opens. Further descriptors are closed. */
#define TUNNELS_MAX 40

/* Iterations of the loop after each step, so that no input takes long. */
#define TURNS 3

struct clients {
	struct broker *broker;
	int controls[2];
	int tunnels[TUNNELS_MAX];
	unsigned int tunnel_count;
	bool reading; /* the first connection's answers are read */
};

/* Return the lowest free descriptor. If it is higher than before, a descriptor is still open. */
static int lowest_free(void)
{
	descriptor_owned fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	return fd;
}

static void clients_join(struct clients *clients, int which, uid_t uid)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0 ||
	    !session_new(clients->broker->control, ends[1], uid, which))
		abort();
	clients->controls[which] = ends[0];
}

static void clients_keep(struct clients *clients, struct msghdr *message)
{
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header)) {
		int fd;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		/* A record brings at most one descriptor. */
		if (header->cmsg_len != CMSG_LEN(sizeof(fd)))
			abort();
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
		if (clients->tunnel_count < TUNNELS_MAX)
			clients->tunnels[clients->tunnel_count++] = fd;
		else
			descriptor_close(&fd);
	}
}

/* Read all answers, each of which must be a valid record. */
static void clients_read(struct clients *clients, int which)
{
	static _Alignas(8) unsigned char record[MEMTUN_PROTOCOL_RECORD_MAX + 1];
	union {
		char room[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;

	for (;;) {
		struct iovec bytes = {record, sizeof(record)};
		struct msghdr message = {
			.msg_iov = &bytes,
			.msg_iovlen = 1,
			.msg_control = control.room,
			.msg_controllen = sizeof(control.room),
		};
		ssize_t length = recvmsg(clients->controls[which], &message,
					 MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		struct message parsed;
		struct fault fault;
		uint32_t sequence;

		if (length <= 0)
			return;
		clients_keep(clients, &message);
		if (message_parse_error(record, (size_t)length, &sequence, &fault) == 0)
			continue;
		if (message_parse(&parsed, record, (size_t)length, MESSAGE_STRICT, &fault) < 0)
			abort();
	}
}

static void clients_run(struct clients *clients)
{
	for (int i = 0; i < TURNS; i++) {
		ev_run(clients->broker->engine->loop, EVRUN_NOWAIT);
		if (clients->reading)
			clients_read(clients, 0);
		clients_read(clients, 1);
	}
}

static void clients_say(struct clients *clients, int which, const uint8_t *bytes, size_t size,
			int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part = {(void *)(uintptr_t)bytes, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *header;

		message.msg_control = control.room;
		message.msg_controllen = sizeof(control.room);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	(void)!sendmsg(clients->controls[which], &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void clients_say_whole(struct clients *clients, int which, const uint8_t *bytes, size_t size)
{
	uint8_t record[UINT16_MAX];
	uint32_t length = (uint32_t)size;

	memcpy(record, bytes, size);
	if (size >= sizeof(length))
		memcpy(record, &length, sizeof(length));
	clients_say(clients, which, record, size, -1);
}

static void clients_greet(struct clients *clients, int which)
{
	static struct message_builder builder;

	message_begin(&builder, MEMTUN_CMD_HELLO, NLM_F_REQUEST, 1);
	message_put_number(&builder, MEMTUN_A_VERSION, MEMTUN_PROTOCOL_VERSION);
	clients_say(clients, which, builder.bytes, message_end(&builder), -1);
}

static void tunnel_receive(int fd)
{
	static unsigned char frame[FRAME_MAX + FRAME_FORMAT_MAX];

	while (recv(fd, frame, sizeof(frame), MSG_DONTWAIT) > 0)
		;
}

static void clients_step(struct clients *clients, uint8_t what, uint8_t on, const uint8_t *bytes,
			 size_t size)
{
	int *tunnel = clients->tunnel_count ? &clients->tunnels[on % clients->tunnel_count] : NULL;
	enum step step = (enum step)(what % STEP_COUNT);

	if (step >= STEP_SEND_FRAME && step <= STEP_SHUT_TUNNEL && (!tunnel || *tunnel < 0))
		return;
	switch (step) {
	case STEP_REQUEST:
	case STEP_OTHER_REQUEST:
		clients_say(clients, step == STEP_OTHER_REQUEST, bytes, size, -1);
		break;
	case STEP_WHOLE_REQUEST:
	case STEP_OTHER_WHOLE_REQUEST:
		clients_say_whole(clients, step == STEP_OTHER_WHOLE_REQUEST, bytes, size);
		break;
	case STEP_REQUEST_WITH_DESCRIPTOR:
		clients_say(clients, 0, bytes, size, clients->controls[0]);
		break;
	case STEP_SEND_FRAME:
		(void)!send(*tunnel, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case STEP_RECEIVE_FRAMES:
		tunnel_receive(*tunnel);
		break;
	case STEP_CLOSE_TUNNEL:
		descriptor_close(tunnel);
		break;
	case STEP_SHUT_TUNNEL:
		shutdown(*tunnel, on & 1 ? SHUT_WR : SHUT_RDWR);
		break;
	case STEP_STOP_READING:
		clients->reading = false;
		break;
	case STEP_LEAVE:
		descriptor_close(&clients->controls[1]);
		break;
	case STEP_COUNT:
		break;
	}
}

static void clients_follow(struct clients *clients, const uint8_t *data, size_t size)
{
	while (size >= 4) {
		size_t length = (size_t)(data[2] | data[3] << 8);

		if (length > size - 4)
			length = size - 4;
		clients_step(clients, data[0], data[1], data + 4, length);
		clients_run(clients);
		data += 4 + length;
		size -= 4 + length;
	}
}

static void clients_end(struct clients *clients)
{
	descriptor_close(&clients->controls[0]);
	descriptor_close(&clients->controls[1]);
	ev_run(clients->broker->engine->loop, EVRUN_NOWAIT);
	for (unsigned int i = 0; i < clients->tunnel_count; i++)
		descriptor_close(&clients->tunnels[i]);
	ev_run(clients->broker->engine->loop, EVRUN_NOWAIT);
	broker_free(clients->broker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clients clients = {.reading = true};
	int free_before = lowest_free();

	if (size < 1)
		return 0;
	log_open("fuzz_session", LOG_LEVEL_ERROR);
	clients.broker = broker_new(ev_loop_new(EVFLAG_AUTO));
	if (!clients.broker)
		abort();
	clients_join(&clients, 0, 1000);
	clients_join(&clients, 1, data[0] & SAME_USER ? 1000 : 1001);
	if (data[0] & GREET) {
		clients_greet(&clients, 0);
		clients_greet(&clients, 1);
		clients_run(&clients);
	}
	clients_follow(&clients, data + 1, size - 1);
	clients_end(&clients);
	if (lowest_free() != free_before)
		abort();
	return 0;
}
