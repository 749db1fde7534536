/* SPDX-License-Identifier: MIT */
/*
 * The keys of a rule in one line, for memtun impair show and memtun monitor.
 */
#ifndef MEMTUN_RULE_VIEW_H
#define MEMTUN_RULE_VIEW_H

#include <stdio.h>

#include "memtun.h"

/* Write the rule's `KEY VALUE`s that impair, as memtun impair add takes them. */
void rule_view_write(const struct memtun_record *record, FILE *to);

#endif
