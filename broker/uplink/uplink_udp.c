/* SPDX-License-Identifier: MIT */
/*
 * An uplink to one UDP address: a raw Ethernet frame in each datagram, as QEMU's
 * `-netdev dgram,local.type=inet` and `-netdev socket,udp=` have it. The socket is connected, so
 * that the kernel drops datagrams from other addresses.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/address.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "broker/uplink/uplink.h"
#include "broker/uplink/uplink_address.h"
#include "broker/uplink/uplink_socket.h"

/* The longest datagram less an Ethernet header with a VLAN tag. */
#define UDP_MTU (UPLINK_DATAGRAM_MAX - 18)

struct udp {
	struct uplink uplink; /* first */
	struct sockaddr_storage local, remote;
};

static int udp_prepare(struct uplink *uplink, const struct attribute_set *options,
		       struct fault *fault)
{
	struct udp *udp = container_of(uplink, struct udp, uplink);

	if (uplink_address_parse_with_port(options, MEMTUN_A_LOCAL, &udp->local, fault) < 0 ||
	    uplink_address_parse_with_port(options, MEMTUN_A_REMOTE, &udp->remote, fault) < 0)
		return -1;
	if (udp->local.ss_family != udp->remote.ss_family)
		return fault_set(fault, EINVAL, "local and remote are both IPv4 or both IPv6");
	if (socket_address_equal(&udp->local, &udp->remote))
		return fault_set(fault, EINVAL, "local and remote are the same");
	return 0;
}

/* Datagrams that came between bind(2) and connect(2) may be from any address. */
static enum memtun_attribute udp_check(struct lane *lane, const struct sockaddr_storage *from,
				       socklen_t from_length, const unsigned char *header)
{
	const struct udp *udp = container_of(lane->port, struct udp, uplink.port);

	(void)from_length;
	(void)header;
	return socket_address_equal(from, &udp->remote) ? MEMTUN_A_UNSPEC
							: MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN;
}

static const struct lane_envelope udp_envelope = {.check = udp_check, .connectionless = true};

static int udp_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct udp *udp = container_of(uplink, struct udp, uplink);
	descriptor_owned fd = uplink_socket_open(&udp->local, false, text);

	if (fd < 0)
		return -1;
	snprintf(text, UPLINK_TEXT_SIZE, "cannot send to %s",
		 attribute_set_string(&uplink->options, MEMTUN_A_REMOTE));
	if (connect(fd, (const struct sockaddr *)&udp->remote, socket_address_size(&udp->remote)) <
	    0)
		return -1;
	if (lane_open(&uplink->lane, &lane_packet_link, fd) < 0)
		return -1;
	descriptor_take(&fd);
	return 0;
}

const struct uplink_kind uplink_udp = {
	.size = sizeof(struct udp),
	.takes = {.required = {MEMTUN_A_LOCAL, MEMTUN_A_REMOTE}, .options = OPTION_UPLINK_ANY},
	.mtu = UDP_MTU,
	.envelope = &udp_envelope,
	.prepare = udp_prepare,
	.open = udp_open,
};
