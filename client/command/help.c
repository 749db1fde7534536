/* SPDX-License-Identifier: MIT */
#include "client/command/help.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/commands.h"
#include "client/command/keys.h"
#include "client/command/left_out.h"
#include "client/command/options_parse.h"
#include "client/command/output.h"

#define TERM_SIZE 48

/*
 * Lines of a term and its help. Each section is put twice: once to measure its longest term, and
 * once to print.
 */
struct section {
	FILE *to;            /* NULL: the terms are measured */
	const char *heading; /* printed before the first line */
	int width;
};

static void section_put(struct section *section, const char *term, const char *help)
{
	if (!section->to) {
		if ((int)strlen(term) > section->width)
			section->width = (int)strlen(term);
		return;
	}
	if (section->heading)
		fprintf(section->to, "\n%s:\n", section->heading);
	section->heading = NULL;
	fprintf(section->to, "  %-*s  %s\n", section->width, term, help);
}

static void put_options(struct section *section, const struct command_option *options)
{
	for (; options && options->name; options++) {
		bool is_long = options->name[1] == '-';
		char term[TERM_SIZE], letter[] = {'-', options->letter, ',', ' ', '\0'};

		snprintf(term, sizeof(term), "%s%s%s%s",
			 !is_long          ? ""
			 : options->letter ? letter
					   : "    ",
			 options->name, options->argument ? " " : "",
			 options->argument ? options->argument : "");
		section_put(section, term, options->help);
	}
}

static void put_keys(struct section *section, unsigned int of_commands)
{
	for (const struct key *key = keys; key->name; key++) {
		char term[TERM_SIZE];

		if (!(key->commands & of_commands))
			continue;
		snprintf(term, sizeof(term), "%s%s%s", key->name, key->value ? " " : "",
			 key->value ? key->value : "");
		section_put(section, term, key->help);
	}
}

static void put_commands(struct section *section)
{
	for (size_t i = 0; commands[i]; i++)
		section_put(section, commands[i]->name, commands[i]->summary);
}

/*
 * Return a group's subcommand, or for index 0 a command that is no group. NULL: there are no more.
 */
static const struct command *member(const struct command *command, size_t index)
{
	if (command->group)
		return command->group[index];
	return index == 0 ? command : NULL;
}

static void options_print(FILE *to, const struct command *command)
{
	struct section section = {.heading = "Options"};

	do {
		section.to = section.width ? to : NULL;
		for (size_t i = 0; member(command, i); i++)
			put_options(&section, member(command, i)->options);
		put_options(&section, common_options);
	} while (!section.to);
}

static void keys_print(const struct command *command)
{
	struct section section = {.heading = command->stops_at_word ? "Keys of a SPEC" : "Keys"};
	unsigned int of_commands = 0;

	for (size_t i = 0; member(command, i); i++)
		of_commands |= member(command, i)->keys;
	put_keys(&section, of_commands);
	section.to = output;
	put_keys(&section, of_commands);
}

/* Print a line for each form of the command. */
static void usage_print(const struct command *command, const char *before)
{
	const char *form = command->usage;

	do {
		int length = (int)strcspn(form, "\n");

		fprintf(output, "%s memtun %s%s%s%.*s\n", before, command->name,
			command->options ? " [OPTION]..." : "", length ? " " : "", length, form);
		before = "      ";
		form += length;
	} while (*form++ == '\n');
}

void help_print(const struct command *command)
{
	for (size_t i = 0; member(command, i); i++)
		usage_print(member(command, i), i == 0 ? "Usage:" : "      ");
	fprintf(output, "%c%s.\n", toupper((unsigned char)command->summary[0]),
		command->summary + 1);
	if (command->about)
		fprintf(output, "%s\n", command->about);
	if (command->aliases[0])
		fprintf(output, "Other names of this command: %s%s%s.\n", command->aliases[0],
			command->aliases[1] ? ", " : "",
			command->aliases[1] ? command->aliases[1] : "");
	options_print(output, command);
	keys_print(command);
	fprintf(output, "\nExample%s:\n", command->group ? "s" : "");
	for (size_t i = 0; member(command, i); i++)
		fprintf(output, "  %s\n", member(command, i)->example);
}

void help_print_commands(FILE *to)
{
	struct section section = {.heading = "Commands"};

	fputs("Usage: memtun [OPTION]... COMMAND [ARGUMENT]...\n"
	      "TUN and TAP tunnels without /dev/net/tun and without root, from memtund.\n",
	      to);
	put_commands(&section);
	section.to = to;
	put_commands(&section);
	options_print(to, &memtun_itself);
	left_out_print(to);
	fputs("\n"
	      "Options go before a program that runs. memtun help COMMAND explains a command.\n"
	      "Exit status: 0 success, 1 refused or failed, 2 wrong usage, 3 no broker;\n"
	      "of expect, wait, host and ping 4 tunnel ended; also 5 limit, 124 timeout;\n"
	      "of exec and netns the program's, or 125 failed, 126 cannot run, 127 not found.\n",
	      to);
}

/* ------------------------------------------------------------------------------ memtun help */

static int help_run(const struct invocation *invocation)
{
	const struct command *command = NULL;

	if (invocation->count == 0) {
		help_print_commands(output);
		return EXIT_SUCCESS;
	}
	command = command_find(commands, NULL, invocation->words[0]);
	if (command && invocation->count == 2 && command->group)
		command = command_find(command->group, command, invocation->words[1]);
	if (!command)
		return EXIT_USAGE;
	help_print(command);
	return EXIT_SUCCESS;
}

const struct command command_help = {
	.name = "help",
	.summary = "explain memtun or one of its commands",
	.usage = "[COMMAND [SUBCOMMAND]]",
	.example = "memtun help bridge add",
	.words_max = 2,
	.run = help_run,
};
