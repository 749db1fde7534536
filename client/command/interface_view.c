/* SPDX-License-Identifier: MIT */
#include "client/command/interface_view.h"

#include <string.h>

#include "client/command/text_width.h"

/* The beginning of all keys of an interface. */
static const char prefix[] = "interface-";

/* Columns of a line that goes on, and of a line of memtun monitor. */
#define INDENT 4
#define LINE_WIDTH 80

static bool is_list(const char *key)
{
	return strcmp(key, "interface-address") == 0 || strcmp(key, "interface-route") == 0 ||
	       strcmp(key, "interface-neighbour") == 0;
}

/* Return how many bytes of the text fit into the columns: up to a blank or behind a '+', or all. */
static size_t part_length(const char *text, size_t length, size_t columns)
{
	size_t end = 0;

	if (length <= columns)
		return length;
	for (size_t i = 1; i < length && (i <= columns || !end); i++) {
		if (text[i] == ' ' || text[i - 1] == '+')
			end = i;
	}
	return end ? end : length;
}

/* Write one value behind its key, on as many lines as the terminal needs. */
static void value_write(FILE *to, const char *key, const char *value, size_t length)
{
	size_t width = (size_t)terminal_width();
	size_t used = strlen(key) + 1;

	fprintf(to, "%s ", key);
	for (;;) {
		size_t columns = width == 0 ? length : width > used ? width - used : 1;
		size_t part = part_length(value, length, columns);

		fprintf(to, "%.*s\n", (int)part, value);
		value += part;
		length -= part;
		if (!length)
			return;
		if (*value == ' ') {
			value++;
			length--;
		}
		fprintf(to, "%*s", INDENT, "");
		used = INDENT;
	}
}

void interface_view_write(FILE *to, const struct memtun_record *record)
{
	const char *key = NULL;

	while ((key = memtun_record_next(record, key))) {
		const char *value = memtun_record_string(record, key);

		if (strncmp(key, prefix, strlen(prefix)) != 0)
			continue;
		while (value) {
			size_t length = is_list(key) ? strcspn(value, "+") : strlen(value);

			value_write(to, key, value, length);
			value = value[length] ? value + length + 1 : NULL;
		}
	}
}

/* Return whether the key is in the list, whose keys are joined with commas. */
static bool list_has(const char *keys, const char *key)
{
	for (; *keys; keys += strcspn(keys, ","), keys += *keys == ',') {
		if (strcspn(keys, ",") == strlen(key) && strncmp(keys, key, strlen(key)) == 0)
			return true;
	}
	return false;
}

bool interface_view_is_change(const struct memtun_record *record)
{
	const char *changed = memtun_record_string(record, "changed");

	return changed && strncmp(changed, prefix, strlen(prefix)) == 0;
}

void interface_view_write_change(FILE *to, const struct memtun_record *record, int used)
{
	const char *changed = memtun_record_string(record, "changed");
	int room = LINE_WIDTH - used;
	const char *key = NULL;
	bool is_cut = false;

	while ((key = memtun_record_next(record, key))) {
		const char *value = memtun_record_string(record, key);
		int length = (int)(strlen(key) + strlen(value)) + 2;
		/* Leave room for the mark, which stands for values that do not fit. */
		int most = room - (int)strlen(" ...");

		if (strncmp(key, prefix, strlen(prefix)) != 0 || !list_has(changed, key))
			continue;
		if (length > most) {
			is_cut = true;
			continue;
		}
		fprintf(to, " %s %s", key, value);
		room -= length;
	}
	if (is_cut)
		fprintf(to, " ...");
}
