/* SPDX-License-Identifier: MIT */
/* memtun impair show: the rules of one port, or of all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/options_parse.h"
#include "client/command/rule_view.h"
#include "client/command/table.h"
#include "memtun.h"

static const char *const columns[] = {
	"name", "rule", "direction", "match", "keys", "seed", "seen", "holding", NULL,
};

struct shown {
	const char *name;
	bool json;
	struct table *table;
	bool failed;
};

/* Set the columns that are made of several keys. -1 with ENOMEM. */
static int shown_summarize(const struct shown *shown, struct table_row *row,
			   const struct memtun_record *record)
{
	const char *from = memtun_record_string(record, "from-client-seen");
	const char *to = memtun_record_string(record, "to-client-seen");
	char *text = NULL, seen[64];
	size_t size;
	FILE *file = open_memstream(&text, &size);
	int result = -1;

	if (!file)
		return -1;
	rule_view_write(record, file);
	if (fclose(file) == 0)
		result = table_set(shown->table, row, "keys", text);
	free(text);
	snprintf(seen, sizeof(seen), "%s%s%s", from ? from : "", from && to ? "/" : "",
		 to ? to : "");
	if (!memtun_record_string(record, "direction"))
		result |= table_set(shown->table, row, "direction", "both");
	return result | table_set(shown->table, row, "seen", seen);
}

static void shown_record(const struct memtun_record *record, void *context)
{
	struct shown *shown = context;
	struct table_row *row = table_add_row(shown->table, NULL);

	shown->failed |= !row || table_set_record(shown->table, row, record) < 0 ||
			 (!shown->json && shown_summarize(shown, row, record) < 0);
}

static int shown_ask(struct memtun *memtun, void *context)
{
	struct shown *shown = context;

	if (memtun_impair_show(memtun, shown->name, shown_record, shown) < 0)
		return -1;
	if (shown->failed)
		return command_fail(EXIT_REFUSED, "out of memory");
	if (table_print(shown->table) < 0)
		return command_fail(EXIT_REFUSED, "cannot print the table: %s", strerror(errno));
	return 0;
}

static int impair_show(const struct invocation *invocation)
{
	struct shown shown = {
		.name = invocation->words[0],
		.json = options_has(invocation, "--json"),
	};
	int status = table_check(shown.json);

	if (status)
		return status;
	shown.table = table_new(columns, shown.json);
	if (!shown.table)
		return command_fail(EXIT_REFUSED, "out of memory");
	status = command_connected(invocation, shown_ask, &shown);
	table_free(shown.table);
	return status;
}

static const struct command_option show_options[] = {
	TAKES_JSON("print a JSON array of objects"),
	{0},
};

const struct command command_impair_show = {
	.name = "impair show",
	.aliases = SHOW_ALIASES,
	.summary = "list the rules of a tunnel or an uplink, or all",
	.usage = "[NAME]",
	.example = "memtun impair show vm0",
	.options = show_options,
	.words_max = 1,
	.run = impair_show,
};
