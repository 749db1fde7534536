/* SPDX-License-Identifier: MIT */
/*
 * memtun uplink add, del, show.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/listing.h"
#include "memtun.h"
#include "client/lib/options.h"

static const char *const keys[] = {
	"name", "type", "bridge", "state", "joined-to", "reason", NULL,
};

/* It was made; that it is down is nothing that failed, but not what was wished for either. */
static void uplink_added(const struct memtun_record *record, void *context)
{
	const char *state = memtun_record_string(record, "state");
	const char *reason = memtun_record_string(record, "reason");

	if (state && strcmp(state, "down") == 0)
		command_fail(0,
			     "uplink %s is made, and not up yet%s%s; memtund goes on trying, and "
			     "memtun wait %s up waits for it",
			     (const char *)context, reason ? ": " : "", reason ? reason : "",
			     (const char *)context);
}

/* A path is meant from here, not from where memtund was started. @NAME and vde://DIR are none. */
static int path_make_absolute(struct memtun_options *options, const char *key)
{
	const char *path = attribute_set_string(&options->set, attribute_find(key));
	char directory[PATH_MAX], absolute[PATH_MAX + MEMTUN_TEXT_SIZE];

	if (!path || path[0] == '/' || path[0] == '@' || strstr(path, "://"))
		return 0;
	if (!getcwd(directory, sizeof(directory)))
		return command_fail(EXIT_REFUSED, "cannot tell what directory this is: %s",
				    strerror(errno));
	snprintf(absolute, sizeof(absolute), "%s/%s", directory, path);
	if (memtun_options_set(options, key, absolute) == 0)
		return 0;
	return command_fail(EXIT_USAGE, "%s: %s", absolute, memtun_options_error(options));
}

/* Parses the words; NULL after saying what is wrong, with *status what to exit with. */
static struct memtun_options *uplink_options(int count, char **words, int *status)
{
	struct memtun_options *options = command_options(count, words);
	enum memtun_uplink_type type;

	*status = EXIT_USAGE;
	if (!options)
		return NULL;
	type = (enum memtun_uplink_type)attribute_set_number(&options->set, MEMTUN_A_TYPE);
	*status = path_make_absolute(options, "path");
	/* Other types' are addresses. */
	if (*status == 0 && type == MEMTUN_UPLINK_DGRAM)
		*status = path_make_absolute(options, "remote");
	if (*status == 0)
		return options;
	memtun_options_free(options);
	return NULL;
}

static int uplink_add(const struct invocation *invocation, int count, char **words)
{
	int status;
	struct memtun_options *options = uplink_options(count - 1, words + 1, &status);
	struct memtun *memtun;

	if (!options)
		return status;
	memtun = command_connect(invocation, &status);
	if (memtun)
		status = memtun_uplink_add(memtun, words[0], options, uplink_added, words[0]) == 0
				 ? 0
				 : command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	memtun_free(memtun);
	memtun_options_free(options);
	return status;
}

static int uplink_delete(const struct invocation *invocation, const char *name)
{
	int status;
	struct memtun *memtun = command_connect(invocation, &status);

	if (memtun)
		status = memtun_uplink_delete(memtun, name) == 0
				 ? 0
				 : command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	memtun_free(memtun);
	return status;
}

static int uplink_show(const struct invocation *invocation, const char *name)
{
	int status;
	struct memtun *memtun = command_connect(invocation, &status);

	if (memtun)
		status = listing_print(invocation, memtun, name, memtun_uplink_show, keys);
	memtun_free(memtun);
	return status;
}

int command_uplink(const struct invocation *invocation, int count, char **words)
{
	const char *verb = count ? words[0] : "show";
	bool is_show = strcmp(verb, "show") == 0, is_add = strcmp(verb, "add") == 0;

	if (!is_show && !is_add && strcmp(verb, "del") != 0)
		return command_fail(EXIT_USAGE, "uplink add, del or show, not '%s'", verb);
	if (is_show ? count > 2 : is_add ? count < 2 : count != 2)
		return command_fail(EXIT_USAGE, "uplink %s takes %s", verb,
				    is_show  ? "one name, or none"
				    : is_add ? "a NAME, bridge B, type T and what that type needs"
					     : "one name");
	if (!is_show && command_check(invocation, is_add ? "uplink add" : "uplink del", 0))
		return EXIT_USAGE;
	if (is_show)
		return uplink_show(invocation, count > 1 ? words[1] : NULL);
	return is_add ? uplink_add(invocation, count - 1, words + 1)
		      : uplink_delete(invocation, words[1]);
}
