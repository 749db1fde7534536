/* SPDX-License-Identifier: MIT */
/*
 * Connects lwIP to a tunnel's descriptor. A frame is one write(2) or read(2), as on /dev/net/tun,
 * so this also works on a descriptor of a real TUN or TAP device.
 *
 * lwIP writes from the thread that has its core lock. A thread of this file reads, and passes each
 * frame to lwIP's thread. The reader never takes the core lock: a write that waits for room has it,
 * and two stacks that wait for each other would block for ever.
 *
 * A tunnel ends with a hang-up. A read of 0 bytes alone may be an empty frame. A write after the
 * end raises SIGPIPE, so the program must ignore that signal.
 */
#define _GNU_SOURCE 1 /* POLLRDHUP, environ */
#include "lwip-tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include <lwip/err.h>
#include <lwip/etharp.h>
#include <lwip/tcpip.h>

enum {
	FIRST_PASSED_DESCRIPTOR = 3, /* SD_LISTEN_FDS_START in sd_listen_fds(3) */
	ETHERNET_MTU = 1500, /* a larger MTU gains nothing: lwIP is built with TCP_MSS 1460 */
	PIECES_MAX = 16,     /* max pbufs in a frame to send; Debian's lwIP makes one */
};

int lwip_tunnel_init(struct lwip_tunnel *tunnel, const char *address)
{
	memset(tunnel, 0, sizeof(*tunnel));
	tunnel->fd = -1;
	tunnel->ethernet = true;
	return lwip_tunnel_option(tunnel, "address", address);
}

