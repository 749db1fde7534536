/* SPDX-License-Identifier: MIT */
/*
 * The nearest known word to a misspelled one, for a message: "did you mean 'show'?".
 */
#ifndef MEMTUN_SUGGESTION_H
#define MEMTUN_SUGGESTION_H

#include <stdbool.h>
#include <stddef.h>

#define SUGGESTION_SIZE 64

struct suggestion {
	const char *given;   /* the misspelled word */
	const char *nearest; /* NULL: no word is near */
	size_t distance;     /* of the nearest */
};

/* Remember the word if it is nearer than those before. Return whether it is the given one. */
bool suggestion_consider(struct suggestion *suggestion, const char *word);

/*
 * Write into the hint, and return, the end of a message: "; did you mean 'WORD'?", or without a
 * near word "; see memtun help", with the command's name behind it unless that is NULL.
 */
const char *suggestion_hint(const struct suggestion *suggestion, const char *command,
			    char hint[SUGGESTION_SIZE]);

#endif
