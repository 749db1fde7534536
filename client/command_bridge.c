/* SPDX-License-Identifier: MIT */
/*
 * memtun bridge add, del, show.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "memtun.h"
#include "table.h"

static const char *const bridge_keys[] = {
	"name", "mode", "hub", "persistent", "ports", "addresses", NULL,
};
static const char *const no_keys[] = {NULL};

struct listing {
	struct table *table;
	bool failed;
};

static void bridge_record(const struct memtun_record *record, void *context)
{
	struct listing *listing = context;

	if (table_add(listing->table, record) < 0)
		listing->failed = true;
}

static int bridge_show(const struct invocation *invocation, struct memtun *memtun, const char *name)
{
	struct listing listing = {0};
	int status = 0;

	listing.table = table_new(invocation->json ? no_keys : bridge_keys, invocation->json);
	if (!listing.table)
		return command_fail(EXIT_REFUSED, "out of memory");
	if (memtun_bridge_show(memtun, name, bridge_record, &listing) < 0)
		status = command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	else if (listing.failed || table_print(listing.table) < 0)
		status = command_fail(EXIT_REFUSED, "cannot print the table: %s", strerror(errno));
	table_free(listing.table);
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
	memtun = command_connect(invocation, &status);
	if (!memtun)
		return status;
	status = show ? bridge_show(invocation, memtun, count > 1 ? words[1] : NULL)
		      : bridge_change(memtun, verb, words[1], hub);
	memtun_free(memtun);
	return status;
}
