/* SPDX-License-Identifier: MIT */
/*
 * The interface of a tunnel, as text: what `memtun show NAME` prints below its table, and the end of
 * a line of memtun monitor.
 */
#ifndef MEMTUN_INTERFACE_VIEW_H
#define MEMTUN_INTERFACE_VIEW_H

#include <stdbool.h>
#include <stdio.h>

#include "memtun.h"

/* Write a line for each value, and for each element of a list: the key and the value. On a terminal,
 * a line that is too long goes on in the next one. */
void interface_view_write(FILE *to, const struct memtun_record *record);

/* Return whether the event reports that keys of an interface were set. */
bool interface_view_is_change(const struct memtun_record *record);

/*
 * Write the values that such an event tells of, behind the `used` columns of a line of at most 80.
 * "..." stands for what does not fit.
 */
void interface_view_write_change(FILE *to, const struct memtun_record *record, int used);

#endif
