/* SPDX-License-Identifier: MIT */
/*
 * The main thread waits for the programs' sockets. lwIP's own thread may call a connection's
 * functions, too, while it retransmits or gives up: they only change the connection under lwIP's
 * lock, and wake the main thread by an eventfd.
 */
#include "client/host/host_socks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lwip/tcp.h>

#include "client/host/socks_request.h"
#include "common/address.h"

/* Bytes that one turn moves for a connection, so that it leaves the others their time. */
#define TURN_BYTES 65536

/* Seconds for a host to answer. lwIP itself would try for minutes. */
#define CONNECT_SECONDS 15

/* Half seconds, lwIP's unit, between two calls of host_polled(). */
#define POLL_INTERVAL 2

enum state {
	STATE_GREETING,
	STATE_REQUEST,
	STATE_CONNECTING,
	STATE_OPEN,
	STATE_CLOSING, /* sends the rest of `message`, and closes then */
};

struct connection {
	int fd; /* the program's socket; -1: this entry is free */
	enum state state;
	struct tcp_pcb *pcb; /* NULL: none, or lwIP has freed it */
	uint8_t message[SOCKS_MESSAGE_MAX + SOCKS_REPLY_SIZE];
	size_t message_size;  /* bytes that were read, or, at the end, are to be sent */
	struct pbuf *pending; /* from the host, for the program */
	bool host_is_done;    /* the host has closed its direction */
	bool program_is_done; /* the program has closed its direction, and the host was told */
	bool shut;            /* the program was told that the host is done */
	bool is_full;         /* lwIP took no more bytes, until it has sent some */
	unsigned int waited;  /* seconds for the host to answer */
};

static struct connection connections[HOST_SOCKS_MAX];
static int listening = -1, waking = -1;

/* ------------------------------------------------------------------------------ the end */

static void wake(void)
{
	uint64_t one = 1;

	/* The write fails only if the eventfd is full, and then the main thread wakes up anyway. */
	if (write(waking, &one, sizeof(one)) < 0)
		return;
}

/* Give the PCB back to lwIP. `abort` resets the connection; otherwise it is closed in order. */
static void pcb_release(struct connection *connection, bool abort)
{
	struct tcp_pcb *pcb = connection->pcb;

	connection->pcb = NULL;
	if (!pcb)
		return;
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_poll(pcb, NULL, 0);
	tcp_err(pcb, NULL);
	if (abort || tcp_close(pcb) != ERR_OK)
		tcp_abort(pcb);
}

static void connection_end(struct connection *connection, bool abort)
{
	pcb_release(connection, abort);
	if (connection->pending)
		pbuf_free(connection->pending);
	close(connection->fd);
	*connection = (struct connection){.fd = -1};
}

/* Reset the program's connection, too, as the host's was. */
static void connection_reset(struct connection *connection)
{
	struct linger none = {.l_onoff = 1};

	setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	connection_end(connection, true);
}

/* Send the reply, and close. */
static void connection_refuse(struct connection *connection, enum socks_reply reply)
{
	pcb_release(connection, true);
	connection->message_size = socks_reply_write(connection->message, reply);
	connection->state = STATE_CLOSING;
	wake();
}

/* ------------------------------------------------------------------------------ from lwIP */

static err_t host_received(void *context, struct tcp_pcb *pcb, struct pbuf *bytes, err_t error)
{
	struct connection *connection = context;

	LWIP_UNUSED_ARG(pcb);
	LWIP_UNUSED_ARG(error);
	/* lwIP's receive window bounds these bytes. */
	if (!bytes)
		connection->host_is_done = true;
	else if (connection->pending)
		pbuf_cat(connection->pending, bytes);
	else
		connection->pending = bytes;
	wake();
	return ERR_OK;
}

