/* SPDX-License-Identifier: MIT */
/*
 * memtun exec opens tunnels, moves their descriptors to the numbers from 3 up, and executes the
 * program in its own process. When the program ends, its descriptors are closed, and the broker
 * deletes the tunnels that are not persistent.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/keys.h"
#include "client/command/own_broker.h"
#include "common/descriptor.h"
#include "memtun.h"

/* The number of the first descriptor: SD_LISTEN_FDS_START of sd_listen_fds(3). */
#define FIRST_FD 3

/* A bound for the descriptors of one program, more than a command line is likely to have. */
#define TUNNELS_MAX 128

struct opened {
	const char *spec;
	char asked[MEMTUN_NAME_SIZE]; /* the name in the SPEC, possibly a template */
	char name[MEMTUN_NAME_SIZE];  /* what the template became */
	int fd;
};

struct exec {
	struct opened tunnels[TUNNELS_MAX];
	int count;
	char **command;
};

/* ------------------------------------------------------------------------------ command line */

static int exec_add_spec(struct exec *exec, const char *spec)
{
	struct opened *opened = &exec->tunnels[exec->count];

	if (exec->count == TUNNELS_MAX)
		return command_fail(EXIT_OURS, "more than %d tunnels", TUNNELS_MAX);
	if (keys_spec_name(spec, opened->asked))
		return EXIT_OURS;
	opened->spec = spec;
	opened->fd = -1;
	exec->count++;
	return 0;
}

static int exec_parse(struct exec *exec, const struct invocation *invocation)
{
	int status = 0;

	for (int i = 0; i < invocation->given_count && status == 0; i++) {
		if (strcmp(invocation->given[i].option->name, "-t") == 0)
			status = exec_add_spec(exec, invocation->given[i].value);
	}
	/* Without -t, open one tunnel: a program without tunnels needs no exec. */
	if (status == 0 && exec->count == 0)
		status = exec_add_spec(exec, "tap%d");
	exec->command = invocation->words;
	return status;
}

/* ------------------------------------------------------------------------------ opening */

static int exec_open(struct memtun *memtun, struct opened *opened)
{
	const char *rest = strchr(opened->spec, ':');
	struct memtun_options *options = memtun_options_new();
	char hint[SUGGESTION_SIZE];
	int status = 0;

	if (!options)
		return command_fail(EXIT_OURS, "out of memory");
	if (rest && memtun_options_parse(options, rest + 1) < 0)
		status = command_fail(EXIT_OURS, "-t %s: %s%s", opened->spec,
				      memtun_options_error(options),
				      keys_hint_spec(KEYS_EXEC, rest + 1, hint));
	if (status == 0) {
		opened->fd = memtun_open_named(memtun, opened->asked, options, opened->name);
		if (opened->fd < 0)
			status = command_fail(EXIT_OURS, "-t %s: %s", opened->spec,
					      memtun_error(memtun));
	}
	memtun_options_free(options);
	return status;
}

static int exec_open_all(const struct invocation *invocation, struct exec *exec)
{
	struct memtun *memtun = NULL;
	int status = own_broker_connect(invocation, &memtun);

	for (int i = 0; i < exec->count && status == 0; i++)
		status = exec_open(memtun, &exec->tunnels[i]);
	memtun_free(memtun);
	return status;
}

/* ------------------------------------------------------------------------------ descriptors */

/* Move the tunnel's descriptor to the number, or with -1 to any free one. -1 with errno. */
static int opened_move(struct opened *opened, int number)
{
	int fd = number < 0 ? fcntl(opened->fd, F_DUPFD_CLOEXEC, FIRST_FD)
			    : dup2(opened->fd, number);

	if (fd < 0)
		return -1;
	close(opened->fd);
	opened->fd = fd;
	return 0;
}

/*
 * Move the descriptors to the numbers from 3 up, in their order, and let the program inherit them.
 * Only a later tunnel's descriptor that has the number of an earlier one is moved twice, so this
 * needs one free number, however small the limit of descriptors is.
 */
static int exec_move(struct exec *exec)
{
	for (int i = 0; i < exec->count; i++) {
		int number = FIRST_FD + i, result = 0;

		for (int k = i + 1; k < exec->count && result == 0; k++) {
			if (exec->tunnels[k].fd == number)
				result = opened_move(&exec->tunnels[k], -1);
		}
		if (result == 0 && exec->tunnels[i].fd == number)
			result = fcntl(number, F_SETFD, 0);
		else if (result == 0)
			result = opened_move(&exec->tunnels[i], number);
		if (result < 0)
			return command_fail(EXIT_OURS, "cannot move a descriptor: %s",
					    strerror(errno));
	}
	return 0;
}

static void variable_name(const char *name, char variable[], size_t size)
{
	size_t used = (size_t)snprintf(variable, size, "MEMTUN_FD_");

	for (; *name && used < size - 1; name++)
		variable[used++] = isalnum((unsigned char)*name) ? *name : '_';
	variable[used] = '\0';
}

/* Return whether the program will have the descriptor that memtun was started with. */
static bool is_inherited(const struct exec *exec, int fd)
{
	return (fd < FIRST_FD || fd >= FIRST_FD + exec->count) && fcntl(fd, F_GETFD) == 0;
}

/*
 * Remove each MEMTUN_FD_ variable of an outer exec whose descriptor the program will not have,
 * because it is closed or replaced.
 */
