/* SPDX-License-Identifier: MIT */
/* memtun impair: the requests that add, change, delete and release. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/keys.h"
#include "client/command/options_parse.h"
#include "client/command/output.h"
#include "client/connector/frame_filter.h"
#include "client/lib/options.h"
#include "memtun.h"

/* A request about the rules of one port. */
struct impair {
	const char *name;
	enum memtun_command command;
	struct memtun_options *options;
	char code[MEMTUN_LIST_SIZE]; /* of the filter, which the options borrow */
	bool prints_number;
	char **frames; /* the numbers of several frames, each of which has a request of its own */
	int frame_count;
};

/* ------------------------------------------------------------------------------ the filter */

/* Compile the rule's filter for frames of that mode. 0, or the exit status after a message. */
static int filter_compile(struct impair *impair, enum memtun_mode mode)
{
	const char *text = attribute_set_string(&impair->options->set, MEMTUN_A_MATCH);
	char fault[FRAME_FILTER_FAULT_SIZE];
	struct frame_filter *filter = frame_filter_new(text, mode, fault);
	int status = 0;

	if (!filter)
		return command_fail(errno == EINVAL ? EXIT_USAGE : EXIT_REFUSED,
				    "match '%s': %s (the frames of %s are %s)", text, fault,
				    impair->name,
				    mode == MEMTUN_TAP ? "Ethernet frames" : "IP packets");
	if (!frame_filter_write(filter, impair->code, sizeof(impair->code)))
		status = command_fail(EXIT_USAGE, "match '%s': the filter is too long", text);
	attribute_set_put_string(&impair->options->set, MEMTUN_A_MATCH_CODE, impair->code);
	frame_filter_free(filter);
	return status;
}

/* ------------------------------------------------------------------------------ requests */

struct answer {
	bool prints_number, is_done;
	int status;
};

static void impair_answered(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	struct answer *answer = context;
	const char *number, *seed;

	(void)memtun;
	if (!reply->record) {
		answer->is_done = true;
		if (reply->error)
			answer->status = command_fail(EXIT_REFUSED, "%s", reply->text);
		return;
	}
	number = memtun_record_string(reply->record, "rule");
	seed = memtun_record_string(reply->record, "seed");
	if (answer->prints_number && number && seed)
		fprintf(output, "%s\n", number);
}

static int impair_request(struct memtun *memtun, void *context)
{
	struct impair *impair = context;
	struct answer answer = {.prints_number = impair->prints_number};
	enum memtun_mode mode;

	if (attribute_set_has(&impair->options->set, MEMTUN_A_MATCH)) {
		if (command_find_mode(memtun, impair->name, &mode) < 0)
			return -1;
		answer.status = filter_compile(impair, mode);
		if (answer.status)
			return answer.status;
	}
	if (memtun_request(memtun, impair->command, impair->name, impair->options, impair_answered,
			   &answer) < 0)
		return -1;
	while (!answer.is_done) {
		/* If the connection ends, libmemtun answers the request with an error first. */
		if (memtun_wait(memtun, -1) < 0 && errno != EINTR && !answer.is_done)
			return -1;
	}
	return answer.status;
}

/* Send a request for each frame that the words name, until one fails. */
static int impair_requests(struct memtun *memtun, void *context)
{
	struct impair *impair = context;
	int status = 0;

	if (!impair->frame_count)
		return impair_request(memtun, impair);
	for (int i = 0; i < impair->frame_count && status == 0; i++) {
		attribute_set_put_number(&impair->options->set, MEMTUN_A_FRAME,
					 strtoull(impair->frames[i], NULL, 10));
		status = impair_request(memtun, impair);
	}
	return status;
}

/* Send the request with the keys of the words from `first` on. */
static int impair_send(const struct invocation *invocation, struct impair *impair,
		       const struct memtun_options *more, int first)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;
	int status;

	impair->name = invocation->words[0];
	impair->options = keys_parse(invocation->command->keys, invocation->count - first,
				     invocation->words + first);
	if (!impair->options)
		return EXIT_USAGE;
	while ((which = attribute_set_next(&more->set, which)) != MEMTUN_A_END)
		attribute_set_put_number(&impair->options->set, which,
					 attribute_set_number(&more->set, which));
	status = command_connected(invocation, impair_requests, impair);
	memtun_options_free(impair->options);
	return status;
}

/* Take the number of a rule. 0, or the exit status after a message. */
static int rule_take(struct memtun_options *options, const char *word)
{
	if (attribute_set_parse(&options->set, MEMTUN_A_RULE, word, &options->fault) == 0)
		return 0;
	return command_fail(EXIT_USAGE, "%s", options->fault.text);
}

/* Take the word if it is a direction, and return whether it is. */
static bool direction_take(struct memtun_options *options, const char *word)
{
	return word &&
	       attribute_set_parse(&options->set, MEMTUN_A_DIRECTION, word, &options->fault) == 0;
}

/* ------------------------------------------------------------------------------ add, set, del */

/*
 * Refuse a filter of several words, whose further words would be keys, and a direction among the
 * keys. 0, or EXIT_USAGE after a message.
 */
static int add_check(unsigned int of_commands, int count, char **words)
{
	struct memtun_options ignored = {0};
	char hint[SUGGESTION_SIZE];

	for (int i = 0; i < count; i++) {
		const char *before = i ? words[i - 1] : "";

		if (strcmp(before, "match") && strcmp(before, "direction") &&
		    (direction_take(&ignored, words[i]) || strcmp(words[i], "both") == 0))
			return command_fail(EXIT_USAGE,
					    "%s comes before the keys: memtun impair add NAME %s",
					    words[i], words[i]);
		if (i > 1 && strcmp(words[i - 2], "match") == 0 && strcmp(words[i], "direction") &&
		    !keys_find(of_commands, words[i]) && !*keys_hint(of_commands, words[i], hint))
			return command_fail(EXIT_USAGE,
					    "match takes one argument: put a filter of several "
					    "words, as '%s %s ...', in quotes",
					    before, words[i]);
	}
	return 0;
}