static err_t host_sent(void *context, struct tcp_pcb *pcb, u16_t length)
{
	struct connection *connection = context;

	LWIP_UNUSED_ARG(pcb);
	LWIP_UNUSED_ARG(length);
	connection->is_full = false;
	wake();
	return ERR_OK;
}

/* Try again what lwIP had no memory for, and count the seconds. lwIP calls this once per second. */
static err_t host_polled(void *context, struct tcp_pcb *pcb)
{
	struct connection *connection = context;

	LWIP_UNUSED_ARG(pcb);
	connection->is_full = false;
	if (connection->state == STATE_CONNECTING)
		connection->waited++;
	wake();
	return ERR_OK;
}

/* Note that lwIP has freed the PCB. */
static void host_failed(void *context, err_t error)
{
	struct connection *connection = context;

	connection->pcb = NULL;
	if (connection->state == STATE_CONNECTING)
		connection_refuse(connection,
				  error == ERR_RST ? SOCKS_REFUSED : SOCKS_HOST_UNREACHABLE);
	wake();
}

static err_t host_connected(void *context, struct tcp_pcb *pcb, err_t error)
{
	struct connection *connection = context;
	uint8_t reply[SOCKS_REPLY_SIZE];
	size_t length = socks_reply_write(reply, SOCKS_SUCCEEDED);

	LWIP_UNUSED_ARG(error);
	tcp_nagle_disable(pcb);
	/* The program has read all before, so its socket has room. */
	connection->state = STATE_OPEN;
	if (send(connection->fd, reply, length, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)length)
		connection->host_is_done = true;
	wake();
	return ERR_OK;
}

/* ------------------------------------------------------------------------------ the request */

/* Return whether the host has a route to the address. Without one, lwIP would try for minutes. */
static bool host_has_way(const ip_addr_t *target)
{
	const struct netif *netif = netif_default;

	if (IP_IS_V6(target) || !(netif->flags & NETIF_FLAG_ETHARP))
		return true;
	return ip4_addr_netcmp(ip_2_ip4(target), netif_ip4_addr(netif), netif_ip4_netmask(netif)) ||
	       !ip4_addr_isany_val(*netif_ip4_gw(netif));
}

static void connection_connect(struct connection *connection, const struct address *address,
			       uint16_t port)
{
	ip_addr_t target = {0};
	err_t error;

	if (address->kind == ADDRESS_IPV4) {
		ip_addr_set_ip4_u32_val(target, address->ipv4.s_addr);
	} else {
		memcpy(ip_2_ip6(&target)->addr, address->bytes, sizeof(address->bytes));
		IP_SET_TYPE_VAL(target, IPADDR_TYPE_V6);
		ip6_addr_assign_zone(ip_2_ip6(&target), IP6_UNICAST, netif_default);
	}
	if (!host_has_way(&target)) {
		connection_refuse(connection, SOCKS_NETWORK_UNREACHABLE);
		return;
	}
	connection->pcb = tcp_new_ip_type(IP_GET_TYPE(&target));
	if (!connection->pcb) {
		connection_refuse(connection, SOCKS_FAILURE);
		return;
	}
	connection->state = STATE_CONNECTING;
	tcp_arg(connection->pcb, connection);
	tcp_err(connection->pcb, host_failed);
	tcp_recv(connection->pcb, host_received);
	tcp_sent(connection->pcb, host_sent);
	tcp_poll(connection->pcb, host_polled, POLL_INTERVAL);
	error = tcp_connect(connection->pcb, &target, port, host_connected);
	if (error != ERR_OK)
		connection_refuse(connection, SOCKS_FAILURE);
}

/* Remove the first bytes of the message. */
static void message_remove(struct connection *connection, int length)
{
	connection->message_size -= (size_t)length;
	memmove(connection->message, connection->message + length, connection->message_size);
}

