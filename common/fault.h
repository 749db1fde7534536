/* SPDX-License-Identifier: MIT */
/*
 * A fault: why something failed, as an errno and as a text for people. The function that fails
 * fills it in. The broker sends it to the client, and the library and the command show it.
 */
#ifndef MEMTUN_FAULT_H
#define MEMTUN_FAULT_H

#include <stdint.h>

struct fault {
	int error;       /* errno */
	uint32_t offset; /* of the attribute in the message, 0: none */
	char text[200];
};

/* Fill in the fault, set errno and return -1. */
int fault_set(struct fault *fault, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
