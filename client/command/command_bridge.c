/* SPDX-License-Identifier: MIT */
/*
 * memtun bridge: add, del and show.
 */
#include <errno.h>

#include "client/command/bridge_view.h"
#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/inventory.h"
#include "client/command/keys.h"
#include "client/command/options_parse.h"
#include "memtun.h"

/* ------------------------------------------------------------------------------ add */

static const struct command command_bridge_add = {
	.name = "bridge add",
	.summary = "make a bridge that stays until it is deleted",
	.usage = "BRIDGE [KEY...]",
	.example = "memtun bridge add lab hub",
	.keys = KEYS_BRIDGE_ADD,
	.needs = "the name of a bridge",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.request = {MEMTUN_CMD_BRIDGE_ADD},
	.run = request_run,
};

/* ------------------------------------------------------------------------------ del */

static const struct command command_bridge_delete = {
	.name = "bridge del",
	.aliases = DELETE_ALIASES,
	.summary = "delete bridges; their ports stay, on no bridge",
	.usage = "BRIDGE...",
	.example = "memtun bridge del lab",
	.needs = "the name of a bridge",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.request = {MEMTUN_CMD_BRIDGE_DELETE, .has_names = true},
	.run = request_run,
};

/* ------------------------------------------------------------------------------ show */

static int bridge_print(struct memtun *memtun, void *context)
{
	const struct invocation *invocation = context;
	struct inventory inventory;
	int status;

	if (inventory_read(&inventory, memtun, invocation->words[0],
			   options_has(invocation, "--statistics")) < 0)
		status = errno == ENOMEM ? command_fail(EXIT_REFUSED, "out of memory") : -1;
	else if (options_has(invocation, "--dot"))
		status = bridge_dot_print(&inventory);
	else
		status = bridge_tree_print(invocation, memtun, &inventory);
	inventory_free(&inventory);
	return status;
}

static int bridge_show(const struct invocation *invocation)
{
	if (options_has(invocation, "--dot") &&
	    (options_has(invocation, "--json") || options_has(invocation, "--statistics")))
		return command_fail(EXIT_USAGE, "--dot doesn't go with -j or -s");
	return command_connected(invocation, bridge_print, (void *)(uintptr_t)invocation);
}

static const struct command_option show_options[] = {
	{"--dot", 0, NULL, "print a graph for dot(1)"},
	TAKES_STATISTICS,
	TAKES_JSON("print a JSON array of objects"),
	{0},
};

static const struct command command_bridge_show = {
	.name = "bridge show",
	.aliases = SHOW_ALIASES,
	.summary = "show one bridge or all, with their ports and learned addresses",
	.usage = "[BRIDGE]",
	.example = "memtun bridge show lab",
	.options = show_options,
	.words_max = 1,
	.run = bridge_show,
};

static const struct command *const group[] = {
	&command_bridge_add,
	&command_bridge_show,
	&command_bridge_delete,
	NULL,
};

const struct command command_bridge = {
	.name = "bridge",
	.summary = "make, delete and show bridges",
	.group = group,
};
