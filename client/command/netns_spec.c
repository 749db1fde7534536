/* SPDX-License-Identifier: MIT */
#include "client/command/netns_spec.h"

#include <errno.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/keys.h"
#include "client/lib/options.h"
#include "common/descriptor.h"

/* resolv.conf(5): the C library uses the first three (MAXNS of <resolv.h>). */
#define SERVERS_MAX 3

/* RFC 8200, section 5. */
#define IPV6_MTU_MIN 1280

/* The kernel's maximum for a TAP: 65535 bytes with the Ethernet header. */
#define TAP_MTU_MAX (65535 - ETH_HLEN)

/* ------------------------------------------------------------------------------ values */

/* Read a MAC address that one host can have: six numbers with colons between them. */
static int mac_parse(unsigned char mac[ETH_ALEN], const char *text, struct fault *fault)
{
	struct ether_addr address;
	char again[sizeof("00:00:00:00:00:00")];
	bool is_host = false;

	if (strlen(text) < sizeof(again) && ether_aton_r(text, &address)) {
		const unsigned char *bytes = address.ether_addr_octet;

		snprintf(again, sizeof(again), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
			 bytes[2], bytes[3], bytes[4], bytes[5]);
		/* ether_aton_r() ignores what follows the address. */
		is_host = strcasecmp(again, text) == 0 && !(bytes[0] & 1) &&
			  strcmp(again, "00:00:00:00:00:00") != 0;
	}
	if (!is_host)
		return fault_set(fault, EINVAL,
				 "mac '%.40s' is not one host's, like 02:00:00:00:00:01", text);
	memcpy(mac, &address, ETH_ALEN);
	return 0;
}

/* Append `nameserver A` for each address in the text. */
static int servers_parse(char resolver[NETNS_RESOLVER_SIZE], const char *text, struct fault *fault)
{
	while (text) {
		char name[ADDRESS_TEXT_SIZE];
		struct address address;
		size_t used = strlen(resolver);
		int lines = 0;

		if (address_config_take(&text, "dns", &address, fault) < 0)
			return -1;
		for (size_t i = 0; i < used; i++)
			lines += resolver[i] == '\n';
		if (lines == SERVERS_MAX)
			return fault_set(fault, EINVAL, "dns has more than %d servers",
					 SERVERS_MAX);
		snprintf(resolver + used, NETNS_RESOLVER_SIZE - used, "nameserver %s\n",
			 address_format(&address, name));
	}
	return 0;
}

/* ------------------------------------------------------------------------------ keys */

/*
 * Check one KEY=VALUE. Set *is_port_option if it is an option of the port; else set it in the
 * spec. -1 with the fault of the options filled.
 */
static int spec_set(struct netns_spec *spec, const char *part, char resolver[NETNS_RESOLVER_SIZE],
		    bool *is_port_option)
{
	struct fault *fault = &spec->options->fault;
	const char *value = strchr(part, '=');
	char key[SUGGESTION_SIZE];

	snprintf(key, sizeof(key), "%.*s", (int)strcspn(part, "="), part);
	*is_port_option = strcmp(key, "mac") != 0 && strcmp(key, "dns") != 0;
	if (!part[0])
		return fault_set(fault, EINVAL, "an option is empty");
	if (!keys_find(KEYS_NETNS, key))
		return fault_set(fault, EINVAL, "there is no option '%.40s' here%s", key,
				 keys_hint(KEYS_NETNS, key, (char[SUGGESTION_SIZE]){0}));
	if (!value || (!value[1] && strcmp(key, "bridge") != 0))
		return fault_set(fault, EINVAL, "%s needs a value: %s=...", key, key);
	if (*is_port_option)
		return 0;
	if (key[0] == 'm' ? spec->has_mac : spec->has_dns)
		return fault_set(fault, EINVAL, "%s is given twice", key);
	if (key[0] == 'd') {
		spec->has_dns = true;
		return servers_parse(resolver, value + 1, fault);
	}
	spec->has_mac = true;
	return mac_parse(spec->interface.mac, value + 1, fault);
}

/* Parse KEY=VALUE,... . -1 with the fault of the options filled. */
static int spec_parse_keys(struct netns_spec *spec, const char *text,
			   char resolver[NETNS_RESOLVER_SIZE])
{
	const size_t size = strlen(text) + 1;
	memory_owned char *copy = strdup(text), *of_port = calloc(1, size);
	char *rest = copy, *part;
	bool is_port_option;

	if (!copy || !of_port)
		return fault_set(&spec->options->fault, ENOMEM, "out of memory");
	while ((part = strsep(&rest, ","))) {
		if (spec_set(spec, part, resolver, &is_port_option) < 0)
			return -1;
		if (!is_port_option)
			continue;
		if (of_port[0])
			strlcat(of_port, ",", size);
		strlcat(of_port, part, size);
	}
	return memtun_options_parse(spec->options, of_port);
}

