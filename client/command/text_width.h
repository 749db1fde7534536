/* SPDX-License-Identifier: MIT */
/*
 * How many columns of a terminal a text takes, in the user's locale.
 */
#ifndef MEMTUN_TEXT_WIDTH_H
#define MEMTUN_TEXT_WIDTH_H

#include <stddef.h>
#include <wchar.h>

/* The longest text that is converted, in characters. */
#define TEXT_WIDTH_MAX 256

/*
 * Convert the text to wide characters. A byte that is no character of the locale becomes '?'. Return
 * how many there are.
 */
size_t text_widen(const char *text, wchar_t wide[TEXT_WIDTH_MAX]);

/* The columns of the terminal that standard output is. 0: it is none, or its size isn't known. */
int terminal_width(void);

/* Return the columns of the wide characters, and of the longest line of a text. */
int wide_width(const wchar_t *wide, size_t count);
int text_width(const char *text);

#endif