/* Take the greeting or the request, if all of it has come. */
static void message_take(struct connection *connection)
{
	enum socks_reply reply = SOCKS_FAILURE;
	uint8_t answer[2] = {5};
	struct address address = {0};
	uint16_t port;
	int length;

	if (connection->state == STATE_GREETING) {
		length = socks_greeting_read(connection->message, connection->message_size,
					     &answer[1]);
		if (length > 0 &&
		    send(connection->fd, answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			length = -1;
		/* A client that gets 0xff closes: RFC 1928, 3. */
		if (length < 0 || (length > 0 && answer[1])) {
			connection_end(connection, true);
			return;
		}
		if (length == 0)
			return;
		message_remove(connection, length);
		connection->state = STATE_REQUEST;
	}
	length = socks_request_read(connection->message, connection->message_size, &reply, &address,
				    &port);
	if (length < 0) {
		connection_end(connection, true);
	} else if (length > 0 && reply != SOCKS_SUCCEEDED) {
		connection_refuse(connection, reply);
	} else if (length > 0) {
		message_remove(connection, length);
		connection_connect(connection, &address, port);
	}
}

static void message_read(struct connection *connection)
{
	size_t room = SOCKS_MESSAGE_MAX - connection->message_size;
	ssize_t length = recv(connection->fd, connection->message + connection->message_size, room,
			      MSG_DONTWAIT);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length <= 0) {
		connection_end(connection, true);
		return;
	}
	connection->message_size += (size_t)length;
	message_take(connection);
}

/* ------------------------------------------------------------------------------ both ways */

/* Give bytes to lwIP. Return how many it took. */
static size_t host_write(struct connection *connection, const uint8_t *bytes, size_t size)
{
	if (tcp_write(connection->pcb, bytes, (u16_t)size, TCP_WRITE_FLAG_COPY) == ERR_OK)
		return size;
	connection->is_full = true;
	return 0;
}

/* Move what the program has sent. False: the connection has ended. */
static bool program_read(struct connection *connection)
{
	static uint8_t bytes[UINT16_MAX];
	size_t room = tcp_sndbuf(connection->pcb);
	ssize_t length;

	/* Bytes that came with the request. */
	if (connection->message_size) {
		if (connection->message_size > room ||
		    !host_write(connection, connection->message, connection->message_size))
			return true;
		connection->message_size = 0;
		room = tcp_sndbuf(connection->pcb);
	}
	if (room > sizeof(bytes))
		room = sizeof(bytes);
	if (room == 0 || connection->program_is_done || connection->is_full)
		return true;
	/* Bytes stay in the socket until lwIP has taken them, as it may have no memory. */
	length = recv(connection->fd, bytes, room, MSG_DONTWAIT | MSG_PEEK);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (length < 0) {
		connection_end(connection, true);
		return false;
	}
	if (length == 0) {
		connection->program_is_done = tcp_shutdown(connection->pcb, 0, 1) == ERR_OK;
		return true;
	}
	if (host_write(connection, bytes, (size_t)length))
		recv(connection->fd, bytes, (size_t)length, MSG_DONTWAIT);
	return true;
}

/* Move what the host has sent. False: the connection has ended. */
static bool program_write(struct connection *connection)
{
	size_t moved = 0;

	while (connection->pending && moved < TURN_BYTES) {
		struct pbuf *piece = connection->pending;
		ssize_t length = send(connection->fd, piece->payload, piece->len,
				      MSG_DONTWAIT | MSG_NOSIGNAL);

		if (length < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (length < 0) {
			connection_end(connection, true);
			return false;
		}
		moved += (size_t)length;
		if (connection->pcb)
			tcp_recved(connection->pcb, (u16_t)length);
		connection->pending = pbuf_free_header(piece, (u16_t)length);
	}
	if (connection->pending || !connection->host_is_done || connection->shut)
		return true;
	shutdown(connection->fd, SHUT_WR);
	connection->shut = true;
	return true;
}

static void connection_relay(struct connection *connection)
{
	if (!program_write(connection))
		return;
	/* The host has reset the connection, or is silent for too long. */
	if (!connection->pcb) {
		if (!connection->pending)
			connection_reset(connection);
		return;
	}
	if (!program_read(connection))
		return;
	tcp_output(connection->pcb);
	if (connection->shut && connection->program_is_done)
		connection_end(connection, false);
}

/* ------------------------------------------------------------------------------ in turns */

static void connection_turn(struct connection *connection, short events)
{
	switch (connection->state) {
	case STATE_GREETING:
	case STATE_REQUEST:
		if (events)
			message_read(connection);
		break;
	case STATE_CONNECTING:
		if (events & (POLLERR | POLLHUP))
			connection_end(connection, true);
		else if (connection->waited >= CONNECT_SECONDS)
			connection_refuse(connection, SOCKS_HOST_UNREACHABLE);
		break;
	case STATE_OPEN:
		connection_relay(connection);
		break;
	case STATE_CLOSING:
		send(connection->fd, connection->message, connection->message_size,
		     MSG_DONTWAIT | MSG_NOSIGNAL);
		connection_end(connection, true);
		break;
	}
}

/* Return the events of the socket that the connection can do something about. */
static short connection_events(const struct connection *connection)
{
	short events = 0;

	if (connection->state == STATE_GREETING || connection->state == STATE_REQUEST)
		return POLLIN;
	if (connection->state != STATE_OPEN)
		return 0;
	if (connection->pending)
		events |= POLLOUT;
	if (connection->pcb && !connection->program_is_done && !connection->is_full &&
	    tcp_sndbuf(connection->pcb) > 0)
		events |= POLLIN;
	return events;
}

unsigned int host_socks_poll(struct pollfd fds[HOST_SOCKS_FDS])
{
	bool has_room = false;

	if (listening < 0)
		return 0;
	for (unsigned int i = 0; i < HOST_SOCKS_MAX; i++) {
		has_room |= connections[i].fd < 0;
		fds[i] = (struct pollfd){connections[i].fd, connection_events(&connections[i]), 0};
		/* poll(2) reports a hang-up always; one that nothing can be done about is ignored. */
		if (!fds[i].events && connections[i].state == STATE_OPEN)
			fds[i].fd = -1;
	}
	fds[HOST_SOCKS_MAX] = (struct pollfd){has_room ? listening : -1, POLLIN, 0};
	fds[HOST_SOCKS_MAX + 1] = (struct pollfd){waking, POLLIN, 0};
	return HOST_SOCKS_FDS;
}

static void connection_accept(void)
{
	for (unsigned int i = 0; i < HOST_SOCKS_MAX; i++) {
		int fd;

		if (connections[i].fd >= 0)
			continue;
		fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		connections[i].fd = fd;
	}
}

void host_socks_turn(const struct pollfd *fds, unsigned int count)
{
	uint64_t woken;

	if (count == 0)
		return;
	if (fds[HOST_SOCKS_MAX + 1].revents && read(waking, &woken, sizeof(woken)) < 0)
		return;
	for (unsigned int i = 0; i < HOST_SOCKS_MAX; i++) {
		if (connections[i].fd >= 0)
			connection_turn(&connections[i], fds[i].revents);
	}
	if (fds[HOST_SOCKS_MAX].revents)
		connection_accept();
}

int host_socks_listen(const char *address)
{
	struct sockaddr_storage at;
	int on = 1;

	for (unsigned int i = 0; i < HOST_SOCKS_MAX; i++)
		connections[i].fd = -1;
	if (socket_address_parse_with_port(address, &at) < 0) {
		errno = EINVAL;
		return -1;
	}
	waking = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	listening = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (waking < 0 || listening < 0 ||
	    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(listening, (const struct sockaddr *)&at, socket_address_size(&at)) < 0 ||
	    listen(listening, SOMAXCONN) < 0)
		return -1;
	return 0;
}
