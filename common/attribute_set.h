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

/* Words of 64 bits that have a bit for each attribute. */
#define ATTRIBUTE_SET_WORDS ((MEMTUN_A_END + 63) / 64)

struct attribute_set {
	uint64_t present[ATTRIBUTE_SET_WORDS]; /* a bit for each attribute */
	union {
		uint64_t number;
		const char *string;
	} values[MEMTUN_A_END];
};

static inline bool attribute_set_has(const struct attribute_set *set, enum memtun_attribute which)
{
	return set->present[which / 64] >> (which % 64) & 1;
}

/* Return the number, or 0 if the set hasn't the attribute. */
static inline uint64_t attribute_set_number(const struct attribute_set *set,
					    enum memtun_attribute which)
{
	return attribute_set_has(set, which) ? set->values[which].number : 0;
}

/* Return the string, or NULL if the set hasn't the attribute. */
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
	for (int i = 0; i < ATTRIBUTE_SET_WORDS; i++)
		set->present[i] = 0;
}

/* Return the set's attribute after `which` (0: the first); MEMTUN_A_END: there is none. */
enum memtun_attribute attribute_set_next(const struct attribute_set *set, int which);

/* Return the same of those attributes that are options: enum attribute_option, or'ed. */
enum memtun_attribute attribute_set_next_option(const struct attribute_set *set, int which,
						unsigned int options);

/* Remove those attributes that are options: enum attribute_option, or'ed. */
void attribute_set_remove_options(struct attribute_set *set, unsigned int options);

/* The attributes that a request or an object takes. The lists end with MEMTUN_A_UNSPEC. */
struct attribute_choice {
	enum memtun_attribute required[4];
	enum memtun_attribute allowed[8]; /* besides those, and besides `options` */
	unsigned int options;             /* enum attribute_option, or'ed */
};

/*
 * Check that the set has all required attributes, and none that isn't allowed. -1 with the fault
 * filled (EINVAL): "TAKER needs KEY", "TAKER takes no KEY".
 */
int attribute_set_check(const struct attribute_set *set, const struct attribute_choice *choice,
			const char *taker, struct fault *fault);

/* Copy the set with its strings. -1 with ENOMEM: then what was copied must be freed, too. */
int attribute_set_copy(struct attribute_set *copy, const struct attribute_set *set);

/* Free the strings of a copy. */
void attribute_set_free(struct attribute_set *copy);

/* Check the value against its attribute's bounds. -1 with the fault filled (EINVAL). */
int attribute_check_number(enum memtun_attribute which, uint64_t number, struct fault *fault);
int attribute_check_string(enum memtun_attribute which, const char *string, struct fault *fault);

/*
 * Read one value from its text, and put it into the set. For a flag, value may be NULL (on), "on"
 * or "off". -1 with the fault filled: EINVAL.
 */
int attribute_set_parse(struct attribute_set *set, enum memtun_attribute which, const char *value,
			struct fault *fault);

/* Write a value as text, as attribute_set_parse() reads it. Return text. */
const char *attribute_format(const struct attribute_set *set, enum memtun_attribute which,
			     char text[], size_t size);

/* Write the words of those attributes of the set that are such options into text, with commas
 * between them, as far as they fit. Return text. */
const char *attribute_set_list(const struct attribute_set *set, unsigned int options, char text[],
			       size_t size);

#endif
