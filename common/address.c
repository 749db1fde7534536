/* SPDX-License-Identifier: MIT */
#include "common/address.h"

#include <arpa/inet.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdio.h>

/* ------------------------------------------------------------------------------ making */

void address_read_packet(const void *packet, struct address *from, struct address *to)
{
	const unsigned char *version = packet;
	struct ip6_hdr ip6;
	struct ip ip;

	if (*version >> 4 == 4) {
		memcpy(&ip, packet, sizeof(ip));
		*from = address_ipv4(&ip.ip_src);
		*to = address_ipv4(&ip.ip_dst);
	} else {
		memcpy(&ip6, packet, sizeof(ip6));
		*from = address_ipv6(&ip6.ip6_src);
		*to = address_ipv6(&ip6.ip6_dst);
	}
}

int address_parse(const char *text, size_t length, struct address *address)
{
	char copy[INET6_ADDRSTRLEN];

	if (length >= sizeof(copy))
		return -1;
	memcpy(copy, text, length);
	copy[length] = '\0';
	*address = (struct address){.kind = ADDRESS_IPV4};
	if (inet_pton(AF_INET, copy, &address->ipv4) == 1)
		return 0;
	address->kind = ADDRESS_IPV6;
	return inet_pton(AF_INET6, copy, &address->ipv6) == 1 ? 0 : -1;
}

/* ------------------------------------------------------------------------------ asking */

const char *address_format(const struct address *address, char text[ADDRESS_TEXT_SIZE])
{
	const unsigned char *bytes = address->bytes;

	if (address->kind < ADDRESS_IPV4)
		snprintf(text, ADDRESS_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0],
			 bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]);
	else
		inet_ntop(address->kind == ADDRESS_IPV4 ? AF_INET : AF_INET6, bytes, text,
			  ADDRESS_TEXT_SIZE);
	return text;
}

bool address_is_host(const struct address *address)
{
	if (address->words[0] == 0 && address->words[1] == 0)
		return false;
	if (address->kind == ADDRESS_IPV6)
		return !IN6_IS_ADDR_MULTICAST(&address->ipv6);
	/* 224.0.0.0/4 is multicast. All above is reserved (RFC 1112, 4) or broadcast. */
	if (address->kind == ADDRESS_IPV4)
		return address->bytes[0] < 224;
	return !(address->bytes[0] & 1); /* the group bit: IEEE 802, 8.2.2 */
}

bool address_multicast_mac(const struct address *address, unsigned char mac[ETH_ALEN])
{
	const unsigned char *bytes = address->bytes;

	if (address->kind == ADDRESS_IPV6 && IN6_IS_ADDR_MULTICAST(&address->ipv6)) {
		/* RFC 2464, 7: 33:33 and the last 4 bytes. */
		memset(mac, 0x33, 2);
		memcpy(mac + 2, bytes + 12, 4);
		return true;
	}
	if (address->kind != ADDRESS_IPV4 || !IN_MULTICAST(ntohl(address->ipv4.s_addr)))
		return false;
	ETHER_MAP_IP_MULTICAST(bytes, mac);
	return true;
}

/* ------------------------------------------------------------------------------ prefixes */

/*
 * Parse text as decimal digits and nothing else: strtonum(3) would accept blanks and a sign. Return
 * the number, or -1 if text has another character or the number is above max.
 */
static int number_parse(const char *text, int max)
{
	int number = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		number = number * 10 + (*text - '0');
		if (number > max)
			return -1;
	}
	return number;
}

unsigned int address_parse_prefix_length(const char *text, const struct address *address)
{
	int length = number_parse(text, (int)address_bits(address));

	return length > 0 ? (unsigned int)length : 0;
}

bool address_shares_prefix(const struct address *one, const struct address *other,
			   unsigned int length)
{
	unsigned int whole = length / 8, rest = length % 8;

	if (one->kind != other->kind || memcmp(one->bytes, other->bytes, whole) != 0)
		return false;
	return rest == 0 || (one->bytes[whole] ^ other->bytes[whole]) >> (8 - rest) == 0;
}

/* Return whether the bits of the IPv4 address behind its prefix are those of `bits`. */
static bool host_part_is(const struct address *address, unsigned int length, uint32_t bits)
{
	return address->kind == ADDRESS_IPV4 && length <= 30 &&
	       ((ntohl(address->ipv4.s_addr) ^ bits) & (UINT32_MAX >> length)) == 0;
}

bool address_is_network(const struct address *address, unsigned int length)
{
	return host_part_is(address, length, 0);
}

bool address_is_broadcast(const struct address *address, unsigned int length)
{
	return host_part_is(address, length, UINT32_MAX);
}

/* ------------------------------------------------------------------------------ with a port */

/* Fill in a struct sockaddr_in or sockaddr_in6. The port is in host byte order. */
static void socket_address_make(const struct address *address, uint16_t port,
				struct sockaddr_storage *socket_address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)socket_address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)socket_address;

	memset(socket_address, 0, sizeof(*socket_address));
	if (address->kind == ADDRESS_IPV4)
		*v4 = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = htons(port),
			.sin_addr = address->ipv4,
		};
	else
		*v6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6,
			.sin6_port = htons(port),
			.sin6_addr = address->ipv6,
		};
}

int socket_address_parse(const char *text, uint16_t port, struct sockaddr_storage *socket_address)
{
	struct address address;

	if (address_parse(text, strlen(text), &address) < 0)
		return -1;
	socket_address_make(&address, port, socket_address);
	return 0;
}

int socket_address_parse_with_port(const char *text, struct sockaddr_storage *socket_address)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;
	bool brackets = length >= 2 && text[0] == '[' && colon[-1] == ']';
	int port = colon ? number_parse(colon + 1, UINT16_MAX) : -1;
	struct address address;

	/* Without brackets the last number of an IPv6 address would be the port. */
	if (port < 0 || address_parse(text + brackets, length - 2 * brackets, &address) < 0 ||
	    brackets != (address.kind == ADDRESS_IPV6))
		return -1;
	socket_address_make(&address, (uint16_t)port, socket_address);
	return 0;
}

struct address socket_address_host(const struct sockaddr_storage *socket_address)
{
	if (socket_address->ss_family == AF_INET)
		return address_ipv4(&((const struct sockaddr_in *)socket_address)->sin_addr);
	return address_ipv6(&((const struct sockaddr_in6 *)socket_address)->sin6_addr);
}

uint16_t socket_address_port(const struct sockaddr_storage *socket_address)
{
	/* Both structures have the port in the same place. */
	return ntohs(((const struct sockaddr_in *)socket_address)->sin_port);
}

bool socket_address_equal(const struct sockaddr_storage *one, const struct sockaddr_storage *other)
{
	struct address host = socket_address_host(one), other_host = socket_address_host(other);

	return socket_address_port(one) == socket_address_port(other) &&
	       address_equal(&host, &other_host);
}

const char *socket_address_format(const struct sockaddr_storage *socket_address,
				  char text[SOCKET_ADDRESS_TEXT_SIZE])
{
	struct address address = socket_address_host(socket_address);
	bool brackets = address.kind == ADDRESS_IPV6;
	char host[ADDRESS_TEXT_SIZE];

	snprintf(text, SOCKET_ADDRESS_TEXT_SIZE, "%s%s%s:%u", brackets ? "[" : "",
		 address_format(&address, host), brackets ? "]" : "",
		 socket_address_port(socket_address));
	return text;
}

socklen_t socket_address_size(const struct sockaddr_storage *socket_address)
{
	return socket_address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
						    : sizeof(struct sockaddr_in6);
}
