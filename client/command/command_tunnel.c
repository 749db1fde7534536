/* SPDX-License-Identifier: MIT */
/*
 * memtun add, set, del: what changes tunnels.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/command/command.h"
#include "memtun.h"

/* How an add goes: its answer may be many records. */
struct add {
	bool done;
	bool print; /* the names, as the caller couldn't know them */
	int error;
};

static void add_answered(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	struct add *add = context;

	(void)memtun;
	if (reply->record) {
		const char *name = memtun_record_string(reply->record, "name");

		if (add->print && name)
			puts(name);
		return;
	}
	add->done = true;
	add->error = reply->error;
	if (reply->error)
		command_fail(EXIT_REFUSED, "%s", reply->text);
}

int command_add(const struct invocation *invocation, int count, char **words)
{
	struct memtun_options *options;
	struct memtun *memtun;
	struct add add = {0};
	int status = EXIT_USAGE;

	if (count < 1)
		return command_fail(EXIT_USAGE, "add needs a NAME; see memtun --help");
	add.print = strchr(words[0], '%') != NULL;
	options = command_options(count - 1, words + 1);
	if (!options)
		return EXIT_USAGE;
	memtun = command_connect(invocation, &status);
	if (memtun && memtun_request(memtun, MEMTUN_CMD_TUNNEL_ADD, words[0], options, add_answered,
				     &add) < 0)
		status = command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	else if (memtun) {
		while (!add.done && (memtun_wait(memtun, -1) >= 0 || errno == EINTR))
			;
		status = add.error || !add.done ? EXIT_REFUSED : 0;
	}
	memtun_free(memtun);
	memtun_options_free(options);
	return status;
}

int command_set(const struct invocation *invocation, int count, char **words)
{
	struct memtun_options *options;
	struct memtun *memtun;
	int status = EXIT_USAGE;

	if (count < 2)
		return command_fail(EXIT_USAGE, "set needs a NAME and what to change; "
						"see memtun --help");
	options = command_options(count - 1, words + 1);
	if (!options)
		return EXIT_USAGE;
	memtun = command_connect(invocation, &status);
	if (memtun)
		status = memtun_set(memtun, words[0], options) == 0
				 ? 0
				 : command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	memtun_free(memtun);
	memtun_options_free(options);
	return status;
}

int command_delete(const struct invocation *invocation, int count, char **words)
{
	struct memtun *memtun;
	int status;

	if (count != 1)
		return command_fail(EXIT_USAGE, "del needs one NAME");
	memtun = command_connect(invocation, &status);
	if (!memtun)
		return status;
	status = memtun_delete(memtun, words[0]) == 0
			 ? 0
			 : command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	memtun_free(memtun);
	return status;
}
