/* SPDX-License-Identifier: MIT */
/*
 * memtun wait: returns when a tunnel is open, closed or drained, when an uplink is up or down, or when
 * ports are quiet. A tunnel is drained when its client has read all frames for it. The broker tells
 * when a port is drained or quiet; events tell the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/listing.h"
#include "client/command/options_parse.h"
#include "common/clock.h"
#include "memtun.h"

/* What events have said, and the state of the port at the last check. */
struct waiting {
	const char *name, *state;
	bool reached; /* an event had the state, even if the port has left it since */
	bool deleted;
	bool exists;
	bool open;                     /* or up */
	char reason[MEMTUN_TEXT_SIZE]; /* why an uplink is down */
	bool is_answered;              /* the broker has said that the tunnel is drained, or: */
	int error;                     /* why it is not */
	char text[200];
};

/* The words of the command. waiting is here because the broker's answers are noted in it until the
 * connection ends. */
struct wait {
	const char *name, *state;
	int64_t until;                /* CLOCK_MONOTONIC, nanoseconds; -1: no end */
	uint64_t idle;                /* nanoseconds */
	char names[MEMTUN_TEXT_SIZE]; /* that are to be quiet, with commas between them */
	struct waiting waiting;
};

/* The shortest time for an answer, milliseconds: --timeout 0 asks too. */
#define ANSWER_TIMEOUT_MIN 500

/* Return for how long the broker may be silent if there is an end, milliseconds. */
static int wait_answer_timeout(const struct wait *wait)
{
	int rest = clock_poll_timeout(wait->until);

	return rest < ANSWER_TIMEOUT_MIN ? ANSWER_TIMEOUT_MIN : rest;
}

static void waiting_record(const struct memtun_record *record, void *context)
{
	const char *name = memtun_record_string(record, "name");
	const char *state = memtun_record_string(record, "state");
	const char *reason = memtun_record_string(record, "reason");
	struct waiting *waiting = context;

	if (!name || !state || strcmp(name, waiting->name) != 0)
		return;
	waiting->exists = true;
	waiting->open = strcmp(state, "open") == 0 || strcmp(state, "up") == 0;
	strlcpy(waiting->reason, reason ? reason : "", sizeof(waiting->reason));
}

/* Note what the event says, because the state may be another one again by now. */
static void event_came(const struct memtun_record *record, void *context)
{
	const char *event = memtun_record_string(record, "event");
	const char *name = memtun_record_string(record, "name");
	const char *state = memtun_record_string(record, "state");
	struct waiting *waiting = context;

	if (!event || !name || strcmp(name, waiting->name) != 0)
		return;
	/* The event of a deletion has the object's last state. A deleted uplink counts as down. */
	if (strcmp(event, "deleted") == 0) {
		waiting->deleted = true;
		state = "closed";
	} else if (strcmp(event, "uplink-deleted") == 0) {
		state = "down";
	}
	waiting->reached |= state && strcmp(state, waiting->state) == 0;
}

static bool is_uplink_state(const char *state)
{
	return strcmp(state, "up") == 0 || strcmp(state, "down") == 0;
}

/*
 * Check the port: 1 if it is in that state, 0 if it isn't yet, -1 with *status if it can't be,
 * after a message, or with memtun_error() and -1 as *status.
 */
static int waiting_check(struct memtun *memtun, struct waiting *waiting, int *status)
{
	const char *name = waiting->name, *state = waiting->state;
	bool uplink = is_uplink_state(state);
	listing_ask *ask = uplink ? memtun_uplink_show : memtun_show;
	listing_ask *ask_other = uplink ? memtun_show : memtun_uplink_show;

	waiting->exists = waiting->open = false;
	waiting->reason[0] = '\0';
	if (ask(memtun, name, true, waiting_record, waiting) < 0 && errno != ENOENT) {
		*status = -1;
		return -1;
	}
	/* Tunnels and uplinks share one set of names. */
	if (!waiting->exists && ask_other(memtun, name, false, NULL, NULL) == 0) {
		*status = command_fail(EXIT_REFUSED, "'%s' is %s", name,
				       uplink ? "a tunnel, which is open, closed or drained"
					      : "an uplink, which is up or down");
		return -1;
	}
	if (strcmp(state, "open") == 0 || strcmp(state, "up") == 0)
		return waiting->open;
	if (strcmp(state, "closed") == 0 || strcmp(state, "down") == 0)
		return !waiting->open;
	if (!waiting->exists || waiting->deleted) {
		*status = command_fail(waiting->deleted ? EXIT_ENDED : EXIT_REFUSED,
				       "there is no tunnel '%s'", name);
		return -1;
	}
	return 1;
}

