/* SPDX-License-Identifier: MIT */
/*
 * Two notations of options. A SPEC is one word, `NAME[:key=value,flag,…]`, and `memtun exec -t` and
 * `memtund --handoff` take it. Other commands take `KEY VALUE` pairs.
 */
#ifndef MEMTUN_SPEC_H
#define MEMTUN_SPEC_H

#include "common/attribute_set.h"

/*
 * Parse a SPEC. The text is written to, and the set's strings point into it. -1 with the fault
 * filled: EINVAL. options: what may be set, enum
 * attribute_option, or'ed.
 */
int spec_parse(char *text, unsigned int options, struct attribute_set *set, struct fault *fault);

/* Parse in the same way what follows the name: `key=value,flag,…`. */
int spec_parse_options(char *text, unsigned int options, struct attribute_set *set,
		       struct fault *fault);

/*
 * Parse the first of `KEY VALUE…` words, of which there is one at least. A flag's value, on or off,
 * may be left out. `nobridge` sets an empty bridge. Where `options` has no name, the word `name`
 * means the key `device`. The set's strings are those of words. Return how many words were parsed, 1
 * or 2; -1 with the fault filled: EINVAL.
 */
int spec_take(const char *const words[], int count, unsigned int options, struct attribute_set *set,
	      struct fault *fault);

#endif
