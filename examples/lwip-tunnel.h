/* SPDX-License-Identifier: MIT */
/*
 * A tunnel as an lwIP network interface: a whole TCP/IP stack in this process, on a descriptor.
 * See lwip-tunnel.c for how the two meet.
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
	bool ethernet; /* TAP: Ethernet frames. Otherwise TUN: bare IP packets */
	ip4_addr_t address;
	ip4_addr_t netmask;
	atomic_bool ended; /* the other end is gone, and every connection was aborted */
	struct netif netif;
	uint8_t frame[UINT16_MAX]; /* one read; a pbuf counts its bytes in 16 bits */
};

/* Starts as a TAP with ADDRESS, "10.0.0.1/24". -1 and EINVAL if that is no address and prefix. */
int lwip_tunnel_init(struct lwip_tunnel *tunnel, const char *address);

/* Takes "mode tap|tun" and "address A/P". -1 and EINVAL for any other key or value. */
int lwip_tunnel_option(struct lwip_tunnel *tunnel, const char *key, const char *value);

/*
 * Takes the descriptor that was passed to this process, by the convention of LISTEN_FDS, which
 * `memtun exec` follows. -1 and ENOENT when there is none.
 */
int lwip_tunnel_take_passed(struct lwip_tunnel *tunnel);

/*
 * Starts lwIP, once in a process, and plugs the tunnel in. The tunnel must live as long as the
 * process: lwIP's threads cannot be stopped. -1 and errno.
 */
int lwip_tunnel_start(struct lwip_tunnel *tunnel);

#endif
