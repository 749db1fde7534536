/* SPDX-License-Identifier: MIT */
#include "client/lib/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/failed.h"

/* Return the attribute with that word; MEMTUN_A_UNSPEC: the record hasn't it. */
static enum memtun_attribute record_find(const struct memtun_record *record, const char *key)
{
	enum memtun_attribute which = attribute_find(key);

	return attribute_set_has(&record->set, which) ? which : MEMTUN_A_UNSPEC;
}

const char *memtun_record_string(const struct memtun_record *record, const char *key)
{
	enum memtun_attribute which = record_find(record, key);
	/* The text is a cache, so the caller sees no change in the record. */
	struct memtun_record *cached = (struct memtun_record *)(uintptr_t)record;

	if (which == MEMTUN_A_UNSPEC)
		return NULL;
	if (attribute_is_string(which))
		return record->set.values[which].string;
	if (attributes[which].type == ATTRIBUTE_BITS)
		return attribute_format(&record->set, which, cached->bits_text,
					sizeof(cached->bits_text));
	return attribute_format(&record->set, which, cached->texts[which],
				sizeof(cached->texts[which]));
}

int memtun_record_number(const struct memtun_record *record, const char *key, uint64_t *number)
{
	enum memtun_attribute which = record_find(record, key);

	if (which == MEMTUN_A_UNSPEC)
		return failed(ENOENT);
	if (attribute_is_string(which))
		return failed(EINVAL);
	*number = record->set.values[which].number;
	return 0;
}

const char *memtun_record_next(const struct memtun_record *record, const char *key)
{
	int which = key ? (int)attribute_find(key) : MEMTUN_A_UNSPEC;

	if (key && which == MEMTUN_A_UNSPEC)
		return NULL;
	which = attribute_set_next(&record->set, which);
	return which == MEMTUN_A_END ? NULL : attributes[which].word;
}

struct memtun_record *record_copy(const struct memtun_record *record)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;
	size_t size = sizeof(*record);
	struct memtun_record *copy;
	char *strings;

	while ((which = attribute_set_next(&record->set, which)) != MEMTUN_A_END)
		size += attribute_is_string(which) ? strlen(record->set.values[which].string) + 1
						   : 0;
	copy = malloc(size);
	if (!copy)
		return NULL;
	copy->set = record->set;
	strings = (char *)(copy + 1);
	which = MEMTUN_A_UNSPEC;
	while ((which = attribute_set_next(&record->set, which)) != MEMTUN_A_END) {
		if (attribute_is_string(which)) {
			copy->set.values[which].string = strings;
			strings = stpcpy(strings, record->set.values[which].string) + 1;
		}
	}
	return copy;
}
