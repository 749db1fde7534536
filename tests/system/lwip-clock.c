/* SPDX-License-Identifier: MIT */
/*
 * Two TCP/IP stacks (lwIP) transfer 1 MiB on the broker's manual clock, so that retransmissions take
 * no real time and each run of a seed is the same:
 *
 *	memtund --clock manual -- lwip-clock loss=20%,seed=7
 *
 * The argument is more of the client's SPEC. Each stack is a process, which reads its tunnel as frames
 * come. The driver moves the clock, to the next event of the broker or of a stack, only when nothing
 * moves. Prints the checksum of what the client got, the frames that each stack sent and received, and
 * the time on the clock.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lwip/err.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include "memtun.h"

enum {
	SIZE = 1024 * 1024, /* bytes to transfer */
	FRAME_SIZE = 1514,  /* bytes */
	PORT = 80,
	TICK = 250,          /* milliseconds: TCP_TMR_INTERVAL of lwIP; other timers may be late */
	QUIET_LIMIT = 20000, /* milliseconds of real time */
	HOURS_MAX = 2,       /* of the clock: lwIP gives a connection up much earlier */
};

#define MILLISECOND UINT64_C(1000000)
#define HOUR (UINT64_C(3600000) * MILLISECOND)

/* FNV-1a, 64 bits; both numbers are from draft-eastlake-fnv. */
#define CHECKSUM_START UINT64_C(0xcbf29ce484222325)
#define CHECKSUM_PRIME UINT64_C(0x100000001b3)

/* What the driver tells a stack. */
struct order {
	uint64_t now;     /* nanoseconds since the start */
	bool runs_timers; /* also run those that are due */
};

/* What the stack answers when it has done it. */
struct report {
	uint64_t sent, received; /* frames */
	uint64_t checksum;
	uint32_t bytes;
	uint32_t sleep; /* milliseconds until the next timer is due */
	bool is_done;   /* the client has got all, and its connection is closed */
};

/* ------------------------------------------------------------------------------ a stack */

static struct report own;
static uint64_t now; /* nanoseconds since the start */
static int tunnel_fd;
static uint32_t queued; /* bytes that the server has given to lwIP */

/* lwIP calls this instead of its own function. */
u32_t sys_now(void)
{
	return (u32_t)(now / MILLISECOND);
}

/* Return the byte at that place of what is transferred. */
static uint8_t content(uint32_t place)
{
	return (uint8_t)((place * UINT32_C(2654435761)) >> 24);
}

