/* SPDX-License-Identifier: MIT */
#include "broker/uplink/uplink_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An address without port. 0: it is one. */
static int address_read(const char *text, uint16_t port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	*address = (struct sockaddr_storage){.ss_family = AF_INET};
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_port = htons(port);
		return 0;
	}
	address->ss_family = AF_INET6;
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_port = htons(port);
		return 0;
	}
	return -1;
}

int uplink_address_parse(const struct attribute_set *options, enum memtun_attribute which,
			 uint16_t port, struct sockaddr_storage *address, struct fault *fault)
{
	const char *text = attribute_set_string(options, which);

	if (address_read(text, port, address) == 0)
		return 0;
	return fault_set(fault, EINVAL, "%s takes an IP address, not '%.60s'",
			 attributes[which].word, text);
}

int uplink_address_parse_port(const struct attribute_set *options, enum memtun_attribute which,
			      struct sockaddr_storage *address, struct fault *fault)
{
	const char *text = attribute_set_string(options, which);
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	const char *reason = "no port";
	long long port = 0;

	if (colon && (size_t)(colon - text) < sizeof(host)) {
		size_t length = (size_t)(colon - text);
		char *begin = host;

		memcpy(host, text, length);
		host[length] = '\0';
		/* A colon inside an address has no brackets around what is before it. */
		if (host[0] == '[' && host[length - 1] == ']') {
			host[length - 1] = '\0';
			begin++;
		}
		port = strtonum(colon + 1, 1, UINT16_MAX, &reason);
		if (!reason && address_read(begin, (uint16_t)port, address) == 0 &&
		    (begin > host) == (address->ss_family == AF_INET6))
			return 0;
	}
	return fault_set(fault, EINVAL, "%s takes ADDRESS:PORT or [ADDRESS6]:PORT, not '%.60s'",
			 attributes[which].word, text);
}

bool uplink_address_equal(const struct sockaddr_storage *one, const struct sockaddr_storage *other,
			  bool with_port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)one;
	const struct sockaddr_in *other_v4 = (const struct sockaddr_in *)other;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)one;
	const struct sockaddr_in6 *other_v6 = (const struct sockaddr_in6 *)other;

	/* Both structures have the port in the same place. */
	if (one->ss_family != other->ss_family || (with_port && v4->sin_port != other_v4->sin_port))
		return false;
	if (one->ss_family == AF_INET)
		return v4->sin_addr.s_addr == other_v4->sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&v6->sin6_addr, &other_v6->sin6_addr);
}

const char *uplink_address_format(const struct sockaddr_storage *address,
				  char text[UPLINK_ADDRESS_SIZE])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	char host[INET6_ADDRSTRLEN];

	if (address->ss_family == AF_INET)
		snprintf(text, UPLINK_ADDRESS_SIZE, "%s:%u",
			 inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host)),
			 ntohs(v4->sin_port));
	else
		snprintf(text, UPLINK_ADDRESS_SIZE, "[%s]:%u",
			 inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host)),
			 ntohs(v6->sin6_port));
	return text;
}

socklen_t uplink_address_length(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6);
}
