/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attribute.h"
#include "descriptor.h"

struct table {
	struct libscols_table *scols;
	bool json;
	bool empty;
};

/* A column for a key; in JSON the key is its name, for people it is in capitals. */
static struct libscols_column *table_column(struct table *table, const char *key)
{
	const struct attribute *attribute = &attributes[attribute_find(key)];
	struct libscols_column *column;
	char heading[64];
	size_t i;

	for (i = 0; key[i] && i < sizeof(heading) - 1; i++)
		heading[i] =
			table->json || key[i] < 'a' || key[i] > 'z' ? key[i] : (char)(key[i] - 32);
	heading[i] = '\0';
	column = scols_table_new_column(table->scols, heading, 0,
					!table->json && (attribute->type == ATTRIBUTE_U32 ||
							 attribute->type == ATTRIBUTE_U64)
						? SCOLS_FL_RIGHT
						: 0);
	if (!column)
		return NULL;
	if (attribute->type == ATTRIBUTE_U32 || attribute->type == ATTRIBUTE_U64)
		scols_column_set_json_type(column, SCOLS_JSON_NUMBER);
	else if (attribute->type == ATTRIBUTE_FLAG)
		scols_column_set_json_type(column, SCOLS_JSON_BOOLEAN);
	return column;
}

struct table *table_new(const char *const keys[], bool json)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->json = json;
	table->empty = true;
	table->scols = scols_new_table();
	if (!table->scols)
		goto fail;
	scols_table_enable_json(table->scols, json);
	for (size_t i = 0; keys[i]; i++) {
		if (!table_column(table, keys[i]))
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

/* The key's column, made if it isn't there and this is JSON. NULL: not wanted, or ENOMEM. */
static struct libscols_column *table_find(struct table *table, const char *key)
{
	size_t count = scols_table_get_ncols(table->scols);

	for (size_t i = 0; i < count; i++) {
		struct libscols_column *column = scols_table_get_column(table->scols, i);
		const char *name = scols_cell_get_data(scols_column_get_header(column));

		if (strcasecmp(name, key) == 0)
			return column;
	}
	errno = 0;
	return table->json ? table_column(table, key) : NULL;
}

int table_add(struct table *table, const struct memtun_record *record)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);
	const char *key = NULL;

	if (!line)
		return -1;
	table->empty = false;
	while ((key = memtun_record_next(record, key))) {
		struct libscols_column *column = table_find(table, key);
		const char *value = memtun_record_string(record, key);

		if (!column && table->json)
			return -1;
		if (!column)
			continue;
		/* libsmartcols tells true from false by 0 and 1. */
		if (table->json && attributes[attribute_find(key)].type == ATTRIBUTE_FLAG)
			value = strcmp(value, "on") == 0 ? "1" : "0";
		if (scols_line_refer_column_data(line, column, strdup(value)) < 0)
			return -1;
	}
	return 0;
}

/* The array within the object that libsmartcols makes around it. */
static char *table_array(struct table *table, char **text)
{
	char *begin, *end;

	if (scols_print_table_to_string(table->scols, text) < 0)
		return NULL;
	begin = strchr(*text, '[');
	end = strrchr(*text, ']');
	if (!begin || !end)
		return NULL;
	end[1] = '\0';
	return begin;
}

int table_print(struct table *table)
{
	memory_owned char *text = NULL;
	char *array;

	if (table->json && table->empty)
		return puts("[]") < 0 ? -1 : 0;
	if (!table->json)
		return scols_print_table(table->scols) < 0 ? -1 : 0;
	array = table_array(table, &text);
	return !array || puts(array) < 0 ? -1 : 0;
}

/* Makes one blank of a line end and the blanks after it: none is inside a JSON string. */
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

int table_print_line(const struct memtun_record *record)
{
	static const char *const none[] = {NULL};
	struct table *table = table_new(none, true);
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
		result = puts(array) < 0 || fflush(stdout) < 0 ? -1 : 0;
	}
	table_free(table);
	return result;
}
