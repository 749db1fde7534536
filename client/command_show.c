/* SPDX-License-Identifier: MIT */
/*
 * memtun show: tunnels as a table. With counters there is one more for people, of drops by reason,
 * where there are any.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "memtun.h"
#include "table.h"

static const char *const plain_keys[] = {
	"name", "mode", "state", "bridge", "peer", "socket", "mtu", "persistent", "owner", NULL,
};

static const char *const counter_keys[] = {
	"name",
	"from-client-frames",
	"from-client-bytes",
	"to-client-frames",
	"to-client-bytes",
	"to-client-queued",
	NULL,
};

static const char *const no_keys[] = {NULL};

struct show {
	struct table *table;
	bool list_drops;
	bool failed;
};

/* One line for each reason that something was dropped for. */
static void show_drops(const struct memtun_record *record)
{
	const char *key = NULL;

	while ((key = memtun_record_next(record, key))) {
		uint64_t number;

		if (strstr(key, "-dropped-") && memtun_record_number(record, key, &number) == 0 &&
		    number)
			printf("%s: %s %s\n", memtun_record_string(record, "name"), key,
			       memtun_record_string(record, key));
	}
}

static void show_record(const struct memtun_record *record, void *context)
{
	struct show *show = context;

	if (show->list_drops)
		show_drops(record);
	else if (table_add(show->table, record) < 0)
		show->failed = true;
}

static int show_run(const struct invocation *invocation, struct memtun *memtun, const char *name)
{
	struct show show = {0};
	int result;

	show.table = table_new(invocation->json         ? no_keys
			       : invocation->statistics ? counter_keys
							: plain_keys,
			       invocation->json);
	if (!show.table)
		return command_fail(EXIT_REFUSED, "out of memory");
	result = memtun_show(memtun, name, invocation->statistics, show_record, &show);
	if (result == 0 && !show.failed)
		result = table_print(show.table);
	table_free(show.table);
	if (show.failed)
		return command_fail(EXIT_REFUSED, "out of memory");
	if (result == 0 && invocation->statistics && !invocation->json) {
		show.list_drops = true;
		result = memtun_show(memtun, name, true, show_record, &show);
	}
	return result == 0 ? 0 : command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
}

int command_show(const struct invocation *invocation, int count, char **words)
{
	struct memtun *memtun;
	int status;

	if (count > 1)
		return command_fail(EXIT_USAGE, "show takes one NAME, or none");
	memtun = command_connect(invocation, &status);
	if (!memtun)
		return status;
	status = show_run(invocation, memtun, count ? words[0] : NULL);
	memtun_free(memtun);
	return status;
}
