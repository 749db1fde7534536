/* SPDX-License-Identifier: MIT */
/*
 * What a command of memtun is, how it was called, and what several commands share. The file of a
 * command defines its struct command, with its help; main.c has the table of all commands.
 */
#ifndef MEMTUN_COMMAND_H
#define MEMTUN_COMMAND_H

#include <stdbool.h>

#include "client/command/request.h"
#include "common/exit_status.h"
#include "common/process.h"
#include "memtun.h"

struct command_option {
	const char *name;     /* "--timeout", or "-w" if it has a letter only */
	char letter;          /* of an option with both; else 0 */
	const char *argument; /* how the help calls its value; NULL: it takes none */
	const char *help;     /* one line */
};

/* Options that several commands have in their tables. */
#define TAKES_JSON(help_text)                                      \
	{                                                          \
		.name = "--json", .letter = 'j', .help = help_text \
	}
#define TAKES_STATISTICS                                                       \
	{                                                                      \
		.name = "--statistics", .letter = 's', .help = "show counters" \
	}
#define TAKES_READY_FD(help_text)                                         \
	{                                                                 \
		.name = "--ready-fd", .argument = "FD", .help = help_text \
	}

/* The aliases of show and of del, for tunnels, bridges, uplinks and sessions alike. */
#define SHOW_ALIASES         \
	{                    \
		"list", "ls" \
	}
#define DELETE_ALIASES   \
	{                \
		"delete" \
	}

struct command;

struct given_option {
	const struct command_option *option;
	const char *value; /* NULL: it takes none */
};

struct invocation {
	const struct command *command;
	char **arguments; /* the whole command line */
	char **words;     /* behind the command's name, without options; NULL at the end */
	int count;
	struct given_option *given; /* the options, in their order */
	int given_count;
	const struct process_signals *inherited; /* for a program that the command executes */
};

#define WORDS_ANY (-1)

struct command {
	const char *name;       /* in a group with the group's name before it: "bridge add" */
	const char *aliases[3]; /* other last words of the name, NULL at the end */
	const char *summary;    /* one line of the list of commands */
	const char *usage;      /* what follows the name; a line for each form */
	const char *about;      /* more lines of its help; NULL: none */
	const char *example;    /* a line of shell */
	const struct command_option *options; /* the last one has no name; NULL: none */
	unsigned int keys;                    /* the KEYS_ of keys.h that it takes */
	const char *needs;                    /* how a message calls the words that must be there */
	int words_min, words_max;             /* words_max may be WORDS_ANY */
	const struct command *const *group;   /* its subcommands, NULL at the end */
	bool stops_at_word;                   /* options end at the first word that is none */
	int usage_status;                     /* for a wrong command line; 0: EXIT_USAGE */
	struct request request;               /* of a command that request_run() runs */

	/* Return the exit status. A group has none of its own. */
	int (*run)(const struct invocation *invocation);
};

/* All commands, NULL at the end. */
extern const struct command *const commands[];

/*
 * Return the command with that name, or with an alias of it, in a table such as commands. NULL:
 * print that there is none, with the nearest name. group: the table's command, NULL for commands.
 */
const struct command *command_find(const struct command *const table[], const struct command *group,
				   const char *word);

/* Print the message to standard error with "memtun: " before it, and return the status. */
int command_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print the line to standard error. */
void command_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Use the connection. Return the exit status, or -1 with memtun_error(). */
typedef int connected_function(struct memtun *memtun, void *context);

/*
 * Connect to the broker, call the function, print memtun_error() if it returned -1, and close the
 * connection. Return the exit status.
 */
int command_connected(const struct invocation *invocation, connected_function *function,
		      void *context);

/*
 * Do the same, but wait for the broker's answers for `timeout` milliseconds, not for
 * --reply-timeout. After that time return timeout_status.
 */
int command_connected_within(const struct invocation *invocation, int timeout, int timeout_status,
			     connected_function *function, void *context);

/* Store --reply-timeout or its default. Return 0, or the exit status after a message. */
int command_reply_timeout(const struct invocation *invocation, int *milliseconds);

/*
 * Write a newline to the descriptor and close it, so that a script knows when to go on. -1: none.
 */
int command_ready(int fd);

/* Find the mode of a tunnel or of an uplink. -1 with errno and memtun_error(). */
int command_find_mode(struct memtun *memtun, const char *name, enum memtun_mode *mode);

#endif
