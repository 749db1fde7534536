/* SPDX-License-Identifier: MIT */
#include "client/command/table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/output.h"
#include "client/command/text_width.h"
#include "common/attribute_set.h"
#include "common/descriptor.h"
#include "common/failed.h"

/* All keys of records, and more columns than any command adds. */
#define COLUMNS_MAX (MEMTUN_A_END + 24)

/* Never defined: a row is a struct libscols_line. */
struct table_row;

struct column {
	const char *key; /* borrowed: an attribute's word, or the caller's */
	struct libscols_column *scols;
	bool is_flag;
};

struct table {
	struct libscols_table *scols;
	bool json;
	bool tree;
	size_t column_count;
	struct column columns[COLUMNS_MAX];
};

int table_check(bool json)
{
	(void)json;
	return 0;
}

static struct column *column_new(struct table *table, const char *key, const char *heading,
				 enum attribute_type type)
{
	bool is_number = type == ATTRIBUTE_U32 || type == ATTRIBUTE_U64;
	struct column *column = &table->columns[table->column_count];

	if (table->column_count == COLUMNS_MAX)
		return NULL;
	column->key = key;
	column->is_flag = type == ATTRIBUTE_FLAG;
	column->scols = scols_table_new_column(table->scols, heading, 0,
					       is_number && !table->json ? SCOLS_FL_RIGHT : 0);
	if (!column->scols)
		return NULL;
	/*
	 * Numbers are printed as they are: a number, true, false or null. libsmartcols' own
	 * booleans can't be null.
	 */
	if (is_number || column->is_flag)
		scols_column_set_json_type(column->scols, SCOLS_JSON_NUMBER);
	table->column_count++;
	return column;
}

/* Add a column for a key. Its heading is the key in JSON, and the key in capitals in a table. */
static struct column *column_of_key(struct table *table, const char *key)
{
	char heading[64];
	size_t i;

	for (i = 0; key[i] && i < sizeof(heading) - 1; i++)
		heading[i] =
			table->json || key[i] < 'a' || key[i] > 'z' ? key[i] : (char)(key[i] - 32);
	heading[i] = '\0';
	return column_new(table, key, heading, attributes[attribute_find(key)].type);
}

int table_add_column(struct table *table, const char *key, const char *heading, bool is_number)
{
	return column_new(table, key, table->json ? key : heading,
			  is_number ? ATTRIBUTE_U64 : ATTRIBUTE_TEXT)
		       ? 0
		       : -1;
}

struct table *table_new(const char *const keys[], bool json)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->json = json;
	table->scols = scols_new_table();
	if (!table->scols)
		goto fail;
	scols_table_enable_json(table->scols, json);
	for (size_t i = 0; keys && !json && keys[i]; i++) {
		if (!column_of_key(table, keys[i]))
			goto fail;
	}
	return table;

fail:
	table_free(table);
	errno = ENOMEM;
	return NULL;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	scols_unref_table(table->scols);
	free(table);
}

void table_make_tree(struct table *table)
{
	/* As JSON, a tree would be nested objects. */
	if (table->json)
		return;
	table->tree = true;
	scols_column_set_flags(table->columns[0].scols, SCOLS_FL_TREE);
}

struct table_row *table_add_row(struct table *table, struct table_row *parent)
{
	struct libscols_line *above = table->tree ? (struct libscols_line *)parent : NULL;

	return (struct table_row *)scols_table_new_line(table->scols, above);
}

