/* SPDX-License-Identifier: MIT */
/*
 * Gives up what the broker has no use for: capabilities, and ever getting them.
 */
#ifndef MEMTUN_CONFINE_H
#define MEMTUN_CONFINE_H

/* -1 with errno. */
int confine(void);

#endif
