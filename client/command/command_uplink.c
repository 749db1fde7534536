/* SPDX-License-Identifier: MIT */
/*
 * memtun uplink: add, set, del and show.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/keys.h"
#include "client/command/listing.h"
#include "client/command/uplink_descriptor.h"
#include "client/command/user_names.h"
#include "client/lib/options.h"
#include "common/clock.h"
#include "memtun.h"

/* ------------------------------------------------------------------------------ add */

/* Tell that the uplink is down. This is no failure, but the user may have expected it to be up. */
static void uplink_made(const struct memtun_record *record, const char *name)
{
	const char *state = memtun_record_string(record, "state");
	const char *reason = memtun_record_string(record, "reason");

	if (state && strcmp(state, "down") == 0)
		command_fail(0,
			     "uplink %s is made, and not up yet%s%s; memtund goes on trying, and "
			     "memtun wait %s up waits for it",
			     name, reason ? ": " : "", reason ? reason : "", name);
}

/* The end of the reason of an uplink whose program is starting. */
#define IS_STARTING " is starting"

/* Milliseconds to wait for such a program, and between two looks. A start takes 20 ms; measured with
 * memtun-user. */
#define START_LIMIT 5000
#define START_INTERVAL 10

static bool uplink_is_starting(const struct memtun_record *record)
{
	const char *reason = memtun_record_string(record, "reason");
	size_t length = reason ? strlen(reason) : 0;

	return length >= strlen(IS_STARTING) &&
	       strcmp(reason + length - strlen(IS_STARTING), IS_STARTING) == 0;
}

struct start {
	const char *name;
	bool is_over; /* the program has started or failed, or the time is over */
	bool is_shown;
};

static void start_look(const struct memtun_record *record, void *context)
{
	struct start *start = context;

	start->is_shown = true;
	start->is_over |= !uplink_is_starting(record);
	if (start->is_over)
		uplink_made(record, start->name);
}

/* Wait until the uplink is up, or is down with the reason why it cannot start. */
static int uplink_finish(struct memtun *memtun, const char *name)
{
	int64_t limit = clock_now() + START_LIMIT * CLOCK_MILLISECOND;
	struct start start = {.name = name};

	for (;;) {
		start.is_shown = false;
		start.is_over = clock_now() >= limit;
		if (memtun_uplink_show(memtun, name, false, start_look, &start) < 0 &&
		    errno != ENOENT)
			return -1;
		/* Another client may have deleted it. */
		if (start.is_over || !start.is_shown)
			return 0;
		if (memtun_wait(memtun, START_INTERVAL) < 0 && errno != EINTR)
			return -1;
	}
}

/*
 * Make a relative path absolute, because memtund's working directory may be another one. @NAME and
 * vde://DIR are no paths.
 */
static int path_make_absolute(struct memtun_options *options, const char *key)
{
	const char *path = attribute_set_string(&options->set, attribute_find(key));
	char directory[PATH_MAX], absolute[PATH_MAX + MEMTUN_TEXT_SIZE];

	if (!path || path[0] == '/' || path[0] == '@' || strstr(path, "://"))
		return 0;
	if (!getcwd(directory, sizeof(directory)))
		return command_fail(EXIT_REFUSED, "cannot find the working directory: %s",
				    strerror(errno));
	snprintf(absolute, sizeof(absolute), "%s/%s", directory, path);
	if (memtun_options_set(options, key, absolute) == 0)
		return 0;
	return command_fail(EXIT_USAGE, "%s: %s", absolute, memtun_options_error(options));
}

/* Put the number of the group in the place of its name, because memtund looks up no names. */
static int group_make_number(struct memtun_options *options)
{
	const char *name = attribute_set_string(&options->set, MEMTUN_A_SOCKET_GROUP);
	char number[16];
	gid_t group;

	if (!name || strspn(name, "0123456789") == strlen(name))
		return 0;
	if (user_group_find(name, &group) < 0)
		return command_fail(EXIT_USAGE, "socket-group: there is no group '%s'", name);
	snprintf(number, sizeof(number), "%u", group);
	memtun_options_set(options, "socket-group", number);
	return 0;
}

