/* SPDX-License-Identifier: MIT */
/* The inventory of bridges and ports. This file emulates a broker whose lists change meanwhile. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/command/inventory.h"
#include "client/lib/record.h"

static unsigned int lists;    /* requested so far */
static unsigned int changing; /* how many of the first lists changed while they were made */
static unsigned int ports;    /* number of ports */
static unsigned int failing;  /* number of the list that fails, 0: none */
static bool nameless;         /* there is a bridge and a tunnel without a name */
static bool interrupted;

static int list_begin(void)
{
	interrupted = ++lists <= changing;
	if (lists != failing)
		return 0;
	errno = ENOENT;
	return -1;
}

static void tell(memtun_record_function *function, void *context, uint32_t id, const char *name,
		 const char *bridge)
{
	struct memtun_record record = {0};
	char own_name[MEMTUN_NAME_SIZE], own_bridge[MEMTUN_NAME_SIZE];

	/* The strings of a record are valid while its function runs. */
	attribute_set_put_number(&record.set, MEMTUN_A_ID, id);
	if (name) {
		snprintf(own_name, sizeof(own_name), "%s", name);
		attribute_set_put_string(&record.set, MEMTUN_A_NAME, own_name);
	}
	if (bridge) {
		snprintf(own_bridge, sizeof(own_bridge), "%s", bridge);
		attribute_set_put_string(&record.set, MEMTUN_A_BRIDGE, own_bridge);
	}
	function(&record, context);
	memset(own_name, 'x', sizeof(own_name) - 1);
}

int memtun_bridge_show(struct memtun *memtun, const char *name, memtun_record_function *function,
		       void *context)
{
	(void)memtun;
	if (list_begin() < 0)
		return -1;
	if (!name)
		tell(function, context, 90, "zoo", NULL);
	if (nameless)
		tell(function, context, 92, NULL, NULL);
	tell(function, context, 91, "lab", NULL);
	return 0;
}

int memtun_show(struct memtun *memtun, const char *name, bool statistics,
		memtun_record_function *function, void *context)
{
	char text[MEMTUN_NAME_SIZE];

	(void)memtun;
	assert_null(name);
	assert_true(statistics);
	if (list_begin() < 0)
		return -1;
	for (unsigned int i = 0; i < ports; i++) {
		snprintf(text, sizeof(text), "p%u", i);
		tell(function, context, i + 1, text, i % 2 ? "lab" : "zoo");
	}
	if (nameless)
		tell(function, context, 60000, NULL, "lab");
	tell(function, context, 70000, "alone", NULL);
	return 0;
}

int memtun_uplink_show(struct memtun *memtun, const char *name, bool statistics,
		       memtun_record_function *function, void *context)
{
	(void)memtun;
	assert_null(name);
	assert_true(statistics);
	if (list_begin() < 0)
		return -1;
	tell(function, context, 2, "lan", "lab");
	return 0;
}

bool memtun_interrupted(const struct memtun *memtun)
{
	(void)memtun;
	return interrupted;
}

static int reset(void **state)
{
	(void)state;
	lists = changing = failing = 0;
	ports = 3;
	nameless = false;
	return 0;
}

static const char *name(const struct memtun_record *record)
{
	return memtun_record_string(record, "name");
}

static void each_bridge_has_its_ports(void **state)
{
	struct inventory inventory;
	struct memtun_record **found;
	size_t count;

	(void)state;
	assert_int_equal(inventory_read(&inventory, NULL, NULL, true), 0);
	assert_int_equal(lists, 3);
	assert_int_equal(inventory.bridges.count, 2);
	assert_string_equal(name(inventory.bridges.records[0]), "lab");
	assert_string_equal(name(inventory.bridges.records[1]), "zoo");
	found = inventory_ports(&inventory, "lab", &count);
	assert_int_equal(count, 2);
	/* In the order of their ids, of both kinds. */
	assert_int_equal(attribute_set_number(&found[0]->set, MEMTUN_A_ID), 2);
	found = inventory_ports(&inventory, "zoo", &count);
	assert_int_equal(count, 2);
	assert_string_equal(name(found[0]), "p0");
	assert_string_equal(name(found[1]), "p2");
	inventory_ports(&inventory, "none", &count);
	assert_int_equal(count, 0);
	inventory_ports(&inventory, "a", &count);
	assert_int_equal(count, 0);
	inventory_free(&inventory);
}

static void of_one_bridge_only_its_own_ports_are_kept(void **state)
{
	struct inventory inventory;
	size_t count;

	(void)state;
	ports = 10000;
	assert_int_equal(inventory_read(&inventory, NULL, "lab", true), 0);
	assert_int_equal(inventory.bridges.count, 1);
	assert_int_equal(inventory.ports.count, 5001);
	inventory_ports(&inventory, "lab", &count);
	assert_int_equal(count, 5001);
	inventory_free(&inventory);
}

static void what_has_no_name_is_left_out(void **state)
{
	struct inventory inventory;

	(void)state;
	nameless = true;
	assert_int_equal(inventory_read(&inventory, NULL, NULL, true), 0);
	assert_int_equal(inventory.bridges.count, 2);
	assert_int_equal(inventory.ports.count, 4);
	inventory_free(&inventory);
}

static void what_changes_meanwhile_is_read_again(void **state)
{
	struct inventory inventory;

	(void)state;
	for (changing = 1; changing <= 3; changing++) {
		lists = 0;
		assert_int_equal(inventory_read(&inventory, NULL, NULL, true), 0);
		assert_int_equal(lists, 6);
		assert_int_equal(inventory.bridges.count, 2);
		assert_int_equal(inventory.ports.count, 4);
		inventory_free(&inventory);
	}
}

static void what_changes_for_ever_is_taken_as_it_is(void **state)
{
	struct inventory inventory;

	(void)state;
	changing = 1000;
	assert_int_equal(inventory_read(&inventory, NULL, NULL, true), 0);
	assert_in_range(lists, 6, 30);
	assert_int_equal(inventory.ports.count, 4);
	inventory_free(&inventory);
}

static void a_list_that_fails_ends_it(void **state)
{
	struct inventory inventory;

	(void)state;
	for (failing = 1; failing <= 3; failing++) {
		lists = 0;
		assert_int_equal(inventory_read(&inventory, NULL, NULL, true), -1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(lists, failing);
		inventory_free(&inventory);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_bridge_has_its_ports, reset),
		cmocka_unit_test_setup(of_one_bridge_only_its_own_ports_are_kept, reset),
		cmocka_unit_test_setup(what_has_no_name_is_left_out, reset),
		cmocka_unit_test_setup(what_changes_meanwhile_is_read_again, reset),
		cmocka_unit_test_setup(what_changes_for_ever_is_taken_as_it_is, reset),
		cmocka_unit_test_setup(a_list_that_fails_ends_it, reset),
	};

	return RUN_TESTS(tests);
}