/* ------------------------------------------------------------------------------ drained and quiet */

/* How much longer than --timeout the command waits for the broker to say what is not read,
 * milliseconds. */
#define ANSWER_MARGIN 5000

/* Return what is left of the time in milliseconds, -1 for no limit. */
static int wait_rest(const struct wait *wait)
{
	return wait->until < 0 ? -1 : clock_poll_timeout(wait->until);
}

static void drained_answered(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	struct waiting *waiting = context;

	(void)memtun;
	if (reply->record)
		return;
	waiting->is_answered = true;
	waiting->error = reply->error;
	strlcpy(waiting->text, reply->error ? reply->text : "", sizeof(waiting->text));
}

/* Ask the broker to answer when the client has read all frames. -1 with memtun_error(). */
static int drained_ask(struct memtun *memtun, const struct wait *wait, struct waiting *waiting)
{
	struct memtun_options *options = memtun_options_new();
	int rest = wait_rest(wait), result;

	if (!options)
		return -1;
	memtun_options_set(options, "names", wait->name);
	memtun_options_set_number(options, "direction", MEMTUN_TO_CLIENT);
	if (rest >= 0)
		memtun_options_set_number(options, "time-limit",
					  (uint64_t)rest * CLOCK_MILLISECOND);
	memtun_set_timeout(memtun, rest < 0 ? -1 : rest + ANSWER_MARGIN);
	result = memtun_request(memtun, MEMTUN_CMD_QUIET, NULL, options, drained_answered, waiting);
	memtun_options_free(options);
	return result;
}

static int drained_run(struct memtun *memtun, const struct wait *wait, struct waiting *waiting)
{
	if (drained_ask(memtun, wait, waiting) < 0)
		return -1;
	while (!waiting->is_answered && !waiting->deleted) {
		if (memtun_wait(memtun, -1) < 0 && errno != EINTR)
			return -1;
	}
	/* ENOENT: it was deleted since waiting_check() has seen it. */
	if (waiting->deleted || waiting->error == ENOENT || waiting->error == ENODEV)
		return command_fail(EXIT_ENDED, "there is no tunnel '%s'", wait->name);
	if (waiting->error == ETIMEDOUT)
		return command_fail(EXIT_TIMEOUT, "%s is not drained: %s", wait->name,
				    waiting->text);
	return waiting->error ? command_fail(EXIT_REFUSED, "%s", waiting->text) : 0;
}

static void sent_only_record(const struct memtun_record *record, void *context)
{
	(void)context;
	command_note("%s: its frames count as read once they are sent",
		     memtun_record_string(record, "name"));
}

static int quiet_run(struct memtun *memtun, void *context)
{
	const struct wait *wait = context;
	int rest = wait_rest(wait);

	memtun_set_timeout(memtun, rest < 0 ? -1 : rest + ANSWER_MARGIN);
	if (memtun_wait_quiet(memtun, wait->names[0] ? wait->names : NULL, wait->idle, rest,
			      sent_only_record, NULL) == 0)
		return 0;
	if (errno == ETIMEDOUT)
		return command_fail(EXIT_TIMEOUT, "%s", memtun_error(memtun));
	return errno == ENODEV ? command_fail(EXIT_ENDED, "%s", memtun_error(memtun)) : -1;
}

/* ------------------------------------------------------------------------------ the rest */

static int waiting_run(struct memtun *memtun, void *context)
{
	struct wait *wait = context;
	struct waiting *waiting = &wait->waiting;
	int status = 0, checked;

	*waiting = (struct waiting){.name = wait->name, .state = wait->state};
	if (memtun_subscribe(memtun, event_came, waiting) < 0)
		return -1;
	while ((checked = waiting_check(memtun, waiting, &status)) == 0) {
		int rest = clock_poll_timeout(wait->until);
		bool is_over = rest == 0;

		if (wait->until >= 0)
			memtun_set_timeout(memtun, wait_answer_timeout(wait));
		if (memtun_wait(memtun, rest) < 0 && errno != EINTR)
			return -1;
		if (waiting->reached)
			return 0;
		if (is_over)
			return command_fail(EXIT_TIMEOUT, "%s is not %s in that time%s%s",
					    wait->name, wait->state, waiting->reason[0] ? ": " : "",
					    waiting->reason);
	}
	if (checked > 0 && strcmp(wait->state, "drained") == 0)
		return drained_run(memtun, wait, waiting);
	return status;
}

