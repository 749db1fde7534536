/* SPDX-License-Identifier: MIT */
#include "client/command/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/table.h"
#include "client/command/uplink_joined.h"

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
	struct table *table;
	bool json;
	FILE *drops; /* NULL: not wanted */
	bool failed;
};

void listing_write_drops(FILE *to, const struct memtun_record *record)
{
	const char *key = NULL;

	while ((key = memtun_record_next(record, key))) {
		uint64_t number;

		if (strstr(key, "-dropped-") && memtun_record_number(record, key, &number) == 0 &&
		    number)
			fprintf(to, "%s: %s %s\n", memtun_record_string(record, "name"), key,
				memtun_record_string(record, key));
	}
}

static void listing_record(const struct memtun_record *record, void *context)
{
	struct listing *listing = context;
	struct table_row *row = table_add_row(listing->table, NULL);
	char joined[UPLINK_JOINED_SIZE];

	if (!row || table_set_record(listing->table, row, record) < 0)
		listing->failed = true;
	else if (!listing->json && memtun_record_string(record, "type") &&
		 table_set(listing->table, row, "joined-to", uplink_joined(record, joined)) < 0)
		listing->failed = true;
	if (listing->drops)
		listing_write_drops(listing->drops, record);
}

static int listing_run(struct listing *listing, const struct invocation *invocation,
		       struct memtun *memtun, const char *name, listing_ask *ask)
{
	if (ask(memtun, name, invocation->statistics, listing_record, listing) < 0)
		return command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	if (listing->failed)
		return command_fail(EXIT_REFUSED, "out of memory");
	if (table_print(listing->table) < 0)
		return command_fail(EXIT_REFUSED, "cannot print the table: %s", strerror(errno));
	return 0;
}

int listing_print(const struct invocation *invocation, struct memtun *memtun, const char *name,
		  listing_ask *ask, const char *const keys[])
{
	struct listing listing = {.json = invocation->json};
	char *drops = NULL;
	size_t size;
	int status;

	listing.table = table_new(invocation->statistics ? counter_keys : keys, invocation->json);
	if (invocation->statistics && !invocation->json)
		listing.drops = open_memstream(&drops, &size);
	if (!listing.table)
		status = command_fail(EXIT_REFUSED, "out of memory");
	else
		status = listing_run(&listing, invocation, memtun, name, ask);
	table_free(listing.table);
	if (listing.drops && fclose(listing.drops) == 0 && status == 0)
		fputs(drops, stdout);
	free(drops);
	return status;
}
