/* SPDX-License-Identifier: MIT */
/*
 * The parts of a VXLAN uplink. Several uplinks of a broker can share one local address and port, by
 * which the other end knows them. Each has a socket of its own there, and the kernel chooses the
 * socket by the datagram's VNI. See SO_ATTACH_REUSEPORT_CBPF in socket(7).
 */
#ifndef MEMTUN_UPLINK_VXLAN_H
#define MEMTUN_UPLINK_VXLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "broker/uplink/uplink.h"

/* The maximum number of uplinks on one local address and port: the kernel searches their VNIs for
 * each datagram. */
#define VXLAN_SHARERS_MAX 256

struct vxlan {
	struct uplink uplink; /* first */
	struct sockaddr_storage local;
	struct sockaddr_storage to; /* the remote or the group */
	uint32_t vni;
	bool group;
	unsigned int
		place; /* the number of its socket on the local address, from 1; 0: no socket */
};

/*
 * Open a socket on the local address, for datagrams with the uplink's VNI. The caller owns it. -1
 * with errno, and text says what was tried: EADDRINUSE, also if another uplink there has the VNI;
 * EUSERS (VXLAN_SHARERS_MAX).
 */
int vxlan_share_open(struct vxlan *vxlan, char text[UPLINK_TEXT_SIZE]);

/* Note that the socket was closed, and tell the kernel the new numbers. May be called twice. */
void vxlan_share_close(struct vxlan *vxlan);

#endif
