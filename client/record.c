/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <errno.h>

/* The attribute of that word, if the record has it; MEMTUN_A_UNSPEC if not. */
static enum memtun_attribute record_find(const struct memtun_record *record, const char *key)
{
	enum memtun_attribute which = attribute_find(key);

	return attribute_set_has(&record->set, which) ? which : MEMTUN_A_UNSPEC;
}

const char *memtun_record_string(const struct memtun_record *record, const char *key)
{
	enum memtun_attribute which = record_find(record, key);
	/* The text is a cache: what the reader sees of the record stays the same. */
	struct memtun_record *cached = (struct memtun_record *)(uintptr_t)record;

	if (which == MEMTUN_A_UNSPEC)
		return NULL;
	if (attributes[which].type == ATTRIBUTE_NAME)
		return record->set.values[which].string;
	return attribute_format(&record->set, which, cached->texts[which],
				sizeof(cached->texts[which]));
}

int memtun_record_number(const struct memtun_record *record, const char *key, uint64_t *number)
{
	enum memtun_attribute which = record_find(record, key);

	if (which == MEMTUN_A_UNSPEC) {
		errno = ENOENT;
		return -1;
	}
	if (attributes[which].type == ATTRIBUTE_NAME) {
		errno = EINVAL;
		return -1;
	}
	*number = record->set.values[which].number;
	return 0;
}

const char *memtun_record_next(const struct memtun_record *record, const char *key)
{
	int which = key ? (int)attribute_find(key) : MEMTUN_A_UNSPEC;

	if (key && which == MEMTUN_A_UNSPEC)
		return NULL;
	while (++which < MEMTUN_A_END) {
		if (attribute_set_has(&record->set, (enum memtun_attribute)which))
			return attributes[which].word;
	}
	return NULL;
}
