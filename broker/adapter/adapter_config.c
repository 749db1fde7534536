/* SPDX-License-Identifier: MIT */
/*
 * The addresses and gateways of a TUN on an Ethernet bridge, as its options have them. They are
 * parsed once, and looked up for each packet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/adapter/adapter_parts.h"
#include "common/address_config.h"

struct adapter_config {
	char *address_text; /* NULL: none */
	char *gateway_text;
	struct address_config parsed;
};

/* ------------------------------------------------------------------------------ parsing */

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
	    address_config_parse(&config->parsed, addresses, gateways, fault) < 0) {
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
	return config && index < config->parsed.address_count
		       ? &config->parsed.addresses[index].address
		       : NULL;
}

const struct address *adapter_config_first_ipv4(const struct adapter_config *config)
{
	return config ? address_config_first_ipv4(&config->parsed) : NULL;
}

bool adapter_config_has(const struct adapter_config *config, const struct address *address)
{
	return config && address_config_has(&config->parsed, address);
}

bool adapter_config_is_broadcast(const struct adapter_config *config, const struct address *address)
{
	for (unsigned int i = 0; config && i < config->parsed.address_count; i++) {
		const struct own_address *own = &config->parsed.addresses[i];

		if (own_address_reaches(own, address) &&
		    address_is_broadcast(address, own->prefix_length))
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

	for (unsigned int i = 0; i < config->parsed.gateway_count; i++) {
		const struct address *gateway = &config->parsed.gateways[i];

		if (gateway->kind != from->kind)
			continue;
		if (!first)
			first = gateway;
		for (unsigned int j = 0; j < config->parsed.address_count; j++) {
			if (own_address_reaches(&config->parsed.addresses[j], from) &&
			    own_address_reaches(&config->parsed.addresses[j], gateway))
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
	for (unsigned int i = 0; i < config->parsed.address_count; i++) {
		if (own_address_reaches(&config->parsed.addresses[i], to))
			return to;
	}
	gateway = config_gateway(config, from);
	return gateway ? gateway : to;
}

const struct address *adapter_config_source(const struct adapter_config *config,
					    const struct address *target)
{
	const struct address *first = NULL;

	for (unsigned int i = 0; config && i < config->parsed.address_count; i++) {
		const struct own_address *own = &config->parsed.addresses[i];

		if (own->address.kind != target->kind)
			continue;
		if (own_address_reaches(own, target))
			return &own->address;
		if (!first)
			first = &own->address;
	}
	return first;
}