static int impair_add(const struct invocation *invocation)
{
	struct impair impair = {.command = MEMTUN_CMD_IMPAIR_ADD, .prints_number = true};
	struct memtun_options more = {0};
	const char *word = invocation->words[1];
	int first = direction_take(&more, word) || strcmp(word, "both") == 0 ? 2 : 1;

	if (add_check(invocation->command->keys, invocation->count - first,
		      invocation->words + first))
		return EXIT_USAGE;
	return impair_send(invocation, &impair, &more, first);
}

static const struct command command_impair_add = {
	.name = "impair add",
	.summary = "add a rule that impairs a tunnel or an uplink, and print its number",
	.usage = "NAME [DIRECTION] [match FILTER] KEY VALUE...",
	.about = "A DIRECTION is from-client, to-client or both. The default is both, and then\n"
		 "a delay counts twice in a round trip. The first rule whose FILTER matches a\n"
		 "frame decides what happens to it. A FILTER is one argument: pcap-filter(7).",
	.example = "memtun impair add vm0 to-client match 'udp port 53' loss 30% seed 7",
	.keys = KEYS_IMPAIR | KEYS_IMPAIR_ADD,
	.needs = "the NAME of a tunnel or an uplink and a KEY",
	.words_min = 2,
	.words_max = WORDS_ANY,
	.run = impair_add,
};

static int impair_set(const struct invocation *invocation)
{
	struct impair impair = {.command = MEMTUN_CMD_IMPAIR_SET};
	struct memtun_options more = {0};
	int status = rule_take(&more, invocation->words[1]);

	return status ? status : impair_send(invocation, &impair, &more, 2);
}

static const struct command command_impair_set = {
	.name = "impair set",
	.summary = "change a rule",
	.usage = "NAME RULE KEY VALUE...",
	.example = "memtun impair set vm0 1 loss 0%",
	.keys = KEYS_IMPAIR,
	.needs = "a NAME, the number of a RULE and a KEY",
	.words_min = 3,
	.words_max = WORDS_ANY,
	.run = impair_set,
};

static int impair_delete(const struct invocation *invocation)
{
	struct impair impair = {.command = MEMTUN_CMD_IMPAIR_DELETE};
	struct memtun_options more = {0};
	int status = invocation->count > 1 ? rule_take(&more, invocation->words[1]) : 0;

	return status ? status : impair_send(invocation, &impair, &more, invocation->count);
}

static const struct command command_impair_delete = {
	.name = "impair del",
	.aliases = DELETE_ALIASES,
	.summary = "delete a rule, or all rules of a tunnel or an uplink",
	.usage = "NAME [RULE]",
	.example = "memtun impair del vm0",
	.needs = "the NAME of a tunnel or an uplink",
	.words_min = 1,
	.words_max = 2,
	.run = impair_delete,
};

/* ------------------------------------------------------------------------------ release */

/* Take the numbers of frames from these words on. 0, or EXIT_USAGE after a message. */
static int frames_take(struct impair *impair, char **words)
{
	struct memtun_options frame = {0};

	impair->frames = words;
	for (; *words && **words >= '0' && **words <= '9'; words++) {
		if (attribute_set_parse(&frame.set, MEMTUN_A_FRAME, *words, &frame.fault) < 0 ||
		    attribute_set_number(&frame.set, MEMTUN_A_FRAME) == 0)
			return command_fail(EXIT_USAGE, "frames are numbered from 1, not '%s'",
					    *words);
		impair->frame_count++;
	}
	return 0;
}

static int impair_release(const struct invocation *invocation)
{
	struct impair impair = {.command = MEMTUN_CMD_IMPAIR_RELEASE};
	struct memtun_options more = {0};
	int next = direction_take(&more, invocation->words[1]) ? 2 : 1;

	if (invocation->words[next] && strcmp(invocation->words[next], "all") == 0) {
		attribute_set_put_number(&more.set, MEMTUN_A_FRAME, 0);
		next++;
	} else if (frames_take(&impair, invocation->words + next)) {
		return EXIT_USAGE;
	}
	next += impair.frame_count;
	if (invocation->words[next] && strcmp(invocation->words[next], "drop") == 0) {
		attribute_set_put_number(&more.set, MEMTUN_A_DISCARD, 1);
		next++;
	}
	if (next < invocation->count)
		return command_fail(EXIT_USAGE,
				    "impair release takes numbers of frames, 'all' or 'drop', "
				    "not '%s'; see memtun help impair release",
				    invocation->words[next]);
	return impair_send(invocation, &impair, &more, invocation->count);
}

static const struct command command_impair_release = {
	.name = "impair release",
	.summary = "let frames go on that a rule holds",
	.usage = "NAME [DIRECTION] [N...|all] [drop]",
	.about = "N is a frame's number, as impair show prints it; default: the oldest frame.\n"
		 "Several frames go on in the order of these words.\n"
		 "With drop, drop the frames instead. A DIRECTION is from-client or to-client.",
	.example = "memtun impair release vm0 all",
	.needs = "the NAME of a tunnel or an uplink",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.run = impair_release,
};

static const struct command *const group[] = {
	&command_impair_add,    &command_impair_show,    &command_impair_set,
	&command_impair_delete, &command_impair_release, NULL,
};

const struct command command_impair = {
	.name = "impair",
	.summary = "lose, delay, corrupt or hold frames, repeatably by a seed",
	.group = group,
};
