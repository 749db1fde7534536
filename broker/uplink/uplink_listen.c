/* SPDX-License-Identifier: MIT */
/*
 * Listening uplinks whose peers connect to a socket and exchange frames on that connection. Type
 * stream is a STREAM socket, UNIX or TCP on a loopback address, with each frame after its length
 * (QEMU, libkrun). Type bess is a UNIX SEQPACKET socket with one frame a record (User Mode Linux).
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/engine/acceptor.h"
#include "broker/engine/engine.h"
#include "broker/uplink/listening.h"
#include "common/address.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/descriptor_reserve.h"

/* As that of the ports: see uplink_accepted.c. */
#define LISTEN_MTU (65535 - 18)

/* How many TCP connections may wait for accept(2): the kernel's default maximum (somaxconn). */
#define BACKLOG 4096

struct listen {
	struct listening listening; /* first */
	struct acceptor acceptor;
	bool accepts;                    /* the acceptor is running */
	struct sockaddr_storage address; /* TCP; else ss_family is 0 */
};

static struct listen *listen_of(struct uplink *uplink)
{
	return container_of(uplink, struct listen, listening.uplink);
}

/* ------------------------------------------------------------------------------ options */

/* Return whether a text that is no IP address looks like NAME:PORT and not like a path. */
static bool text_is_address(const char *text)
{
	const char *colon = strrchr(text, ':');

	return colon && colon[1] && text[0] != '@' && !strchr(text, '/') &&
	       strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

static bool address_is_loopback(const struct sockaddr_storage *address)
{
	struct address host = socket_address_host(address);

	return host.kind == ADDRESS_IPV4 ? host.bytes[0] == 127 : IN6_IS_ADDR_LOOPBACK(&host.ipv6);
}

static int address_prepare(struct listen *listen, const struct attribute_set *options,
			   struct fault *fault)
{
	const char *text = attribute_set_string(options, MEMTUN_A_LISTEN);

	if (attribute_set_number(options, MEMTUN_A_TYPE) != MEMTUN_UPLINK_STREAM)
		return fault_set(fault, EINVAL,
				 "an uplink of this type listens on PATH or @NAME, not on an "
				 "address: '%.60s'",
				 text);
	if (socket_address_parse_with_port(text, &listen->address) < 0)
		return fault_set(fault, EINVAL,
				 "listen takes PATH, @NAME, ADDRESS:PORT or [ADDRESS6]:PORT, not "
				 "'%.60s'",
				 text);
	if (!address_is_loopback(&listen->address))
		return fault_set(fault, EINVAL,
				 "listen %.60s is no loopback address: frames are not encrypted, "
				 "and peers on the network cannot be identified",
				 text);
	if (attribute_set_has(options, MEMTUN_A_SOCKET_MODE) ||
	    attribute_set_has(options, MEMTUN_A_SOCKET_GROUP))
		return fault_set(fault, EINVAL,
				 "socket-mode and socket-group are for a socket at a path");
	return 0;
}

static int listen_prepare(struct uplink *uplink, const struct attribute_set *options,
			  struct fault *fault)
{
	struct listen *listen = listen_of(uplink);
	const char *text = attribute_set_string(options, MEMTUN_A_LISTEN);
	struct sockaddr_un name;
	socklen_t size;

	if (listening_prepare(&listen->listening, options, fault) < 0)
		return -1;
	if (text_is_address(text))
		return address_prepare(listen, options, fault);
	if (text[0] == '@' && (attribute_set_has(options, MEMTUN_A_SOCKET_MODE) ||
			       attribute_set_has(options, MEMTUN_A_SOCKET_GROUP)))
		return fault_set(fault, EINVAL,
				 "socket-mode and socket-group are for a socket at a path");
	return control_socket_parse(text, &name, &size, fault);
}

/* ------------------------------------------------------------------------------ peers */

/* Identify the peer of a TCP connection: the kernel knows the user of a socket on this machine. */
static int tcp_identify(struct listen *listen, int fd, struct peer *peer,
			char text[SOCKET_ADDRESS_TEXT_SIZE])
{
	struct engine *engine = listen->listening.uplink.port.engine;
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	/* Frames are sent as they come, and not collected. An error costs only speed. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (getpeername(fd, (struct sockaddr *)&address, &size) < 0)
		return -1;
	peer->remote = socket_address_format(&address, text);
	if (socket_diag_tcp_user(&engine->diag, fd, &peer->uid) < 0)
		peer->uid = PEER_UNKNOWN;
	return 0;
}

static void listen_accepted(struct acceptor *acceptor, int fd)
{
	struct listen *listen = container_of(acceptor, struct listen, acceptor);
	struct listening *listening = &listen->listening;
	struct uplink_handed handed = {fd, -1};
	char text[SOCKET_ADDRESS_TEXT_SIZE];
	struct peer peer = {0};
	int result;

	if (!listening_has_room(listening, 0)) {
		descriptor_close(&handed.fd);
		return;
	}
	result = listen->address.ss_family ? tcp_identify(listen, fd, &peer, text)
					   : peer_identify(&peer, fd);
	if (result < 0)
		listening_refuse(listening, "cannot identify it: %s", strerror(errno));
	if (result < 0 || !listening_admits(listening, peer.uid)) {
		descriptor_close(&handed.fd);
		return;
	}
	listening_accept(listening, &peer, &handed);
}

static const struct acceptor_owner listen_acceptor_owner = {
	.what = "a peer of an uplink",
	.accepted = listen_accepted,
};

/* ------------------------------------------------------------------------------ opening */

/* Put the port that the kernel has chosen into the options. -1 with errno. */
static int tcp_note_port(struct listen *listen, int fd)
{
	struct attribute_set *options = &listen->listening.uplink.options;
	char text[SOCKET_ADDRESS_TEXT_SIZE];
	socklen_t size = sizeof(listen->address);
	char *copy;

	if (getsockname(fd, (struct sockaddr *)&listen->address, &size) < 0)
		return -1;
	copy = strdup(socket_address_format(&listen->address, text));
	if (!copy)
		return -1;
	free((void *)(uintptr_t)attribute_set_string(options, MEMTUN_A_LISTEN));
	attribute_set_put_string(options, MEMTUN_A_LISTEN, copy);
	return 0;
}

/* Return a listening TCP socket, which the caller owns. -1 with errno. */
static int tcp_listen(struct listen *listen_uplink)
{
	descriptor_owned fd = socket(listen_uplink->address.ss_family,
				     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

	/* Without SO_REUSEADDR, connections of a former broker would keep the port for a minute. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
	    bind(fd, (const struct sockaddr *)&listen_uplink->address,
		 socket_address_size(&listen_uplink->address)) < 0 ||
	    listen(fd, BACKLOG) < 0 || tcp_note_port(listen_uplink, fd) < 0)
		return -1;
	return descriptor_take(&fd);
}

/* Listen on the UNIX socket, whose file has its mode when this returns. -1 with errno. */
static int local_listen(struct listening *listening, char text[UPLINK_TEXT_SIZE])
{
	const struct attribute_set *options = &listening->uplink.options;
	const char *address = attribute_set_string(options, MEMTUN_A_LISTEN);
	bool stream = attribute_set_number(options, MEMTUN_A_TYPE) == MEMTUN_UPLINK_STREAM;
	struct fault fault;

	if (control_socket_listen(&listening->socket, address,
				  stream ? SOCK_STREAM : SOCK_SEQPACKET, &fault) < 0) {
		listening_tell(&fault, text);
		return -1;
	}
	snprintf(text, UPLINK_TEXT_SIZE, "cannot set the mode or the group of %.60s", address);
	if (address[0] == '@' || !listening->allows_any)
		return 0;
	return listening_set_mode(listening, address, listening->mode);
}

static int listen_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct listen *listen = listen_of(uplink);
	struct control_socket *socket = &listen->listening.socket;

	if (listen->address.ss_family) {
		snprintf(text, UPLINK_TEXT_SIZE, "cannot listen on %s",
			 attribute_set_string(&uplink->options, MEMTUN_A_LISTEN));
		socket->fd = tcp_listen(listen);
		if (socket->fd < 0)
			return -1;
	} else if (local_listen(&listen->listening, text) < 0) {
		return -1;
	}
	if (descriptor_check_reserve(socket->fd) < 0)
		return -1;
	acceptor_start(&listen->acceptor, &listen_acceptor_owner, uplink->port.engine->loop,
		       socket->fd);
	listen->accepts = true;
	return 0;
}

/* Remove the socket first, so that the peers that are disconnected do not connect again. */
static void listen_end(struct uplink *uplink)
{
	struct listen *listen = listen_of(uplink);

	if (listen->accepts)
		acceptor_stop(&listen->acceptor);
	listen->accepts = false;
	control_socket_close(&listen->listening.socket);
	listening_delete_ports(&listen->listening);
}

const struct uplink_kind uplink_listen = {
	.size = sizeof(struct listen),
	.takes = {.required = {MEMTUN_A_LISTEN},
		  .allowed = {MEMTUN_A_MAX, MEMTUN_A_ALLOW, MEMTUN_A_SOCKET_MODE,
			      MEMTUN_A_SOCKET_GROUP},
		  .options = OPTION_UPLINK_ANY},
	.mtu = LISTEN_MTU,
	.listens = true,
	.prepare = listen_prepare,
	.open = listen_open,
	.describe = listening_describe,
	.end = listen_end,
};
