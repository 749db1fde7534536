/* SPDX-License-Identifier: MIT */
/*
 * The main thread waits for the program's socket. lwIP's own thread may call the functions "from
 * lwIP", too, while it retransmits or gives up: they only change the connection under lwIP's lock,
 * and wake the main thread by an eventfd.
 */
#include "client/host/socks_connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lwip/tcp.h>

#include "client/host/host_interface.h"
#include "common/address.h"
#include "common/clock.h"

/* Bytes that one turn moves for a connection, so that it leaves the others their time. */
#define TURN_BYTES 65536

/* Seconds for a program to send its greeting and its request. */
#define REQUEST_SECONDS 10

/* Seconds for a host to answer. lwIP itself would try for minutes. */
#define CONNECT_SECONDS 15

/* Half seconds, lwIP's unit, between two calls of host_polled(). */
#define POLL_INTERVAL 2

/* ------------------------------------------------------------------------------ the end */

static void wake(const struct socks_connection *connection)
{
	uint64_t one = 1;

	/* The write fails only if the eventfd is full, and then the main thread wakes up anyway. */
	if (write(connection->waking, &one, sizeof(one)) < 0)
		return;
}

/* Give the PCB back to lwIP. `abort` resets the connection; otherwise it is closed in order. */
static void pcb_release(struct socks_connection *connection, bool abort)
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

static void connection_end(struct socks_connection *connection, bool abort)
{
	pcb_release(connection, abort);
	if (connection->pending)
		pbuf_free(connection->pending);
	close(connection->fd);
	*connection = (struct socks_connection){.fd = -1};
}

/* Reset the program's connection, too, as the host's was. */
static void connection_reset(struct socks_connection *connection)
{
	struct linger none = {.l_onoff = 1};

	setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	connection_end(connection, true);
}

/* Send the reply, and close. */
static void connection_refuse(struct socks_connection *connection, enum socks_reply reply)
{
	pcb_release(connection, true);
	connection->message_size = socks_reply_write(connection->message, reply);
	connection->state = SOCKS_CLOSING;
	wake(connection);
}

/* ------------------------------------------------------------------------------ from lwIP */

static err_t host_received(void *context, struct tcp_pcb *pcb, struct pbuf *bytes, err_t error)
{
	struct socks_connection *connection = context;

	LWIP_UNUSED_ARG(pcb);
	LWIP_UNUSED_ARG(error);
	/* lwIP's receive window bounds these bytes. */
	if (!bytes)
		connection->host_is_done = true;
	else if (connection->pending)
		pbuf_cat(connection->pending, bytes);
	else
		connection->pending = bytes;
	wake(connection);
	return ERR_OK;
}

static err_t host_sent(void *context, struct tcp_pcb *pcb, u16_t length)
{
	struct socks_connection *connection = context;

	LWIP_UNUSED_ARG(pcb);
	LWIP_UNUSED_ARG(length);
	connection->is_full = false;
	wake(connection);
	return ERR_OK;
}

/* Try again what lwIP had no memory for, and count the seconds. lwIP calls this once per second. */
static err_t host_polled(void *context, struct tcp_pcb *pcb)
{
	struct socks_connection *connection = context;

	LWIP_UNUSED_ARG(pcb);
	connection->is_full = false;
	if (connection->state == SOCKS_CONNECTING)
		connection->waited++;
	wake(connection);
	return ERR_OK;
}

/* Note that lwIP has freed the PCB. */
static void host_failed(void *context, err_t error)
{
	struct socks_connection *connection = context;

	connection->pcb = NULL;
	if (connection->state == SOCKS_CONNECTING)
		connection_refuse(connection,
				  error == ERR_RST ? SOCKS_REFUSED : SOCKS_HOST_UNREACHABLE);
	wake(connection);
}