static int address_parse(struct lwip_tunnel *tunnel, const char *text)
{
	char address[INET_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	const char *reason;
	long long prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		goto invalid;
	memcpy(address, text, slash - text);
	address[slash - text] = '\0';
	prefix = strtonum(slash + 1, 1, 32, &reason);
	if (reason || !ip4addr_aton(address, &tunnel->address))
		goto invalid;
	tunnel->netmask.addr = htonl(UINT32_MAX << (32 - prefix));
	return 0;
invalid:
	errno = EINVAL;
	return -1;
}

int lwip_tunnel_option(struct lwip_tunnel *tunnel, const char *key, const char *value)
{
	if (!strcmp(key, "address"))
		return address_parse(tunnel, value);
	if (strcmp(key, "mode") || (strcmp(value, "tap") && strcmp(value, "tun"))) {
		errno = EINVAL;
		return -1;
	}
	tunnel->ethernet = !strcmp(value, "tap");
	return 0;
}

/*
 * Return the number of the descriptor that LISTEN_FDS gives this process, or -1. With the process ID
 * of another process the variables were inherited, and descriptor 3 may be any file.
 */
static int listen_descriptor(void)
{
	const char *pid = getenv("LISTEN_PID");
	const char *count = getenv("LISTEN_FDS");

	if (!pid || !count || strtol(pid, NULL, 10) != getpid() || strtol(count, NULL, 10) < 1)
		return -1;
	return FIRST_PASSED_DESCRIPTOR;
}

/* Return the descriptor's number in the first variable MEMTUN_FD_NAME, or -1 if there is none. */
static int named_descriptor(void)
{
	static const char prefix[] = "MEMTUN_FD_";
	const char *value, *reason;
	long long number;

	for (char **variable = environ; *variable; variable++) {
		if (strncmp(*variable, prefix, strlen(prefix)))
			continue;
		value = strchr(*variable, '=');
		number = value ? strtonum(value + 1, 0, INT_MAX, &reason) : -1;
		return value && !reason ? (int)number : -1;
	}
	return -1;
}

int lwip_tunnel_take_passed(struct lwip_tunnel *tunnel)
{
	int fd = listen_descriptor();

	if (fd == -1)
		fd = named_descriptor();
	if (fd == -1) {
		errno = ENOENT;
		return -1;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	tunnel->fd = fd;
	return 0;
}

/* Send a frame of lwIP's to the tunnel. The caller has the core lock. */
static err_t frame_write(struct netif *netif, struct pbuf *frame)
{
	struct lwip_tunnel *tunnel = netif->state;
	struct pollfd room = {.fd = tunnel->fd, .events = POLLOUT};
	struct iovec pieces[PIECES_MAX];
	int count = 0;

	for (struct pbuf *piece = frame; piece; piece = piece->next) {
		if (count == PIECES_MAX)
			return ERR_BUF;
		pieces[count++] = (struct iovec){piece->payload, piece->len};
	}
	while (writev(tunnel->fd, pieces, count) == -1) {
		/* Wait even if it is non-blocking: TCP handles a late frame better than none. */
		if (errno == EAGAIN && poll(&room, 1, -1) == 1)
			continue;
		if (errno == EINTR)
			continue;
		/* No memory, too long, or the tunnel's end: drop the frame, as a network card
		 * would. */
		return errno == ENOBUFS ? ERR_MEM : ERR_IF;
	}
	return ERR_OK;
}

static err_t packet_write(struct netif *netif, struct pbuf *packet, const ip4_addr_t *next_hop)
{
	LWIP_UNUSED_ARG(next_hop); /* a TUN has only one neighbour */
	return frame_write(netif, packet);
}

/* Read a frame into tunnel->frame, and return its length; -1 at the tunnel's end. */
static ssize_t frame_read(struct lwip_tunnel *tunnel)
{
	struct pollfd end = {.fd = tunnel->fd, .events = POLLIN | POLLRDHUP};
	ssize_t length;

	for (;;) {
		length = read(tunnel->fd, tunnel->frame, sizeof(tunnel->frame));
		if (length > 0)
			return length;
		/* After ECONNRESET, frames that the peer had sent can still be read. */
		if (length == -1 && (errno == EINTR || errno == ECONNRESET))
			continue;
		if (length == -1 && errno != EAGAIN)
			return -1;
		/* An empty frame, the end, or no frame yet: poll(2) distinguishes them. */
		if (poll(&end, 1, length == 0 ? 0 : -1) == -1 && errno != EINTR)
			return -1;
		if (length == 0 && end.revents & (POLLHUP | POLLRDHUP | POLLERR))
			return -1;
	}
}

/* Abort the tunnel's connections, so that a thread that waits for one of them returns. */
static void tunnel_unplug(void *arg)
{
	struct lwip_tunnel *tunnel = arg;

	atomic_store(&tunnel->ended, true);
	netif_remove(&tunnel->netif);
}

static void tunnel_read(void *arg)
{
	struct lwip_tunnel *tunnel = arg;
	ssize_t length;

	while ((length = frame_read(tunnel)) != -1) {
		/*
		 * PBUF_POOL is usual here, but broken in Debian's lwIP 2.1.3: the pool was built
		 * for 592 bytes and pbuf_alloc() for 1536, so a long frame corrupts the heap.
		 */
		struct pbuf *frame = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM);

		if (!frame)
			continue; /* drop it, as a network card would */
		pbuf_take(frame, tunnel->frame, (u16_t)length);
		if (tunnel->netif.input(frame, &tunnel->netif) != ERR_OK)
			pbuf_free(frame); /* lwIP's queue is full */
	}
	/* Through lwIP's queue, so that the frames that are in it come first. */
	tcpip_callback(tunnel_unplug, tunnel);
}

static err_t netif_init_tunnel(struct netif *netif)
{
	struct lwip_tunnel *tunnel = netif->state;

	netif->name[0] = 't';
	netif->name[1] = tunnel->ethernet ? 'a' : 'u';
	netif->mtu = ETHERNET_MTU;
	netif->flags = NETIF_FLAG_LINK_UP;
	netif->output = packet_write;
	if (!tunnel->ethernet)
		return ERR_OK;
	netif->flags |= NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	netif->output = etharp_output;
	netif->linkoutput = frame_write;
	/* 02:00 and the four bytes of the IPv4 address: locally administered, and unique. */
	netif->hwaddr_len = ETH_HWADDR_LEN;
	netif->hwaddr[0] = 0x02;
	netif->hwaddr[1] = 0x00;
	memcpy(netif->hwaddr + 2, &tunnel->address.addr, sizeof(tunnel->address.addr));
	return ERR_OK;
}

struct plug {
	struct lwip_tunnel *tunnel;
	sys_sem_t done;
};

static void tunnel_plug(void *arg)
{
	struct plug *plug = arg;
	struct lwip_tunnel *tunnel = plug->tunnel;
	ip4_addr_t no_gateway = {0};

	/* tcpip_input() takes frames and packets; the netif's flags tell which. */
	netif_add(&tunnel->netif, &tunnel->address, &tunnel->netmask, &no_gateway, tunnel,
		  netif_init_tunnel, tcpip_input);
	netif_set_default(&tunnel->netif);
	netif_set_up(&tunnel->netif);
	sys_sem_signal(&plug->done);
}

int lwip_tunnel_start(struct lwip_tunnel *tunnel)
{
	struct plug plug = {.tunnel = tunnel};
	unsigned int seed;
	err_t error;

	/*
	 * lwIP picks its first port with rand(). Without a seed each run would pick the same port,
	 * which a server refuses for the two minutes that the last run's connection is in
	 * TIME-WAIT.
	 */
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -1;
	srand(seed);
	tcpip_init(NULL, NULL);

	/* netif_add() asserts that the caller is lwIP's thread or has its core lock. */
	error = sys_sem_new(&plug.done, 0);
	if (error == ERR_OK)
		error = tcpip_callback(tunnel_plug, &plug);
	if (error != ERR_OK) {
		errno = err_to_errno(error);
		return -1;
	}
	sys_sem_wait(&plug.done);
	sys_sem_free(&plug.done);
	return 0;
}

void lwip_tunnel_read(struct lwip_tunnel *tunnel)
{
	sys_thread_new("tunnel", tunnel_read, tunnel, DEFAULT_THREAD_STACKSIZE,
		       DEFAULT_THREAD_PRIO);
}