static void exec_clean_variables(const struct exec *exec)
{
	static const char prefix[] = "MEMTUN_FD_";

	for (char **variable = environ; variable && *variable;) {
		const char *value = strchr(*variable, '=');
		memory_owned char *name = NULL;

		if (strncmp(*variable, prefix, strlen(prefix)) == 0 && value &&
		    !is_inherited(exec, atoi(value + 1)))
			name = strndup(*variable, (size_t)(value - *variable));
		/* unsetenv(3) moves the next variable to this place. */
		if (!name || unsetenv(name) < 0)
			variable++;
	}
}

static int exec_set_variables(struct exec *exec)
{
	char names[TUNNELS_MAX * MEMTUN_NAME_SIZE] = "";
	char number[16];
	size_t used = 0;

	exec_clean_variables(exec);
	for (int i = 0; i < exec->count; i++) {
		char mine[32], other[32];

		variable_name(exec->tunnels[i].name, mine, sizeof(mine));
		for (int k = 0; k < i; k++) {
			variable_name(exec->tunnels[k].name, other, sizeof(other));
			if (strcmp(mine, other) == 0)
				return command_fail(EXIT_OURS, "'%s' and '%s' would both set %s",
						    exec->tunnels[k].name, exec->tunnels[i].name,
						    mine);
		}
		snprintf(number, sizeof(number), "%d", FIRST_FD + i);
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ":" : "",
					 exec->tunnels[i].name);
		if (setenv(mine, number, 1) < 0)
			return command_fail(EXIT_OURS, "out of memory");
	}
	snprintf(number, sizeof(number), "%d", exec->count);
	if (setenv("LISTEN_FDS", number, 1) < 0 || setenv("LISTEN_FDNAMES", names, 1) < 0)
		return command_fail(EXIT_OURS, "out of memory");
	snprintf(number, sizeof(number), "%d", (int)getpid());
	/* systemd's LISTEN_PIDFDID would say that the descriptors are those of another process. */
	if (setenv("LISTEN_PID", number, 1) < 0 || unsetenv("LISTEN_PIDFDID") < 0)
		return command_fail(EXIT_OURS, "out of memory");
	return 0;
}

/* If the text begins with the {NAME} of a tunnel, return the tunnel's descriptor and set *end to
 * the text after the '}'. Return -1 if not. */
static int placeholder(const struct exec *exec, const char *text, const char **end)
{
	const char *close_brace = text[0] == '{' ? strchr(text, '}') : NULL;
	size_t length = close_brace ? (size_t)(close_brace - text - 1) : 0;

	for (int i = 0; close_brace && i < exec->count; i++) {
		const struct opened *opened = &exec->tunnels[i];

		if ((strlen(opened->name) == length &&
		     memcmp(opened->name, text + 1, length) == 0) ||
		    (strlen(opened->asked) == length &&
		     memcmp(opened->asked, text + 1, length) == 0)) {
			*end = close_brace + 1;
			return FIRST_FD + i;
		}
	}
	return -1;
}

/* Return a copy of the argument with the placeholders replaced. NULL with ENOMEM. */
static char *exec_expand(const struct exec *exec, const char *argument)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		return NULL;
	while (*argument) {
		const char *end;
		int fd = placeholder(exec, argument, &end);

		if (fd < 0) {
			fputc(*argument++, out);
			continue;
		}
		fprintf(out, "%d", fd);
		argument = end;
	}
	failed = ferror(out);
	if (fclose(out) == EOF || failed) {
		free(text);
		return NULL;
	}
	return text;
}

/* Run the program with the placeholders replaced. Return only on failure, with the exit status. */
static int exec_program(const struct exec *exec, const struct invocation *invocation)
{
	int count = 0, status = 0;

	for (; exec->command[count]; count++) {
		char *text = exec_expand(exec, exec->command[count]);

		if (!text) {
			status = command_fail(EXIT_OURS, "out of memory");
			break;
		}
		exec->command[count] = text;
	}
	if (status == 0) {
		process_restore_signals(invocation->inherited);
		execvp(exec->command[0], exec->command);
		status = command_fail(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN,
				      "cannot run %s: %s", exec->command[0], strerror(errno));
	}
	while (count--)
		free(exec->command[count]);
	return status;
}

static int exec_run(const struct invocation *invocation)
{
	struct exec exec = {0};
	int status = exec_parse(&exec, invocation);

	if (status == 0)
		status = exec_open_all(invocation, &exec);
	if (status == 0)
		status = exec_set_variables(&exec);
	if (status == 0)
		status = exec_move(&exec);
	if (status == 0)
		status = exec_program(&exec, invocation);
	for (int i = 0; i < exec.count; i++)
		descriptor_close(&exec.tunnels[i].fd);
	return status;
}

static const struct command_option exec_options[] = {
	{"-t", 0, "SPEC", "open this tunnel: NAME[:KEY=VALUE,FLAG,...]"},
	{0},
};

const struct command command_exec = {
	.name = "exec",
	.summary = "run a program with tunnels as its descriptors from 3 up",
	.usage = "[--] PROGRAM [ARGUMENT]...",
	.about = "{NAME} in an ARGUMENT becomes the number of that tunnel's descriptor.\n"
		 "Braces with another text stay as they are.\n"
		 "Give -t up to 128 times; the descriptors have the same order.\n"
		 "Without -t, one tunnel tap%d is opened.\n"
		 "If no broker runs, a private one is started.",
	.example = "memtun exec -t vm0:bridge=lab sh -c 'echo descriptor {vm0}'",
	.options = exec_options,
	.keys = KEYS_EXEC,
	.needs = "a PROGRAM to run",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.stops_at_word = true,
	.usage_status = EXIT_OURS,
	.run = exec_run,
};
