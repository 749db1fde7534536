/* SPDX-License-Identifier: MIT */
/*
 * Bridges as a tree: below each bridge its ports, and below each port the addresses that the bridge
 * learned there. An address of a port that is newer than the list of ports is below its bridge.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/bridge_view.h"
#include "client/command/listing.h"
#include "client/command/options_parse.h"
#include "client/command/output.h"
#include "client/command/table.h"
#include "client/command/uplink_joined.h"
#include "common/clock.h"
#include "common/descriptor.h"

static const char *const plain_keys[] = {
	"name", "type", "mode", "state", "vlan", "age", "joined-to", NULL,
};
static const char *const counter_keys[] = {
	"name",
	"type",
	"state",
	"from-client-frames",
	"from-client-bytes",
	"to-client-frames",
	"to-client-bytes",
	"to-client-queued",
	NULL,
};

struct port_row {
	const char *name; /* borrowed from the record */
	struct table_row *row;
};

struct tree {
	struct table *table;
	bool json;
	struct table_row *bridge;
	struct port_row *ports; /* of that bridge, sorted by name */
	size_t port_count;
	bool failed; /* out of memory */
};

static void tree_set(struct tree *tree, struct table_row *row, const char *key, const char *text)
{
	tree->failed |= table_set(tree->table, row, key, text) < 0;
}

/*
 * Add a row for the record. Its kind is the value of `object` in JSON, and of `type` in a table,
 * where the type of an uplink replaces it. NULL: out of memory.
 */
static struct table_row *tree_add(struct tree *tree, struct table_row *parent,
				  const struct memtun_record *record, const char *object)
{
	struct table_row *row = table_add_row(tree->table, parent);

	if (!row) {
		tree->failed = true;
		return NULL;
	}
	tree_set(tree, row, tree->json ? "object" : "type", object);
	tree->failed |= table_set_record(tree->table, row, record) < 0;
	return row;
}

static int compare_names(const void *one, const void *other)
{
	return strcmp(((const struct port_row *)one)->name, ((const struct port_row *)other)->name);
}

/* ------------------------------------------------------------------------------ addresses */

static void tree_address(const struct memtun_record *record, void *context)
{
	struct tree *tree = context;
	struct port_row key = {.name = memtun_record_string(record, "name")};
	struct port_row *port = NULL;
	struct table_row *row;
	uint64_t vlan = 0, age = 0;
	char text[24];

	if (tree->failed || !key.name)
		return;
	if (tree->port_count)
		port = bsearch(&key, tree->ports, tree->port_count, sizeof(key), compare_names);
	row = tree_add(tree, port ? port->row : tree->bridge, record, "address");
	if (!row || tree->json)
		return;
	memtun_record_number(record, "vlan", &vlan);
	memtun_record_number(record, "age", &age);
	snprintf(text, sizeof(text), "%" PRIu64 " s", age / CLOCK_SECOND);
	tree_set(tree, row, "age", text);
	tree_set(tree, row, "name", memtun_record_string(record, "address"));
	if (!vlan)
		tree_set(tree, row, "vlan", "");
}

/* ------------------------------------------------------------------------------ bridges */

/* Return what a port is joined to: the other side of an uplink, or the program behind a tunnel. */
static const char *port_joined(const struct memtun_record *record, bool is_uplink,
			       char text[UPLINK_JOINED_SIZE])
{
	const char *pid = memtun_record_string(record, "pid");
	const char *program = memtun_record_string(record, "program");

	if (is_uplink)
		return uplink_joined(record, text);
	text[0] = '\0';
	if (pid)
		snprintf(text, UPLINK_JOINED_SIZE, "pid %s%s%s", pid, program ? " " : "",
			 program ? program : "");
	return text;
}

/* Mark the state of a port that rules impair. */
static void tree_set_impaired(struct tree *tree, struct table_row *row,
			      const struct memtun_record *record)
{
	const char *state = memtun_record_string(record, "state");
	char text[32];

	snprintf(text, sizeof(text), "%s%simpaired", state ? state : "", state ? "+" : "");
	tree_set(tree, row, "state", text);
}

static void tree_port(struct tree *tree, struct port_row *port, const struct memtun_record *record)
{
	bool is_uplink = memtun_record_string(record, "type") != NULL;
	char joined[UPLINK_JOINED_SIZE];

	port->name = memtun_record_string(record, "name");
	port->row = tree_add(tree, tree->bridge, record, is_uplink ? "uplink" : "tunnel");
	if (port->row && !tree->json)
		tree_set(tree, port->row, "joined-to", port_joined(record, is_uplink, joined));
	if (port->row && !tree->json && memtun_record_string(record, "loop-shut"))
		tree_set(tree, port->row, "state", "loop-shut");
	else if (port->row && !tree->json && bridge_view_is_impaired(record))
		tree_set_impaired(tree, port->row, record);
}

/* Add a bridge and everything below it. -1 with memtun_error(). */
static int tree_bridge(struct tree *tree, struct memtun *memtun, const struct inventory *inventory,
		       const struct memtun_record *bridge)
{
	const char *name = memtun_record_string(bridge, "name");
	const char *hub = memtun_record_string(bridge, "hub");
	struct memtun_record **ports = inventory_ports(inventory, name, &tree->port_count);
	memory_owned struct port_row *rows = calloc(tree->port_count + 1, sizeof(*rows));

	tree->bridge = tree_add(tree, NULL, bridge, "bridge");
	tree->ports = rows;
	if (!rows || !tree->bridge) {
		tree->failed = true;
		return 0;
	}
	if (!tree->json && hub && strcmp(hub, "on") == 0)
		tree_set(tree, tree->bridge, "type", "hub");
	for (size_t i = 0; i < tree->port_count; i++)
		tree_port(tree, &rows[i], ports[i]);
	if (tree->failed)
		return 0;
	qsort(rows, tree->port_count, sizeof(*rows), compare_names);
	if (memtun_address_show(memtun, name, tree_address, tree) == 0 || errno == ENOENT)
		return 0;
	return -1;
}

static void tree_write_moves(const struct memtun_record *bridge)
{
	uint64_t moves = 0;

	if (memtun_record_number(bridge, "address-moves", &moves) == 0 && moves)
		fprintf(output, "%s: address-moves %" PRIu64 "\n",
			memtun_record_string(bridge, "name"), moves);
}

int bridge_tree_print(const struct invocation *invocation, struct memtun *memtun,
		      const struct inventory *inventory)
{
	bool statistics = options_has(invocation, "--statistics");
	struct tree tree = {.json = options_has(invocation, "--json")};
	int result = 0, status = table_check(tree.json);

	if (status)
		return status;
	tree.table = table_new(statistics ? counter_keys : plain_keys, tree.json);
	if (!tree.table)
		return command_fail(EXIT_REFUSED, "out of memory");
	table_make_tree(tree.table);
	for (size_t i = 0; i < inventory->bridges.count && result == 0 && !tree.failed; i++)
		result = tree_bridge(&tree, memtun, inventory, inventory->bridges.records[i]);
	if (result < 0)
		status = command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	else if (tree.failed)
		status = command_fail(EXIT_REFUSED, "out of memory");
	else if (table_print(tree.table) < 0)
		status = command_fail(EXIT_REFUSED, "cannot print the tree: %s", strerror(errno));
	table_free(tree.table);
	if (status || !statistics || tree.json)
		return status;
	for (size_t i = 0; i < inventory->bridges.count; i++)
		tree_write_moves(inventory->bridges.records[i]);
	for (size_t i = 0; i < inventory->ports.count; i++)
		listing_write_drops(output, inventory->ports.records[i]);
	return 0;
}
