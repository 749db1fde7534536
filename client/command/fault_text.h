/* SPDX-License-Identifier: MIT */
/*
 * Describes in words what has happened to a captured frame, for the comment of its packet in a file and
 * for the end of its line.
 */
#ifndef MEMTUN_FAULT_TEXT_H
#define MEMTUN_FAULT_TEXT_H

#include <stddef.h>

#include "memtun.h"

/* Bytes for any text, with its NUL. */
#define FAULT_TEXT_SIZE 201

/*
 * Write what the details say, such as "dropped: loss; rule 1, seed 7, frame 5", and the time of a
 * manual clock. Return whether there is anything to say; if not, the text is empty.
 */
bool fault_text(char text[FAULT_TEXT_SIZE], const struct memtun_capture_details *details);

#endif
