/* SPDX-License-Identifier: MIT */
/*
 * Some attributes' values, and what is done with them: parsing and formatting one value, checking
 * it, and checking that a set is what something takes. The strings are borrowed from what the set
 * was filled from, for example a record or the command line.
 */
#ifndef MEMTUN_ATTRIBUTE_SET_H
#define MEMTUN_ATTRIBUTE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attribute_table.h"
#include "common/fault.h"

struct attribute_set {
	uint64_t present[2]; /* a bit for each attribute */
	union {
		uint64_t number;
		const char *string;
	} values[MEMTUN_A_END];
};

static inline bool attribute_set_has(const struct attribute_set *set, enum memtun_attribute which)
{
	return set->present[which / 64] >> (which % 64) & 1;
}

/* 0 where it isn't there. */
static inline uint64_t attribute_set_number(const struct attribute_set *set,
					    enum memtun_attribute which)
{
	return attribute_set_has(set, which) ? set->values[which].number : 0;
}

/* NULL where it isn't there. */
static inline const char *attribute_set_string(const struct attribute_set *set,
					       enum memtun_attribute which)
{
	return attribute_set_has(set, which) ? set->values[which].string : NULL;
}

static inline void attribute_set_put_number(struct attribute_set *set, enum memtun_attribute which,
					    uint64_t number)
{
	set->present[which / 64] |= UINT64_C(1) << (which % 64);
	set->values[which].number = number;
}

static inline void attribute_set_put_string(struct attribute_set *set, enum memtun_attribute which,
					    const char *string)
{
	set->present[which / 64] |= UINT64_C(1) << (which % 64);
	set->values[which].string = string;
}

static inline void attribute_set_remove(struct attribute_set *set, enum memtun_attribute which)
{
	set->present[which / 64] &= ~(UINT64_C(1) << (which % 64));
}

static inline void attribute_set_clear(struct attribute_set *set)
{
	set->present[0] = 0;
	set->present[1] = 0;
}

/* The set's attribute after `which` (0: its first); MEMTUN_A_END: there is none. */
enum memtun_attribute attribute_set_next(const struct attribute_set *set, int which);

/* The same among the set's attributes that are an option of one of these. */
enum memtun_attribute attribute_set_next_option(const struct attribute_set *set, int which,
						unsigned int options);

/* Lists end with MEMTUN_A_UNSPEC. */
struct attribute_choice {
	enum memtun_attribute required[4];
	enum memtun_attribute allowed[5]; /* besides those, and besides `options` */
	unsigned int options;             /* enum attribute_option, or'ed */
};

/*
 * Does the set have all that is required, and nothing that isn't allowed? Else -1 with the fault
 * filled (EINVAL): "TAKER needs KEY", "TAKER takes no KEY".
 */
int attribute_set_check(const struct attribute_set *set, const struct attribute_choice *choice,
			const char *taker, struct fault *fault);

/* Copy the set with its strings. -1 with ENOMEM: then what was copied must be freed, too. */
int attribute_set_copy(struct attribute_set *copy, const struct attribute_set *set);

/* Free the strings of a copy. */
void attribute_set_free(struct attribute_set *copy);

/* Does the value keep to its attribute's bounds? Else -1 with the fault filled (EINVAL). */
int attribute_check_number(enum memtun_attribute which, uint64_t number, struct fault *fault);
int attribute_check_string(enum memtun_attribute which, const char *string, struct fault *fault);

/*
 * Reads one value as people write it. For a flag, value may be NULL (on), "on" or "off". -1 with
 * the fault filled: EINVAL.
 */
int attribute_set_parse(struct attribute_set *set, enum memtun_attribute which, const char *value,
			struct fault *fault);

/* Writes a value as people read it into text; returns text. */
const char *attribute_format(const struct attribute_set *set, enum memtun_attribute which,
			     char text[], size_t size);

#endif
