/* SPDX-License-Identifier: MIT */
/*
 * A tunnel as an lwIP network interface: a TCP/IP stack in this process, on a descriptor.
 * lwip-tunnel.c has the connection of the two.
 */
#ifndef EXAMPLES_LWIP_TUNNEL_H
#define EXAMPLES_LWIP_TUNNEL_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <lwip/netif.h>

struct lwip_tunnel {
	int fd;
	bool ethernet; /* true: Ethernet frames; false: IP packets */
	ip4_addr_t address;
	ip4_addr_t netmask;
	atomic_bool ended; /* the tunnel has ended, and every connection was aborted */
	struct netif netif;
	uint8_t frame[UINT16_MAX]; /* one frame; a pbuf's length has 16 bits */
};

/* Make *tunnel a TAP with the address, as in "10.0.0.1/24". -1 with EINVAL if it is not one. */
int lwip_tunnel_init(struct lwip_tunnel *tunnel, const char *address);

/* Set `mode` to tap or tun, or `address`. -1 with EINVAL for any other key or value. */
int lwip_tunnel_option(struct lwip_tunnel *tunnel, const char *key, const char *value);

/*
 * Take the descriptor that `memtun exec` passed to this process: the first one of LISTEN_FDS (see
 * sd_listen_fds(3)) or, if LISTEN_PID is another process's ID, the one of the first variable
 * MEMTUN_FD_NAME. -1 with ENOENT if there is none, or EBADF if it is not open.
 */
int lwip_tunnel_take_passed(struct lwip_tunnel *tunnel);

/*
 * Start lwIP, once in a process, and add the tunnel as an interface. The tunnel must stay until the
 * process ends, because lwIP's threads cannot be stopped. -1 with errno.
 */
int lwip_tunnel_start(struct lwip_tunnel *tunnel);

/*
 * Start to read frames, once. A server listens before it calls this: frames that have come until then
 * wait in the tunnel, so lwIP refuses no early connection.
 */
void lwip_tunnel_read(struct lwip_tunnel *tunnel);

#endif
