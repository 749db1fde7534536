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
	for (int i = 0; options && i < MEMTUN_A_END; i++)
		free(options->strings[i]);
	free(options);
}

const char *memtun_options_error(const struct memtun_options *options)
{
	return options->fault.text;
}

/* Copy the set into the options. -1 with the fault filled, and nothing copied: ENOMEM. */
static int options_import(struct memtun_options *options, const struct attribute_set *set)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;
	struct attribute_set copy;

	if (attribute_set_copy(&copy, set) < 0) {
		attribute_set_free(&copy);
		return fault_set(&options->fault, ENOMEM, "out of memory");
	}
	while ((which = attribute_set_next(&copy, which)) != MEMTUN_A_END) {
		if (!attribute_is_string(which)) {
			attribute_set_put_number(&options->set, which, copy.values[which].number);
			continue;
		}
		free(options->strings[which]);
		options->strings[which] = (char *)(uintptr_t)copy.values[which].string;
		attribute_set_put_string(&options->set, which, options->strings[which]);
	}
	return 0;
}

int memtun_options_set(struct memtun_options *options, const char *key, const char *value)
{
	const char *words[] = {key, value};
	struct attribute_set set = {0};

	options->fault.text[0] = '\0';
	if (spec_take(words, value ? 2 : 1, OPTION_ALL, &set, &options->fault) < 0)
		return -1;
	return options_import(options, &set);
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
	return options_import(options, &set);
}
