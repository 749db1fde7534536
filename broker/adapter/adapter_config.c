/* SPDX-License-Identifier: MIT */
/*
 * The addresses and gateways of a TUN on an Ethernet bridge. They are parsed once, strictly, and
 * looked up for each packet. A prefix as long as the address has no other hosts, so it counts as no
 * prefix.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/adapter/adapter_parts.h"

#define ADDRESSES_MAX 8
#define GATEWAYS_MAX 4

/* The size of one element of a text, an address with its prefix length. */
#define ELEMENT_SIZE (INET6_ADDRSTRLEN + sizeof("/128"))

struct own_address {
	struct address address;
	unsigned int prefix_length; /* all bits of the address: no prefix */
};

struct adapter_config {
	char *address_text; /* NULL: none */
	char *gateway_text;
	unsigned int address_count, gateway_count;
	struct own_address addresses[ADDRESSES_MAX];
	struct address gateways[GATEWAYS_MAX];
};

/* ------------------------------------------------------------------------------ addresses */

static bool prefix_is_one(const struct own_address *own)
{
	return own->prefix_length < address_bits(&own->address);
}

static bool prefix_has(const struct own_address *own, const struct address *address)
{
	return prefix_is_one(own) &&
	       address_shares_prefix(&own->address, address, own->prefix_length);
}

/* ------------------------------------------------------------------------------ parsing */

/* Copy the next element, and advance *text behind it. -1 with EINVAL if it is too long. */
static int element_take(const char **text, const char *what, char element[ELEMENT_SIZE],
			struct fault *fault)
{
	size_t length = strcspn(*text, "+");

	if (length >= ELEMENT_SIZE)
		return fault_set(fault, EINVAL, "%s '%.50s...' is no IPv4 or IPv6 address", what,
				 *text);
	memcpy(element, *text, length);
	element[length] = '\0';
	*text += length;
	if (**text == '+')
		(*text)++;
	else
		*text = NULL;
	return 0;
}

static int host_parse(const char *what, const char *text, struct address *address,
		      struct fault *fault)
{
	if (address_parse(text, strlen(text), address) < 0)
		return fault_set(fault, EINVAL, "%s '%s' is no IPv4 or IPv6 address", what, text);
	if (!address_is_host(address))
		return fault_set(fault, EINVAL, "%s %s is not one host's", what, text);
	return 0;
}

static int prefix_parse(const char *text, struct own_address *own, struct fault *fault)
{
	char whole[ADDRESS_TEXT_SIZE];

	own->prefix_length = address_parse_prefix_length(text, &own->address);
	if (!own->prefix_length)
		return fault_set(
			fault, EINVAL, "address %s: its prefix length is from 1 to %u, not '%s'",
			address_format(&own->address, whole), address_bits(&own->address), text);
	if (address_is_network(&own->address, own->prefix_length) ||
	    address_is_broadcast(&own->address, own->prefix_length))
		return fault_set(fault, EINVAL, "address %s/%u is that of the whole network",
				 address_format(&own->address, whole), own->prefix_length);
	return 0;
}

static int addresses_parse(struct adapter_config *config, const char *text, struct fault *fault)
{
	while (text) {
		struct own_address *own = &config->addresses[config->address_count];
		char element[ELEMENT_SIZE];
		char *slash;

		if (config->address_count == ADDRESSES_MAX)
			return fault_set(fault, EINVAL, "address has more than %d", ADDRESSES_MAX);
		if (element_take(&text, "address", element, fault) < 0)
			return -1;
		slash = strchr(element, '/');
		if (slash)
			*slash = '\0';
		if (host_parse("address", element, &own->address, fault) < 0)
			return -1;
		own->prefix_length = address_bits(&own->address);
		if (slash && prefix_parse(slash + 1, own, fault) < 0)
			return -1;
		config->address_count++;
	}
	return 0;
}

/* Return whether the gateway is in a prefix of the configured addresses. */
static int gateway_check(const struct adapter_config *config, const struct address *gateway,
			 struct fault *fault)
{
	char whole[ADDRESS_TEXT_SIZE];
	bool has_prefix = false;

	if (adapter_config_has(config, gateway))
		return fault_set(fault, EINVAL, "gateway %s is its own address",
				 address_format(gateway, whole));
	if (address_is_link_local(gateway))
		return 0;
	for (unsigned int i = 0; i < config->address_count; i++) {
		const struct own_address *own = &config->addresses[i];

		if (prefix_has(own, gateway))
			return 0;
		has_prefix |= own->address.kind == gateway->kind && prefix_is_one(own);
	}
	if (has_prefix)
		return fault_set(fault, EINVAL, "gateway %s is in no prefix of address %s",
				 address_format(gateway, whole), config->address_text);
	return 0;
}

