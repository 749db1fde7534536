/* SPDX-License-Identifier: MIT */
/*
 * memtun session: show and del.
 */
#include <stdlib.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/listing.h"
#include "client/command/options_parse.h"
#include "memtun.h"

/* Parse the ID on the command line. 0, or EXIT_USAGE after a message. */
static int id_parse(const char *word, uint32_t *id)
{
	const char *wrong;

	*id = (uint32_t)strtonum(word, 1, UINT32_MAX, &wrong);
	return wrong ? command_fail(EXIT_USAGE, "session %s: the ID is %s", word, wrong) : 0;
}

/* ------------------------------------------------------------------------------ del */

static int session_ask_delete(struct memtun *memtun, void *context)
{
	return memtun_session_delete(memtun, *(const uint32_t *)context);
}

static int session_delete(const struct invocation *invocation)
{
	uint32_t id;
	int status = id_parse(invocation->words[0], &id);

	return status ? status : command_connected(invocation, session_ask_delete, &id);
}

static const struct command command_session_delete = {
	.name = "session del",
	.aliases = DELETE_ALIASES,
	.summary = "disconnect a client, and end its captures and injectors",
	.usage = "ID",
	.example = "memtun session del 12",
	.needs = "the ID of a session",
	.words_min = 1,
	.words_max = 1,
	.run = session_delete,
};

/* ------------------------------------------------------------------------------ show */

/* Ask as listing_run() does: the name, if there is one, is an ID. */
static int session_ask(struct memtun *memtun, const char *name, bool statistics,
		       memtun_record_function *function, void *context)
{
	(void)statistics;
	return memtun_session_show(memtun, name ? (uint32_t)strtoul(name, NULL, 10) : 0, function,
				   context);
}

static int session_show(const struct invocation *invocation)
{
	static const char *const columns[] = {
		"id",       "owner",     "pid",           "program",      "state",
		"captures", "injectors", "subscriptions", "queued-bytes", NULL,
	};
	uint32_t id;
	int status = invocation->count ? id_parse(invocation->words[0], &id) : 0;

	return status ? status : listing_run(invocation, session_ask, columns);
}

static const struct command_option show_options[] = {
	TAKES_JSON("print a JSON array of objects"),
	{0},
};

static const struct command command_session_show = {
	.name = "session show",
	.aliases = SHOW_ALIASES,
	.summary = "list the clients of the broker, and what it keeps for them",
	.usage = "[ID]",
	.example = "memtun session show",
	.options = show_options,
	.words_max = 1,
	.run = session_show,
};

static const struct command *const group[] = {
	&command_session_show,
	&command_session_delete,
	NULL,
};

const struct command command_session = {
	.name = "session",
	.summary = "list and disconnect the clients of the broker",
	.group = group,
};