/* Return whether the gateway is on the link, as the kernel asks for. */
static bool gateway_is_reached(const struct address_config *config, const struct address *gateway)
{
	for (unsigned int i = 0; i < config->address_count; i++) {
		if (own_address_reaches(&config->addresses[i], gateway))
			return true;
	}
	return gateway->kind == ADDRESS_IPV6 && address_is_link_local(gateway);
}

/* Check the addresses and gateways against what the kernel refuses. -1 with the fault filled. */
static int addresses_check(const struct interface *interface, struct fault *fault)
{
	const struct address_config *config = &interface->addresses;
	char text[ADDRESS_TEXT_SIZE];
	bool has_ipv6 = false;

	for (unsigned int i = 0; i < config->address_count; i++) {
		const struct address *address = &config->addresses[i].address;

		has_ipv6 |= address->kind == ADDRESS_IPV6;
		for (unsigned int k = 0; k < i; k++) {
			if (address_equal(&config->addresses[k].address, address))
				return fault_set(fault, EINVAL, "address %s is given twice",
						 address_format(address, text));
		}
	}
	for (unsigned int i = 0; i < config->gateway_count; i++) {
		const struct address *gateway = &config->gateways[i];

		has_ipv6 |= gateway->kind == ADDRESS_IPV6;
		if (!gateway_is_reached(config, gateway))
			return fault_set(fault, EINVAL,
					 "gateway %s needs an address with its prefix",
					 address_format(gateway, text));
		for (unsigned int k = 0; k < i; k++) {
			if (config->gateways[k].kind == gateway->kind)
				return fault_set(fault, EINVAL,
						 "gateway has two of one family; the kernel takes "
						 "one of each");
		}
	}
	if (has_ipv6 && interface->mtu && interface->mtu < IPV6_MTU_MIN)
		return fault_set(fault, EINVAL, "mtu %u is too small for IPv6, which needs %d",
				 interface->mtu, IPV6_MTU_MIN);
	return 0;
}

/* Move the options of the interface from those of the port. Return what is wrong, or NULL. */
static const char *spec_divide(struct netns_spec *spec)
{
	struct attribute_set *set = &spec->options->set;
	struct interface *interface = &spec->interface;

	if (!attribute_set_string(set, MEMTUN_A_BRIDGE) ||
	    attribute_set_string(set, MEMTUN_A_BRIDGE)[0] == '\0')
		return "it needs a bridge: NAME:bridge=BRIDGE";
	interface->mode = MEMTUN_TAP;
	if (attribute_set_has(set, MEMTUN_A_MODE))
		interface->mode = (enum memtun_mode)attribute_set_number(set, MEMTUN_A_MODE);
	if (interface->mode == MEMTUN_TUN && spec->has_mac)
		return "a TUN has no mac";
	interface->mtu = (uint32_t)attribute_set_number(set, MEMTUN_A_MTU);
	if (address_config_parse(&interface->addresses, attribute_set_string(set, MEMTUN_A_ADDRESS),
				 attribute_set_string(set, MEMTUN_A_GATEWAY),
				 &spec->options->fault) < 0 ||
	    addresses_check(interface, &spec->options->fault) < 0)
		return spec->options->fault.text;
	if (interface->mode == MEMTUN_TAP && interface->mtu > TAP_MTU_MAX)
		return "the kernel takes an mtu of at most 65521 for a TAP";
	/* The broker asks the kernel for the mode of the descriptor. */
	attribute_set_remove(set, MEMTUN_A_MODE);
	/* The broker's adapter needs the addresses of a TUN. A TAP has no adapter. */
	if (interface->mode == MEMTUN_TAP) {
		attribute_set_remove(set, MEMTUN_A_ADDRESS);
		attribute_set_remove(set, MEMTUN_A_GATEWAY);
	}
	return NULL;
}

int netns_spec_parse(struct netns_spec *spec, const char *text, char resolver[NETNS_RESOLVER_SIZE])
{
	const char *rest = strchr(text, ':'), *wrong;
	struct fault fault;

	*spec = (struct netns_spec){.text = text, .options = memtun_options_new()};
	if (!spec->options)
		return command_fail(EXIT_OURS, "out of memory");
	if (keys_spec_name(text, spec->asked))
		return EXIT_OURS;
	if (attribute_check_string(MEMTUN_A_NAME, spec->asked, &fault) < 0)
		return command_fail(EXIT_OURS, "-t %s: %s", text, fault.text);
	if (strcmp(spec->asked, "lo") == 0)
		return command_fail(EXIT_OURS, "-t %s: lo is the loopback interface", text);
	if (rest && rest[1] && spec_parse_keys(spec, rest + 1, resolver) < 0)
		return command_fail(EXIT_OURS, "-t %s: %s", text,
				    memtun_options_error(spec->options));
	wrong = spec_divide(spec);
	return wrong ? command_fail(EXIT_OURS, "-t %s: %s", text, wrong) : 0;
}

void netns_spec_free(struct netns_spec *spec)
{
	memtun_options_free(spec->options);
	spec->options = NULL;
}
