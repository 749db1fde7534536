/* SPDX-License-Identifier: MIT */
#include "common/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/failed.h"

struct unit {
	const char *word;
	uint64_t size;
};

static const struct unit percent_units[] = {{"%", 10000000}, {"", 10000000}, {0}};
static const struct unit time_units[] = {
	{"h", UINT64_C(3600000000000)},
	{"min", UINT64_C(60000000000)},
	{"s", 1000000000},
	{"sec", 1000000000},
	{"secs", 1000000000},
	{"ms", 1000000},
	{"msec", 1000000},
	{"msecs", 1000000},
	{"us", 1000},
	{"usec", 1000},
	{"usecs", 1000},
	{"ns", 1},
	{"nsec", 1},
	{"nsecs", 1},
	{0},
};
static const struct unit rate_units[] = {
	{"tbit", UINT64_C(1000000000000)},
	{"gbit", 1000000000},
	{"mbit", 1000000},
	{"kbit", 1000},
	{"bit", 1},
	{"", 1},
	{"tbps", UINT64_C(8000000000000)},
	{"gbps", UINT64_C(8000000000)},
	{"mbps", 8000000},
	{"kbps", 8000},
	{"bps", 8},
	{0},
};
static const struct unit thousandth_units[] = {{"", 1000}, {0}};

/* Read digits, and move *at behind them. -1 with ERANGE. */
static int digits_parse(const char **at, uint64_t *number)
{
	*number = 0;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(**at - '0'), number))
			return failed(ERANGE);
	}
	return 0;
}

static const struct unit *unit_find(const struct unit *units, const char *word)
{
	while (units->word && strcmp(units->word, word) != 0)
		units++;
	return units->word ? units : NULL;
}

/* Read a decimal number and its unit. The result is exact: more decimals than that are ERANGE. */
static int quantity_parse(const char *text, const struct unit *units, uint64_t *number)
{
	uint64_t whole, fraction = 0, scale = 1;
	const struct unit *unit;
	const char *at = text;

	if (*at < '0' || *at > '9')
		return failed(EINVAL);
	if (digits_parse(&at, &whole) < 0)
		return -1;
	if (*at == '.') {
		const char *point = ++at;

		if (digits_parse(&at, &fraction) < 0)
			return -1;
		if (at == point || at - point > 18)
			return failed(at == point ? EINVAL : ERANGE);
		for (; point < at; point++)
			scale *= 10;
	}
	unit = unit_find(units, at);
	if (!unit && *at == '\0' && whole == 0 && fraction == 0)
		unit = units;
	if (!unit)
		return failed(EINVAL);
	if (__builtin_mul_overflow(whole, unit->size, number) ||
	    __builtin_mul_overflow(fraction, unit->size, &fraction) || fraction % scale ||
	    __builtin_add_overflow(*number, fraction / scale, number))
		return failed(ERANGE);
	return 0;
}

int quantity_parse_percent(const char *text, uint64_t *billionths)
{
	return quantity_parse(text, percent_units, billionths);
}

int quantity_parse_time(const char *text, uint64_t *nanoseconds)
{
	return quantity_parse(text, time_units, nanoseconds);
}

int quantity_parse_rate(const char *text, uint64_t *bits)
{
	return quantity_parse(text, rate_units, bits);
}

int quantity_parse_thousandths(const char *text, uint64_t *thousandths)
{
	return quantity_parse(text, thousandth_units, thousandths);
}

/* Write number / size as a decimal number with only the decimals that it needs. */
static void decimal_format(uint64_t number, uint64_t size, const char *unit, char *text,
			   size_t length)
{
	uint64_t fraction = number % size;
	int decimals = 0;

	for (uint64_t rest = size; fraction && rest > 1; rest /= 10)
		decimals++;
	while (fraction && fraction % 10 == 0) {
		fraction /= 10;
		decimals--;
	}
	if (fraction)
		snprintf(text, length, "%" PRIu64 ".%0*" PRIu64 "%s", number / size, decimals,
			 fraction, unit);
	else
		snprintf(text, length, "%" PRIu64 "%s", number / size, unit);
}

/* Write the number in the largest of the units that divides it. */
static void unit_format(uint64_t number, const struct unit *units, const char *const words[],
			char *text, size_t length)
{
	const struct unit *unit = unit_find(units, *words);

	while (words[1] && number % unit->size)
		unit = unit_find(units, *++words);
	snprintf(text, length, "%" PRIu64 "%s", number / unit->size, unit->word);
}

void quantity_format_percent(uint64_t billionths, char *text, size_t size)
{
	decimal_format(billionths, 10000000, "%", text, size);
}

void quantity_format_time(uint64_t nanoseconds, char *text, size_t size)
{
	static const char *const words[] = {"s", "ms", "us", "ns", NULL};

	unit_format(nanoseconds, time_units, words, text, size);
}

void quantity_format_seconds(uint64_t nanoseconds, char *text, size_t size)
{
	static const uint64_t second = 1000000000;

	if (nanoseconds < second)
		quantity_format_time(nanoseconds, text, size);
	else
		decimal_format(nanoseconds, second, "s", text, size);
}

void quantity_format_rate(uint64_t bits, char *text, size_t size)
{
	static const char *const words[] = {"tbit", "gbit", "mbit", "kbit", "bit", NULL};

	unit_format(bits, rate_units, words, text, size);
}

void quantity_format_thousandths(uint64_t thousandths, char *text, size_t size)
{
	decimal_format(thousandths, 1000, "", text, size);
}
