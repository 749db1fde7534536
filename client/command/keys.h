/* SPDX-License-Identifier: MIT */
/*
 * The keys of `KEY VALUE` words: their help, and how they become options of a request.
 */
#ifndef MEMTUN_KEYS_H
#define MEMTUN_KEYS_H

#include "client/command/suggestion.h"
#include "memtun.h"

/* The commands that take a key. */
enum {
	KEYS_ADD = 1,
	KEYS_SET = 2,
	KEYS_EXEC = 4, /* in a SPEC */
	KEYS_HOST = 8,
	KEYS_BRIDGE_ADD = 16,
	KEYS_UPLINK_ADD = 32,
	KEYS_UPLINK_SET = 64,
	KEYS_NETNS = 128, /* in a SPEC */
	KEYS_WRAP = 256,  /* in a SPEC */
	KEYS_IMPAIR = 512,
	KEYS_IMPAIR_ADD = 1024,
};

struct key {
	const char *name;
	const char *value; /* how the help calls it; NULL: a flag */
	const char *help;  /* one line */
	unsigned int commands;
};

/* All keys; the last one has no name. Two keys of different commands may have the same name. */
extern const struct key keys[];

/*
 * Set the option that the words begin with: a flag, or a key and its value. The words must outlive
 * the options. Return how many words that are, or -1 after a message. A message may suggest keys
 * of the commands of_commands.
 */
int keys_take(struct memtun_options *options, unsigned int of_commands, int count, char **words);

/* Parse `KEY VALUE`... into new options, which the caller frees. NULL after a message. */
struct memtun_options *keys_parse(unsigned int of_commands, int count, char **words);

/*
 * Copy the name that a SPEC begins with. Return 0, or EXIT_OURS after a message: the name is too
 * long, or the colon behind it is missing.
 */
int keys_spec_name(const char *spec, char name[MEMTUN_NAME_SIZE]);

/* Return the commands' key of that name, or NULL. */
const struct key *keys_find(unsigned int of_commands, const char *name);

/*
 * Return "; did you mean 'KEY'?" for a word that is no key of these commands. Return "" if no key
 * is similar, or if the word is another command's key.
 */
const char *keys_hint(unsigned int of_commands, const char *name, char hint[SUGGESTION_SIZE]);

/*
 * Find the first key of a SPEC's `KEY=VALUE,...` that is none, and return "; did you mean 'KEY'?".
 * If all are keys, or none is near, return "".
 */
const char *keys_hint_spec(unsigned int of_commands, const char *spec, char hint[SUGGESTION_SIZE]);

#endif
