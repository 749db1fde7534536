/* SPDX-License-Identifier: MIT */
/*
 * Records as a table for people, or as JSON: an array of flat objects with every key there is.
 */
#ifndef MEMTUN_TABLE_H
#define MEMTUN_TABLE_H

#include <stdbool.h>

#include "memtun.h"

struct table;

/*
 * A table with these columns, keys up to a NULL; json: all keys that memtun_table_add() is given
 * are columns, in their order. NULL with ENOMEM.
 */
struct table *table_new(const char *const keys[], bool json);
void table_free(struct table *table);

/* Adds a row. -1 with ENOMEM. */
int table_add(struct table *table, const struct memtun_record *record);

/* Writes it to standard output. -1 with errno. */
int table_print(struct table *table);

/* Writes one record as a JSON object on a line of its own. -1 with errno. */
int table_print_line(const struct memtun_record *record);

#endif
