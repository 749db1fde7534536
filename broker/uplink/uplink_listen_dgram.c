/* SPDX-License-Identifier: MIT */
/*
 * A listening uplink for the datagram sockets of vfkit, krunkit and libkrun. A client binds a path
 * of its own, connects to the uplink's, and first sends the four bytes VFKT. Then each datagram is
 * one frame.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/engine/engine.h"
#include "broker/uplink/listening.h"
#include "broker/uplink/peer_socket.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/descriptor_reserve.h"
#include "common/failed.h"

/*
 * A client takes datagrams only from the socket that it has connected to. So that socket becomes
 * the client's port: the uplink connects it to the client, after which no other program can send to
 * it, and binds a new socket to the path for the next client. A second client that connects between
 * the first one's connect(2) and hello has connected to the same socket, and has to connect again.
 */

/* As that of the ports: see uplink_accepted.c. */
#define DGRAM_MTU (65535 - 18)

/* What a client sends first. */
#define HELLO "VFKT"
#define HELLO_SIZE (sizeof(HELLO) - 1)

/* Datagrams to read per iteration of the loop. */
#define TURN 16

/* What is appended to the path for a socket that is to replace the one there. */
#define NEXT ".next"

struct dgram_listen {
	struct listening listening; /* first */
	ev_io io;
};

/* A datagram of a client that has no port yet. */
struct hello {
	char bytes[HELLO_SIZE];
	ssize_t size; /* of the datagram, which may be longer than the bytes */
	struct sockaddr_storage from;
	socklen_t from_size;
	struct peer peer;
	bool is_identified; /* the kernel has told the sender */
};

static struct dgram_listen *listen_of(struct uplink *uplink)
{
	return container_of(uplink, struct dgram_listen, listening.uplink);
}

static const char *path_of(const struct listening *listening)
{
	return attribute_set_string(&listening->uplink.options, MEMTUN_A_LISTEN);
}

/* ------------------------------------------------------------------------------ the socket */

/* Switch on or off that the kernel tells the sender of each datagram. -1 with errno. */
static int socket_identify(int fd, bool identify)
{
	int on = identify;

	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

/* Return a socket that is bound beside the path, which the caller owns. -1 with errno. */
static int next_open(const struct listening *listening, struct sockaddr_un *address)
{
	descriptor_owned fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), "%s" NEXT, path_of(listening));
	if (fd < 0 || descriptor_check_reserve(fd) < 0 || socket_identify(fd, true) < 0 ||
	    control_socket_clear(address, sizeof(*address), SOCK_DGRAM) < 0 ||
	    fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -1;
	descriptor_refuse_others(fd);
	if (!listening->allows_any ||
	    listening_set_mode(listening, address->sun_path, listening->mode) == 0)
		return descriptor_take(&fd);
	unlink(address->sun_path);
	return -1;
}

/* Watch this socket from now on. */
static void socket_watch(struct dgram_listen *listen, int fd)
{
	struct ev_loop *loop = listen->listening.uplink.port.engine->loop;

	ev_io_stop(loop, &listen->io);
	ev_io_set(&listen->io, fd, EV_READ);
	ev_io_start(loop, &listen->io);
}

/* ------------------------------------------------------------------------------ clients */

/* Connect the socket to the client. -1 with errno, and the socket is as it was. */
static int client_connect(int fd, const struct hello *hello)
{
	const struct sockaddr_un *from = (const struct sockaddr_un *)&hello->from;
	char path[sizeof(hello->from) + 1] = "";

	/* A relative path is relative to the client's working directory, and in the abstract
	 * namespace another program may have taken the name meanwhile. */
	if (hello->from_size <= offsetof(struct sockaddr_un, sun_path) || from->sun_path[0] != '/')
		return failed(EDESTADDRREQ);
	memcpy(path, from->sun_path, hello->from_size - offsetof(struct sockaddr_un, sun_path));
	return peer_socket_connect(fd, AT_FDCWD, path, hello->peer.uid);
}

/* Let go of a client whose port cannot be made. The kernel discards what the client has sent. */
static void client_leave(int fd)
{
	const struct sockaddr none = {.sa_family = AF_UNSPEC};

	connect(fd, &none, sizeof(none));
}

/* Make the present socket the client's, and a new one that of the path. */
static void client_welcome(struct dgram_listen *listen, const struct hello *hello)
{
	struct listening *listening = &listen->listening;
	struct uplink_handed handed = {-1, -1};
	struct sockaddr_un address;
	descriptor_owned next = next_open(listening, &address);

	if (next < 0) {
		listening_refuse(listening, "cannot bind the next socket: %s", strerror(errno));
		return;
	}
	if (client_connect(listening->socket.fd, hello) < 0) {
		if (errno == EDESTADDRREQ)
			listening_refuse(listening, "its socket has no absolute path");
		else
			listening_refuse(listening, "cannot connect to its socket: %s",
					 strerror(errno));
		unlink(address.sun_path);
		return;
	}
	if (rename(address.sun_path, path_of(listening)) < 0) {
		listening_refuse(listening, "cannot bind the next socket: %s", strerror(errno));
		client_leave(listening->socket.fd);
		unlink(address.sun_path);
		return;
	}
	handed.fd = listening->socket.fd;
	listening->socket.fd = descriptor_take(&next);
	socket_watch(listen, listening->socket.fd);
	socket_identify(handed.fd, false);
	listening_accept(listening, &hello->peer, &handed);
}

