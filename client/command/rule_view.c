/* SPDX-License-Identifier: MIT */
#include "client/command/rule_view.h"

#include <stdbool.h>

#include "common/attribute_table.h"

void rule_view_write(const struct memtun_record *record, FILE *to)
{
	const char *key = NULL;
	bool is_first = true;

	while ((key = memtun_record_next(record, key))) {
		enum memtun_attribute which = attribute_find(key);

		if (!attribute_is_option(which, OPTION_IMPAIR_SPEC) || which == MEMTUN_A_SEED)
			continue;
		fprintf(to, "%s%s %s", is_first ? "" : " ",
			which == MEMTUN_A_UNTIL_TIME ? "until" : key,
			memtun_record_string(record, key));
		is_first = false;
	}
}