static int gateways_parse(struct adapter_config *config, const char *text, struct fault *fault)
{
	while (text) {
		struct address *gateway = &config->gateways[config->gateway_count];
		char element[ELEMENT_SIZE];

		if (config->gateway_count == GATEWAYS_MAX)
			return fault_set(fault, EINVAL, "gateway has more than %d", GATEWAYS_MAX);
		if (element_take(&text, "gateway", element, fault) < 0 ||
		    host_parse("gateway", element, gateway, fault) < 0 ||
		    gateway_check(config, gateway, fault) < 0)
			return -1;
		config->gateway_count++;
	}
	return 0;
}

/* Copy the text unless it is "none". */
static int text_copy(char **copy, const char *text, struct fault *fault)
{
	if (!text || strcmp(text, "none") == 0)
		return 0;
	*copy = strdup(text);
	return *copy ? 0 : fault_set(fault, ENOMEM, "cannot note '%s': out of memory", text);
}

struct adapter_config *adapter_config_new(const char *addresses, const char *gateways,
					  struct fault *fault)
{
	struct adapter_config *config = calloc(1, sizeof(*config));

	if (!config) {
		fault_set(fault, ENOMEM, "cannot note the address: out of memory");
		return NULL;
	}
	if (text_copy(&config->address_text, addresses, fault) < 0 ||
	    text_copy(&config->gateway_text, gateways, fault) < 0 ||
	    addresses_parse(config, config->address_text, fault) < 0 ||
	    gateways_parse(config, config->gateway_text, fault) < 0) {
		adapter_config_free(config);
		return NULL;
	}
	return config;
}

void adapter_config_free(struct adapter_config *config)
{
	if (!config)
		return;
	free(config->address_text);
	free(config->gateway_text);
	free(config);
}

const char *adapter_config_addresses(const struct adapter_config *config)
{
	return config->address_text;
}

const char *adapter_config_gateways(const struct adapter_config *config)
{
	return config->gateway_text;
}

/* ------------------------------------------------------------------------------ asking */

const struct address *adapter_config_address(const struct adapter_config *config,
					     unsigned int index)
{
	return config && index < config->address_count ? &config->addresses[index].address : NULL;
}

bool adapter_config_has(const struct adapter_config *config, const struct address *address)
{
	for (unsigned int i = 0; config && i < config->address_count; i++) {
		if (address_equal(&config->addresses[i].address, address))
			return true;
	}
	return false;
}

bool adapter_config_is_broadcast(const struct adapter_config *config, const struct address *address)
{
	for (unsigned int i = 0; config && i < config->address_count; i++) {
		const struct own_address *own = &config->addresses[i];

		if (prefix_has(own, address) && address_is_broadcast(address, own->prefix_length))
			return true;
	}
	return false;
}

/* Return a gateway of that family: the one in a prefix of the source address, else the first. NULL:
 * there is none. */
static const struct address *config_gateway(const struct adapter_config *config,
					    const struct address *from)
{
	const struct address *first = NULL;

	for (unsigned int i = 0; i < config->gateway_count; i++) {
		const struct address *gateway = &config->gateways[i];

		if (gateway->kind != from->kind)
			continue;
		if (!first)
			first = gateway;
		for (unsigned int j = 0; j < config->address_count; j++) {
			if (prefix_has(&config->addresses[j], from) &&
			    prefix_has(&config->addresses[j], gateway))
				return gateway;
		}
	}
	return first;
}

const struct address *adapter_config_hop(const struct adapter_config *config,
					 const struct address *from, const struct address *to)
{
	const struct address *gateway;

	if (!config || address_is_link_local(to))
		return to;
	for (unsigned int i = 0; i < config->address_count; i++) {
		if (prefix_has(&config->addresses[i], to))
			return to;
	}
	gateway = config_gateway(config, from);
	return gateway ? gateway : to;
}

const struct address *adapter_config_source(const struct adapter_config *config,
					    const struct address *target)
{
	const struct address *first = NULL;

	for (unsigned int i = 0; config && i < config->address_count; i++) {
		const struct own_address *own = &config->addresses[i];

		if (own->address.kind != target->kind)
			continue;
		if (prefix_has(own, target))
			return &own->address;
		if (!first)
			first = &own->address;
	}
	return first;
}
