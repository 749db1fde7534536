/* SPDX-License-Identifier: MIT */
#include "client/command/netns_spec.h"

#include <errno.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/keys.h"
#include "client/lib/options.h"
#include "common/descriptor.h"

/* resolv.conf(5): the C library uses the first three (MAXNS of <resolv.h>). */
#define SERVERS_MAX 3

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

/* Set one key. value is NULL if it has none. */
static int spec_set(struct netns_spec *spec, const char *key, const char *value,
		    char resolver[NETNS_RESOLVER_SIZE])
{
	struct fault *fault = &spec->options->fault;

	if (!keys_find(KEYS_NETNS, key))
		return fault_set(fault, EINVAL, "there is no option '%.40s' here", key);
	if (!value)
		return fault_set(fault, EINVAL, "%s needs a value: %s=...", key, key);
	if (strcmp(key, "dns") == 0)
		return servers_parse(resolver, value, fault);
	if (strcmp(key, "mac") != 0)
		return memtun_options_set(spec->options, key, value);
	spec->has_mac = true;
	return mac_parse(spec->interface.mac, value, fault);
}

/* Parse KEY=VALUE,... , which is written to. */
static int spec_parse_keys(struct netns_spec *spec, char *text, char resolver[NETNS_RESOLVER_SIZE])
{
	char *key, hint[SUGGESTION_SIZE];

	while ((key = strsep(&text, ","))) {
		char *value = strchr(key, '=');

		if (value)
			*value++ = '\0';
		if (spec_set(spec, key, value, resolver) < 0)
			return command_fail(EXIT_OURS, "-t %s: %s%s", spec->text,
					    memtun_options_error(spec->options),
					    keys_hint(KEYS_NETNS, key, hint));
	}
	return 0;
}

/* Move those options to the interface that are the namespace's. Return what is wrong, or NULL. */
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
				 &spec->options->fault) < 0)
		return spec->options->fault.text;
	/* The broker asks the descriptor. */
	attribute_set_remove(set, MEMTUN_A_MODE);
	/* Its adapter needs the addresses of a TUN, but only the kernel's TCP/IP those of a TAP. */
	if (interface->mode == MEMTUN_TAP) {
		attribute_set_remove(set, MEMTUN_A_ADDRESS);
		attribute_set_remove(set, MEMTUN_A_GATEWAY);
	}
	return NULL;
}

static int spec_parse_name(struct netns_spec *spec)
{
	size_t length = strcspn(spec->text, ":");
	struct fault fault;

	if (strcspn(spec->text, ",=") < length)
		return command_fail(EXIT_OURS,
				    "options follow a colon: -t NAME:KEY=VALUE,... not '%s'",
				    spec->text);
	if (length >= sizeof(spec->asked))
		return command_fail(EXIT_OURS, "name '%.*s' is longer than 15 bytes", (int)length,
				    spec->text);
	memcpy(spec->asked, spec->text, length);
	if (attribute_check_string(MEMTUN_A_NAME, spec->asked, &fault) < 0)
		return command_fail(EXIT_OURS, "-t %s: %s", spec->text, fault.text);
	return 0;
}

int netns_spec_parse(struct netns_spec *spec, const char *text, char resolver[NETNS_RESOLVER_SIZE])
{
	const char *rest = strchr(text, ':'), *wrong;
	memory_owned char *words = NULL;
	int status;

	*spec = (struct netns_spec){.text = text, .options = memtun_options_new()};
	if (rest)
		words = strdup(rest + 1);
	if (!spec->options || (rest && !words))
		return command_fail(EXIT_OURS, "out of memory");
	status = spec_parse_name(spec);
	if (status == 0 && rest && rest[1])
		status = spec_parse_keys(spec, words, resolver);
	if (status)
		return status;
	wrong = spec_divide(spec);
	return wrong ? command_fail(EXIT_OURS, "-t %s: %s", text, wrong) : 0;
}

void netns_spec_free(struct netns_spec *spec)
{
	memtun_options_free(spec->options);
	spec->options = NULL;
}
