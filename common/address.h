/* SPDX-License-Identifier: MIT */
/*
 * MAC and IP addresses, prefixes, and IP addresses with a port (struct sockaddr_storage): parsing,
 * formatting, comparing and classifying. Only numbers are parsed, because looking up a name would
 * make the caller wait.
 */
#ifndef MEMTUN_ADDRESS_H
#define MEMTUN_ADDRESS_H

#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* A MAC address and its VLAN, or an IP address, in network byte order. Unused bytes are zero. */
struct address {
	union {
		uint64_t words[2];
		unsigned char bytes[16];
		struct in_addr ipv4;
		struct in6_addr ipv6;
	};
	uint32_t kind; /* an ADDRESS_ constant, and for a MAC address the VLAN */
};

#define ADDRESS_ETHERNET 0x10000 /* the VLAN id is in the lower 12 bits, 0 for no VLAN */
#define ADDRESS_IPV4 0x20000
#define ADDRESS_IPV6 0x30000

/* ------------------------------------------------------------------------------ making */

static inline struct address address_ethernet(const void *mac, unsigned int vlan)
{
	struct address address = {.kind = ADDRESS_ETHERNET | vlan};

	memcpy(address.bytes, mac, ETH_ALEN);
	return address;
}

static inline struct address address_ipv4(const void *bytes)
{
	struct address address = {.kind = ADDRESS_IPV4};

	memcpy(address.bytes, bytes, sizeof(address.ipv4));
	return address;
}

static inline struct address address_ipv6(const void *bytes)
{
	struct address address = {.kind = ADDRESS_IPV6};

	memcpy(address.bytes, bytes, sizeof(address.ipv6));
	return address;
}

/* Read both addresses of an IP packet. The caller has checked the version and the length. */
void address_read_packet(const void *packet, struct address *from, struct address *to);

/* Read the `length` characters at text, which are an IP address and nothing else. -1: they
 * aren't. */
int address_parse(const char *text, size_t length, struct address *address);

/* ------------------------------------------------------------------------------ asking */

/* Room for any address as text. */
#define ADDRESS_TEXT_SIZE INET6_ADDRSTRLEN

/* Write the address in its usual notation: 02:00:00:00:00:01, 10.0.0.1, fd00::1. Return text. */
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_SIZE]);

/* Return the VLAN id of a MAC address, 0 for no VLAN; -1 for an IP address. */
static inline int address_vlan(const struct address *address)
{
	return address->kind < ADDRESS_IPV4 ? (int)(address->kind & 0xfff) : -1;
}

static inline bool address_equal(const struct address *one, const struct address *other)
{
	return one->words[0] == other->words[0] && one->words[1] == other->words[1] &&
	       one->kind == other->kind;
}

/* Return 10 bits. The seed is a secret random number, so that no sender can choose addresses that
 * have the same hash. */
static inline unsigned int address_hash(uint64_t seed, const struct address *address)
{
	/* A multiplication by an odd constant spreads its input to the upper bits. */
	uint64_t hash = seed ^ address->kind;

	hash = (hash ^ address->words[0]) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ (hash >> 32) ^ address->words[1]) * UINT64_C(0xd6e8feb86659fd93);
	return (unsigned int)(hash >> 54);
}

/* Can one host have the address: is it not multicast, broadcast or unspecified? */
bool address_is_host(const struct address *address);

/* Is it in fe80::/10? */
static inline bool address_is_link_local(const struct address *address)
{
	return address->kind == ADDRESS_IPV6 && IN6_IS_ADDR_LINKLOCAL(&address->ipv6);
}

/* Write the MAC address of an IP multicast address's group. False: it is no multicast address. */
bool address_multicast_mac(const struct address *address, unsigned char mac[ETH_ALEN]);

/* ------------------------------------------------------------------------------ prefixes */

/* Return the number of bits of an IP address, which is its longest prefix. */
static inline unsigned int address_bits(const struct address *address)
{
	return address->kind == ADDRESS_IPV4 ? 32 : 128;
}

/*
 * Parse text as a prefix length of an address of that kind: 1 to 32 or 128, in digits. Return 0 if
 * it is not one.
 */
unsigned int address_parse_prefix_length(const char *text, const struct address *address);

/* Return whether both are of one kind, with the same first `length` bits. */
bool address_shares_prefix(const struct address *one, const struct address *other,
			   unsigned int length);

/*
 * Is it an IPv4 prefix's own address, or the address of all of its hosts? A prefix longer than 30
 * bits has neither (RFC 3021).
 */
bool address_is_network(const struct address *address, unsigned int length);
bool address_is_broadcast(const struct address *address, unsigned int length);

/* ------------------------------------------------------------------------------ with a port */

/* Read an IP address without a port, for that port; or with one: 10.0.0.1:7777, [fd00::1]:7777. -1:
 * text is something else. */
int socket_address_parse(const char *text, uint16_t port, struct sockaddr_storage *socket_address);
int socket_address_parse_with_port(const char *text, struct sockaddr_storage *socket_address);

/* Return the IP address without its port, and the port in host byte order. */
struct address socket_address_host(const struct sockaddr_storage *socket_address);
uint16_t socket_address_port(const struct sockaddr_storage *socket_address);

/* Return whether the address and the port are the same. */
bool socket_address_equal(const struct sockaddr_storage *one, const struct sockaddr_storage *other);

/* Room for any address with its port: [ADDRESS6]:65535. */
#define SOCKET_ADDRESS_TEXT_SIZE (ADDRESS_TEXT_SIZE + sizeof("[]:65535") - 1)

/* Write it as socket_address_parse_with_port() reads it. Return text. */
const char *socket_address_format(const struct sockaddr_storage *socket_address,
				  char text[SOCKET_ADDRESS_TEXT_SIZE]);

/* Return the size of the structure that its family has. */
socklen_t socket_address_size(const struct sockaddr_storage *socket_address);

#endif
