/* SPDX-License-Identifier: MIT */
#include "client/command/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/interface_view.h"
#include "client/command/options_parse.h"
#include "client/command/output.h"
#include "client/command/table.h"
#include "client/command/text_width.h"
#include "client/command/uplink_joined.h"
#include "client/command/user_names.h"
#include "common/attribute_table.h"
#include "common/quantity.h"

const struct command_option listing_options[] = {
	TAKES_STATISTICS,
	TAKES_JSON("print a JSON array of objects"),
	{0},
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

struct listing {
	listing_ask *ask;
	const char *name; /* NULL: all */
	bool json, statistics;
	struct table *table;
	FILE *below;   /* what follows the table; NULL: nothing does */
	bool has_vlan; /* of some port */
	bool failed;
};

/* Print a counter on one line, or below the name if the terminal is narrow. */
static void drop_print(FILE *to, const char *name, const char *key, const char *number)
{
	int terminal = terminal_width();
	bool fits =
		!terminal || text_width(name) + (int)(strlen(key) + strlen(number)) + 3 <= terminal;

	fprintf(to, "%s:%s%s %s\n", name, fits ? " " : "\n", key, number);
}

/* Return whether the key counts drops, refusals or what rules did to frames. */
static bool key_counts_faults(const char *key)
{
	enum memtun_attribute counter = attribute_find(key);

	return strstr(key, "-dropped-") || strcmp(key, "refused") == 0 ||
	       (counter >= MEMTUN_A_FROM_CLIENT_DROPPED_LOSS &&
		counter <= MEMTUN_A_TO_CLIENT_WAITING);
}

void listing_write_drops(FILE *to, const struct memtun_record *record)
{
	const char *name = memtun_record_string(record, "name");
	const char *key = NULL;

	while ((key = memtun_record_next(record, key))) {
		uint64_t number;

		if (key_counts_faults(key) && memtun_record_number(record, key, &number) == 0 &&
		    number)
			drop_print(to, name ? name : "-", key, memtun_record_string(record, key));
	}
}

/* Set the owner's name in place of the number, if the user has one. */
static int set_owner(struct table *table, struct table_row *row, const struct memtun_record *record)
{
	const char *name;
	uint64_t owner;

	if (memtun_record_number(record, "owner", &owner) < 0)
		return 0;
	name = user_name((uid_t)owner);
	return name ? table_set(table, row, "owner", name) : 0;
}

/* Set the times of the clock in seconds, in place of nanoseconds. */
static int set_clock_times(struct table *table, struct table_row *row,
			   const struct memtun_record *record)
{
	static const char *const keys[] = {"clock-time", "clock-next"};
	int result = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		uint64_t time;
		char text[32];

		if (memtun_record_number(record, keys[i], &time) < 0)
			continue;
		quantity_format_seconds(time, text, sizeof(text));
		result |= table_set(table, row, keys[i], text);
	}
	return result;
}

static void listing_record(const struct memtun_record *record, void *context)
{
	struct listing *listing = context;
	struct table_row *row = table_add_row(listing->table, NULL);
	char joined[UPLINK_JOINED_SIZE];

	listing->has_vlan |= memtun_record_string(record, "vlan") != NULL;
	if (!row || table_set_record(listing->table, row, record) < 0)
		listing->failed = true;
	else if (!listing->json && memtun_record_string(record, "type") &&
		 table_set(listing->table, row, "joined-to", uplink_joined(record, joined)) < 0)
		listing->failed = true;
	if (row && !listing->json)
		listing->failed |= set_owner(listing->table, row, record) < 0 ||
				   set_clock_times(listing->table, row, record) < 0;
	if (listing->below && listing->statistics)
		listing_write_drops(listing->below, record);
	else if (listing->below)
		interface_view_write(listing->below, record);
}

static int listing_ask_and_print(struct memtun *memtun, void *context)
{
	struct listing *listing = context;

	if (listing->ask(memtun, listing->name, listing->statistics, listing_record, listing) < 0)
		return -1;
	if (listing->failed)
		return command_fail(EXIT_REFUSED, "out of memory");
	if (!listing->json && !listing->has_vlan)
		table_hide(listing->table, "vlan");
	if (table_print(listing->table) < 0)
		return command_fail(EXIT_REFUSED, "cannot print the table: %s", strerror(errno));
	return 0;
}

int listing_run(const struct invocation *invocation, listing_ask *ask, const char *const keys[])
{
	struct listing listing = {
		.ask = ask,
		.name = invocation->words[0],
		.json = options_has(invocation, "--json"),
		.statistics = options_has(invocation, "--statistics"),
	};
	char *below = NULL;
	size_t size;
	int status = table_check(listing.json);

	if (status)
		return status;
	listing.table = table_new(listing.statistics ? counter_keys : keys, listing.json);
	if (!listing.json && (listing.statistics || listing.name))
		listing.below = open_memstream(&below, &size);
	if (!listing.table)
		status = command_fail(EXIT_REFUSED, "out of memory");
	else
		status = command_connected(invocation, listing_ask_and_print, &listing);
	table_free(listing.table);
	if (listing.below && fclose(listing.below) == 0 && status == 0)
		fputs(below, output);
	free(below);
	return status;
}