/* Join the names with commas. 0, or EXIT_USAGE after a message. */
static int names_join(struct wait *wait, char **words, int count)
{
	for (int i = 0; i < count; i++) {
		if (strchr(words[i], ','))
			return command_fail(EXIT_USAGE, "wait takes no name with a comma: '%s'",
					    words[i]);
		if ((i && strlcat(wait->names, ",", sizeof(wait->names)) >= sizeof(wait->names)) ||
		    strlcat(wait->names, words[i], sizeof(wait->names)) >= sizeof(wait->names))
			return command_fail(EXIT_USAGE,
					    "the names are longer than %zu bytes together: name "
					    "their bridge",
					    sizeof(wait->names) - 1);
	}
	return 0;
}

/* Parse the words. 0, or EXIT_USAGE after a message. */
static int wait_parse(struct wait *wait, const struct invocation *invocation)
{
	const char *state = invocation->words[invocation->count - 1];
	bool is_quiet = strcmp(state, "quiet") == 0;

	*wait = (struct wait){.name = invocation->words[0], .state = state, .until = -1};
	if (strcmp(state, "open") != 0 && strcmp(state, "closed") != 0 &&
	    strcmp(state, "drained") != 0 && !is_quiet && !is_uplink_state(state)) {
		if (invocation->count == 1)
			return command_fail(EXIT_USAGE,
					    "wait needs a state after '%s', such as open, up or "
					    "quiet; see memtun help wait",
					    state);
		return command_fail(
			EXIT_USAGE,
			"a tunnel is open, closed, drained or quiet, an uplink up, down "
			"or quiet, and a bridge quiet, not '%s'",
			state);
	}
	if (options_has(invocation, "--idle") && !is_quiet)
		return command_fail(EXIT_USAGE, "--idle goes with quiet");
	if (options_time(invocation, "--idle", &wait->idle))
		return EXIT_USAGE;
	if (is_quiet)
		return names_join(wait, invocation->words, invocation->count - 1);
	if (invocation->count == 2)
		return 0;
	return command_fail(EXIT_USAGE,
			    invocation->count < 2
				    ? "wait needs a NAME before %s"
				    : "wait takes one NAME before %s; see memtun help wait",
			    state);
}

static int wait_run(const struct invocation *invocation)
{
	int timeout = -1;
	struct wait wait;
	connected_function *run;

	if (wait_parse(&wait, invocation) ||
	    options_milliseconds(invocation, "--timeout", &timeout))
		return EXIT_USAGE;
	run = strcmp(wait.state, "quiet") == 0 ? quiet_run : waiting_run;
	if (timeout < 0)
		return command_connected(invocation, run, &wait);
	wait.until = clock_now() + timeout * CLOCK_MILLISECOND;
	return command_connected_within(invocation, wait_answer_timeout(&wait), EXIT_TIMEOUT, run,
					&wait);
}

static const struct command_option wait_options[] = {
	{"--idle", 0, "TIME", "with quiet: and no frame for this time, as 20ms"},
	{"--timeout", 0, "TIME", "end after this time; default: no limit"},
	{0},
};

const struct command command_wait = {
	.name = "wait",
	.summary = "wait for a state of a tunnel, of an uplink or of all ports of a bridge",
	.usage = "NAME open|closed|drained\n"
		 "NAME up|down\n"
		 "[BRIDGE|NAME...] quiet",
	.about = "open and up also wait for a tunnel or an uplink that does not exist yet.\n"
		 "A tunnel is drained when its client has read all frames that there were for it.\n"
		 "Ports are quiet when all their frames were read, or wait for a rule or clock.\n"
		 "Without a name, quiet is about the whole broker.",
	.example = "memtun wait vm0 closed --timeout 10",
	.options = wait_options,
	.needs = "a NAME and open, closed, drained, up, down or quiet",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.run = wait_run,
};
