/* SPDX-License-Identifier: MIT */
/*
 * Text is UTF-8 in every locale, because memtun prints it as JSON: UTF-8 of RFC 3629, without
 * overlong forms, surrogates and numbers above U+10FFFF.
 */
#ifndef MEMTUN_UTF8_H
#define MEMTUN_UTF8_H

#include <stdbool.h>

bool utf8_is_valid(const char *text);

/* Is there a character that a terminal may obey instead of showing it: a control character of ASCII
 * or ISO 6429, a line or paragraph separator, or one that changes the direction of writing? */
bool utf8_has_control(const char *text);

/* Replace each byte that is not UTF-8, for example a part of a cut character, by '?'. */
void utf8_mend(char *text);

/* Replace also each byte of such a control character by '?'. */
void utf8_make_printable(char *text);

#endif
