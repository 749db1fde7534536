/* SPDX-License-Identifier: MIT */
/*
 * memtun wait: returns when a tunnel is open, closed or drained, or when an uplink is up or down. A
 * tunnel is drained when its client has read all frames for it.
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

/* Milliseconds between two checks whether a tunnel is drained: there is no event for it. */
#define DRAINED_INTERVAL 10

struct wait {
	const char *name, *state;
	int64_t until; /* CLOCK_MONOTONIC, nanoseconds; -1: no end */
};

/* The shortest time for an answer, milliseconds: --timeout 0 asks too. */
#define ANSWER_TIMEOUT_MIN 500

/* Return for how long the broker may be silent if there is an end, milliseconds. */
static int wait_answer_timeout(const struct wait *wait)
{
	int rest = clock_poll_timeout(wait->until);

	return rest < ANSWER_TIMEOUT_MIN ? ANSWER_TIMEOUT_MIN : rest;
}

/* What events have said, and the state of the port at the last check. */
struct waiting {
	const char *name, *state;
	bool reached; /* an event had the state, even if the port has left it since */
	bool deleted;
	bool exists;
	bool has_counters;
	bool open;                     /* or up */
	char reason[MEMTUN_TEXT_SIZE]; /* why an uplink is down */
	uint64_t unread;               /* queued frames and bytes in sockets */
};

static void waiting_record(const struct memtun_record *record, void *context)
{
	const char *name = memtun_record_string(record, "name");
	const char *state = memtun_record_string(record, "state");
	const char *reason = memtun_record_string(record, "reason");
	struct waiting *waiting = context;
	uint64_t queued = 0, unread = 0;

	if (!name || !state || strcmp(name, waiting->name) != 0)
		return;
	waiting->has_counters = memtun_record_number(record, "to-client-queued", &queued) == 0;
	memtun_record_number(record, "to-client-unread", &unread);
	waiting->exists = true;
	waiting->open = strcmp(state, "open") == 0 || strcmp(state, "up") == 0;
	waiting->unread = queued + unread;
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
		*status = command_fail(EXIT_ENDED, "there is no tunnel '%s'", name);
		return -1;
	}
	if (!waiting->has_counters) {
		*status = command_fail(EXIT_REFUSED,
				       "the broker doesn't see what is read of '%s', because it "
				       "has a peer or is the kernel's",
				       name);
		return -1;
	}
	return waiting->unread == 0;
}

static int waiting_run(struct memtun *memtun, void *context)
{
	const struct wait *wait = context;
	bool by_event = strcmp(wait->state, "drained") != 0;
	struct waiting waiting = {.name = wait->name, .state = wait->state};
	int status = 0, checked;

	if (memtun_subscribe(memtun, event_came, &waiting) < 0)
		return -1;
	while ((checked = waiting_check(memtun, &waiting, &status)) == 0) {
		int rest = clock_poll_timeout(wait->until);
		bool is_over = rest == 0;

		if (!by_event && (rest < 0 || rest > DRAINED_INTERVAL))
			rest = DRAINED_INTERVAL;
		if (wait->until >= 0)
			memtun_set_timeout(memtun, wait_answer_timeout(wait));
		if (memtun_wait(memtun, rest) < 0 && errno != EINTR)
			return -1;
		if (waiting.reached)
			return 0;
		if (is_over)
			return command_fail(EXIT_TIMEOUT, "%s is not %s in that time%s%s",
					    wait->name, wait->state, waiting.reason[0] ? ": " : "",
					    waiting.reason);
	}
	return status;
}

static int wait_run(const struct invocation *invocation)
{
	struct wait wait = {
		.name = invocation->words[0],
		.state = invocation->words[1],
		.until = -1,
	};
	const char *state = wait.state;
	int timeout = -1;

	if (strcmp(state, "open") != 0 && strcmp(state, "closed") != 0 &&
	    strcmp(state, "drained") != 0 && !is_uplink_state(state))
		return command_fail(EXIT_USAGE,
				    "a tunnel is open, closed or drained, and an uplink up or "
				    "down, not '%s'",
				    state);
	if (options_seconds(invocation, "--timeout", &timeout))
		return EXIT_USAGE;
	if (timeout < 0)
		return command_connected(invocation, waiting_run, &wait);
	wait.until = clock_now() + timeout * CLOCK_MILLISECOND;
	return command_connected_within(invocation, wait_answer_timeout(&wait), EXIT_TIMEOUT,
					waiting_run, &wait);
}

static const struct command_option wait_options[] = {
	{"--timeout", 0, "SECONDS", "end after this time; default: no limit"},
	{0},
};

const struct command command_wait = {
	.name = "wait",
	.summary = "wait for a state of a tunnel or of an uplink",
	.usage = "NAME open|closed|drained\n"
		 "NAME up|down",
	.about = "open and up also wait for a tunnel or an uplink that does not exist yet.\n"
		 "A tunnel is drained when its client has read all frames that there were for it.",
	.example = "memtun wait vm0 closed --timeout 10",
	.options = wait_options,
	.needs = "a NAME and open, closed, drained, up or down",
	.words_min = 2,
	.words_max = 2,
	.run = wait_run,
};
