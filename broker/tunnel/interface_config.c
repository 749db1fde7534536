/* SPDX-License-Identifier: MIT */
#include "broker/tunnel/interface_config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "broker/adapter/adapter.h"
#include "common/address.h"

/* Return whether the text is a prefix length for the address. An interface may have the length 0. */
static bool prefix_length_is_valid(const char *text, const struct address *address)
{
	return strcmp(text, "0") == 0 || address_parse_prefix_length(text, address);
}

/* Write the first word of an element, ADDRESS[/PREFIX]. Return false if it is something else. */
static bool address_word(const char *element, char word[], size_t size)
{
	size_t length = strcspn(element, " +");
	struct address address;
	char *slash;

	if (length >= size)
		return false;
	memcpy(word, element, length);
	word[length] = '\0';
	slash = strchr(word, '/');
	length = slash ? (size_t)(slash - word) : length;
	return address_parse(word, length, &address) == 0 &&
	       (!slash || prefix_length_is_valid(slash + 1, &address));
}

/* Return the element after this one of a list; NULL: it is the last. */
static const char *element_next(const char *element)
{
	element += strcspn(element, "+");
	return *element ? element + 1 : NULL;
}

int interface_config_check(const char *list, struct fault *fault)
{
	char word[ADDRESS_TEXT_SIZE + sizeof("/128")];

	if (strcmp(list, "none") == 0)
		return 0;
	for (const char *element = list; element; element = element_next(element)) {
		if (!address_word(element, word, sizeof(word)))
			return fault_set(fault, EINVAL,
					 "interface-address '%.*s' is no IPv4 or IPv6 address",
					 (int)strcspn(element, "+"), element);
	}
	return 0;
}

/* Texts for adapter_config_new(), and the configuration that it has made of them. */
struct draft {
	char addresses[MEMTUN_TEXT_SIZE * 4]; /* eight of IPv6 with their prefixes */
	char gateways[MEMTUN_TEXT_SIZE * 2];
	struct adapter_config *config; /* owned; NULL: both are empty */
};

/*
 * Append the element to the list, which is one of the draft's, if the result is a valid
 * configuration. Return whether it is; -1 with the fault filled: ENOMEM.
 */
static int draft_add(struct draft *draft, char *list, size_t size, const char *element,
		     struct fault *fault)
{
	size_t length = strlen(list);
	struct adapter_config *config;

	if ((size_t)snprintf(list + length, size - length, "%s%s", length ? "+" : "", element) >=
	    size - length) {
		list[length] = '\0';
		return 0;
	}
	config = adapter_config_new(draft->addresses[0] ? draft->addresses : NULL,
				    draft->gateways[0] ? draft->gateways : NULL, fault);
	if (!config) {
		list[length] = '\0';
		return errno == ENOMEM ? -1 : 0;
	}
	adapter_config_free(draft->config);
	draft->config = config;
	return 1;
}

/* Add the interface's addresses. One whose prefix an adapter can't have comes without it. */
static int draft_add_addresses(struct draft *draft, const char *list, struct fault *fault)
{
	char word[ADDRESS_TEXT_SIZE + sizeof("/128")];

	for (const char *element = list; element; element = element_next(element)) {
		int added;

		if (!address_word(element, word, sizeof(word)))
			continue;
		added = draft_add(draft, draft->addresses, sizeof(draft->addresses), word, fault);
		if (added == 0) {
			word[strcspn(word, "/")] = '\0';
			added = draft_add(draft, draft->addresses, sizeof(draft->addresses), word,
					  fault);
		}
		if (added < 0)
			return -1;
	}
	return 0;
}

/* Return the text of a default route from its gateway on. NULL: it is another route. */
static const char *route_gateway(const char *route)
{
	static const char *const begins[] = {"default via ", "0.0.0.0/0 via ", "::/0 via "};

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		if (strncmp(route, begins[i], strlen(begins[i])) == 0)
			return route + strlen(begins[i]);
	}
	return NULL;
}

/* Add the gateways of the interface's default routes. */
static int draft_add_gateways(struct draft *draft, const char *list, struct fault *fault)
{
	char word[ADDRESS_TEXT_SIZE + sizeof("/128")];

	for (const char *element = list; element; element = element_next(element)) {
		const char *gateway = route_gateway(element);

		if (gateway && address_word(gateway, word, sizeof(word)) &&
		    draft_add(draft, draft->gateways, sizeof(draft->gateways), word, fault) < 0)
			return -1;
	}
	return 0;
}

int interface_config_make(const char *addresses, const char *routes,
			  const struct adapter_config *configured, struct adapter_config **config,
			  struct fault *fault)
{
	const char *own_addresses = configured ? adapter_config_addresses(configured) : NULL;
	const char *own_gateways = configured ? adapter_config_gateways(configured) : NULL;
	struct draft draft = {.config = NULL};

	*config = NULL;
	if (own_addresses)
		strlcpy(draft.addresses, own_addresses, sizeof(draft.addresses));
	if (own_gateways)
		strlcpy(draft.gateways, own_gateways, sizeof(draft.gateways));
	if ((!own_addresses && draft_add_addresses(&draft, addresses, fault) < 0) ||
	    (!own_gateways && draft_add_gateways(&draft, routes, fault) < 0)) {
		adapter_config_free(draft.config);
		return -1;
	}
	*config = draft.config;
	return 0;
}
