/* SPDX-License-Identifier: MIT */
#include "client/lib/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/descriptor.h"
#include "common/spec.h"

struct memtun_options *memtun_options_new(void)
{
	return calloc(1, sizeof(struct memtun_options));
}

void memtun_options_free(struct memtun_options *options)
{
	free(options);
}

const char *memtun_options_error(const struct memtun_options *options)
{
	return options->fault.text;
}

/* Return where the copy of a string is, and how large it may be with its NUL. */
static char *string_place(struct memtun_options *options, enum memtun_attribute which, size_t *size)
{
	if (which >= OPTIONS_FIRST_LIST && which <= OPTIONS_LAST_LIST) {
		*size = MEMTUN_LIST_SIZE;
		return options->lists[which - OPTIONS_FIRST_LIST];
	}
	*size = MEMTUN_TEXT_SIZE;
	return options->strings[which];
}

/* Copy the set into the options. */
static void options_import(struct memtun_options *options, const struct attribute_set *set)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;
	size_t size;
	char *place;

	while ((which = attribute_set_next(set, which)) != MEMTUN_A_END) {
		if (!attribute_is_string(which)) {
			attribute_set_put_number(&options->set, which, set->values[which].number);
			continue;
		}
		/* attribute_set_parse() has checked that the string fits. */
		place = string_place(options, which, &size);
		strlcpy(place, set->values[which].string, size);
		attribute_set_put_string(&options->set, which, place);
	}
}

int memtun_options_set(struct memtun_options *options, const char *key, const char *value)
{
	const char *words[] = {key, value};
	struct attribute_set set = {0};

	options->fault.text[0] = '\0';
	if (spec_take(words, value ? 2 : 1, OPTION_ALL, &set, &options->fault) < 0)
		return -1;
	options_import(options, &set);
	return 0;
}

int memtun_options_set_number(struct memtun_options *options, const char *key, uint64_t number)
{
	enum memtun_attribute which = attribute_find(key);

	options->fault.text[0] = '\0';
	if (!attribute_is_option(which, OPTION_ALL) || attribute_is_string(which))
		return fault_set(&options->fault, EINVAL,
				 "there is no option '%.40s' with a number", key);
	if (attribute_check_number(which, number, &options->fault) < 0)
		return -1;
	attribute_set_put_number(&options->set, which, number);
	return 0;
}

int memtun_options_parse(struct memtun_options *options, const char *text)
{
	memory_owned char *copy = NULL;
	struct attribute_set set = {0};

	options->fault.text[0] = '\0';
	if (text[0] == '\0')
		return 0;
	copy = strdup(text);
	if (!copy)
		return fault_set(&options->fault, ENOMEM, "out of memory");
	if (spec_parse_options(copy, OPTION_ALL, &set, &options->fault) < 0)
		return -1;
	options_import(options, &set);
	return 0;
}
