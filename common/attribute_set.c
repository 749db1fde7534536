/* SPDX-License-Identifier: MIT */
#include "common/attribute_set.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/tunnel_name.h"
#include "common/quantity.h"
#include "common/utf8.h"

/* Write a number with its unit, if it has one. */
static void number_format(const struct attribute *attribute, uint64_t number, char *text,
			  size_t size)
{
	switch (attribute->type) {
	case ATTRIBUTE_PERCENT:
		quantity_format_percent(number, text, size);
		break;
	case ATTRIBUTE_THOUSANDTHS:
		quantity_format_thousandths(number, text, size);
		break;
	case ATTRIBUTE_TIME:
		quantity_format_time(number, text, size);
		break;
	case ATTRIBUTE_RATE:
		quantity_format_rate(number, text, size);
		break;
	default:
		snprintf(text, size, "%" PRIu64, number);
		break;
	}
}

int attribute_check_number(enum memtun_attribute which, uint64_t number, struct fault *fault)
{
	const struct attribute *attribute = &attributes[which];
	char texts[3][24];

	if (number >= attribute->min && number <= attribute->max)
		return 0;
	if (attribute->type == ATTRIBUTE_WORD || attribute->type == ATTRIBUTE_FLAG)
		return fault_set(fault, EINVAL, "%s has no value number %" PRIu64, attribute->word,
				 number);
	number_format(attribute, number, texts[0], sizeof(texts[0]));
	number_format(attribute, attribute->min, texts[1], sizeof(texts[1]));
	number_format(attribute, attribute->max, texts[2], sizeof(texts[2]));
	return fault_set(fault, EINVAL, "%s %s is not from %s to %s", attribute->word, texts[0],
			 texts[1], texts[2]);
}

static int text_check(const struct attribute *attribute, const char *string, struct fault *fault)
{
	if (string[0] == '\0' || strlen(string) > attribute->max)
		return fault_set(fault, EINVAL, "%s is from 1 to %" PRIu64 " bytes long",
				 attribute->word, attribute->max);
	if (utf8_has_control(string))
		return fault_set(fault, EINVAL, "%s has a control character", attribute->word);
	return 0;
}

int attribute_check_string(enum memtun_attribute which, const char *string, struct fault *fault)
{
	const struct attribute *attribute = &attributes[which];
	const char *wrong;

	if (attribute->may_be_empty && string[0] == '\0')
		return 0;
	if (!utf8_is_valid(string))
		return fault_set(fault, EINVAL, "%s is not UTF-8", attribute->word);
	if (attribute->type == ATTRIBUTE_TEXT)
		return text_check(attribute, string, fault);
	wrong = tunnel_name_fault(string, attribute->may_be_template);
	if (wrong)
		return fault_set(fault, EINVAL, "%s '%.40s' %s", attribute->word, string, wrong);
	return 0;
}

enum memtun_attribute attribute_set_next(const struct attribute_set *set, int which)
{
	for (which++; which < MEMTUN_A_END; which = (which / 64 + 1) * 64) {
		uint64_t rest = set->present[which / 64] >> (which % 64);

		if (rest)
			return (enum memtun_attribute)(which + __builtin_ctzll(rest));
	}
	return MEMTUN_A_END;
}

enum memtun_attribute attribute_set_next_option(const struct attribute_set *set, int which,
						unsigned int options)
{
	do {
		which = attribute_set_next(set, which);
	} while (which != MEMTUN_A_END &&
		 !attribute_is_option((enum memtun_attribute)which, options));
	return (enum memtun_attribute)which;
}

const char *attribute_set_list(const struct attribute_set *set, unsigned int options, char text[],
			       size_t size)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;
	size_t length = 0;

	text[0] = '\0';
	while ((which = attribute_set_next_option(set, which, options)) != MEMTUN_A_END) {
		const char *word = attributes[which].word;

		if (length + 1 + strlen(word) >= size)
			break;
		length += (size_t)sprintf(text + length, "%s%s", length ? "," : "", word);
	}
	return text;
}

void attribute_set_remove_options(struct attribute_set *set, unsigned int options)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;

	while ((which = attribute_set_next_option(set, which, options)) != MEMTUN_A_END)
		attribute_set_remove(set, which);
}

