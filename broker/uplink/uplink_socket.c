/* SPDX-License-Identifier: MIT */
#include "broker/uplink/uplink_socket.h"

#include <netinet/in.h>
#include <stdio.h>

#include "common/address.h"
#include "common/descriptor.h"

static int option_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int options_set(int fd, int family, bool shared)
{
	if (option_set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1) < 0 ||
	    (shared && option_set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0))
		return -1;
	if (family == AF_INET)
		return option_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	/* Without this `::` would also take the port on IPv4. */
	if (option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0)
		return -1;
	return option_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
}

int uplink_socket_open(const struct sockaddr_storage *local, bool shared,
		       char text[UPLINK_TEXT_SIZE])
{
	char address[SOCKET_ADDRESS_TEXT_SIZE];
	descriptor_owned fd = -1;

	snprintf(text, UPLINK_TEXT_SIZE, "cannot listen on %s",
		 socket_address_format(local, address));
	fd = socket(local->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || options_set(fd, local->ss_family, shared) < 0 ||
	    bind(fd, (const struct sockaddr *)local, socket_address_size(local)) < 0)
		return -1;
	return descriptor_take(&fd);
}
