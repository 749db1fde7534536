/* SPDX-License-Identifier: MIT */
/*
 * memtun bridge add, del, show.
 */
#include <errno.h>
#include <string.h>

#include "bridge_view.h"
#include "command.h"
#include "inventory.h"
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

static int bridge_change(struct memtun *memtun, const char *verb, const char *name, bool hub)
{
	int result = strcmp(verb, "add") == 0 ? memtun_bridge_add(memtun, name, hub)
					      : memtun_bridge_delete(memtun, name);

	return result == 0 ? 0 : command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
}

int command_bridge(const struct invocation *invocation, int count, char **words)
{
	const char *verb = count ? words[0] : "show";
	bool show = strcmp(verb, "show") == 0;
	bool hub = count == 3 && strcmp(verb, "add") == 0 && strcmp(words[2], "hub") == 0;
	struct memtun *memtun;
	int status;

	if (!show && strcmp(verb, "add") != 0 && strcmp(verb, "del") != 0)
		return command_fail(EXIT_USAGE, "bridge add, del or show, not '%s'", verb);
	if (show ? count > 2 : count != 2 && !hub)
		return command_fail(EXIT_USAGE, "bridge %s takes %s", verb,
				    show                       ? "one name, or none"
				    : strcmp(verb, "add") == 0 ? "a name, and maybe the word hub"
							       : "one name");
	if (!show && command_check(invocation, verb, 0))
		return EXIT_USAGE;
	if (invocation->dot && (invocation->json || invocation->statistics))
		return command_fail(EXIT_USAGE, "--dot doesn't go with -j or -s");
	memtun = command_connect(invocation, &status);
	if (!memtun)
		return status;
	status = show ? bridge_show(invocation, memtun, count > 1 ? words[1] : NULL)
		      : bridge_change(memtun, verb, words[1], hub);
	memtun_free(memtun);
	return status;
}
