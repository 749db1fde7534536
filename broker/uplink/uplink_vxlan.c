/* SPDX-License-Identifier: MIT */
/*
 * An uplink to a VXLAN network (RFC 7348): an Ethernet frame in each UDP datagram, behind a header
 * of 8 bytes with the network's number (VNI).
 */
#include "broker/uplink/uplink_vxlan.h"

#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/address.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/multicast.h"
#include "broker/uplink/uplink_address.h"
#include "broker/uplink/uplink_socket.h"

/*
 * All frames go to one remote address, or to a multicast group of the network's members, which
 * answer by multicast or to the address that frames come from. A socket on a unicast address
 * doesn't receive multicast, so with a group there is a second socket.
 */

#define VXLAN_PORT 4789 /* IANA's */
#define VXLAN_HEADER 8
#define VXLAN_HAS_VNI 0x08 /* the I flag in the first byte */

/* The longest datagram less that header, and an Ethernet header with a VLAN tag. */
#define VXLAN_MTU (UPLINK_DATAGRAM_MAX - VXLAN_HEADER - 18)

static bool address_is_multicast(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return IN_MULTICAST(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
	return IN6_IS_ADDR_MULTICAST(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static bool address_is_one_host(const struct sockaddr_storage *address)
{
	const struct address host = socket_address_host(address);

	return address_is_host(&host);
}

static bool hosts_are_equal(const struct sockaddr_storage *one,
			    const struct sockaddr_storage *other)
{
	const struct address host = socket_address_host(one);
	const struct address other_host = socket_address_host(other);

	return address_equal(&host, &other_host);
}

/* Check that frames can go from local to the remote or the group. */
static int vxlan_check_addresses(const struct vxlan *vxlan, const struct attribute_set *options,
				 struct fault *fault)
{
	const char *local = attribute_set_string(options, MEMTUN_A_LOCAL);

	if (address_is_multicast(&vxlan->local))
		return fault_set(fault, EINVAL, "local %.60s is a multicast address", local);
	if (vxlan->to.ss_family != vxlan->local.ss_family)
		return fault_set(fault, EINVAL, "local and %s are both IPv4 or both IPv6",
				 vxlan->group ? "group" : "remote");
	if (vxlan->group && !address_is_one_host(&vxlan->local))
		return fault_set(fault, EINVAL,
				 "with a group local is an address of its interface");
	if (!vxlan->group && !address_is_one_host(&vxlan->to))
		return fault_set(fault, EINVAL, "remote is one host's address, not %.60s",
				 attribute_set_string(options, MEMTUN_A_REMOTE));
	if (hosts_are_equal(&vxlan->local, &vxlan->to))
		return fault_set(fault, EINVAL, "local and remote are the same");
	return 0;
}

static int vxlan_prepare(struct uplink *uplink, const struct attribute_set *options,
			 struct fault *fault)
{
	struct vxlan *vxlan = container_of(uplink, struct vxlan, uplink);
	uint16_t port = attribute_set_has(options, MEMTUN_A_PORT)
				? (uint16_t)attribute_set_number(options, MEMTUN_A_PORT)
				: VXLAN_PORT;

	vxlan->vni = (uint32_t)attribute_set_number(options, MEMTUN_A_VNI);
	vxlan->group = attribute_set_has(options, MEMTUN_A_GROUP);
	if (vxlan->group == attribute_set_has(options, MEMTUN_A_REMOTE))
		return fault_set(fault, EINVAL,
				 "an uplink of type vxlan needs either remote or group");
	if (uplink_address_parse(options, MEMTUN_A_LOCAL, port, &vxlan->local, fault) < 0 ||
	    uplink_address_parse(options, vxlan->group ? MEMTUN_A_GROUP : MEMTUN_A_REMOTE, port,
				 &vxlan->to, fault) < 0)
		return -1;
	if (vxlan->group && (vxlan->to.ss_family != AF_INET || !address_is_multicast(&vxlan->to)))
		return fault_set(fault, EINVAL, "group %.60s is no IPv4 multicast address",
				 attribute_set_string(options, MEMTUN_A_GROUP));
	if (attribute_set_has(options, MEMTUN_A_TTL) && !vxlan->group &&
	    attribute_set_number(options, MEMTUN_A_TTL) == 0)
		return fault_set(fault, EINVAL, "ttl 0 is for groups");
	return vxlan_check_addresses(vxlan, options, fault);
}

/* ------------------------------------------------------------------------------ frames */

static void vxlan_write(const struct lane *lane, unsigned char *header)
{
	uint32_t vni = htonl(container_of(lane->port, struct vxlan, uplink.port)->vni << 8);

	memset(header, 0, VXLAN_HEADER);
	header[0] = VXLAN_HAS_VNI;
	memcpy(header + 4, &vni, sizeof(vni));
}

/* Ignore reserved bits, and the sender's port, which a sender may choose freely (RFC 7348, 5). */
static enum memtun_attribute vxlan_check(struct lane *lane, const struct sockaddr_storage *from,
					 socklen_t from_length, const unsigned char *header)
{
	const struct vxlan *vxlan = container_of(lane->port, struct vxlan, uplink.port);
	uint32_t vni;

	(void)from_length;
	/* The group returns the uplink's own frames. */
	if (vxlan->group && socket_address_equal(from, &vxlan->local))
		return LANE_NOT_COUNTED;
	if (!vxlan->group && !hosts_are_equal(from, &vxlan->to))
		return MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN;
	if (!(header[0] & VXLAN_HAS_VNI))
		return MEMTUN_A_FROM_CLIENT_DROPPED_MALFORMED;
	memcpy(&vni, header + 4, sizeof(vni));
	return ntohl(vni) >> 8 == vxlan->vni ? MEMTUN_A_UNSPEC
					     : MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN;
}

static const struct lane_envelope vxlan_envelope = {
	.header_size = VXLAN_HEADER,
	.write = vxlan_write,
	.check = vxlan_check,
	.connectionless = true,
};

/* ------------------------------------------------------------------------------ sockets */

static int option_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

/* Set the ttl if one is given, and for a group the interface. */
static int vxlan_set_options(const struct vxlan *vxlan, int fd)
{
	const struct attribute_set *options = &vxlan->uplink.options;
	bool has_ttl = attribute_set_has(options, MEMTUN_A_TTL);
	int ttl = (int)attribute_set_number(options, MEMTUN_A_TTL);
	struct ip_mreqn interface = {
		.imr_address = ((const struct sockaddr_in *)&vxlan->local)->sin_addr,
	};

	if (vxlan->group) {
		if (has_ttl && option_set(fd, IPPROTO_IP, IP_MULTICAST_TTL, ttl) < 0)
			return -1;
		return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof(interface));
	}
	if (!has_ttl)
		return 0;
	return vxlan->to.ss_family == AF_INET
		       ? option_set(fd, IPPROTO_IP, IP_TTL, ttl)
		       : option_set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
}

/* Receive datagrams of IPv6 whose UDP checksum is zero, which the kernel drops otherwise: RFC 7348,
 * 5, lets the sender leave the checksum out. */
static int vxlan_allow_no_checksum(const struct vxlan *vxlan, int fd)
{
	return vxlan->local.ss_family == AF_INET6 ? option_set(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)
						  : 0;
}

/* Open the second socket, which receives from the group. */
static int vxlan_join(struct vxlan *vxlan, char text[UPLINK_TEXT_SIZE])
{
	const struct sockaddr_in *group = (const struct sockaddr_in *)&vxlan->to;
	const struct sockaddr_in *local = (const struct sockaddr_in *)&vxlan->local;
	const struct attribute_set *options = &vxlan->uplink.options;
	descriptor_owned fd = -1;

	snprintf(text, UPLINK_TEXT_SIZE, "cannot join %.60s on %.60s",
		 attribute_set_string(options, MEMTUN_A_GROUP),
		 attribute_set_string(options, MEMTUN_A_LOCAL));
	fd = multicast_join(group, local->sin_addr);
	if (fd < 0 || option_set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1) < 0 ||
	    lane_open(&vxlan->uplink.second, &lane_packet_link, fd) < 0)
		return -1;
	descriptor_take(&fd);
	return 0;
}

static int vxlan_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct vxlan *vxlan = container_of(uplink, struct vxlan, uplink);
	descriptor_owned fd = vxlan_share_open(vxlan, text);

	if (fd < 0)
		return -1;
	uplink->lane.to = &vxlan->to;
	if (vxlan_allow_no_checksum(vxlan, fd) == 0 && vxlan_set_options(vxlan, fd) == 0 &&
	    (!vxlan->group || vxlan_join(vxlan, text) == 0) &&
	    lane_open(&uplink->lane, &lane_packet_link, fd) == 0) {
		descriptor_take(&fd);
		return 0;
	}
	lane_close(&uplink->second);
	descriptor_close(&fd);
	vxlan_share_close(vxlan);
	return -1;
}

static void vxlan_close(struct uplink *uplink)
{
	/* Close the socket first: vxlan_share_close() tells the kernel the numbers without it. */
	lane_close(&uplink->lane);
	vxlan_share_close(container_of(uplink, struct vxlan, uplink));
}

const struct uplink_kind uplink_vxlan = {
	.size = sizeof(struct vxlan),
	.takes = {.required = {MEMTUN_A_LOCAL, MEMTUN_A_VNI},
		  .allowed = {MEMTUN_A_GROUP, MEMTUN_A_PORT, MEMTUN_A_REMOTE, MEMTUN_A_TTL},
		  .options = OPTION_UPLINK_ANY},
	.mtu = VXLAN_MTU,
	.envelope = &vxlan_envelope,
	.prepare = vxlan_prepare,
	.open = vxlan_open,
	.close = vxlan_close,
};
