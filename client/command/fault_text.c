/* SPDX-License-Identifier: MIT */
#include "client/command/fault_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/attribute_table.h"

/* Append to the text, which is cut where it is full. */
static void text_add(char text[FAULT_TEXT_SIZE], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void text_add(char text[FAULT_TEXT_SIZE], const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + used, FAULT_TEXT_SIZE - used, format, arguments);
	va_end(arguments);
}

/* Return what follows the prefix, or NULL if the word has another beginning. */
static const char *word_without_prefix(const char *word, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(word, prefix, length) == 0 ? word + length : NULL;
}

/*
 * Append the reason, which is a counter's word without the direction: "dropped: full" of
 * "to-client-dropped-full", "delayed" of "from-client-delayed".
 */
static void reason_add(char text[FAULT_TEXT_SIZE], unsigned int reason)
{
	const char *word = reason < MEMTUN_A_END ? attributes[reason].word : NULL;
	const char *drop, *rest = NULL;

	if (word && !(rest = word_without_prefix(word, "from-client-")))
		rest = word_without_prefix(word, "to-client-");
	if (text[0])
		text_add(text, ", ");
	drop = rest ? word_without_prefix(rest, "dropped-") : NULL;
	if (drop)
		text_add(text, "dropped: %s", drop);
	else if (rest)
		text_add(text, "%s", rest);
	else
		text_add(text, "reason %u", reason); /* of a newer broker */
}

bool fault_text(char text[FAULT_TEXT_SIZE], const struct memtun_capture_details *details)
{
	text[0] = '\0';
	for (int i = 0; i < MEMTUN_CAPTURE_REASONS && details->reasons[i]; i++)
		reason_add(text, details->reasons[i]);
	if (details->rule)
		text_add(text, "; rule %" PRIu32 ", seed %" PRIu64 ", frame %" PRIu64,
			 details->rule, details->seed, details->number);
	if (details->flags & MEMTUN_CAPTURE_CLOCK)
		text_add(text, "%sclock %" PRIu64 ".%09" PRIu64, text[0] ? "; " : "",
			 details->clock / 1000000000, details->clock % 1000000000);
	return text[0] != '\0';
}
