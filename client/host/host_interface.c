/* SPDX-License-Identifier: MIT */
/*
 * Surprising: Debian's lwIP 2.1.3 has its pools' sizes wrong, so that a frame in a pbuf of
 * PBUF_POOL overruns the heap: ours are of PBUF_RAM. And all that is pooled there comes from
 * malloc() without bounds, so what can pile up has its bound here.
 */
#include "client/host/host_interface.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <lwip/err.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/nd6.h>
#include <lwip/priv/nd6_priv.h>

enum {
	ETHERNET_MIN = 60,    /* bytes of a frame, without its check sequence: IEEE 802.3 */
	NEIGHBOUR_QUEUE = 10, /* packets: of IPv4 lwIP was built to keep as many, ARP_QUEUE_LEN */
	LINK_LOCAL = 0,       /* the slot of that address, as lwIP has it */
};

/* ------------------------------------------------------------------------------ sending */

static err_t frame_write(struct netif *netif, struct pbuf *frame)
{
	struct host_interface *interface = netif->state;
	const void *bytes = frame->payload;

	if (frame->next) {
		pbuf_copy_partial(frame, interface->sending, frame->tot_len, 0);
		bytes = interface->sending;
	}
	if (write(interface->fd, bytes, frame->tot_len) >= 0)
		return ERR_OK;
	/* TCP takes the first as a reason to try again soon. */
	return errno == EAGAIN || errno == ENOBUFS ? ERR_MEM : ERR_IF;
}

static err_t ipv4_write(struct netif *netif, struct pbuf *packet, const ip4_addr_t *next_hop)
{
	LWIP_UNUSED_ARG(next_hop); /* a TUN has one neighbour, whoever that is */
	return frame_write(netif, packet);
}

static err_t ipv6_write(struct netif *netif, struct pbuf *packet, const ip6_addr_t *next_hop)
{
	LWIP_UNUSED_ARG(next_hop);
	return frame_write(netif, packet);
}

/* Do as many packets wait for the neighbour's address as may? */
static bool neighbour_is_full(const ip6_addr_t *neighbour)
{
	for (int i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
		const struct nd6_q_entry *waiting = neighbor_cache[i].q;
		int count = 0;

		if (neighbor_cache[i].state == ND6_NO_ENTRY ||
		    !ip6_addr_cmp(&neighbor_cache[i].next_hop_address, neighbour))
			continue;
		for (; waiting; waiting = waiting->next)
			count++;
		return count >= NEIGHBOUR_QUEUE;
	}
	return false;
}

/* lwIP learns gateways of IPv6 from what routers say only; one that was given is gone to here. */
static const ip6_addr_t *ipv6_next_hop(const struct host_interface *interface,
				       const ip6_addr_t *target)
{
	const struct host_address *own = &interface->addresses.ipv6;
	const struct address address = address_ipv6(target->addr);

	if (!own->has_gateway || ip6_addr_ismulticast(target) || ip6_addr_islinklocal(target))
		return target;
	if (address_shares_prefix(&address, &own->address, own->prefix))
		return target;
	return &interface->gateway6;
}

static err_t ipv6_output(struct netif *netif, struct pbuf *packet, const ip6_addr_t *target)
{
	const ip6_addr_t *next_hop = ipv6_next_hop(netif->state, target);

	return neighbour_is_full(next_hop) ? ERR_MEM : ethip6_output(netif, packet, next_hop);
}

/* ------------------------------------------------------------------------------ receiving */

/* Is it for this card: for its address, or for several? Of a TUN, is there a header? */
static bool is_for_us(const struct host_interface *interface, const uint8_t *frame, size_t length)
{
	if (interface->ethernet)
		return length > SIZEOF_ETH_HDR &&
		       (frame[0] & 1 ||
			memcmp(frame, interface->netif.hwaddr, ETH_HWADDR_LEN) == 0);
	return length >= (frame[0] >> 4 == 6 ? IP6_HLEN : IP_HLEN);
}

