/* SPDX-License-Identifier: MIT */
#include "common/user_network.h"

#include <errno.h>
#include <string.h>

#include "memtun/protocol.h"

/* libslirp puts its DHCP addresses from the fifteenth of the network on, and gives away 16. */
#define PREFIX4_MAX 26
#define PREFIX4_MIN 8

void user_network_init(struct user_network *network)
{
	*network = (struct user_network){.prefix4 = 24, .prefix6 = 64};
	address_parse("10.0.2.0", 8, &network->ipv4);
	address_parse("fec0::", 6, &network->ipv6);
}

/* Parse ADDRESS/PREFIX. */
static int net_parse(const char *key, const char *value, struct address *address,
		     unsigned int *prefix, struct fault *fault)
{
	uint32_t kind = address->kind;
	size_t length = strcspn(value, "/");

	if (address_parse(value, length, address) < 0 || address->kind != kind ||
	    value[length] != '/' ||
	    !(*prefix = address_parse_prefix_length(value + length + 1, address)))
		return fault_set(fault, EINVAL, "%s takes an IPv%d network such as %s, not '%.60s'",
				 key, kind == ADDRESS_IPV4 ? 4 : 6,
				 kind == ADDRESS_IPV4 ? "10.0.2.0/24" : "fd00::/64", value);
	return 0;
}

/* Clear the bits behind the prefix. */
static void address_mask(struct address *address, unsigned int prefix)
{
	for (unsigned int i = prefix; i < address_bits(address); i++)
		address->bytes[i / 8] &= (unsigned char)~(0x80 >> i % 8);
}

/* Parse one `tcp/LOCAL:PORT/ADDRESS:PORT`, which is changed. */
static int forward_parse(struct user_network *network, char *text, struct fault *fault)
{
	char *protocol = text, *local, *target;
	struct user_forward *forward = &network->forwards[network->forward_count];
	const char *whole = "tcp/127.0.0.1:8080/10.0.2.15:80";

	local = strchr(protocol, '/');
	target = local ? strchr(local + 1, '/') : NULL;
	if (!target)
		return fault_set(fault, EINVAL, "forward takes %s, not '%.60s'", whole, text);
	*local++ = '\0';
	*target++ = '\0';
	forward->is_udp = strcmp(protocol, "udp") == 0;
	if (!forward->is_udp && strcmp(protocol, "tcp") != 0)
		return fault_set(fault, EINVAL, "forward is of tcp or udp, not '%.20s'", protocol);
	if (socket_address_parse_with_port(local, &forward->local) < 0)
		return fault_set(fault, EINVAL, "forward: '%.50s' is no address with a port",
				 local);
	if (socket_address_parse_with_port(target, &forward->target) < 0)
		return fault_set(fault, EINVAL, "forward: '%.50s' is no address with a port",
				 target);
	if (!socket_address_port(&forward->local) || !socket_address_port(&forward->target))
		return fault_set(fault, EINVAL, "forward: the port 0 is none, in %s to %s", local,
				 target);
	if (forward->local.ss_family != forward->target.ss_family)
		return fault_set(fault, EINVAL, "forward: %s and %s are of different families",
				 local, target);
	network->forward_count++;
	return 0;
}

static int forwards_parse(struct user_network *network, const char *value, struct fault *fault)
{
	char copy[MEMTUN_LIST_SIZE], *next = copy, *one;

	strlcpy(copy, value, sizeof(copy));
	while ((one = strsep(&next, "+"))) {
		if (network->forward_count == USER_FORWARDS_MAX)
			return fault_set(fault, EINVAL, "forward takes at most %d forwards",
					 USER_FORWARDS_MAX);
		if (forward_parse(network, one, fault) < 0)
			return -1;
	}
	return 0;
}

/* Check that each forward leads to the network, or to a link-local address there. */
static int targets_check(const struct user_network *network, struct fault *fault)
{
	for (unsigned int i = 0; i < network->forward_count; i++) {
		const struct sockaddr_storage *target = &network->forwards[i].target;
		bool is_ipv4 = target->ss_family == AF_INET;
		const struct address *net = is_ipv4 ? &network->ipv4 : &network->ipv6;
		unsigned int prefix = is_ipv4 ? network->prefix4 : network->prefix6;
		char texts[2][ADDRESS_TEXT_SIZE];
		struct address address =
			is_ipv4 ? address_ipv4(&((const struct sockaddr_in *)target)->sin_addr)
				: address_ipv6(&((const struct sockaddr_in6 *)target)->sin6_addr);

		if (!address_is_link_local(&address) &&
		    !address_shares_prefix(&address, net, prefix))
			return fault_set(fault, EINVAL,
					 "forward: %s is not in the network %s/%u, which %s sets",
					 address_format(&address, texts[0]),
					 address_format(net, texts[1]), prefix,
					 is_ipv4 ? "net" : "net6");
	}
	return 0;
}

int user_network_parse(struct user_network *network, const char *net, const char *net6,
		       const char *forwards, struct fault *fault)
{
	if (net && net_parse("net", net, &network->ipv4, &network->prefix4, fault) < 0)
		return -1;
	if (network->prefix4 < PREFIX4_MIN || network->prefix4 > PREFIX4_MAX ||
	    !address_is_host(&network->ipv4))
		return fault_set(fault, EINVAL, "net takes a prefix from %d to %d", PREFIX4_MIN,
				 PREFIX4_MAX);
	if (net6 && net_parse("net6", net6, &network->ipv6, &network->prefix6, fault) < 0)
		return -1;
	if (network->prefix6 != 64 || !address_is_host(&network->ipv6) ||
	    address_is_link_local(&network->ipv6))
		return fault_set(fault, EINVAL, "net6 takes a prefix of 64 bits");
	address_mask(&network->ipv4, network->prefix4);
	address_mask(&network->ipv6, network->prefix6);
	if (forwards && forwards_parse(network, forwards, fault) < 0)
		return -1;
	return targets_check(network, fault);
}