int table_set(struct table *table, struct table_row *row, const char *key, const char *text)
{
	struct column *column = table->columns;
	struct column *end = column + table->column_count;

	while (column < end && strcmp(column->key, key) != 0)
		column++;
	if (column == end && !table->json)
		return 0;
	if (column == end)
		column = column_of_key(table, key);
	if (!column)
		return -1;
	if (table->json && column->is_flag)
		text = strcmp(text, "on") == 0 ? "true" : "false";
	return scols_line_set_column_data((struct libscols_line *)row, column->scols, text) < 0 ? -1
												: 0;
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

/* Add a row with the values of a record. -1 with ENOMEM. */
static int table_add(struct table *table, const struct memtun_record *record)
{
	struct table_row *row = table_add_row(table, NULL);

	return row ? table_set_record(table, row, record) : -1;
}

/*
 * Return the array inside the object that libsmartcols prints. *text is the memory, which the
 * caller frees. NULL with errno.
 */
static char *table_array(struct table *table, char **text)
{
	char *begin, *end;

	if (scols_table_is_empty(table->scols))
		return *text = strdup("[]");
	if (scols_print_table_to_string(table->scols, text) < 0)
		return NULL;
	begin = strchr(*text, '[');
	end = strrchr(*text, ']');
	if (!begin || !end)
		return NULL;
	end[1] = '\0';
	return begin;
}

bool table_hide(struct table *table, const char *key)
{
	for (size_t i = 0; i < table->column_count; i++) {
		if (strcmp(table->columns[i].key, key) != 0)
			continue;
		scols_column_set_flags(table->columns[i].scols, SCOLS_FL_HIDDEN);
		return true;
	}
	return false;
}

/* Shorten the cells of texts that may be long. */
static void table_shorten(struct table *table, int width)
{
	for (size_t i = 1; i < table->column_count; i++) {
		struct column *column = &table->columns[i];

		if (strcmp(column->key, "reason") == 0 || strcmp(column->key, "joined-to") == 0)
			scols_column_set_flags(column->scols, SCOLS_FL_TRUNC);
	}
	scols_table_set_termforce(table->scols, SCOLS_TERMFORCE_ALWAYS);
	scols_table_set_termwidth(table->scols, (size_t)width);
}

/*
 * Print the table to a text, which the caller frees. On a terminal, change the table in the order of
 * the list until no line is wider than the terminal: hide a column, or shorten long texts.
 */
static void table_fit(struct table *table, char **text)
{
	static const char shorten[] = "";
	static const char *const changes[] = {
		"backend",
		"socket",
		"persistent",
		"vlan",
		"age",
		"peer",
		"owner",
		"mtu",
		"from-client-bytes",
		"to-client-bytes",
		"from-client-bytes-rate",
		"to-client-bytes-rate",
		"to-client-queued",
		"pid",
		shorten,
		"program",
		"mode",
		"bridge",
		"type",
		"state",
		"from-client-frames-rate",
		"to-client-frames-rate",
		"from-client-frames",
		"from-client-faults-rate",
		"to-client-faults-rate",
	};
	int width = terminal_width();

	scols_print_table_to_string(table->scols, text);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		if (!width || !*text || text_width(*text) <= width)
			break;
		if (changes[i] == shorten)
			table_shorten(table, width);
		else if (!table_hide(table, changes[i]))
			continue;
		free(*text);
		*text = NULL;
		scols_print_table_to_string(table->scols, text);
	}
}

int table_print(struct table *table)
{
	memory_owned char *text = NULL;
	char *array;

	if (table->json) {
		array = table_array(table, &text);
	} else {
		table_fit(table, &text);
		array = text;
	}
	if (!array)
		return failed(ENOMEM);
	if (array[0])
		fprintf(output, "%s\n", array);
	return 0;
}

/*
 * Replace each line end and the blanks behind it by one blank. A JSON string contains no line end.
 */
static void text_join_lines(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		*to = *from;
		if (*from == '\n') {
			from += strspn(from, "\n \t") - 1;
			*to = ' ';
		}
		to++;
	}
	*to = '\0';
}

int table_print_array_line(struct table *table)
{
	memory_owned char *text = NULL;
	char *array = table_array(table, &text);

	if (!array)
		return -1;
	text_join_lines(array);
	fprintf(output, "%s\n", array);
	return 0;
}

int table_print_line(const struct memtun_record *record)
{
	struct table *table = table_new(NULL, true);
	memory_owned char *text = NULL;
	char *array = NULL, *end;
	int result = -1;

	if (table && table_add(table, record) == 0)
		array = table_array(table, &text);
	if (array) {
		text_join_lines(array);
		array += strspn(array, "[ ");
		end = strrchr(array, ']');
		*end = '\0';
		fprintf(output, "%s\n", array);
		result = output_flush();
	}
	table_free(table);
	return result;
}
