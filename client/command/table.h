/* SPDX-License-Identifier: MIT */
/*
 * A table or a tree of records and of values that are computed from them, or the same as JSON: an
 * array of flat objects with all keys. The table copies its texts.
 */
#ifndef MEMTUN_TABLE_H
#define MEMTUN_TABLE_H

#include <stdbool.h>

#include "memtun.h"

struct table;
struct table_row;

/*
 * Return 0 if this build prints tables, or only JSON (without libsmartcols, table_json.c) and json is
 * wanted. Else print a message, and return the exit status.
 */
int table_check(bool json);

/*
 * Make a table with a column for each key, up to a NULL (keys NULL: no columns yet). A key that is
 * no attribute is a text. json: all keys that are set become columns, in that order. NULL with
 * ENOMEM.
 */
struct table *table_new(const char *const keys[], bool json);
void table_free(struct table *table);

/* Add a column with that heading, in JSON with the key, which is borrowed. -1 with ENOMEM. */
int table_add_column(struct table *table, const char *key, const char *heading, bool is_number);

/* Make the table a tree, which the first column draws. JSON stays flat. */
void table_make_tree(struct table *table);

/* Add a row, in a tree below its parent (NULL: at the top). NULL with ENOMEM. */
struct table_row *table_add_row(struct table *table, struct table_row *parent);

/*
 * Set the cell of a key, or of all keys of a record, where there is such a column. -1 with ENOMEM.
 */
int table_set(struct table *table, struct table_row *row, const char *key, const char *text);
int table_set_record(struct table *table, struct table_row *row,
		     const struct memtun_record *record);

/* Do not print the column of the key, if there is one. Return whether there is. */
bool table_hide(struct table *table, const char *key);

/* Print the table to standard output. -1 with errno. */
int table_print(struct table *table);

/* Print JSON on one line: the table's array, or one record as an object. -1 with errno. */
int table_print_array_line(struct table *table);
int table_print_line(const struct memtun_record *record);

#endif
