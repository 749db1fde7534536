/* SPDX-License-Identifier: MIT */
/*
 * memtun add, set, del and show: tunnels.
 */
#include <stdio.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/keys.h"
#include "client/command/listing.h"
#include "client/command/output.h"
#include "memtun.h"

/* ------------------------------------------------------------------------------ add */

/* Print the name that a template became, because the caller couldn't know it. */
static void tunnel_made(const struct memtun_record *record, const char *asked_name)
{
	const char *name = memtun_record_string(record, "name");

	if (strchr(asked_name, '%') && name)
		fprintf(output, "%s\n", name);
}

const struct command command_add = {
	.name = "add",
	.summary = "make a tunnel that stays until it is deleted",
	.usage = "NAME [KEY VALUE]...",
	.about = "A %d in NAME becomes the lowest free number, and the name is printed.\n"
		 "The keys of memtun impair add, such as loss 5%, make a rule with it.",
	.example = "memtun add vm0 bridge lab mtu 9000",
	.keys = KEYS_ADD,
	.needs = "the NAME of a tunnel",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.request = {MEMTUN_CMD_TUNNEL_ADD, .made = tunnel_made},
	.run = request_run,
};

/* ------------------------------------------------------------------------------ set */

const struct command command_set = {
	.name = "set",
	.summary = "change a tunnel",
	.usage = "NAME KEY VALUE...",
	.example = "memtun set vm0 mtu 1400 overflow drop-head",
	.keys = KEYS_SET,
	.needs = "the NAME of a tunnel and a KEY",
	.words_min = 2,
	.words_max = WORDS_ANY,
	.request = {MEMTUN_CMD_TUNNEL_SET},
	.run = request_run,
};

/* ------------------------------------------------------------------------------ del */

const struct command command_delete = {
	.name = "del",
	.aliases = DELETE_ALIASES,
	.summary = "delete tunnels",
	.usage = "NAME...",
	.example = "memtun del vm0",
	.needs = "the NAME of a tunnel",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.request = {MEMTUN_CMD_TUNNEL_DELETE, .has_names = true},
	.run = request_run,
};

/* ------------------------------------------------------------------------------ show */

static int tunnel_show(const struct invocation *invocation)
{
	static const char *const columns[] = {
		"name",    "mode", "state",      "bridge", "vlan", "peer",    "socket",
		"backend", "mtu",  "persistent", "owner",  "pid",  "program", NULL,
	};

	return listing_run(invocation, memtun_show, columns);
}

const struct command command_show = {
	.name = "show",
	.aliases = SHOW_ALIASES,
	.summary = "list one tunnel, or all",
	.usage = "[NAME]",
	.example = "memtun show -s vm0",
	.options = listing_options,
	.words_max = 1,
	.run = tunnel_show,
};
