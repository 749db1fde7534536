/* SPDX-License-Identifier: MIT */
#include "broker/uplink/uplink_address.h"

#include <errno.h>

#include "common/address.h"

int uplink_address_parse(const struct attribute_set *options, enum memtun_attribute which,
			 uint16_t port, struct sockaddr_storage *address, struct fault *fault)
{
	const char *text = attribute_set_string(options, which);

	if (socket_address_parse(text, port, address) == 0)
		return 0;
	return fault_set(fault, EINVAL, "%s takes an IP address, not '%.60s'",
			 attributes[which].word, text);
}

int uplink_address_parse_with_port(const struct attribute_set *options, enum memtun_attribute which,
				   struct sockaddr_storage *address, struct fault *fault)
{
	const char *text = attribute_set_string(options, which);

	if (socket_address_parse_with_port(text, address) == 0 && socket_address_port(address))
		return 0;
	return fault_set(fault, EINVAL, "%s takes ADDRESS:PORT or [ADDRESS6]:PORT, not '%.60s'",
			 attributes[which].word, text);
}
