/* SPDX-License-Identifier: MIT */
#include "client/command/inventory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/record.h"

/* How often to read a list again that changed while it was read. After that, use it as it is. */
#define TRIES_MAX 5

struct reading {
	struct inventory *inventory;
	const char *bridge; /* NULL: all bridges */
};

static const char *name_of(const struct memtun_record *record)
{
	return attribute_set_string(&record->set, MEMTUN_A_NAME);
}

static const char *bridge_of(const struct memtun_record *record)
{
	return attribute_set_string(&record->set, MEMTUN_A_BRIDGE);
}

static void list_add(struct record_list *list, const struct memtun_record *record)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		struct memtun_record **more = reallocarray(list->records, room, sizeof(*more));

		if (!more) {
			list->failed = true;
			return;
		}
		list->records = more;
		list->room = room;
	}
	list->records[list->count] = record_copy(record);
	if (list->records[list->count])
		list->count++;
	else
		list->failed = true;
}

static void list_free(struct record_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->records[i]);
	free(list->records);
	*list = (struct record_list){0};
}

static void reading_bridge(const struct memtun_record *record, void *context)
{
	struct reading *reading = context;

	if (name_of(record))
		list_add(&reading->inventory->bridges, record);
}

static void reading_port(const struct memtun_record *record, void *context)
{
	struct reading *reading = context;
	const char *bridge = bridge_of(record);

	if (name_of(record) && bridge && bridge[0] &&
	    (!reading->bridge || strcmp(bridge, reading->bridge) == 0))
		list_add(&reading->inventory->ports, record);
}

static int compare_names(const void *one, const void *other)
{
	return strcmp(name_of(*(struct memtun_record *const *)one),
		      name_of(*(struct memtun_record *const *)other));
}

/* Sort by bridge, and within a bridge by age, which is the order of ids. */
static int compare_ports(const void *one, const void *other)
{
	const struct memtun_record *first = *(struct memtun_record *const *)one;
	const struct memtun_record *second = *(struct memtun_record *const *)other;
	uint64_t first_id = attribute_set_number(&first->set, MEMTUN_A_ID);
	uint64_t second_id = attribute_set_number(&second->set, MEMTUN_A_ID);
	int order = strcmp(bridge_of(first), bridge_of(second));

	return order ? order : (first_id > second_id) - (first_id < second_id);
}

static void list_sort(struct record_list *list, int (*compare)(const void *, const void *))
{
	if (list->count)
		qsort(list->records, list->count, sizeof(*list->records), compare);
}

/* Read everything once. *changed: something changed in the meantime. -1 with errno. */
static int inventory_try(struct reading *reading, struct memtun *memtun, bool statistics,
			 bool *changed)
{
	*changed = false;
	if (memtun_bridge_show(memtun, reading->bridge, reading_bridge, reading) < 0)
		return -1;
	*changed |= memtun_interrupted(memtun);
	if (memtun_show(memtun, NULL, statistics, reading_port, reading) < 0)
		return -1;
	*changed |= memtun_interrupted(memtun);
	if (memtun_uplink_show(memtun, NULL, statistics, reading_port, reading) < 0)
		return -1;
	*changed |= memtun_interrupted(memtun);
	if (!reading->inventory->bridges.failed && !reading->inventory->ports.failed)
		return 0;
	errno = ENOMEM;
	return -1;
}

int inventory_read(struct inventory *inventory, struct memtun *memtun, const char *bridge,
		   bool statistics)
{
	struct reading reading = {.inventory = inventory, .bridge = bridge};
	bool changed = true;

	*inventory = (struct inventory){0};
	for (int i = 0; i < TRIES_MAX && changed; i++) {
		inventory_free(inventory);
		if (inventory_try(&reading, memtun, statistics, &changed) < 0)
			return -1;
	}
	list_sort(&inventory->bridges, compare_names);
	list_sort(&inventory->ports, compare_ports);
	return 0;
}

void inventory_free(struct inventory *inventory)
{
	list_free(&inventory->bridges);
	list_free(&inventory->ports);
}

struct memtun_record **inventory_ports(const struct inventory *inventory, const char *bridge,
				       size_t *count)
{
	size_t first = 0, end = inventory->ports.count, last;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (strcmp(bridge_of(inventory->ports.records[middle]), bridge) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	for (last = first; last < inventory->ports.count; last++) {
		if (strcmp(bridge_of(inventory->ports.records[last]), bridge) != 0)
			break;
	}
	*count = last - first;
	return inventory->ports.records + first;
}
