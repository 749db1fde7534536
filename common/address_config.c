/* SPDX-License-Identifier: MIT */
#include "common/address_config.h"

#include <errno.h>
#include <string.h>

/* The size of one element of a text, an address with its prefix length. */
#define ELEMENT_SIZE (INET6_ADDRSTRLEN + sizeof("/128"))

static bool prefix_is_one(const struct own_address *own)
{
	return own->prefix_length < address_bits(&own->address);
}

bool own_address_reaches(const struct own_address *own, const struct address *address)
{
	return prefix_is_one(own) &&
	       address_shares_prefix(&own->address, address, own->prefix_length);
}

/* ------------------------------------------------------------------------------ elements */

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

int address_config_take(const char **text, const char *what, struct address *address,
			struct fault *fault)
{
	char element[ELEMENT_SIZE];

	if (element_take(text, what, element, fault) < 0)
		return -1;
	return host_parse(what, element, address, fault);
}

/* ------------------------------------------------------------------------------ addresses */

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

static int addresses_parse(struct address_config *config, const char *text, struct fault *fault)
{
	while (text) {
		struct own_address *own = &config->addresses[config->address_count];
		char element[ELEMENT_SIZE];
		char *slash;

		if (config->address_count == ADDRESS_CONFIG_ADDRESSES_MAX)
			return fault_set(fault, EINVAL, "address has more than %d",
					 ADDRESS_CONFIG_ADDRESSES_MAX);
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

/* ------------------------------------------------------------------------------ gateways */

/* Check that the gateway is in a prefix of the addresses, whose text a message has. */
static int gateway_check(const struct address_config *config, const struct address *gateway,
			 const char *addresses, struct fault *fault)
{
	char whole[ADDRESS_TEXT_SIZE];
	bool has_prefix = false;

	if (address_config_has(config, gateway))
		return fault_set(fault, EINVAL, "gateway %s is its own address",
				 address_format(gateway, whole));
	if (address_is_link_local(gateway))
		return 0;
	for (unsigned int i = 0; i < config->address_count; i++) {
		const struct own_address *own = &config->addresses[i];

		if (own_address_reaches(own, gateway))
			return 0;
		has_prefix |= own->address.kind == gateway->kind && prefix_is_one(own);
	}
	if (has_prefix)
		return fault_set(fault, EINVAL, "gateway %s is in no prefix of address %s",
				 address_format(gateway, whole), addresses);
	return 0;
}

static int gateways_parse(struct address_config *config, const char *text, const char *addresses,
			  struct fault *fault)
{
	while (text) {
		struct address *gateway = &config->gateways[config->gateway_count];

		if (config->gateway_count == ADDRESS_CONFIG_GATEWAYS_MAX)
			return fault_set(fault, EINVAL, "gateway has more than %d",
					 ADDRESS_CONFIG_GATEWAYS_MAX);
		if (address_config_take(&text, "gateway", gateway, fault) < 0 ||
		    gateway_check(config, gateway, addresses, fault) < 0)
			return -1;
		config->gateway_count++;
	}
	return 0;
}

/* ------------------------------------------------------------------------------ both */

int address_config_parse(struct address_config *config, const char *addresses, const char *gateways,
			 struct fault *fault)
{
	memset(config, 0, sizeof(*config));
	if (addresses && strcmp(addresses, "none") == 0)
		addresses = NULL;
	if (gateways && strcmp(gateways, "none") == 0)
		gateways = NULL;
	if (addresses_parse(config, addresses, fault) < 0)
		return -1;
	return gateways_parse(config, gateways, addresses, fault);
}

bool address_config_has(const struct address_config *config, const struct address *address)
{
	for (unsigned int i = 0; i < config->address_count; i++) {
		if (address_equal(&config->addresses[i].address, address))
			return true;
	}
	return false;
}

const struct address *address_config_first_ipv4(const struct address_config *config)
{
	for (unsigned int i = 0; i < config->address_count; i++) {
		if (config->addresses[i].address.kind == ADDRESS_IPV4)
			return &config->addresses[i].address;
	}
	return NULL;
}
