/* SPDX-License-Identifier: MIT */
/*
 * Replaces table.c in a build without libsmartcols: JSON alone, in the same form. A table is a list of
 * rows with a text for each column; a row that a later column was added behind has null there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/output.h"
#include "client/command/table.h"
#include "common/attribute_set.h"
#include "common/failed.h"

/* All keys of records, and more columns than any command adds. */
#define COLUMNS_MAX (MEMTUN_A_END + 24)

struct table_row {
	struct table_row *next;
	char *cells[COLUMNS_MAX]; /* NULL: null */
};

struct column {
	const char *key; /* borrowed: an attribute's word, or the caller's */
	bool is_number, is_flag;
};

struct table {
	struct table_row *first, **end;
	size_t column_count;
	struct column columns[COLUMNS_MAX];
};

int table_check(bool json)
{
	return json ? 0
		    : command_fail(EXIT_REFUSED,
				   "this build has no tables: use 'memtun -j show', and -j "
				   "with other commands too");
}

static struct column *column_new(struct table *table, const char *key, enum attribute_type type)
{
	struct column *column = &table->columns[table->column_count];

	if (table->column_count == COLUMNS_MAX)
		return NULL;
	*column = (struct column){
		.key = key,
		.is_number = type == ATTRIBUTE_U32 || type == ATTRIBUTE_U64,
		.is_flag = type == ATTRIBUTE_FLAG,
	};
	table->column_count++;
	return column;
}

int table_add_column(struct table *table, const char *key, const char *heading, bool is_number)
{
	(void)heading;
	return column_new(table, key, is_number ? ATTRIBUTE_U64 : ATTRIBUTE_TEXT) ? 0
										  : failed(ENOMEM);
}

struct table *table_new(const char *const keys[], bool json)
{
	struct table *table = calloc(1, sizeof(*table));

	(void)keys;
	(void)json;
	if (table)
		table->end = &table->first;
	return table;
}

void table_free(struct table *table)
{
	struct table_row *row;

	while (table && (row = table->first)) {
		table->first = row->next;
		for (size_t i = 0; i < COLUMNS_MAX; i++)
			free(row->cells[i]);
		free(row);
	}
	free(table);
}

void table_make_tree(struct table *table)
{
	(void)table; /* JSON is flat */
}

struct table_row *table_add_row(struct table *table, struct table_row *parent)
{
	struct table_row *row = calloc(1, sizeof(*row));

	(void)parent;
	if (!row)
		return NULL;
	*table->end = row;
	table->end = &row->next;
	return row;
}

int table_set(struct table *table, struct table_row *row, const char *key, const char *text)
{
	struct column *column = table->columns;
	struct column *end = column + table->column_count;
	char *copy;

	while (column < end && strcmp(column->key, key) != 0)
		column++;
	if (column == end)
		column = column_new(table, key, attributes[attribute_find(key)].type);
	if (!column)
		return failed(ENOMEM);
	if (column->is_flag)
		text = strcmp(text, "on") == 0 ? "true" : "false";
	copy = strdup(text);
	if (!copy)
		return -1;
	free(row->cells[column - table->columns]);
	row->cells[column - table->columns] = copy;
	return 0;
}

int table_set_record(struct table *table, struct table_row *row, const struct memtun_record *record)
{
	const char *key = NULL;

	while ((key = memtun_record_next(record, key))) {
		if (table_set(table, row, key, memtun_record_string(record, key)) < 0)
			return -1;
	}
	return 0;
}

bool table_hide(struct table *table, const char *key)
{
	(void)table;
	(void)key;
	return false; /* only tables hide columns */
}

/* --- printing --- */

static void text_print(const char *text)
{
	static const char escaped[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";

	fputc('"', output);
	for (; *text; text++) {
		const char *found = strchr(escaped, *text);

		if (found)
			fprintf(output, "\\%c", letters[found - escaped]);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			fprintf(output, "\\u%04x", (unsigned int)*text);
		else
			fputc(*text, output);
	}
	fputc('"', output);
}

/* Print a row as an object, with `between` before each member and `after` behind the last one. */
static void row_print(const struct table *table, const struct table_row *row, const char *between,
		      const char *after)
{
	fputc('{', output);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];

		fputs(i == 0 || between[0] == '\n' ? between : " ", output);
		text_print(column->key);
		fputs(": ", output);
		if (!row->cells[i])
			fputs("null", output);
		else if (column->is_number || column->is_flag)
			fputs(row->cells[i], output);
		else
			text_print(row->cells[i]);
		if (i + 1 < table->column_count)
			fputc(',', output);
	}
	fprintf(output, "%s}", after);
}

/* Print the array on several lines, or on one, as libsmartcols does and table.c joins it. */
static void array_print(const struct table *table, bool is_one_line)
{
	fputc('[', output);
	for (const struct table_row *row = table->first; row; row = row->next) {
		if (row == table->first)
			fputs(is_one_line ? " " : "\n      ", output);
		row_print(table, row, is_one_line ? " " : "\n         ",
			  is_one_line ? " " : "\n      ");
		fputs(row->next ? "," : is_one_line ? " " : "\n   ", output);
	}
	fputs("]\n", output);
}

int table_print(struct table *table)
{
	array_print(table, false);
	return 0;
}

int table_print_array_line(struct table *table)
{
	array_print(table, true);
	return 0;
}

int table_print_line(const struct memtun_record *record)
{
	struct table *table = table_new(NULL, true);
	struct table_row *row = table ? table_add_row(table, NULL) : NULL;
	int result = -1;

	if (row && table_set_record(table, row, record) == 0) {
		row_print(table, row, " ", " ");
		fputs(" \n", output);
		result = output_flush();
	}
	table_free(table);
	return result;
}
