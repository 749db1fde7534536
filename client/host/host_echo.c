/* SPDX-License-Identifier: MIT */
/*
 * The echo server. A connection owns the bytes that it has read and not yet written. If the peer
 * doesn't read, these are at most one receive window, as much as lwIP's own buffers hold.
 */
#include "client/host/host_echo.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <lwip/ip.h>
#include <lwip/pbuf.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>

/*
 * Debian's lwIP is built without TCP_LISTEN_BACKLOG and with malloc() for its pools, so it does not
 * limit connections, not even half-open ones. It has no call that counts them, so host_echo_bound()
 * walks lwIP's own list.
 */

enum {
	ECHO_PORT = 7,
	CONNECTIONS_MAX = 128,
	PIECES_MAX = 64,      /* pbufs of a connection: one may have 1 byte and 100 of overhead */
	RETRY_INTERVAL = 2,   /* half seconds, lwIP's unit, until a failed write is tried again */
	KEEP_IDLE = 30000,    /* milliseconds without a segment until the first keepalive probe */
	KEEP_INTERVAL = 5000, /* milliseconds between two probes */
	KEEP_COUNT = 3,       /* probes without an answer until the connection is closed */
};

struct connection {
	struct pbuf *pending; /* bytes to write, NULL: none */
	bool peer_is_done;    /* the peer has closed its direction */
};

/* ------------------------------------------------------------------------------ UDP */

static void datagram_echo(void *context, struct udp_pcb *pcb, struct pbuf *datagram,
			  const ip_addr_t *from, u16_t port)
{
	const ip_addr_t *target = ip_current_dest_addr();
	struct netif *netif = ip_current_input_netif();

	LWIP_UNUSED_ARG(context);
	/*
	 * Two echo services would send a datagram back and forth for ever. All hosts would answer a
	 * broadcast.
	 */
	if (port != ECHO_PORT && !ip_addr_ismulticast(target) &&
	    !ip_addr_isbroadcast(target, netif))
		udp_sendto_if_src(pcb, datagram, from, port, netif, target);
	pbuf_free(datagram);
}

/* ------------------------------------------------------------------------------ TCP */

static void connection_free(struct connection *connection)
{
	if (connection->pending)
		pbuf_free(connection->pending);
	free(connection);
}

/* Free the connection. lwIP has closed it and freed its own part. */
static void connection_ended(void *context, err_t error)
{
	LWIP_UNUSED_ARG(error);
	connection_free(context);
}

static void connection_close(struct connection *connection, struct tcp_pcb *pcb)
{
	tcp_arg(pcb, NULL);
	tcp_recv(pcb, NULL);
	tcp_sent(pcb, NULL);
	tcp_poll(pcb, NULL, 0);
	tcp_err(pcb, NULL);
	connection_free(connection);
	/* If lwIP has no memory for it, lwIP tries again itself. */
	tcp_close(pcb);
}

/* Write back as much as there is room for. After the peer's last byte, close. */
static void connection_echo(struct connection *connection, struct tcp_pcb *pcb)
{
	while (connection->pending && tcp_sndbuf(pcb) > 0) {
		struct pbuf *piece = connection->pending;
		u16_t length = LWIP_MIN(piece->len, tcp_sndbuf(pcb));

		if (tcp_write(pcb, piece->payload, length, TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		tcp_recved(pcb, length);
		connection->pending = pbuf_free_header(piece, length);
	}
	tcp_output(pcb);
	if (connection->peer_is_done && !connection->pending)
		connection_close(connection, pcb);
}

static err_t connection_received(void *context, struct tcp_pcb *pcb, struct pbuf *bytes,
				 err_t error)
{
	struct connection *connection = context;

	LWIP_UNUSED_ARG(error);
	if (!bytes)
		connection->peer_is_done = true;
	else if (!connection->pending)
		connection->pending = bytes;
	else
		pbuf_cat(connection->pending, bytes);
	if (connection->pending && pbuf_clen(connection->pending) > PIECES_MAX)
		connection->pending = pbuf_coalesce(connection->pending, PBUF_RAW);
	connection_echo(connection, pcb);
	return ERR_OK;
}

static err_t connection_sent(void *context, struct tcp_pcb *pcb, u16_t length)
{
	LWIP_UNUSED_ARG(length);
	connection_echo(context, pcb);
	return ERR_OK;
}

static err_t connection_retry(void *context, struct tcp_pcb *pcb)
{
	connection_echo(context, pcb);
	return ERR_OK;
}

static err_t connection_accept(void *context, struct tcp_pcb *pcb, err_t error)
{
	struct connection *connection;

	LWIP_UNUSED_ARG(context);
	if (error != ERR_OK || !pcb)
		return ERR_VAL;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return ERR_MEM;
	tcp_nagle_disable(pcb);
	ip_set_option(pcb, SOF_KEEPALIVE);
	pcb->keep_idle = KEEP_IDLE;
	pcb->keep_intvl = KEEP_INTERVAL;
	pcb->keep_cnt = KEEP_COUNT;
	tcp_arg(pcb, connection);
	tcp_recv(pcb, connection_received);
	tcp_sent(pcb, connection_sent);
	tcp_poll(pcb, connection_retry, RETRY_INTERVAL);
	tcp_err(pcb, connection_ended);
	return ERR_OK;
}

void host_echo_bound(void)
{
	struct tcp_pcb *half_open = NULL;
	int count = 0;

	/* lwIP puts new connections, and those it just used, at the front. */
	for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
		count++;
		if (pcb->state == SYN_RCVD)
			half_open = pcb;
	}
	/* One frame makes at most one connection, which is half open. */
	if (count > CONNECTIONS_MAX && half_open)
		tcp_abandon(half_open, 0);
}

/* ------------------------------------------------------------------------------ listening */

int host_echo_start(void)
{
	struct udp_pcb *udp = udp_new_ip_type(IPADDR_TYPE_ANY);
	struct tcp_pcb *tcp = tcp_new_ip_type(IPADDR_TYPE_ANY);

	if (!udp || !tcp || udp_bind(udp, IP_ANY_TYPE, ECHO_PORT) != ERR_OK ||
	    tcp_bind(tcp, IP_ANY_TYPE, ECHO_PORT) != ERR_OK)
		return -1;
	udp_recv(udp, datagram_echo, NULL);
	tcp = tcp_listen(tcp);
	if (!tcp)
		return -1;
	tcp_accept(tcp, connection_accept);
	return 0;
}
