/* SPDX-License-Identifier: MIT */
/*
 * The settings of memtund, from its command line.
 */
#ifndef MEMTUN_SETTINGS_H
#define MEMTUN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"

/* How many --handoff options there may be. */
#define SETTINGS_HANDOFFS_MAX 16

struct settings {
	const char *address; /* NULL: the default one */
	const char *handoffs[SETTINGS_HANDOFFS_MAX];
	int handoff_count;
	int ready_fd; /* -1: none */
	bool has_seed;
	uint64_t seed; /* of MEMTUN_SEED */
	enum log_level level;
	bool manual_clock;
	bool kernel;    /* keep CAP_NET_ADMIN, to make interfaces of the kernel */
	char **command; /* NULL: a broker without a command of its own */
};

/*
 * Parse the command line. Returns -1 to go on; else the status to exit with, after --help, --version
 * or a message about what is wrong. The settings borrow the strings of argv.
 */
int settings_parse(struct settings *settings, int argc, char **argv);

#endif
