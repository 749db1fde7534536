/* SPDX-License-Identifier: MIT */
#include "common/host_addresses.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum {
	IPV4_BITS = 32,
	IPV6_BITS = 128,
	/* lwIP takes its neighbours to be those with the same first 64 bits. */
	IPV6_NEIGHBOUR_BITS = 64,
	IPV6_MTU_MIN = 1280, /* RFC 8200, section 5 */
	/* lwIP counts a packet, its Ethernet header and what aligns them in 16 bits. */
	MTU_MAX = 65500,
};

static const uint8_t ipv4_mapped[12] = {[10] = 0xff, [11] = 0xff};

/* Are the first bits of both the same? */
static bool same_bits(const uint8_t *one, const uint8_t *other, unsigned int bits)
{
	unsigned int rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	return memcmp(one, other, bits / 8) == 0 &&
	       (rest == 0 || ((one[bits / 8] ^ other[bits / 8]) & mask) == 0);
}

static bool is_link_local(const uint8_t *address)
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/* Can a host have it? NULL, or why not. */
static const char *ipv4_check(const uint8_t *bytes, unsigned int prefix)
{
	uint32_t host, address;

	memcpy(&address, bytes, sizeof(address));
	host = prefix < IPV4_BITS ? ntohl(address) & (UINT32_MAX >> prefix) : 0;
	if (bytes[0] == 0 || bytes[0] == 127 || bytes[0] >= 224)
		return "no host on a network has that address";
	/* Point-to-point links have no address for all: RFC 3021. */
	if (prefix < IPV4_BITS - 1 && (host == 0 || host == UINT32_MAX >> prefix))
		return "that address is the network's, not a host's";
	return NULL;
}

static const char *ipv6_check(const uint8_t *bytes)
{
	static const uint8_t loopback[16] = {[15] = 1};

	if (is_link_local(bytes))
		return "the host makes its own address in fe80::/10";
	if (bytes[0] == 0xff || same_bits(bytes, loopback, 127) ||
	    same_bits(bytes, ipv4_mapped, 96))
		return "no host on a network has that address";
	return NULL;
}

/* A number of bits that is only digits. */
static int prefix_parse(const char *text, unsigned int max, unsigned int *prefix)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || number < 1 || number > max)
		return -1;
	*prefix = (unsigned int)number;
	return 0;
}

static int address_set(struct host_addresses *addresses, const char *value, const char **reason)
{
	char text[INET6_ADDRSTRLEN];
	const char *slash = strchr(value, '/');
	struct host_address *address = &addresses->ipv4;
	struct host_address parsed = {.is_given = true};
	unsigned int bits = IPV4_BITS;

	*reason = "it takes an IPv4 or IPv6 address and its prefix, like 10.0.0.1/24";
	if (!slash || (size_t)(slash - value) >= sizeof(text))
		return -1;
	memcpy(text, value, (size_t)(slash - value));
	text[slash - value] = '\0';
	if (strchr(text, ':')) {
		address = &addresses->ipv6;
		bits = IPV6_BITS;
	}
	if (inet_pton(bits == IPV4_BITS ? AF_INET : AF_INET6, text, parsed.bytes) != 1)
		return -1;
	if (prefix_parse(slash + 1, bits, &parsed.prefix) < 0) {
		*reason = bits == IPV4_BITS ? "a prefix of IPv4 is from 1 to 32"
					    : "a prefix of IPv6 is from 1 to 128";
		return -1;
	}
	if (address->is_given) {
		*reason = "a host has one address of IPv4 and one of IPv6";
		return -1;
	}
	*reason = bits == IPV4_BITS ? ipv4_check(parsed.bytes, parsed.prefix)
				    : ipv6_check(parsed.bytes);
	if (*reason)
		return -1;
	parsed.has_gateway = address->has_gateway;
	memcpy(parsed.gateway, address->gateway, sizeof(parsed.gateway));
	*address = parsed;
	return 0;
}

static int gateway_set(struct host_addresses *addresses, const char *value, const char **reason)
{
	struct host_address *address = strchr(value, ':') ? &addresses->ipv6 : &addresses->ipv4;
	int family = address == &addresses->ipv6 ? AF_INET6 : AF_INET;

	*reason = "a host has one gateway of IPv4 and one of IPv6";
	if (address->has_gateway)
		return -1;
	*reason = "it takes an IPv4 or IPv6 address, without a prefix";
	if (inet_pton(family, value, address->gateway) != 1)
		return -1;
	address->has_gateway = true;
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
	if (ipv4->has_gateway && (!same_bits(ipv4->bytes, ipv4->gateway, ipv4->prefix) ||
				  ipv4_check(ipv4->gateway, ipv4->prefix)))
		return "the IPv4 gateway is no host within the prefix of the address";
	if (ipv6->has_gateway && !is_link_local(ipv6->gateway) &&
	    !same_bits(ipv6->bytes, ipv6->gateway, ipv6->prefix))
		return "the IPv6 gateway is neither within the prefix of the address nor in "
		       "fe80::/10";
	if ((ipv4->has_gateway && same_bits(ipv4->bytes, ipv4->gateway, IPV4_BITS)) ||
	    (ipv6->has_gateway && same_bits(ipv6->bytes, ipv6->gateway, IPV6_BITS)))
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
	if (ethernet && ipv4->is_given && ipv4->prefix == IPV4_BITS)
		return "with prefix 32 an address on a TAP has no neighbours";
	if (ethernet && ipv6->is_given && ipv6->prefix < IPV6_NEIGHBOUR_BITS)
		return "on a TAP lwIP takes IPv6 prefixes from 64 to 128";
	return NULL;
}
