/* SPDX-License-Identifier: MIT */
#include "common/host_addresses.h"

#include <string.h>

enum {
	/* lwIP takes addresses with the same first 64 bits as neighbours. */
	IPV6_NEIGHBOUR_BITS = 64,
	IPV6_MTU_MIN = 1280, /* RFC 8200, section 5 */
	/* lwIP has 16 bits for the length of a packet, its Ethernet header and their alignment. */
	MTU_MAX = 65500,
};

/* Check that a host can have the address. Return NULL, or why not. */
static const char *ipv4_check(const struct address *address, unsigned int prefix)
{
	unsigned int first = address->bytes[0];

	if (first == 0 || first == IN_LOOPBACKNET || !address_is_host(address))
		return "no host on a network has that address";
	if (address_is_network(address, prefix) || address_is_broadcast(address, prefix))
		return "that address is the network's, not a host's";
	return NULL;
}

static const char *ipv6_check(const struct address *address)
{
	if (address_is_link_local(address))
		return "the host makes its own address in fe80::/10";
	if (!address_is_host(address) || IN6_IS_ADDR_LOOPBACK(&address->ipv6) ||
	    IN6_IS_ADDR_V4MAPPED(&address->ipv6))
		return "no host on a network has that address";
	return NULL;
}

/* Return the member for addresses of that kind. */
static struct host_address *addresses_of(struct host_addresses *addresses,
					 const struct address *address)
{
	return address->kind == ADDRESS_IPV4 ? &addresses->ipv4 : &addresses->ipv6;
}

static int address_set(struct host_addresses *addresses, const char *value, const char **reason)
{
	const char *slash = strchr(value, '/');
	struct host_address *own;
	struct address address;
	unsigned int prefix;

	*reason = "it takes an IPv4 or IPv6 address and its prefix, like 10.0.0.1/24";
	if (!slash || address_parse(value, (size_t)(slash - value), &address) < 0)
		return -1;
	prefix = address_parse_prefix_length(slash + 1, &address);
	own = addresses_of(addresses, &address);
	if (!prefix)
		*reason = own == &addresses->ipv4 ? "a prefix of IPv4 is from 1 to 32"
						  : "a prefix of IPv6 is from 1 to 128";
	else if (own->is_given)
		*reason = "a host has one address of IPv4 and one of IPv6";
	else
		*reason = own == &addresses->ipv4 ? ipv4_check(&address, prefix)
						  : ipv6_check(&address);
	if (*reason)
		return -1;
	own->is_given = true;
	own->prefix = prefix;
	own->address = address;
	return 0;
}

static int gateway_set(struct host_addresses *addresses, const char *value, const char **reason)
{
	struct host_address *own;
	struct address address;

	*reason = "it takes an IPv4 or IPv6 address, without a prefix";
	if (address_parse(value, strlen(value), &address) < 0)
		return -1;
	*reason = "a host has one gateway of IPv4 and one of IPv6";
	own = addresses_of(addresses, &address);
	if (own->has_gateway)
		return -1;
	own->has_gateway = true;
	own->gateway = address;
	return 0;
}

bool host_addresses_has_key(const char *key)
{
	return strcmp(key, "address") == 0 || strcmp(key, "gateway") == 0;
}

int host_addresses_set(struct host_addresses *addresses, const char *key, const char *value,
		       const char **reason)
{
	return strcmp(key, "address") == 0 ? address_set(addresses, value, reason)
					   : gateway_set(addresses, value, reason);
}

const char *host_addresses_check(const struct host_addresses *addresses)
{
	const struct host_address *ipv4 = &addresses->ipv4, *ipv6 = &addresses->ipv6;

	if (!ipv4->is_given && !ipv6->is_given)
		return "host needs an address: memtun host NAME address 10.0.0.1/24";
	if (ipv4->has_gateway && !ipv4->is_given)
		return "the gateway is of IPv4, and the host has no address of IPv4";
	if (ipv6->has_gateway && !ipv6->is_given)
		return "the gateway is of IPv6, and the host has no address of IPv6";
	if (ipv4->has_gateway &&
	    (!address_shares_prefix(&ipv4->address, &ipv4->gateway, ipv4->prefix) ||
	     ipv4_check(&ipv4->gateway, ipv4->prefix)))
		return "the IPv4 gateway is no host within the prefix of the address";
	if (ipv6->has_gateway && !address_is_link_local(&ipv6->gateway) &&
	    !address_shares_prefix(&ipv6->address, &ipv6->gateway, ipv6->prefix))
		return "the IPv6 gateway is neither within the prefix of the address nor in "
		       "fe80::/10";
	if ((ipv4->has_gateway && address_equal(&ipv4->address, &ipv4->gateway)) ||
	    (ipv6->has_gateway && address_equal(&ipv6->address, &ipv6->gateway)))
		return "the gateway is the host's own address";
	return NULL;
}

const char *host_addresses_check_tunnel(const struct host_addresses *addresses, bool ethernet,
					unsigned int mtu)
{
	const struct host_address *ipv4 = &addresses->ipv4, *ipv6 = &addresses->ipv6;

	if (mtu > MTU_MAX)
		return "its mtu is too large: lwIP takes at most 65500";
	if (ipv6->is_given && mtu < IPV6_MTU_MIN)
		return "its mtu is too small for IPv6, which needs 1280";
	if (ethernet && ipv4->is_given && ipv4->prefix == address_bits(&ipv4->address))
		return "with prefix 32 an address on a TAP has no neighbours";
	if (ethernet && ipv6->is_given && ipv6->prefix < IPV6_NEIGHBOUR_BITS)
		return "on a TAP lwIP takes IPv6 prefixes from 64 to 128";
	return NULL;
}
