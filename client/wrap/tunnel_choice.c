/* SPDX-License-Identifier: MIT */
#include "client/wrap/tunnel_choice.h"

#include <fnmatch.h>
#include <linux/if_tun.h>
#include <stddef.h>
#include <string.h>

#include "client/lib/options.h"
#include "common/attribute_table.h"

const char *tunnel_choice_split(const char *spec, char pattern[TUNNEL_CHOICE_PATTERN])
{
	size_t length = strcspn(spec, ":=");

	if (!length || length >= TUNNEL_CHOICE_PATTERN)
		return NULL;
	memcpy(pattern, spec, length);
	pattern[length] = '\0';
	return spec + length + (spec[length] != '\0');
}

const char *tunnel_choice_reserved(const struct memtun_options *options)
{
	static const enum memtun_attribute reserved[] = {
		MEMTUN_A_MODE,      MEMTUN_A_PI,         MEMTUN_A_VNET_HDR, MEMTUN_A_MULTI_QUEUE,
		MEMTUN_A_EXCLUSIVE, MEMTUN_A_PERSISTENT, MEMTUN_A_SOCKET,   MEMTUN_A_PEER,
		MEMTUN_A_BACKEND,   MEMTUN_A_COUNT,
	};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (attribute_set_has(&options->set, reserved[i]))
			return attributes[reserved[i]].word;
	}
	return NULL;
}

/* Return the options of the first SPEC whose pattern matches; NULL: none does. */
static const char *find(const struct tunnel_choice *choice, const char *name)
{
	char pattern[TUNNEL_CHOICE_PATTERN];

	for (const char *const *spec = choice->specs; *spec; spec++) {
		const char *options = tunnel_choice_split(*spec, pattern);

		if (fnmatch(pattern, name, 0) == 0)
			return options;
	}
	return NULL;
}

struct memtun_options *tunnel_choice_options(const struct tunnel_choice *choice, const char *name,
					     unsigned int flags)
{
	struct memtun_options *options = memtun_options_new();
	const char *chosen;
	int result = 0;

	if (!options)
		return NULL;
	if (!*name)
		name = flags & IFF_TUN ? "tun%d" : "tap%d";
	chosen = find(choice, name);
	if (chosen && *chosen)
		result = memtun_options_parse(options, chosen);
	if (result == 0 && choice->bridge && !attribute_set_has(&options->set, MEMTUN_A_BRIDGE))
		result = memtun_options_set(options, "bridge", choice->bridge);
	if (result == 0)
		return options;
	memtun_options_free(options);
	return NULL;
}
