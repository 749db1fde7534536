/* SPDX-License-Identifier: MIT */
#include "client/wrap/preload_server.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/wrap/preload_protocol.h"
#include "common/descriptor.h"
#include "common/descriptor_message.h"

/* ------------------------------------------------------------------------------ answers */

static int answer_send(const struct call *call, const struct preload_answer *answer, int fd)
{
	return descriptor_message_send(call->channel, answer, sizeof(*answer), &fd, fd >= 0,
				       MSG_DONTWAIT);
}

static int library_answer(struct call *call, long value)
{
	return answer_send(call, &(struct preload_answer){.value = value}, -1);
}

static int library_pass(struct call *call)
{
	return answer_send(call, &(struct preload_answer){.pass = 1}, -1);
}

/* The library itself sets close-on-exec as it receives the descriptor. Its number is not known
 * here. */
static int library_give(struct call *call, int fd, int flags)
{
	(void)flags;
	return answer_send(call, &(struct preload_answer){0}, fd) < 0 ? -1 : CALL_FD_UNKNOWN;
}

static bool library_is_waiting(const struct call *call)
{
	return !descriptor_hung_up(call->channel);
}

static const struct call_operations operations = {
	.answer = library_answer,
	.pass = library_pass,
	.give = library_give,
	.is_waiting = library_is_waiting,
};

/* ------------------------------------------------------------------------------ connections */

int preload_server_open(struct preload_server *server, const char *address)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address));
	descriptor_owned fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	/* The @ is written as a zero byte, and no zero byte follows. */
	memcpy(name.sun_path + 1, address + 1, strlen(address + 1));
	if (bind(fd, (struct sockaddr *)&name, length) < 0 || listen(fd, SOMAXCONN) < 0)
		return -1;
	server->fd = descriptor_take(&fd);
	server->count = 0;
	return 0;
}

void preload_server_close(struct preload_server *server)
{
	while (server->count)
		close(server->connections[--server->count]);
	descriptor_close(&server->fd);
}

size_t preload_server_poll(const struct preload_server *server, struct pollfd *polled)
{
	if (server->fd < 0)
		return 0;
	polled[0] = (struct pollfd){
		.fd = server->fd,
		.events = server->count < PRELOAD_CONNECTIONS ? POLLIN : 0,
	};
	for (size_t i = 0; i < server->count; i++)
		polled[1 + i] = (struct pollfd){.fd = server->connections[i], .events = POLLIN};
	return 1 + server->count;
}

void preload_server_accept(struct preload_server *server)
{
	descriptor_owned fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return;
	/* Everybody can connect to an abstract name. */
	if (peer.uid == geteuid())
		server->connections[server->count++] = descriptor_take(&fd);
}

/* Remove the connection from the list. */
static void connection_remove(struct preload_server *server, int connection)
{
	for (size_t i = 0; i < server->count; i++) {
		if (server->connections[i] == connection)
			server->connections[i] = server->connections[--server->count];
	}
}

int preload_server_receive(struct preload_server *server, int connection, struct call *call)
{
	struct preload_request request;
	struct ucred peer;
	socklen_t length = sizeof(peer);
	ssize_t received = recv(connection, &request, sizeof(request), 0);

	connection_remove(server, connection);
	if (received != (ssize_t)sizeof(request) ||
	    getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
		close(connection);
		return -1;
	}
	*call = (struct call){
		.operations = &operations,
		.channel = connection,
		.kind = request.kind == PRELOAD_OPEN ? CALL_OPEN : CALL_IOCTL,
		.name = request.kind == PRELOAD_OPEN ? "openat" : "ioctl",
		.thread = peer.pid,
		.is_32_bit = request.word_size < sizeof(long),
		.fd = request.fd,
		.request = request.request,
		.argument = (unsigned long)request.argument,
		.directory = request.fd,
		.flags = request.request,
		.path = (unsigned long)request.argument,
	};
	return 0;
}
