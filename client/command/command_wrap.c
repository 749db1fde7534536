/* SPDX-License-Identifier: MIT */
/*
 * memtun wrap: the command line of client/wrap, which runs a program whose opens of /dev/net/tun
 * become tunnels.
 */
#include <stdlib.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/keys.h"
#include "client/command/options_parse.h"
#include "client/command/own_broker.h"
#include "client/wrap/wrap.h"
#include "common/tunnel_name.h"

/* Check one SPEC. Return 0 or an exit status. */
static int spec_check(const char *spec)
{
	char pattern[TUNNEL_CHOICE_PATTERN], hint[SUGGESTION_SIZE];
	const char *options_text = tunnel_choice_split(spec, pattern);
	struct memtun_options *options;
	const char *reserved = NULL;
	int status = 0;

	if (!options_text || !*options_text)
		return command_fail(EXIT_OURS,
				    "-t %s: it takes NAME:KEY=VALUE,..., where NAME may "
				    "be a pattern such as 'tun*'",
				    spec);
	options = memtun_options_new();
	if (!options)
		return command_fail(EXIT_OURS, "out of memory");
	if (memtun_options_parse(options, options_text) < 0)
		status = command_fail(EXIT_OURS, "-t %s: %s%s", spec, memtun_options_error(options),
				      keys_hint_spec(KEYS_WRAP, options_text, hint));
	else
		reserved = tunnel_choice_reserved(options);
	memtun_options_free(options);
	if (reserved)
		status = command_fail(EXIT_OURS,
				      "-t %s: wrap takes no key %s, because the program chooses it",
				      spec, reserved);
	return status;
}

static int bridge_check(const char *bridge)
{
	const char *fault = bridge ? tunnel_name_fault(bridge, false) : NULL;

	return fault ? command_fail(EXIT_OURS, "--bridge: name '%s' %s", bridge, fault) : 0;
}

/* Collect the SPECs. The caller frees the list. NULL after a message. */
static const char **specs_collect(const struct invocation *invocation)
{
	const char **specs = calloc((size_t)invocation->given_count + 1, sizeof(*specs));
	int count = 0;

	if (!specs) {
		command_fail(EXIT_OURS, "out of memory");
		return NULL;
	}
	for (int i = 0; i < invocation->given_count; i++) {
		if (strcmp(invocation->given[i].option->name, "-t") != 0)
			continue;
		specs[count] = invocation->given[i].value;
		if (spec_check(specs[count++])) {
			free(specs);
			return NULL;
		}
	}
	return specs;
}

/* Make sure that there is a broker, or become a private one. */
static int broker_check(const struct invocation *invocation)
{
	struct memtun *memtun = NULL;
	int status = own_broker_connect(invocation, &memtun);

	/* The supervisor makes a connection of its own. */
	memtun_free(memtun);
	return status;
}

static int run(const struct invocation *invocation, struct wrap_settings *settings)
{
	int status = 0;

	if (options_has(invocation, "--explain"))
		status = wrap_explain(settings);
	if (status || !settings->command[0])
		return status;
	status = broker_check(invocation);
	return status ? status : wrap_run(settings);
}

static int wrap_command(const struct invocation *invocation)
{
	struct wrap_settings settings = {
		.trace = options_has(invocation, "--trace"),
		.choice.bridge = options_value(invocation, "--bridge"),
		.socket = options_value(invocation, "--socket"),
		.inherited = invocation->inherited,
		.command = invocation->words,
	};
	const char **specs;
	int status;

	if (options_has(invocation, "--notify") && options_has(invocation, "--preload"))
		return command_fail(EXIT_OURS, "--notify or --preload, not both");
	if (options_has(invocation, "--notify"))
		settings.way = WRAP_NOTIFY;
	else if (options_has(invocation, "--preload"))
		settings.way = WRAP_PRELOAD;
	if (!settings.command[0] && !options_has(invocation, "--explain"))
		return command_fail(EXIT_OURS, "wrap needs a PROGRAM to run; see memtun help wrap");
	if (command_reply_timeout(invocation, &settings.timeout) ||
	    bridge_check(settings.choice.bridge))
		return EXIT_OURS;
	specs = specs_collect(invocation);
	if (!specs)
		return EXIT_OURS;
	settings.choice.specs = specs;
	status = run(invocation, &settings);
	free(specs);
	return status;
}

static const struct command_option wrap_options[] = {
	{"-t", 0, "SPEC", "options by name or pattern: NAME:KEY=VALUE,..."},
	{"--bridge", 0, "BRIDGE", "the bridge of tunnels whose SPEC has none"},
	{"--notify", 0, NULL, "fail where the kernel cannot report the program's calls"},
	{"--preload", 0, NULL, "use the preloaded library, for dynamic programs only"},
	{"--trace", 0, NULL, "print each call that is answered in the kernel's place"},
	{"--explain", 0, NULL, "say what this machine allows, and what wrap does"},
	{0},
};

const struct command command_wrap = {
	.name = "wrap",
	.summary = "run an unmodified program that opens /dev/net/tun",
	.usage = "[--] PROGRAM [ARGUMENT]...\n--explain",
	.about = "What the program and its children open as /dev/net/tun or /dev/tun becomes a\n"
		 "tunnel with the name, mode and headers that they ask for.\n"
		 "If no broker runs, a private one is started.",
	.example = "memtun wrap --bridge lab openvpn --dev tun0 ...",
	.options = wrap_options,
	.keys = KEYS_WRAP,
	.needs = "a PROGRAM to run",
	.words_min = 0,
	.words_max = WORDS_ANY,
	.stops_at_word = true,
	.usage_status = EXIT_OURS,
	.run = wrap_command,
};
