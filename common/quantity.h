/* SPDX-License-Identifier: MIT */
/*
 * Numbers with a unit, as tc(8) writes them: times. Each is a whole number of a small unit, and
 * formatting it gives a text that is read as the same number.
 */
#ifndef MEMTUN_QUANTITY_H
#define MEMTUN_QUANTITY_H

#include <stddef.h>
#include <stdint.h>

/* Read a time with its unit (ns, us, ms, s, min or h), in nanoseconds. 0 needs no unit. -1: EINVAL,
 * ERANGE. */
int quantity_parse_time(const char *text, uint64_t *nanoseconds);

/* Write the number with its unit. */
void quantity_format_time(uint64_t nanoseconds, char *text, size_t size);

#endif
