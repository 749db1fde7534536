/* SPDX-License-Identifier: MIT */
#include "tests/system/lwip-stack.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lwip/err.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#define FRAME_SIZE 1514 /* bytes */
#define PORT 80

static struct report own;
static uint64_t now; /* nanoseconds since the start */
static int tunnel_fd;
static uint32_t queued; /* bytes that the server has given to lwIP */

/* lwIP calls this instead of its own function. */
u32_t sys_now(void)
{
	return (u32_t)(now / MILLISECOND);
}

static err_t frame_write(struct netif *netif, struct pbuf *frame)
{
	uint8_t bytes[FRAME_SIZE];
	u16_t length = pbuf_copy_partial(frame, bytes, sizeof(bytes), 0);

	(void)netif;
	if (length != frame->tot_len || write(tunnel_fd, bytes, length) != length)
		err(1, "cannot send a frame of %d bytes", frame->tot_len);
	own.sent++;
	return ERR_OK;
}

static err_t netif_start(struct netif *netif)
{
	const uint8_t *number = netif->state;

	netif->mtu = 1500;
	netif->output = etharp_output;
	netif->linkoutput = frame_write;
	netif->flags =
		NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
	netif->hwaddr_len = ETH_HWADDR_LEN;
	memcpy(netif->hwaddr, (uint8_t[]){2, 0, 0, 0, 0, *number}, ETH_HWADDR_LEN);
	return ERR_OK;
}

/* Read the frames that are there. */
static void frames_read(struct netif *netif)
{
	uint8_t bytes[FRAME_SIZE];
	struct pbuf *frame;
	ssize_t length;

	while ((length = recv(tunnel_fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		own.received++;
		frame = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM);
		if (!frame)
			errx(1, "out of memory");
		pbuf_take(frame, bytes, (u16_t)length);
		if (ethernet_input(frame, netif) != ERR_OK)
			errx(1, "lwIP took no frame");
	}
	if (length == 0 || errno != EAGAIN)
		errx(1, "the tunnel has ended");
}

/* Do what the driver orders, for ever: it ends this process. */
static void __attribute__((noreturn)) stack_run(struct netif *netif, int driver)
{
	struct pollfd ready[] = {{.fd = tunnel_fd, .events = POLLIN},
				 {.fd = driver, .events = POLLIN}};
	struct order order;

	for (;;) {
		if (poll(ready, 2, -1) < 0)
			err(1, "poll");
		if (ready[0].revents)
			frames_read(netif);
		if (!ready[1].revents)
			continue;
		if (recv(driver, &order, sizeof(order), 0) != sizeof(order))
			_exit(0);
		now = order.now;
		if (order.runs_timers)
			sys_check_timeouts();
		own.sleep = sys_timeouts_sleeptime();
		if (send(driver, &own, sizeof(own), MSG_NOSIGNAL) != sizeof(own))
			_exit(0);
	}
}

/* ------------------------------------------------------------------------------ client, server */

static err_t server_fill(struct tcp_pcb *pcb)
{
	uint8_t bytes[TCP_MSS];

	while (queued < SIZE && tcp_sndbuf(pcb) > 0) {
		u16_t room = tcp_sndbuf(pcb);
		uint32_t count = SIZE - queued;

		count = count < room ? count : room;
		count = count < sizeof(bytes) ? count : sizeof(bytes);
		for (uint32_t i = 0; i < count; i++)
			bytes[i] = content(queued + i);
		if (tcp_write(pcb, bytes, (u16_t)count, TCP_WRITE_FLAG_COPY) != ERR_OK)
			break; /* until segments are acknowledged */
		queued += count;
	}
	if (queued < SIZE)
		return tcp_output(pcb);
	tcp_sent(pcb, NULL);
	return tcp_close(pcb);
}

static err_t server_sent(void *arg, struct tcp_pcb *pcb, u16_t length)
{
	(void)arg, (void)length;
	return server_fill(pcb);
}

static void server_failed(void *arg, err_t error)
{
	(void)arg;
	if (error != ERR_CLSD)
		errx(1, "the server has given up: error %d of lwIP", error);
}

static err_t server_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)arg;
	if (error != ERR_OK)
		return error;
	tcp_err(pcb, server_failed);
	tcp_sent(pcb, server_sent);
	return server_fill(pcb);
}

static void server_start(const ip_addr_t *address)
{
	struct tcp_pcb *pcb = tcp_new();

	if (!pcb || tcp_bind(pcb, address, PORT) != ERR_OK || !(pcb = tcp_listen(pcb)))
		errx(1, "the server cannot listen");
	tcp_accept(pcb, server_accept);
}

static err_t client_received(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
	(void)arg;
	if (error != ERR_OK)
		errx(1, "the client's connection failed: %s", lwip_strerr(error));
	if (!data) {
		own.is_done = true;
		return tcp_close(pcb);
	}
	for (struct pbuf *piece = data; piece; piece = piece->next) {
		for (u16_t i = 0; i < piece->len; i++)
			own.checksum =
				checksum_add(own.checksum, ((const uint8_t *)piece->payload)[i]);
	}
	own.bytes += data->tot_len;
	tcp_recved(pcb, data->tot_len);
	pbuf_free(data);
	return ERR_OK;
}

static err_t client_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
	(void)arg, (void)pcb;
	return error;
}

static void client_failed(void *arg, err_t error)
{
	(void)arg;
	/* Once all has come, the rest of the connection's end may be lost. */
	if (!own.is_done)
		errx(1, "the client has got %" PRIu32 " bytes, then: error %d of lwIP", own.bytes,
		     error);
}

static void client_start(const ip_addr_t *server)
{
	struct tcp_pcb *pcb = tcp_new();

	if (!pcb)
		errx(1, "out of memory");
	tcp_err(pcb, client_failed);
	tcp_recv(pcb, client_received);
	if (tcp_connect(pcb, server, PORT, client_connected) != ERR_OK)
		errx(1, "the client cannot connect");
}

/* ------------------------------------------------------------------------------ the process */

int stack_start(int tunnel, uint8_t number, int other)
{
	ip4_addr_t address, netmask, none = {0};
	static struct netif netif;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		err(1, "socketpair");
	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		break;
	default:
		close(ends[1]);
		close(tunnel);
		return ends[0];
	}
	close(ends[0]);
	close(other);
	tunnel_fd = tunnel;
	own.checksum = CHECKSUM_START;
	srand(1); /* lwIP draws its first port */
	lwip_init();
	IP4_ADDR(&address, 10, 0, 0, number);
	IP4_ADDR(&netmask, 255, 255, 255, 0);
	netif_add(&netif, &address, &netmask, &none, &number, netif_start, ethernet_input);
	netif_set_default(&netif);
	netif_set_up(&netif);
	IP4_ADDR(&address, 10, 0, 0, 1);
	if (number == 1)
		server_start((ip_addr_t[]){IPADDR4_INIT(address.addr)});
	else
		client_start((ip_addr_t[]){IPADDR4_INIT(address.addr)});
	stack_run(&netif, ends[1]);
}
