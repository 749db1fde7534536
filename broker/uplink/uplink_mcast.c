/* SPDX-License-Identifier: MIT */
/*
 * An uplink to a User Mode Linux multicast LAN, which QEMU's `-netdev socket,mcast=` joins too. The
 * sockets are those of common/multicast.c: one sends and one receives. The group returns the
 * uplink's own frames, which are recognised by the address that they were sent from.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/address.h"
#include "common/container_of.h"
#include "common/multicast.h"
#include "broker/uplink/uplink.h"
#include "broker/uplink/uplink_address.h"

/* The longest datagram less an Ethernet header with a VLAN tag. */
#define MCAST_MTU (MULTICAST_FRAME_MAX - 18)

struct mcast {
	struct uplink uplink; /* first */
	struct multicast_options options;
	struct sockaddr_in own; /* the address that its frames come from */
};

/* Read an option that is an IPv4 address. -1 with the fault filled. */
static int address_read(const struct attribute_set *options, enum memtun_attribute which,
			struct in_addr *to, struct fault *fault)
{
	struct sockaddr_storage address;

	if (uplink_address_parse(options, which, 0, &address, fault) < 0)
		return -1;
	if (address.ss_family != AF_INET)
		return fault_set(fault, EINVAL, "%s takes an IPv4 address", attributes[which].word);
	*to = ((struct sockaddr_in *)&address)->sin_addr;
	return 0;
}

static int mcast_prepare(struct uplink *uplink, const struct attribute_set *options,
			 struct fault *fault)
{
	struct mcast *mcast = container_of(uplink, struct mcast, uplink);

	mcast->options.port = htons((uint16_t)attribute_set_number(options, MEMTUN_A_PORT));
	mcast->options.interface.s_addr = htonl(INADDR_LOOPBACK);
	mcast->options.loop = attribute_set_number(options, MEMTUN_A_LOOP);
	/* The default is that of QEMU: not beyond this LAN. */
	mcast->options.ttl = attribute_set_has(options, MEMTUN_A_TTL)
				     ? (int)attribute_set_number(options, MEMTUN_A_TTL)
				     : 1;
	if (address_read(options, MEMTUN_A_GROUP, &mcast->options.group, fault) < 0)
		return -1;
	if (!IN_MULTICAST(ntohl(mcast->options.group.s_addr)))
		return fault_set(fault, EINVAL, "group %s is no multicast address",
				 attribute_set_string(options, MEMTUN_A_GROUP));
	if (!attribute_set_has(options, MEMTUN_A_IFADDR))
		return 0;
	return address_read(options, MEMTUN_A_IFADDR, &mcast->options.interface, fault);
}

static bool address_is_loopback(struct in_addr address)
{
	return ntohl(address.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
}

/* Return whether the addresses are on the same interface. All of 127.0.0.0/8 is on loopback. */
static bool interface_same(struct in_addr one, struct in_addr other)
{
	return one.s_addr == other.s_addr ||
	       (address_is_loopback(one) && address_is_loopback(other));
}

static bool mcast_same(const struct uplink *one, const struct uplink *other)
{
	const struct multicast_options *options =
		&(container_of(one, struct mcast, uplink))->options;
	const struct multicast_options *others =
		&(container_of(other, struct mcast, uplink))->options;

	return options->group.s_addr == others->group.s_addr && options->port == others->port &&
	       interface_same(options->interface, others->interface);
}

static enum memtun_attribute mcast_check(struct lane *lane, const struct sockaddr_storage *from,
					 socklen_t from_length, const unsigned char *header)
{
	const struct mcast *mcast = container_of(lane->port, struct mcast, uplink.port);
	const struct sockaddr_in *sender = (const struct sockaddr_in *)from;

	(void)from_length;
	(void)header;
	if (mcast->options.loop || sender->sin_port != mcast->own.sin_port ||
	    sender->sin_addr.s_addr != mcast->own.sin_addr.s_addr)
		return MEMTUN_A_UNSPEC;
	return LANE_NOT_COUNTED;
}

static const struct lane_envelope mcast_envelope = {.check = mcast_check, .connectionless = true};

static int mcast_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct mcast *mcast = container_of(uplink, struct mcast, uplink);
	const struct address group = address_ipv4(&mcast->options.group);
	const struct address interface = address_ipv4(&mcast->options.interface);
	char group_text[ADDRESS_TEXT_SIZE], interface_text[ADDRESS_TEXT_SIZE];
	struct multicast multicast;
	const int on = 1;

	snprintf(text, UPLINK_TEXT_SIZE, "cannot join %s on %s", address_format(&group, group_text),
		 address_format(&interface, interface_text));
	if (multicast_open(&multicast, &mcast->options) < 0)
		return -1;
	mcast->own = multicast.own;
	if (setsockopt(multicast.receiver, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)) < 0 ||
	    lane_open(&uplink->second, &lane_packet_link, multicast.receiver) < 0)
		goto fail;
	multicast.receiver = -1;
	if (lane_open(&uplink->lane, &lane_packet_link, multicast.sender) == 0)
		return 0;
	lane_close(&uplink->second);
fail:
	multicast_close(&multicast);
	return -1;
}

const struct uplink_kind uplink_mcast = {
	.size = sizeof(struct mcast),
	.takes = {.required = {MEMTUN_A_GROUP, MEMTUN_A_PORT},
		  .allowed = {MEMTUN_A_IFADDR, MEMTUN_A_LOOP, MEMTUN_A_TTL},
		  .options = OPTION_UPLINK_ANY},
	.mtu = MCAST_MTU,
	.envelope = &mcast_envelope,
	.prepare = mcast_prepare,
	.same = mcast_same,
	.open = mcast_open,
};
