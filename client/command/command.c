/* SPDX-License-Identifier: MIT */
#include "client/command/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command/options_parse.h"
#include "client/command/output.h"
#include "client/command/suggestion.h"

/* The default of --reply-timeout, milliseconds: longer than any turn of a busy broker. */
#define REPLY_TIMEOUT 10000

/* Return the last word of the command's name: "add" of "bridge add". */
static const char *command_word(const struct command *command)
{
	const char *blank = strrchr(command->name, ' ');

	return blank ? blank + 1 : command->name;
}

const struct command *command_find(const struct command *const table[], const struct command *group,
				   const char *word)
{
	struct suggestion suggestion = {.given = word};
	char hint[SUGGESTION_SIZE];

	for (; *table; table++) {
		if (suggestion_consider(&suggestion, command_word(*table)))
			return *table;
		for (size_t i = 0; (*table)->aliases[i]; i++) {
			if (suggestion_consider(&suggestion, (*table)->aliases[i]))
				return *table;
		}
	}
	command_fail(EXIT_USAGE, "there is no command '%s%s%s'%s", group ? group->name : "",
		     group ? " " : "", word,
		     suggestion_hint(&suggestion, group ? group->name : NULL, hint));
	return NULL;
}

/* Write one line to standard error, in one piece if the descriptor takes it. */
static void line_print(const char *before, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
static void line_print(const char *before, const char *format, va_list arguments)
{
	char *text = NULL;
	int length = vasprintf(&text, format, arguments);
	struct iovec parts[] = {
		{(void *)(uintptr_t)before, strlen(before)},
		{text, length < 0 ? 0 : (size_t)length},
		{(char[]){'\n'}, 1},
	};

	if (length < 0)
		return;
	output_write(STDERR_FILENO, parts, 3);
	free(text);
}

int command_fail(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line_print("memtun: ", format, arguments);
	va_end(arguments);
	return status;
}

void command_note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line_print("", format, arguments);
	va_end(arguments);
}

int command_reply_timeout(const struct invocation *invocation, int *milliseconds)
{
	*milliseconds = REPLY_TIMEOUT;
	return options_milliseconds(invocation, "--reply-timeout", milliseconds);
}

int command_connected(const struct invocation *invocation, connected_function *function,
		      void *context)
{
	int timeout;

	if (command_reply_timeout(invocation, &timeout))
		return EXIT_USAGE;
	return command_connected_within(invocation, timeout, EXIT_REFUSED, function, context);
}

int command_connected_within(const struct invocation *invocation, int timeout, int timeout_status,
			     connected_function *function, void *context)
{
	struct memtun *memtun = memtun_new();
	int status;

	if (!memtun)
		return command_fail(EXIT_REFUSED, "out of memory");
	memtun_set_timeout(memtun, timeout);
	if (memtun_connect(memtun, options_value(invocation, "--socket")) < 0) {
		status = errno == ENOENT || errno == ECONNREFUSED ? EXIT_NO_BROKER
			 : errno == ETIMEDOUT                     ? timeout_status
								  : EXIT_REFUSED;
		command_fail(status, "%s", memtun_error(memtun));
	} else {
		status = function(memtun, context);
		if (status < 0)
			status = command_fail(errno == ETIMEDOUT ? timeout_status : EXIT_REFUSED,
					      "%s", memtun_error(memtun));
	}
	memtun_free(memtun);
	return status;
}

int command_ready(int fd)
{
	if (fd < 0)
		return 0;
	if (write(fd, "\n", 1) == 1 && close(fd) == 0)
		return 0;
	return command_fail(EXIT_REFUSED, "cannot write to --ready-fd %d: %s", fd, strerror(errno));
}

static void mode_record(const struct memtun_record *record, void *context)
{
	uint64_t mode = 0;

	memtun_record_number(record, "mode", &mode);
	*(enum memtun_mode *)context = (enum memtun_mode)mode;
}

int command_find_mode(struct memtun *memtun, const char *name, enum memtun_mode *mode)
{
	/* Tunnels come last, so that the message for an unknown name is about a tunnel. */
	if (memtun_uplink_show(memtun, name, false, mode_record, mode) == 0)
		return 0;
	return memtun_show(memtun, name, false, mode_record, mode);
}
