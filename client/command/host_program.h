/* SPDX-License-Identifier: MIT */
/*
 * What the commands that become memtun-host share: the addresses of the command line, the tunnel,
 * and the program. They check all before, so that memtun-host starts only if it can work.
 */
#ifndef MEMTUN_HOST_PROGRAM_H
#define MEMTUN_HOST_PROGRAM_H

#include <stdint.h>

#include "common/host_addresses.h"
#include "memtun.h"

/* Words for memtun-host, of which each key has a value: more than a command line makes. */
#define HOST_WORDS_MAX 32

struct host_program {
	char opened[MEMTUN_NAME_SIZE]; /* the tunnel: what a template became */
	struct host_addresses addresses;
	const char *words[HOST_WORDS_MAX];
	int word_count;
	int ready_fd; /* -1: none */
	int fd;       /* of the tunnel, -1: none; the caller closes it */
	/* Of the tunnel, which may have existed before. */
	uint64_t mode, mtu;
	const char *unfit; /* the option that memtun-host can't work with; NULL: none */
};

/* Add a key and its value for memtun-host. The strings must live on. */
void host_program_add(struct host_program *program, const char *key, const char *value);

/* Add `address A/P` or `gateway G`, which the user gave after `word`. 0, or EXIT_USAGE after a
 * message. */
int host_program_add_address(struct host_program *program, const char *key, const char *word,
			     const char *value);

/* Open the tunnel, and check that memtun-host can use it with these addresses. As a
 * connected_function. */
int host_program_open(struct host_program *program, struct memtun *memtun, const char *name,
		      const struct memtun_options *options);

/* Become memtun-host. Return the exit status after a message. */
int host_program_exec(struct host_program *program);

#endif
