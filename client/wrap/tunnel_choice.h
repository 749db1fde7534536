/* SPDX-License-Identifier: MIT */
/*
 * The options of the tunnels that the program makes: which SPEC of the command line applies to a
 * name.
 */
#ifndef MEMTUN_TUNNEL_CHOICE_H
#define MEMTUN_TUNNEL_CHOICE_H

#include "memtun.h"

struct tunnel_choice {
	const char *const *specs; /* "PATTERN:KEY=VALUE,...", NULL at the end; checked before */
	const char *bridge;       /* of tunnels whose SPEC has no bridge; NULL: none */
};

/* The size of a pattern with its NUL. It may be longer than a name: "[tT]un[0-9]*". */
#define TUNNEL_CHOICE_PATTERN 64

/*
 * Split the SPEC: store its pattern, and return its options ("" without any). NULL: the pattern is
 * empty or too long.
 */
const char *tunnel_choice_split(const char *spec, char pattern[TUNNEL_CHOICE_PATTERN]);

/*
 * Return the first option in `options` that only the program chooses, by the flags of TUNSETIFF.
 * NULL: there is none.
 */
const char *tunnel_choice_reserved(const struct memtun_options *options);

/*
 * Return new options for the tunnel that the program calls `name`, which may be empty or a
 * template. The caller frees them. NULL with ENOMEM.
 */
struct memtun_options *tunnel_choice_options(const struct tunnel_choice *choice, const char *name,
					     unsigned int flags);

#endif
