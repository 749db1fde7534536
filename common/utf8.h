/* SPDX-License-Identifier: MIT */
/*
 * Is it text? What goes out again as JSON has to be UTF-8, in whatever locale: as RFC 3629 has it,
 * without overlong forms, surrogates, and what is above U+10FFFF.
 */
#ifndef MEMTUN_UTF8_H
#define MEMTUN_UTF8_H

#include <stdbool.h>

bool utf8_is_valid(const char *text);

/* Has it what does more to a terminal than to show a character: the control characters of ASCII and
 * ISO 6429, those that end lines and paragraphs, and those that turn the direction of writing? */
bool utf8_has_control(const char *text);

/* Puts a '?' for each byte that is none, as of a character that was cut. */
void utf8_mend(char *text);

#endif
