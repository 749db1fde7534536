/* SPDX-License-Identifier: MIT */
/*
 * A tunnel in one word, `NAME[:key=value,flag,…]`, as `memtun exec -t` and `memtund --handoff` take
 * it; and `KEY VALUE` pairs as the commands take them.
 */
#ifndef MEMTUN_SPEC_H
#define MEMTUN_SPEC_H

#include "common/attribute_set.h"

/*
 * Splits text, which is written to and which the set's strings then point into. -1 with the fault
 * filled: EINVAL. options: what may be set, enum
 * attribute_option, or'ed.
 */
int spec_parse(char *text, unsigned int options, struct attribute_set *set, struct fault *fault);

/* The same for what follows the name: `key=value,flag,…`. */
int spec_parse_options(char *text, unsigned int options, struct attribute_set *set,
		       struct fault *fault);

/*
 * Takes `KEY VALUE…` words; a flag's value, on or off, may be left out. `nobridge` stands for an
 * empty bridge, and `name`, where it isn't a key itself, for `device`. -1 with the fault filled:
 * EINVAL.
 */
int spec_parse_words(const char *const words[], int count, unsigned int options,
		     struct attribute_set *set, struct fault *fault);

#endif
