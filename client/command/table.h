/* SPDX-License-Identifier: MIT */
/*
 * Records, and what is computed from them, as a table or a tree for people, or as JSON: an array of
 * flat objects with every key there is. Texts are copied.
 */
#ifndef MEMTUN_TABLE_H
#define MEMTUN_TABLE_H

#include <stdbool.h>

#include "memtun.h"

struct table;
struct table_row;

/*
 * A table with these columns, keys up to a NULL (keys NULL: none yet); a key that records don't
 * have is a text. json: instead all keys that come are columns, in their order. NULL with ENOMEM.
 */
struct table *table_new(const char *const keys[], bool json);
void table_free(struct table *table);

/* One more column of that heading, in JSON the key, which must stay. -1 with ENOMEM. */
int table_add_column(struct table *table, const char *key, const char *heading, bool is_number);

/* Has rows hang from each other, drawn in the first column; in JSON they stay flat. */
void table_make_tree(struct table *table);

/* A new row, in a tree below its parent (NULL: below none). NULL with ENOMEM. */
struct table_row *table_add_row(struct table *table, struct table_row *parent);

/* Sets the row's cell, where the key is a column, to the text or the record's values. -1: ENOMEM */
int table_set(struct table *table, struct table_row *row, const char *key, const char *text);
int table_set_record(struct table *table, struct table_row *row,
		     const struct memtun_record *record);

/* Adds a row of a record. -1 with ENOMEM. */
int table_add(struct table *table, const struct memtun_record *record);

/* Writes it to standard output. -1 with errno. */
int table_print(struct table *table);

/* The same as JSON on one line: the array, or the object of one record. */
int table_print_array_line(struct table *table);
int table_print_line(const struct memtun_record *record);

#endif
