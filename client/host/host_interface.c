/* SPDX-License-Identifier: MIT */
/*
 * In Debian's lwIP 2.1.3 the sizes of the pools are wrong, so that a frame in a pbuf of PBUF_POOL
 * overruns the heap. This file uses PBUF_RAM. The pools come from malloc() without a limit, so this
 * file limits the packets that may wait for a neighbour.
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

#include "client/host/host_filter.h"

enum {
	ETHERNET_MIN = 60,    /* bytes of a frame without its check sequence: IEEE 802.3 */
	NEIGHBOUR_QUEUE = 10, /* packets, as many as ARP_QUEUE_LEN is for IPv4 in Debian's lwIP */
	LINK_LOCAL = 0,       /* lwIP's slot of the link-local address */
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
	/* On ERR_MEM, lwIP's TCP tries again soon. */
	return errno == EAGAIN || errno == ENOBUFS ? ERR_MEM : ERR_IF;
}

static err_t ipv4_write(struct netif *netif, struct pbuf *packet, const ip4_addr_t *next_hop)
{
	LWIP_UNUSED_ARG(next_hop); /* a TUN has one neighbour */
	return frame_write(netif, packet);
}

static err_t ipv6_write(struct netif *netif, struct pbuf *packet, const ip6_addr_t *next_hop)
{
	LWIP_UNUSED_ARG(next_hop);
	return frame_write(netif, packet);
}

/* Return whether the maximum of packets waits for the neighbour's MAC address. */
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

/*
 * Return the next hop of an IPv6 packet. lwIP itself knows only gateways from router
 * advertisements, so this function uses the gateway of the command line.
 */
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

static bool ipv4_has_neighbour(const struct host_interface *interface, const ip4_addr_t *target)
{
	struct netif *netif = (struct netif *)(uintptr_t)&interface->netif;
	const ip4_addr_t *found;
	struct eth_addr *mac;

	if (ip4_addr_ismulticast(target) || ip4_addr_isbroadcast(target, netif))
		return true;
	if (!ip4_addr_netcmp(target, netif_ip4_addr(netif), netif_ip4_netmask(netif)))
		target = netif_ip4_gw(netif);
	return etharp_find_addr(netif, target, &mac, &found) >= 0;
}

static bool ipv6_has_neighbour(const struct host_interface *interface, const ip6_addr_t *target)
{
	const ip6_addr_t *next_hop = ipv6_next_hop(interface, target);

	if (ip6_addr_ismulticast(target))
		return true;
	for (int i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
		if (neighbor_cache[i].state > ND6_INCOMPLETE &&
		    ip6_addr_cmp(&neighbor_cache[i].next_hop_address, next_hop))
			return true;
	}
	return false;
}

bool host_interface_has_neighbour(const struct host_interface *interface, const ip_addr_t *target)
{
	if (!interface->ethernet)
		return true;
	return IP_IS_V6(target) ? ipv6_has_neighbour(interface, ip_2_ip6(target))
				: ipv4_has_neighbour(interface, ip_2_ip4(target));
}

/* ------------------------------------------------------------------------------ receiving */

/*
 * Is the frame for this interface's MAC address, or for a group or broadcast address? On a TUN: has
 * the packet a whole header?
 */
static bool frame_is_for(const struct host_interface *interface, const uint8_t *frame,
			 size_t length)
{
	if (interface->ethernet)
		return length > SIZEOF_ETH_HDR &&
		       (frame[0] & 1 ||
			memcmp(frame, interface->netif.hwaddr, ETH_HWADDR_LEN) == 0);
	return length >= (frame[0] >> 4 == 6 ? IP6_HLEN : IP_HLEN);
}

void host_interface_take(struct host_interface *interface, uint8_t *frame, size_t length)
{
	static const uint8_t padding[ETHERNET_MIN];
	struct pbuf *copy;
	size_t missing = 0;

	if (length > UINT16_MAX || !frame_is_for(interface, frame, length))
		return;
	frame = host_filter(frame, &length, interface->ethernet ? MEMTUN_TAP : MEMTUN_TUN);
	if (!frame)
		return;
	/* lwIP reads headers before it checks the length, so pad a frame as a network card does. */
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

/*
 * Set the MAC address: a locally administered one that ends in the last four bytes of the IP
 * address, so that hosts with different addresses differ.
 */
static void netif_set_mac(struct netif *netif, const struct host_addresses *addresses)
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
	/* A TUN needs it, too: lwIP's solicitations contain it. */
	netif_set_mac(netif, &interface->addresses);
	if (!interface->ethernet)
		return ERR_OK;
	netif->flags |= NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
	/* With prefix 31, lwIP would take the other one of the two addresses as the broadcast. */
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
	/* Use the address at once, without duplicate address detection. */
	netif_ip6_addr_set_state(netif, slot, IP6_ADDR_PREFERRED);
	if (interface->ethernet) {
		netif_create_ip6_linklocal_address(netif, 1);
		netif_ip6_addr_set_state(netif, LINK_LOCAL, IP6_ADDR_PREFERRED);
	}
	memcpy(interface->gateway6.addr, own->gateway.bytes, sizeof(interface->gateway6.addr));
	ip6_addr_assign_zone(&interface->gateway6, IP6_UNICAST, netif);
	return 0;
}

ip_addr_t host_interface_address(const struct address *address)
{
	ip_addr_t target = {0};

	if (address->kind == ADDRESS_IPV4) {
		ip_addr_set_ip4_u32_val(target, address->ipv4.s_addr);
	} else {
		memcpy(ip_2_ip6(&target)->addr, address->bytes, sizeof(address->bytes));
		IP_SET_TYPE_VAL(target, IPADDR_TYPE_V6);
		ip6_addr_assign_zone(ip_2_ip6(&target), IP6_UNICAST, netif_default);
	}
	return target;
}

bool host_interface_has_route(const ip_addr_t *target)
{
	const struct netif *netif = netif_default;

	if (IP_IS_V6(target) || !(netif->flags & NETIF_FLAG_ETHARP))
		return true;
	return ip4_addr_netcmp(ip_2_ip4(target), netif_ip4_addr(netif), netif_ip4_netmask(netif)) ||
	       !ip4_addr_isany_val(*netif_ip4_gw(netif));
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
	/* netif_input() distinguishes frames and packets by the flags. */
	if (!netif_add(netif, &address, &netmask, &gateway, interface, netif_init_tunnel,
		       netif_input))
		return -1;
	netif_set_default(netif);
	if (interface->addresses.ipv6.is_given && ipv6_start(interface) < 0)
		return -1;
	netif_set_up(netif);
	/* The host has its addresses, so it sends no router solicitations. */
	netif->rs_count = 0;
	return 0;
}