static bool list_has(const enum memtun_attribute *list, enum memtun_attribute which)
{
	while (*list != MEMTUN_A_UNSPEC && *list != which)
		list++;
	return *list != MEMTUN_A_UNSPEC;
}

int attribute_set_check(const struct attribute_set *set, const struct attribute_choice *choice,
			const char *taker, struct fault *fault)
{
	const enum memtun_attribute *required = choice->required;
	enum memtun_attribute which = MEMTUN_A_UNSPEC;

	for (; *required != MEMTUN_A_UNSPEC; required++) {
		if (!attribute_set_has(set, *required))
			return fault_set(fault, EINVAL, "%s needs %s", taker,
					 attributes[*required].word);
	}
	while ((which = attribute_set_next(set, which)) != MEMTUN_A_END) {
		if (!attribute_is_option(which, choice->options) &&
		    !list_has(choice->required, which) && !list_has(choice->allowed, which))
			return fault_set(fault, EINVAL, "%s takes no %s", taker,
					 attributes[which].word);
	}
	return 0;
}

int attribute_set_copy(struct attribute_set *copy, const struct attribute_set *set)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;

	attribute_set_clear(copy);
	while ((which = attribute_set_next(set, which)) != MEMTUN_A_END) {
		if (attribute_is_string(which)) {
			char *string = strdup(set->values[which].string);

			if (!string)
				return -1;
			attribute_set_put_string(copy, which, string);
		} else {
			attribute_set_put_number(copy, which, set->values[which].number);
		}
	}
	return 0;
}

void attribute_set_free(struct attribute_set *copy)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;

	while ((which = attribute_set_next(copy, which)) != MEMTUN_A_END) {
		if (attribute_is_string(which))
			free((void *)(uintptr_t)copy->values[which].string);
	}
}

/* Return the number of the word in the attribute's list, from 1; 0: it isn't there. */
static uint64_t words_find(const struct attribute *attribute, const char *word)
{
	for (uint64_t number = 1; number <= attribute->max; number++) {
		const char *one = attribute->words[number - 1];

		if (one && strcmp(one, word) == 0)
			return number;
	}
	return 0;
}

static int words_fault(const struct attribute *attribute, const char *value, struct fault *fault)
{
	char list[100] = "";
	size_t used = 0;

	for (size_t i = 0; i < attribute->max && used < sizeof(list); i++) {
		if (!attribute->words[i])
			continue;
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 attribute->words[i]);
	}
	return fault_set(fault, EINVAL, "%s is one of %s, not '%.40s'", attribute->word, list,
			 value);
}

/* Read words with '+' between them, or "none", as the bits that they name. */
static int bits_parse(const struct attribute *attribute, const char *value, uint64_t *bits,
		      struct fault *fault)
{
	const char *const *words = attribute->words;

	*bits = 0;
	if (strcmp(value, "none") == 0)
		return 0;
	for (;;) {
		size_t length = strcspn(value, "+");
		size_t bit = 0;

		while (words[bit] &&
		       (strncmp(words[bit], value, length) != 0 || words[bit][length]))
			bit++;
		if (!words[bit])
			return fault_set(fault, EINVAL, "%s has no '%.*s'", attribute->word,
					 length < 40 ? (int)length : 40, value);
		*bits |= UINT64_C(1) << bit;
		if (value[length] == '\0')
			return 0;
		value += length + 1;
	}
}

static void bits_format(const struct attribute *attribute, uint64_t bits, char text[], size_t size)
{
	size_t used = 0;

	snprintf(text, size, "none");
	for (size_t bit = 0; attribute->words[bit] && used < size; bit++) {
		if (bits >> bit & 1)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "+" : "",
						 attribute->words[bit]);
	}
}

/* Say that the value is neither a number nor bits of the attribute, whose words the message has. */
static int bits_or_number_fault(const struct attribute *attribute, const char *value,
				struct fault *fault)
{
	char list[ATTRIBUTE_BITS_TEXT_SIZE];

	bits_format(attribute, UINT64_MAX, list, sizeof(list));
	return fault_set(fault, EINVAL, "%s takes a number, none, or words of %s, not '%.40s'",
			 attribute->word, list, value);
}