void host_interface_take(struct host_interface *interface, const uint8_t *frame, size_t length)
{
	static const uint8_t padding[ETHERNET_MIN];
	struct pbuf *copy;
	size_t missing = 0;

	if (length > UINT16_MAX || !is_for_us(interface, frame, length))
		return;
	/* As a card does; lwIP looks at headers before it looks whether they are there. */
	if (interface->ethernet && length < ETHERNET_MIN)
		missing = ETHERNET_MIN - length;
	copy = pbuf_alloc(PBUF_RAW, (u16_t)(length + missing), PBUF_RAM);
	if (!copy)
		return;
	pbuf_take(copy, frame, (u16_t)length);
	if (missing > 0)
		pbuf_take_at(copy, padding, (u16_t)missing, (u16_t)length);
	if (interface->netif.input(copy, &interface->netif) != ERR_OK)
		pbuf_free(copy);
}

/* ------------------------------------------------------------------------------ starting */

/* Locally administered, and another one wherever the address is: its last four bytes. */
static void netif_name_hardware(struct netif *netif, const struct host_addresses *addresses)
{
	const uint8_t *last = addresses->ipv4.is_given ? addresses->ipv4.address.bytes
						       : addresses->ipv6.address.bytes + 12;

	netif->hwaddr_len = ETH_HWADDR_LEN;
	netif->hwaddr[0] = 0x02;
	netif->hwaddr[1] = addresses->ipv4.is_given ? 0x00 : 0x06;
	memcpy(netif->hwaddr + 2, last, 4);
}

static err_t netif_init_tunnel(struct netif *netif)
{
	struct host_interface *interface = netif->state;

	netif->name[0] = 't';
	netif->name[1] = interface->ethernet ? 'a' : 'u';
	netif->mtu = (u16_t)interface->mtu;
	netif->flags = NETIF_FLAG_LINK_UP;
	netif->output = ipv4_write;
	netif->output_ip6 = ipv6_write;
	/* Also of a TUN: else lwIP's solicitations have bytes that were never set. */
	netif_name_hardware(netif, &interface->addresses);
	if (!interface->ethernet)
		return ERR_OK;
	netif->flags |= NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
	/* With prefix 31 the other of the two addresses would look like that for all. */
	if (interface->addresses.ipv4.prefix < 31)
		netif->flags |= NETIF_FLAG_BROADCAST;
	netif->output = etharp_output;
	netif->output_ip6 = ipv6_output;
	netif->linkoutput = frame_write;
	return ERR_OK;
}

static int ipv6_start(struct host_interface *interface)
{
	const struct host_address *own = &interface->addresses.ipv6;
	struct netif *netif = &interface->netif;
	ip6_addr_t address = {0};
	s8_t slot;

	memcpy(address.addr, own->address.bytes, sizeof(address.addr));
	if (netif_add_ip6_address(netif, &address, &slot) != ERR_OK)
		return -1;
	/* In use at once: nobody waits for a second in which another might object. */
	netif_ip6_addr_set_state(netif, slot, IP6_ADDR_PREFERRED);
	if (interface->ethernet) {
		netif_create_ip6_linklocal_address(netif, 1);
		netif_ip6_addr_set_state(netif, LINK_LOCAL, IP6_ADDR_PREFERRED);
	}
	memcpy(interface->gateway6.addr, own->gateway.bytes, sizeof(interface->gateway6.addr));
	ip6_addr_assign_zone(&interface->gateway6, IP6_UNICAST, netif);
	return 0;
}

int host_interface_start(struct host_interface *interface)
{
	const struct host_address *own = &interface->addresses.ipv4;
	struct netif *netif = &interface->netif;
	ip4_addr_t address = {0}, netmask = {0}, gateway = {0};

	if (own->is_given) {
		memcpy(&address.addr, own->address.bytes, sizeof(address.addr));
		memcpy(&gateway.addr, own->gateway.bytes, sizeof(gateway.addr));
		netmask.addr = htonl(UINT32_MAX << (32 - own->prefix));
	}
	/* netif_input looks at the flags to tell a frame from a packet. */
	if (!netif_add(netif, &address, &netmask, &gateway, interface, netif_init_tunnel,
		       netif_input))
		return -1;
	netif_set_default(netif);
	if (interface->addresses.ipv6.is_given && ipv6_start(interface) < 0)
		return -1;
	netif_set_up(netif);
	/* It has its addresses, and asks no router for others. */
	netif->rs_count = 0;
	return 0;
}
