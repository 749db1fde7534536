/* SPDX-License-Identifier: MIT */
#include "utf8.h"

#include <stddef.h>
#include <stdint.h>

/* The character at the beginning of the text, which isn't empty: its bytes; 0: it is none. */
static size_t character_size(const char *text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* of so many bytes */
	const unsigned char *bytes = (const unsigned char *)text;
	size_t size = bytes[0] < 0x80             ? 1
		      : (bytes[0] & 0xe0) == 0xc0 ? 2
		      : (bytes[0] & 0xf0) == 0xe0 ? 3
		      : (bytes[0] & 0xf8) == 0xf0 ? 4
						  : 0;
	uint32_t value;

	if (size < 2)
		return size;
	value = bytes[0] & (0xffU >> (size + 1));
	for (size_t i = 1; i < size; i++) {
		/* Nor does the text's end follow. */
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (value < least[size] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	return size;
}

bool utf8_is_valid(const char *text)
{
	while (*text) {
		size_t size = character_size(text);

		if (size == 0)
			return false;
		text += size;
	}
	return true;
}

void utf8_mend(char *text)
{
	while (*text) {
		size_t size = character_size(text);

		if (size == 0)
			*text = '?';
		text += size ? size : 1;
	}
}
