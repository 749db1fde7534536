/* SPDX-License-Identifier: MIT */
/*
 * Numbers with a unit, as tc(8) writes them: percentages, times and rates. Each is a whole number of
 * a small unit, and formatting it gives a text that is read as the same number.
 */
#ifndef MEMTUN_QUANTITY_H
#define MEMTUN_QUANTITY_H

#include <stddef.h>
#include <stdint.h>

/* Read a percentage, such as 5% or 0.1, in billionths of the whole. -1: EINVAL, ERANGE. */
int quantity_parse_percent(const char *text, uint64_t *billionths);

/* The units of times, for messages. */
#define QUANTITY_TIME_UNITS "ns, us, ms, s, min, h"

/* Read a time with its unit (ns, us, ms, s, min or h), in nanoseconds. 0 needs no unit. -1: EINVAL,
 * ERANGE. */
int quantity_parse_time(const char *text, uint64_t *nanoseconds);

/* Read a rate with its unit (bit, kbit, mbit, gbit, tbit; bps and so on for bytes), in bits per
 * second, which a number without a unit is. -1: EINVAL, ERANGE. */
int quantity_parse_rate(const char *text, uint64_t *bits);

/* Read a number with up to three decimals, in thousandths. -1: EINVAL, ERANGE. */
int quantity_parse_thousandths(const char *text, uint64_t *thousandths);

/* Write the number with its unit. */
void quantity_format_percent(uint64_t billionths, char *text, size_t size);
void quantity_format_time(uint64_t nanoseconds, char *text, size_t size);
/* In seconds, with the decimals that the number needs, or below a second as quantity_format_time(). */
void quantity_format_seconds(uint64_t nanoseconds, char *text, size_t size);
void quantity_format_rate(uint64_t bits, char *text, size_t size);
void quantity_format_thousandths(uint64_t thousandths, char *text, size_t size);

#endif