static err_t host_connected(void *context, struct tcp_pcb *pcb, err_t error)
{
	struct socks_connection *connection = context;
	uint8_t reply[SOCKS_REPLY_SIZE];
	size_t length = socks_reply_write(reply, SOCKS_SUCCEEDED);

	LWIP_UNUSED_ARG(error);
	tcp_nagle_disable(pcb);
	/* The program has read all before, so its socket has room. */
	connection->state = SOCKS_OPEN;
	if (send(connection->fd, reply, length, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)length)
		connection->host_is_done = true;
	wake(connection);
	return ERR_OK;
}

/* ------------------------------------------------------------------------------ the request */

static void connection_connect(struct socks_connection *connection, const struct address *address,
			       uint16_t port)
{
	ip_addr_t target = host_interface_address(address);
	err_t error;

	if (!host_interface_has_route(&target)) {
		connection_refuse(connection, SOCKS_NETWORK_UNREACHABLE);
		return;
	}
	connection->pcb = tcp_new_ip_type(IP_GET_TYPE(&target));
	if (!connection->pcb) {
		connection_refuse(connection, SOCKS_FAILURE);
		return;
	}
	connection->state = SOCKS_CONNECTING;
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
static void message_remove(struct socks_connection *connection, int length)
{
	connection->message_size -= (size_t)length;
	memmove(connection->message, connection->message + length, connection->message_size);
}

/* Take the greeting or the request, if all of it has come. */
static void message_take(struct socks_connection *connection)
{
	enum socks_reply reply = SOCKS_FAILURE;
	uint8_t answer[2] = {5};
	struct address address = {0};
	uint16_t port;
	int length;

	if (connection->state == SOCKS_GREETING) {
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
		connection->state = SOCKS_REQUEST;
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

static void message_read(struct socks_connection *connection)
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
static size_t host_write(struct socks_connection *connection, const uint8_t *bytes, size_t size)
{
	if (tcp_write(connection->pcb, bytes, (u16_t)size, TCP_WRITE_FLAG_COPY) == ERR_OK)
		return size;
	connection->is_full = true;
	return 0;
}

/* Move what the program has sent. False: the connection has ended. */
static bool program_read(struct socks_connection *connection)
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
static bool program_write(struct socks_connection *connection)
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

static void connection_relay(struct socks_connection *connection)
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

void socks_connection_begin(struct socks_connection *connection, int fd, int waking)
{
	*connection = (struct socks_connection){
		.fd = fd,
		.waking = waking,
		.deadline = clock_now() + REQUEST_SECONDS * CLOCK_SECOND,
	};
}

int64_t socks_connection_deadline(const struct socks_connection *connection)
{
	bool waits = connection->state == SOCKS_GREETING || connection->state == SOCKS_REQUEST;

	return connection->fd >= 0 && waits ? connection->deadline : -1;
}

void socks_connection_turn(struct socks_connection *connection, short events)
{
	switch (connection->state) {
	case SOCKS_GREETING:
	case SOCKS_REQUEST:
		if (events)
			message_read(connection);
		else if (connection->deadline <= clock_now())
			connection_end(connection, true);
		break;
	case SOCKS_CONNECTING:
		if (events & (POLLERR | POLLHUP))
			connection_end(connection, true);
		else if (connection->waited >= CONNECT_SECONDS)
			connection_refuse(connection, SOCKS_HOST_UNREACHABLE);
		break;
	case SOCKS_OPEN:
		connection_relay(connection);
		break;
	case SOCKS_CLOSING:
		send(connection->fd, connection->message, connection->message_size,
		     MSG_DONTWAIT | MSG_NOSIGNAL);
		connection_end(connection, true);
		break;
	}
}

short socks_connection_events(const struct socks_connection *connection)
{
	short events = 0;

	if (connection->state == SOCKS_GREETING || connection->state == SOCKS_REQUEST)
		return POLLIN;
	if (connection->state != SOCKS_OPEN)
		return 0;
	if (connection->pending)
		events |= POLLOUT;
	if (connection->pcb && !connection->program_is_done && !connection->is_full &&
	    tcp_sndbuf(connection->pcb) > 0)
		events |= POLLIN;
	return events;
}
