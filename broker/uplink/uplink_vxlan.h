/* SPDX-License-Identifier: MIT */
/*
 * Within VXLAN uplinks. Several of a broker share one local address and port, which is how the
 * other end knows them, and are told apart by their network's number: each has a socket of its own
 * there, and the kernel puts a datagram into the one whose number it has. See
 * SO_ATTACH_REUSEPORT_CBPF in socket(7).
 */
#ifndef MEMTUN_UPLINK_VXLAN_H
#define MEMTUN_UPLINK_VXLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "broker/uplink/uplink.h"

/* So many uplinks on one local address and port: the kernel looks through them for each datagram.
 */
#define VXLAN_SHARERS_MAX 256

struct vxlan {
	struct uplink uplink; /* first */
	struct sockaddr_storage local;
	struct sockaddr_storage to; /* the remote's or the group's */
	uint32_t vni;
	bool group;
	unsigned int place; /* among the sockets on its local address, from 1; 0: it has none */
};

/*
 * A socket on its local address, by which comes what has its number. -1 with errno, and what was
 * tried in words in text: EADDRINUSE, also if another uplink there has that number; EUSERS.
 */
int vxlan_share_open(struct vxlan *vxlan, char text[UPLINK_TEXT_SIZE]);

/* That socket has been closed. May be called twice. */
void vxlan_share_close(struct vxlan *vxlan);

#endif