static int number_parse(const struct attribute *attribute, const char *value, uint64_t *number,
			struct fault *fault)
{
	char *end;

	if (attribute->words && (value[0] < '0' || value[0] > '9'))
		return bits_parse(attribute, value, number, fault) < 0
			       ? bits_or_number_fault(attribute, value, fault)
			       : 0;
	errno = 0;
	*number = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno == ERANGE)
		return fault_set(fault, EINVAL, "%s takes a number, not '%.40s'", attribute->word,
				 value);
	return 0;
}

/* Read a number with a unit. */
static int quantity_parse(const struct attribute *attribute, const char *value, uint64_t *number,
			  struct fault *fault)
{
	const char *what = "a number such as 3 or 1.5";
	int result;

	if (attribute->type == ATTRIBUTE_PERCENT) {
		what = "a percentage such as 5% or 0.1%";
		result = quantity_parse_percent(value, number);
	} else if (attribute->type == ATTRIBUTE_TIME) {
		what = "a time with its unit (" QUANTITY_TIME_UNITS "), such as 20ms";
		result = quantity_parse_time(value, number);
	} else if (attribute->type == ATTRIBUTE_RATE) {
		what = "a rate such as 10mbit or 500kbit";
		result = quantity_parse_rate(value, number);
	} else {
		result = quantity_parse_thousandths(value, number);
	}
	if (result == 0)
		return 0;
	return fault_set(fault, EINVAL, "%s takes %s, not '%.40s'%s", attribute->word, what, value,
			 errno == ERANGE ? ": it has too many digits" : "");
}

int attribute_set_parse(struct attribute_set *set, enum memtun_attribute which, const char *value,
			struct fault *fault)
{
	const struct attribute *attribute = &attributes[which];
	uint64_t number = 0;

	if (!value && attribute->type != ATTRIBUTE_FLAG)
		return fault_set(fault, EINVAL, "%s needs a value", attribute->word);
	switch (attribute->type) {
	case ATTRIBUTE_NAME:
	case ATTRIBUTE_TEXT:
		if (attribute_check_string(which, value, fault) < 0)
			return -1;
		attribute_set_put_string(set, which, value);
		return 0;
	case ATTRIBUTE_FLAG:
		if (value && strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
			return fault_set(fault, EINVAL, "%s is on or off, not '%.40s'",
					 attribute->word, value);
		number = !value || strcmp(value, "on") == 0;
		break;
	case ATTRIBUTE_WORD:
		number = words_find(attribute, value);
		if (number == 0)
			return words_fault(attribute, value, fault);
		break;
	case ATTRIBUTE_BITS:
		if (bits_parse(attribute, value, &number, fault) < 0)
			return -1;
		break;
	case ATTRIBUTE_PERCENT:
	case ATTRIBUTE_THOUSANDTHS:
	case ATTRIBUTE_TIME:
	case ATTRIBUTE_RATE:
		if (quantity_parse(attribute, value, &number, fault) < 0 ||
		    attribute_check_number(which, number, fault) < 0)
			return -1;
		break;
	case ATTRIBUTE_U32:
	case ATTRIBUTE_U64:
		if (number_parse(attribute, value, &number, fault) < 0 ||
		    attribute_check_number(which, number, fault) < 0)
			return -1;
		break;
	case ATTRIBUTE_NONE:
		return fault_set(fault, EINVAL, "attribute %d is unknown", which);
	}
	attribute_set_put_number(set, which, number);
	return 0;
}

const char *attribute_format(const struct attribute_set *set, enum memtun_attribute which,
			     char text[], size_t size)
{
	const struct attribute *attribute = &attributes[which];
	uint64_t number = set->values[which].number;

	if (attribute_is_string(which))
		snprintf(text, size, "%s", set->values[which].string);
	else if (attribute->type == ATTRIBUTE_WORD && number >= 1 && number <= attribute->max &&
		 attribute->words[number - 1])
		snprintf(text, size, "%s", attribute->words[number - 1]);
	else if (attribute->type == ATTRIBUTE_FLAG)
		snprintf(text, size, "%s", number ? "on" : "off");
	else if (attribute->type == ATTRIBUTE_BITS)
		bits_format(attribute, number, text, size);
	else
		number_format(attribute, number, text, size);
	return text;
}
