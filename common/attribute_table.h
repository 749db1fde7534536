/* SPDX-License-Identifier: MIT */
/*
 * The table of attributes: for each its word in the command line's grammar and in JSON, its type on
 * the wire, its bounds, and whose option it is. Messages are checked by it, `KEY VALUE` pairs are
 * parsed by it, and tables are printed from it.
 */
#ifndef MEMTUN_ATTRIBUTE_TABLE_H
#define MEMTUN_ATTRIBUTE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "memtun/protocol.h"

enum attribute_type {
	ATTRIBUTE_NONE, /* no attribute has this number */
	ATTRIBUTE_U32,
	ATTRIBUTE_U64,
	ATTRIBUTE_FLAG,        /* u32, 0 or 1 */
	ATTRIBUTE_WORD,        /* u32, one of `words` */
	ATTRIBUTE_NAME,        /* string, a tunnel's or bridge's name */
	ATTRIBUTE_TEXT,        /* string, any other of 1 to `max` bytes */
	ATTRIBUTE_BITS,        /* u32, bits that `words` name */
	ATTRIBUTE_PERCENT,     /* u32, billionths */
	ATTRIBUTE_THOUSANDTHS, /* u32 */
	ATTRIBUTE_TIME,        /* u64, nanoseconds */
	ATTRIBUTE_RATE,        /* u64, bits per second */
};

/* What an attribute is an option of. */
enum attribute_option {
	OPTION_KEY = 1 << 0,          /* it names a tunnel */
	OPTION_TUNNEL = 1 << 1,       /* a tunnel has it, and may be opened with it */
	OPTION_TUNNEL_ADD = 1 << 2,   /* a tunnel may be added with it */
	OPTION_TUNNEL_SET = 1 << 3,   /* it can be changed later */
	OPTION_MEMORY_ONLY = 1 << 4,  /* a tunnel with backend kernel can't have it */
	OPTION_UPLINK = 1 << 5,       /* uplinks of some type may have it */
	OPTION_UPLINK_ANY = 1 << 6,   /* uplinks of all types may have it */
	OPTION_REQUEST = 1 << 7,      /* it says how a request is carried out */
	OPTION_HELLO = 1 << 8,        /* both sides tell it in hello */
	OPTION_UPLINK_SET = 1 << 9,   /* it can be changed while the uplink exists */
	OPTION_INTERFACE = 1 << 10,   /* the interface of a tunnel has it */
	OPTION_IMPAIR = 1 << 11,      /* a rule that impairs a port has it */
	OPTION_IMPAIR_SET = 1 << 12,  /* it can be changed while the rule exists */
	OPTION_IMPAIR_SPEC = 1 << 13, /* a port may be made with a rule that has it */
};

/* The options that memtun_options_set() takes. */
#define OPTION_ALL \
	(OPTION_TUNNEL | OPTION_UPLINK | OPTION_REQUEST | OPTION_INTERFACE | OPTION_IMPAIR)

struct attribute {
	const char *word;
	enum attribute_type type;
	uint64_t min, max;        /* numbers; the bytes of a TEXT without its NUL */
	const char *const *words; /* WORD: by number from 1; BITS: from the lowest; NULL at the end.
			       * U32: bits, which may be given by their words instead of a number */
	bool may_be_empty;        /* NAME */
	bool may_be_template;     /* NAME */
	unsigned int options;     /* enum attribute_option, or'ed */
};

extern const struct attribute attributes[MEMTUN_A_END];

/* Bytes for all keys that one request can set, with commas and a NUL. */
#define ATTRIBUTE_KEYS_SIZE 256

/* Bytes for all the words of an attribute of BITS, with their separators and a NUL. */
#define ATTRIBUTE_BITS_TEXT_SIZE 192

/* Return the attribute with that word, MEMTUN_A_UNSPEC if there is none. */
enum memtun_attribute attribute_find(const char *word);

static inline bool attribute_is_string(enum memtun_attribute which)
{
	return attributes[which].type == ATTRIBUTE_NAME || attributes[which].type == ATTRIBUTE_TEXT;
}

/* Return whether its number has 64 bits on the wire. */
static inline bool attribute_is_u64(enum memtun_attribute which)
{
	enum attribute_type type = attributes[which].type;

	return type == ATTRIBUTE_U64 || type == ATTRIBUTE_TIME || type == ATTRIBUTE_RATE;
}

/* Is it an option of one of these: enum attribute_option, or'ed? */
static inline bool attribute_is_option(enum memtun_attribute which, unsigned int options)
{
	return attributes[which].options & options;
}

#endif
