/* SPDX-License-Identifier: MIT */
#include "common/utf8.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Read the first character of a text that isn't empty. Return its size in bytes; 0: the bytes are
 * no character. */
static size_t character_read(const char *text, uint32_t *value)
{
	static const uint32_t min[] = {0, 0, 0x80, 0x800, 0x10000}; /* by size */
	const unsigned char *bytes = (const unsigned char *)text;
	size_t size = bytes[0] < 0x80             ? 1
		      : (bytes[0] & 0xe0) == 0xc0 ? 2
		      : (bytes[0] & 0xf0) == 0xe0 ? 3
		      : (bytes[0] & 0xf8) == 0xf0 ? 4
						  : 0;

	*value = size > 1 ? bytes[0] & (0xffU >> (size + 1)) : bytes[0];
	for (size_t i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		*value = *value << 6 | (bytes[i] & 0x3f);
	}
	if (size > 1 &&
	    (*value < min[size] || *value > 0x10ffff || (*value >= 0xd800 && *value < 0xe000)))
		return 0;
	return size;
}

bool utf8_is_valid(const char *text)
{
	uint32_t value;

	while (*text) {
		size_t size = character_read(text, &value);

		if (size == 0)
			return false;
		text += size;
	}
	return true;
}

static bool character_is_control(uint32_t value)
{
	return value < 0x20 || (value >= 0x7f && value < 0xa0) ||
	       (value >= 0x2028 && value <= 0x202e) || (value >= 0x2066 && value <= 0x2069);
}

bool utf8_has_control(const char *text)
{
	uint32_t value;

	while (*text) {
		size_t size = character_read(text, &value);

		if (size && character_is_control(value))
			return true;
		text += size ? size : 1;
	}
	return false;
}

void utf8_mend(char *text)
{
	uint32_t value;

	while (*text) {
		size_t size = character_read(text, &value);

		if (size == 0)
			*text = '?';
		text += size ? size : 1;
	}
}

void utf8_make_printable(char *text)
{
	uint32_t value;

	utf8_mend(text);
	while (*text) {
		size_t size = character_read(text, &value);

		if (character_is_control(value))
			memset(text, '?', size);
		text += size;
	}
}
