/* SPDX-License-Identifier: MIT */
/* The parts of memtun that this build lacks, because it was built without their libraries. */
#ifndef MEMTUN_LEFT_OUT_H
#define MEMTUN_LEFT_OUT_H

#include <stdio.h>

/* Print a line for each part of memtun that was left out of this build; nothing if none was. */
void left_out_print(FILE *to);

#endif
