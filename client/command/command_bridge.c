/* SPDX-License-Identifier: MIT */
/*
 * memtun bridge add, del, show.
 */
#include <errno.h>
#include <string.h>

#include "client/command/bridge_view.h"
#include "client/command/command.h"
#include "client/command/inventory.h"
#include "memtun.h"

static int bridge_show(const struct invocation *invocation, struct memtun *memtun, const char *name)
{
	struct inventory inventory;
	int status;

	if (inventory_read(&inventory, memtun, name, invocation->statistics) < 0)
		status = command_fail(EXIT_REFUSED, "%s",
				      errno == ENOMEM ? "out of memory" : memtun_error(memtun));
	else if (invocation->dot)
		status = bridge_dot_print(&inventory);
	else
		status = bridge_tree_print(invocation, memtun, &inventory);
	inventory_free(&inventory);
	return status;
}

static int bridge_change(struct memtun *memtun, const char *name, bool is_add, bool is_hub)
{
	int result = is_add ? memtun_bridge_add(memtun, name, is_hub)
			    : memtun_bridge_delete(memtun, name);

	return result == 0 ? 0 : command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
}

int command_bridge(const struct invocation *invocation, int count, char **words)
{
	const char *verb = count ? words[0] : "show";
	bool is_show = strcmp(verb, "show") == 0, is_add = strcmp(verb, "add") == 0;
	bool is_hub = is_add && count == 3 && strcmp(words[2], "hub") == 0;
	struct memtun *memtun;
	int status;

	if (!is_show && !is_add && strcmp(verb, "del") != 0)
		return command_fail(EXIT_USAGE, "bridge add, del or show, not '%s'", verb);
	if (is_show ? count > 2 : count != 2 && !is_hub)
		return command_fail(EXIT_USAGE, "bridge %s takes %s", verb,
				    is_show  ? "one name, or none"
				    : is_add ? "a name, and maybe the word hub"
					     : "one name");
	if (!is_show && command_check(invocation, is_add ? "bridge add" : "bridge del", 0))
		return EXIT_USAGE;
	if (invocation->dot && (invocation->json || invocation->statistics))
		return command_fail(EXIT_USAGE, "--dot doesn't go with -j or -s");
	memtun = command_connect(invocation, &status);
	if (!memtun)
		return status;
	status = is_show ? bridge_show(invocation, memtun, count > 1 ? words[1] : NULL)
			 : bridge_change(memtun, words[1], is_add, is_hub);
	memtun_free(memtun);
	return status;
}
