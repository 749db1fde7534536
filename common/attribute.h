/* SPDX-License-Identifier: MIT */
/*
 * What an attribute is: its word in the command line's grammar and in JSON, its type on the wire,
 * its bounds. This one table is what messages are checked by, what `KEY VALUE` is parsed by, and
 * what tables are printed from. An attribute_set holds some attributes' values; its strings are
 * borrowed from whatever it was filled from: a record, the command line.
 */
#ifndef MEMTUN_ATTRIBUTE_H
#define MEMTUN_ATTRIBUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memtun/protocol.h"

enum attribute_type {
	ATTRIBUTE_NONE, /* no attribute has this number */
	ATTRIBUTE_U32,
	ATTRIBUTE_U64,
	ATTRIBUTE_FLAG, /* u32, 0 or 1 */
	ATTRIBUTE_WORD, /* u32, one of `words` */
	ATTRIBUTE_NAME, /* string, a tunnel's or bridge's name */
	ATTRIBUTE_TEXT, /* string, any other of 1 to MEMTUN_TEXT_SIZE - 1 bytes */
};

struct attribute {
	const char *word;
	enum attribute_type type;
	uint64_t min, max;        /* U32 and U64 */
	const char *const *words; /* WORD: by number from 1, NULL at the end */
	bool may_be_empty;        /* NAME */
	bool may_be_template;     /* NAME */
};

extern const struct attribute attributes[MEMTUN_A_END];

/* What was wrong, for people: filled by whatever finds it, sent to whoever asked. */
struct fault {
	int error;       /* errno */
	uint32_t offset; /* of the attribute in the message, 0: none */
	char text[200];
};

/* Fills the fault, sets errno, returns -1. */
int fault_set(struct fault *fault, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Attributes from here up are in answers and events only, so that what a request may have is one
 * word of bits. */
#define ATTRIBUTE_ANSWERS 64

struct attribute_set {
	uint64_t present[2]; /* a bit an attribute; those that requests have are the first word's */
	union {
		uint64_t number;
		const char *string;
	} values[MEMTUN_A_END];
};

/* Of an attribute that requests may have, in the first word. */
#define ATTRIBUTE_BIT(attribute) (UINT64_C(1) << (attribute))

/* Is it one of those bits? Those of answers never are. */
static inline bool attribute_is_among(uint64_t bits, enum memtun_attribute which)
{
	return which < ATTRIBUTE_ANSWERS && (bits & ATTRIBUTE_BIT(which));
}

static inline bool attribute_is_string(enum memtun_attribute which)
{
	return attributes[which].type == ATTRIBUTE_NAME || attributes[which].type == ATTRIBUTE_TEXT;
}

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

/* Empties it. */
static inline void attribute_set_clear(struct attribute_set *set)
{
	set->present[0] = 0;
	set->present[1] = 0;
}

/* The set's attribute after `which` (0: its first); MEMTUN_A_END: there is none. */
enum memtun_attribute attribute_set_next(const struct attribute_set *set, int which);

/* Does the value keep to its attribute's bounds? Else -1 with the fault filled (EINVAL). */
int attribute_check_number(enum memtun_attribute which, uint64_t number, struct fault *fault);
int attribute_check_string(enum memtun_attribute which, const char *string, struct fault *fault);

/* The attribute with that word, MEMTUN_A_UNSPEC if there is none. */
enum memtun_attribute attribute_find(const char *word);

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