/* Return whether the uplink listens on an address and not on a path: NAME:NUMBER. */
static bool listens_on_address(const struct memtun_options *options)
{
	const char *listen = attribute_set_string(&options->set, MEMTUN_A_LISTEN);
	const char *colon = listen ? strrchr(listen, ':') : NULL;

	return colon && colon[1] && !strchr(listen, '/') &&
	       strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

static int uplink_prepare(struct memtun_options *options)
{
	uint64_t type = attribute_set_number(&options->set, MEMTUN_A_TYPE);
	int status = path_make_absolute(options, "path");

	if (status == 0 && !listens_on_address(options))
		status = path_make_absolute(options, "listen");
	if (status == 0)
		status = group_make_number(options);

	/* The remote of the other types is an address. */
	if (status == 0 && type == MEMTUN_UPLINK_DGRAM)
		status = path_make_absolute(options, "remote");
	return status;
}

/* Parse the words behind the NAME: those of uplink_descriptor.h, and options. 0, or the exit status
 * after a message. */
static int uplink_parse(const struct invocation *invocation, struct memtun_options *options,
			struct uplink_descriptor *descriptor)
{
	for (int i = 1; i < invocation->count;) {
		int left = invocation->count - i;
		int taken = uplink_descriptor_take(descriptor, left, invocation->words + i);

		if (taken == 0)
			taken = keys_take(options, KEYS_UPLINK_ADD, left, invocation->words + i);
		if (taken < 0)
			return EXIT_USAGE;
		i += taken;
	}
	return uplink_descriptor_check(descriptor, options);
}

static int uplink_add(const struct invocation *invocation)
{
	struct uplink_descriptor descriptor = UPLINK_DESCRIPTOR_NONE;
	struct memtun_options *options = memtun_options_new();
	uint64_t type;
	int status;

	if (!options)
		return command_fail(EXIT_REFUSED, "out of memory");
	status = uplink_parse(invocation, options, &descriptor);
	type = attribute_set_number(&options->set, MEMTUN_A_TYPE);
	if (status == 0 && type != MEMTUN_UPLINK_FD && type != MEMTUN_UPLINK_DEVICE)
		return request_run_options(invocation, options);
	if (status == 0)
		status = uplink_descriptor_run(&descriptor, invocation, options);
	memtun_options_free(options);
	return status;
}

static const struct command command_uplink_add = {
	.name = "uplink add",
	.summary = "make an uplink, a port that joins a bridge to something outside",
	.usage = "NAME bridge BRIDGE type TYPE [KEY VALUE]...",
	.example = "memtun uplink add lan bridge lab type mcast group 230.0.0.1 port 5558",
	.keys = KEYS_UPLINK_ADD,
	.needs = "a NAME, a bridge, a type and the keys of that type",
	.words_min = 2,
	.words_max = WORDS_ANY,
	.request = {MEMTUN_CMD_UPLINK_ADD, uplink_prepare, uplink_made, uplink_is_starting,
		    uplink_finish},
	.run = uplink_add,
};

/* ------------------------------------------------------------------------------ set */

static const struct command command_uplink_set = {
	.name = "uplink set",
	.summary = "change an uplink",
	.usage = "NAME KEY VALUE...",
	.example = "memtun uplink set lan queue 200 overflow drop-head",
	.keys = KEYS_UPLINK_SET,
	.needs = "the NAME of an uplink and a KEY",
	.words_min = 2,
	.words_max = WORDS_ANY,
	.request = {MEMTUN_CMD_UPLINK_SET},
	.run = request_run,
};

/* ------------------------------------------------------------------------------ del */

static const struct command command_uplink_delete = {
	.name = "uplink del",
	.aliases = DELETE_ALIASES,
	.summary = "delete uplinks",
	.usage = "NAME...",
	.example = "memtun uplink del lan",
	.needs = "the NAME of an uplink",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.request = {MEMTUN_CMD_UPLINK_DELETE, .has_names = true},
	.run = request_run,
};

/* ------------------------------------------------------------------------------ show */

static int uplink_show(const struct invocation *invocation)
{
	static const char *const columns[] = {
		"name", "type", "bridge", "vlan", "state", "joined-to", "reason", NULL,
	};

	return listing_run(invocation, memtun_uplink_show, columns);
}

static const struct command command_uplink_show = {
	.name = "uplink show",
	.aliases = SHOW_ALIASES,
	.summary = "list one uplink, or all",
	.usage = "[NAME]",
	.example = "memtun uplink show -s",
	.options = listing_options,
	.words_max = 1,
	.run = uplink_show,
};

static const struct command *const group[] = {
	&command_uplink_add,
	&command_uplink_set,
	&command_uplink_show,
	&command_uplink_delete,
	NULL,
};

const struct command command_uplink = {
	.name = "uplink",
	.summary = "make, change and list uplinks, which join bridges to the outside",
	.group = group,
};