static uint64_t checksum_add(uint64_t sum, uint8_t byte)
{
	return (sum ^ byte) * CHECKSUM_PRIME;
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

/* Start a process that is the host 10.0.0.NUMBER. Return the socket to it. */
static int stack_start(int tunnel, uint8_t number, int other)
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

/* ------------------------------------------------------------------------------ the driver */

struct driver {
	struct memtun *memtun;
	uint64_t start, now,
		next; /* on the clock, nanoseconds; next: of the broker, or UINT64_MAX */
	int stacks[2];
	struct report reports[2];
	uint64_t frames; /* that the stacks had sent and received when all was settled */
};

static void clock_record(const struct memtun_record *record, void *context)
{
	struct driver *driver = context;

	driver->next = UINT64_MAX;
	memtun_record_number(record, "clock-time", &driver->now);
	memtun_record_number(record, "clock-next", &driver->next);
}

/* Tell one stack the time, and take its report. */
static void stack_tell(struct driver *driver, int which, uint64_t time, bool runs_timers)
{
	struct order order = {.now = time - driver->start, .runs_timers = runs_timers};
	struct report *report = &driver->reports[which];

	if (send(driver->stacks[which], &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order) ||
	    recv(driver->stacks[which], report, sizeof(*report), 0) != sizeof(*report))
		errx(1, "the %s has ended", which ? "client" : "server");
}

/* Return how many frames the stacks have sent and received. */
static uint64_t frames_count(const struct driver *driver)
{
	return driver->reports[0].sent + driver->reports[0].received + driver->reports[1].sent +
	       driver->reports[1].received;
}

/* Return when no frame moves: each was read, and no stack answers any more. */
static void settle(struct driver *driver)
{
	uint64_t before;

	do {
		before = driver->frames;
		if (memtun_wait_quiet(driver->memtun, "client,server", 0, QUIET_LIMIT, NULL, NULL) <
		    0)
			errx(1, "%s", memtun_error(driver->memtun));
		for (int i = 0; i < 2; i++)
			stack_tell(driver, i, driver->now, false);
		driver->frames = frames_count(driver);
	} while (driver->frames != before);
	if (memtun_clock_show(driver->memtun, clock_record, driver) < 0)
		errx(1, "%s", memtun_error(driver->memtun));
}

/* Return the time of the next event, of the broker or of a stack. */
static uint64_t next_event(const struct driver *driver)
{
	uint64_t milliseconds = (driver->now - driver->start) / MILLISECOND, next;
	uint32_t sleep = driver->reports[0].sleep;

	if (sleep > driver->reports[1].sleep)
		sleep = driver->reports[1].sleep;
	next = (milliseconds + sleep + TICK - 1) / TICK * TICK;
	next = driver->start + next * MILLISECOND;
	if (next > driver->next)
		next = driver->next;
	return next > driver->now ? next : driver->now;
}

/* Move the clock to the next event, and let that happen. */
static void clock_move(struct driver *driver)
{
	uint64_t time = next_event(driver);
	bool releases = time >= driver->next;

	if (time > driver->start + HOURS_MAX * HOUR)
		errx(1, "not done after %d hours of the clock", HOURS_MAX);
	/* The stacks know the time before a frame comes that is due then. */
	for (int i = 0; i < 2; i++)
		stack_tell(driver, i, time, false);
	if (memtun_clock_advance(driver->memtun, time - driver->now, clock_record, driver) < 0)
		errx(1, "%s", memtun_error(driver->memtun));
	if (releases)
		settle(driver);
	/* One after the other, so that a frame of one is never early or late for a timer of the
	 * other. */
	for (int i = 0; i < 2; i++) {
		stack_tell(driver, i, driver->now, true);
		if (frames_count(driver) != driver->frames)
			settle(driver);
	}
}

static int tunnel_open(struct memtun *memtun, const char *name, const char *more)
{
	struct memtun_options *options = memtun_options_new();
	int fd;

	if (!options || memtun_options_parse(options, "bridge=lab") < 0 ||
	    memtun_options_parse(options, more) < 0)
		errx(2, "%s", options ? memtun_options_error(options) : "out of memory");
	fd = memtun_open(memtun, name, options);
	if (fd < 0)
		errx(1, "%s", memtun_error(memtun));
	memtun_options_free(options);
	return fd;
}

int main(int argc, char **argv)
{
	struct driver driver = {.memtun = memtun_new()};
	uint64_t expected = CHECKSUM_START;
	int server, client;

	if (argc != 2)
		errx(2, "usage: %s SPEC", argv[0]);
	signal(SIGPIPE, SIG_IGN);
	if (!driver.memtun || memtun_connect(driver.memtun, NULL) < 0)
		errx(1, "%s", driver.memtun ? memtun_error(driver.memtun) : "out of memory");
	server = tunnel_open(driver.memtun, "server", "");
	client = tunnel_open(driver.memtun, "client", argv[1]);
	if (memtun_clock_show(driver.memtun, clock_record, &driver) < 0)
		errx(1, "%s", memtun_error(driver.memtun));
	driver.start = driver.now;
	driver.stacks[0] = stack_start(server, 1, client);
	driver.stacks[1] = stack_start(client, 2, driver.stacks[0]);
	settle(&driver);
	while (!driver.reports[1].is_done)
		clock_move(&driver);

	for (uint32_t i = 0; i < SIZE; i++)
		expected = checksum_add(expected, content(i));
	if (driver.reports[1].bytes != SIZE || driver.reports[1].checksum != expected)
		errx(1, "the client got %" PRIu32 " bytes with the wrong checksum",
		     driver.reports[1].bytes);
	printf("%d bytes, checksum %016" PRIx64 ", server %" PRIu64 "/%" PRIu64 ", client %" PRIu64
	       "/%" PRIu64 " frames, %" PRIu64 " ms\n",
	       SIZE, expected, driver.reports[0].sent, driver.reports[0].received,
	       driver.reports[1].sent, driver.reports[1].received,
	       (driver.now - driver.start) / MILLISECOND);
	/* The stacks end when the driver's ends are closed. */
	for (int i = 0; i < 2; i++)
		close(driver.stacks[i]);
	while (wait(NULL) > 0)
		;
	memtun_free(driver.memtun);
	return 0;
}
