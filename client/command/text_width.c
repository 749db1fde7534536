/* SPDX-License-Identifier: MIT */
#include "client/command/text_width.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Convert the character that the text begins with, and return its bytes. */
static size_t character_widen(const char *text, size_t left, wchar_t *wide)
{
	mbstate_t state = {0};
	size_t length = mbrtowc(wide, text, left, &state);

	if (length > 0 && length <= left)
		return length;
	*wide = L'?';
	return 1;
}

int terminal_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 ? 0 : size.ws_col;
}

size_t text_widen(const char *text, wchar_t wide[TEXT_WIDTH_MAX])
{
	size_t count = 0, left = strlen(text);

	while (left && count < TEXT_WIDTH_MAX) {
		size_t length = character_widen(text, left, &wide[count++]);

		text += length;
		left -= length;
	}
	return count;
}

int wide_width(const wchar_t *wide, size_t count)
{
	int width = 0;

	for (size_t i = 0; i < count; i++) {
		int columns = wcwidth(wide[i]);

		width += columns > 0 ? columns : 0;
	}
	return width;
}

int text_width(const char *text)
{
	size_t left = strlen(text);
	int width = 0, longest = 0;

	while (left) {
		wchar_t wide;
		size_t length = character_widen(text, left, &wide);

		width = wide == L'\n' ? 0 : width + wide_width(&wide, 1);
		longest = width > longest ? width : longest;
		text += length;
		left -= length;
	}
	return longest;
}
