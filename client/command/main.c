/* SPDX-License-Identifier: MIT */
/*
 * memtun: finds the command, checks how it was called, and runs it.
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/help.h"
#include "client/command/options_parse.h"
#include "client/command/output.h"
#include "config.h"

const struct command *const commands[] = {
	&command_add,
	&command_set,
	&command_delete,
	&command_show,
	&command_bridge,
	&command_uplink,
	&command_session,
	&command_clock,
	&command_impair,
	&command_exec,
	&command_wrap,
	&command_netns,
	&command_monitor,
	&command_inject,
	&command_expect,
	&command_wait,
	&command_capture,
	&command_extcap,
	&command_top,
	&command_host,
	&command_ping,
	&command_help,
	NULL,
};

/*
 * Replace a group by its subcommand: the first word, or show without a word. -1 after a message:
 * there is no such subcommand.
 */
static int subcommand_find(struct invocation *invocation)
{
	const struct command *group = invocation->command;
	const char *word = invocation->count > 0 ? invocation->words[0] : "show";

	if (!group->group || (invocation->count == 0 && options_has(invocation, "--help")))
		return 0;
	invocation->command = command_find(group->group, group, word);
	if (!invocation->command)
		return -1;
	if (invocation->count > 0) {
		invocation->words++;
		invocation->count--;
	}
	return 0;
}

/* Check the number of words. -1 after a message. */
static int words_check(const struct invocation *invocation)
{
	const struct command *command = invocation->command;

	if (invocation->count < command->words_min)
		command_fail(0, "%s needs %s; see memtun help %s", command->name, command->needs,
			     command->name);
	else if (command->words_max != WORDS_ANY && invocation->count > command->words_max)
		command_fail(0, "%s takes no '%s'; see memtun help %s", command->name,
			     invocation->words[command->words_max], command->name);
	else
		return 0;
	return -1;
}

/* Print the help or the version, if an option asks for it. */
static bool is_explained(const struct invocation *invocation)
{
	if (options_has(invocation, "--version"))
		fputs("memtun " PACKAGE_VERSION "\n", output);
	else if (!options_has(invocation, "--help"))
		return false;
	else if (invocation->command == &memtun_itself)
		help_print_commands(output);
	else
		help_print(invocation->command);
	return true;
}

/* Run the command that the first word names. */
static int command_run(struct invocation *invocation)
{
	int status;

	invocation->command = command_find(commands, NULL, invocation->words[0]);
	if (!invocation->command)
		return EXIT_USAGE;
	status = invocation->command->usage_status ? invocation->command->usage_status : EXIT_USAGE;
	if (options_parse(invocation, invocation->count, invocation->words) < 0 ||
	    subcommand_find(invocation) < 0)
		return status;
	if (is_explained(invocation))
		return EXIT_SUCCESS;
	if (options_check(invocation) < 0 || words_check(invocation) < 0)
		return status;
	return invocation->command->run(invocation);
}

static int invocation_run(struct invocation *invocation, int count, char **words)
{
	int status;

	invocation->command = &memtun_itself;
	if (options_parse(invocation, count, words) < 0)
		return EXIT_USAGE;
	if (invocation->count > 0) {
		status = command_run(invocation);
	} else if (is_explained(invocation)) {
		status = EXIT_SUCCESS;
	} else {
		help_print_commands(stderr);
		status = EXIT_USAGE;
	}
	if (output_flush() < 0)
		status = command_fail(EXIT_REFUSED, "cannot write standard output: %s",
				      strerror(errno));
	return status;
}

/*
 * Copy the command line into `words`, which have room for one more word and NULL, and return its
 * length. Wireshark executes memtun by the name of a link, which is the command extcap then.
 */
static int words_copy(char **words, int count, char **arguments)
{
	static char extcap[] = "extcap";
	int copied = 0;

	for (int i = 0; i < count; i++) {
		words[copied++] = arguments[i];
		if (i == 0 && strcmp(program_invocation_short_name, "memtun-extcap") == 0)
			words[copied++] = extcap;
	}
	return copied;
}

int main(int argc, char **argv)
{
	struct process_signals inherited;
	struct invocation invocation = {.arguments = argv, .inherited = &inherited};
	char **words;
	size_t room = 1;
	int status = EXIT_REFUSED;

	if (process_begin(&inherited) < 0)
		return command_fail(status, "cannot open /dev/null: %s", strerror(errno));
	/* Only for characters: numbers have a decimal point in every locale. */
	setlocale(LC_CTYPE, "");
	words = calloc((size_t)argc + 2, sizeof(*words));
	/* One word can contain several options, such as -js; each needs at least one byte. */
	for (int i = 0; i < argc; i++)
		room += strlen(argv[i]);
	invocation.words = words;
	invocation.given = calloc(room, sizeof(*invocation.given));
	if (words && invocation.given && output_open() == 0)
		status = invocation_run(&invocation, words_copy(words, argc, argv), words);
	else
		command_fail(status, "out of memory");
	free(invocation.given);
	free(words);
	return status;
}