/* Note the sender of the datagram, as the kernel tells it. */
static void hello_identify(struct hello *hello, struct msghdr *message)
{
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		struct ucred credentials;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&credentials, CMSG_DATA(header), sizeof(credentials));
		hello->peer.uid = credentials.uid;
		hello->peer.pid = credentials.pid;
		hello->is_identified = true;
	}
}

/* Receive one datagram. Return false if there is none. */
static bool hello_receive(struct hello *hello, int fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec bytes = {hello->bytes, sizeof(hello->bytes)};
	struct msghdr message = {
		.msg_name = &hello->from,
		.msg_namelen = sizeof(hello->from),
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};

	hello->peer = (struct peer){0};
	hello->is_identified = false;
	hello->size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
	if (hello->size < 0)
		return false;
	hello->from_size = message.msg_namelen;
	hello_identify(hello, &message);
	return true;
}

static void listen_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct dgram_listen *listen = io->data;
	struct listening *listening = &listen->listening;
	struct hello hello;

	(void)loop;
	(void)events;
	for (int i = 0; i < TURN && hello_receive(&hello, listening->socket.fd); i++) {
		if (hello.size != HELLO_SIZE || memcmp(hello.bytes, HELLO, HELLO_SIZE) != 0)
			listening_refuse(listening, "what it has sent first is not " HELLO);
		else if (!hello.is_identified)
			listening_refuse(listening, "the kernel does not tell its user");
		else if (listening_admits(listening, hello.peer.uid) &&
			 listening_has_room(listening, 0))
			client_welcome(listen, &hello);
	}
}

/* ------------------------------------------------------------------------------ the uplink */

static int dgram_listen_prepare(struct uplink *uplink, const struct attribute_set *options,
				struct fault *fault)
{
	struct dgram_listen *listen = listen_of(uplink);
	const char *path = attribute_set_string(options, MEMTUN_A_LISTEN);

	ev_init(&listen->io, listen_readable);
	listen->io.data = listen;
	if (listening_prepare(&listen->listening, options, fault) < 0)
		return -1;
	if (path[0] == '@')
		return fault_set(fault, EINVAL,
				 "an uplink of type dgram listens on a path, not on '%.60s'", path);
	if (strlen(path) + strlen(NEXT) >= CONTROL_ADDRESS_SIZE)
		return fault_set(fault, ENAMETOOLONG, "listen '%.40s...' has more than %zu bytes",
				 path, CONTROL_ADDRESS_SIZE - 1 - strlen(NEXT));
	return 0;
}

static int dgram_listen_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct dgram_listen *listen = listen_of(uplink);
	struct listening *listening = &listen->listening;
	struct fault fault;

	if (control_socket_listen(&listening->socket, path_of(listening), SOCK_DGRAM, &fault) < 0) {
		listening_tell(&fault, text);
		return -1;
	}
	snprintf(text, UPLINK_TEXT_SIZE, "cannot set the mode or the group of %.60s",
		 path_of(listening));
	if (descriptor_check_reserve(listening->socket.fd) < 0 ||
	    socket_identify(listening->socket.fd, true) < 0 ||
	    (listening->allows_any &&
	     listening_set_mode(listening, path_of(listening), listening->mode) < 0))
		return -1;
	socket_watch(listen, listening->socket.fd);
	return 0;
}

static void dgram_listen_end(struct uplink *uplink)
{
	struct dgram_listen *listen = listen_of(uplink);

	ev_io_stop(uplink->port.engine->loop, &listen->io);
	control_socket_close(&listen->listening.socket);
	listening_delete_ports(&listen->listening);
}

const struct uplink_kind uplink_listen_dgram = {
	.size = sizeof(struct dgram_listen),
	.takes = {.required = {MEMTUN_A_LISTEN},
		  .allowed = {MEMTUN_A_MAX, MEMTUN_A_ALLOW, MEMTUN_A_SOCKET_MODE,
			      MEMTUN_A_SOCKET_GROUP},
		  .options = OPTION_UPLINK_ANY},
	.mtu = DGRAM_MTU,
	.listens = true,
	.prepare = dgram_listen_prepare,
	.open = dgram_listen_open,
	.describe = listening_describe,
	.end = dgram_listen_end,
};
