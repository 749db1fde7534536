/* SPDX-License-Identifier: MIT */
/*
 * memtun capture: the frames of a port or of all ports of a bridge, as lines or as a file.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/options_parse.h"
#include "client/command/recording.h"

/* Return the words with blanks between them, which the caller frees. NULL: out of memory. */
static char *words_join(int count, char **words)
{
	size_t size = 1;
	char *text;

	for (int i = 0; i < count; i++)
		size += strlen(words[i]) + 1;
	text = calloc(1, size);
	for (int i = 0; text && i < count; i++) {
		if (i > 0)
			strlcat(text, " ", size);
		strlcat(text, words[i], size);
	}
	return text;
}

static int capture_parse(struct recording *recording, const struct invocation *invocation)
{
	*recording = (struct recording){
		.name = invocation->words[0],
		.path = options_value(invocation, "-w"),
		.faults = options_has(invocation, "--faults"),
		.fd = -1,
		.ready_fd = -1,
	};
	if (options_number(invocation, "-c", 1, UINT64_MAX / 2, &recording->max) ||
	    options_ready_fd(invocation, &recording->ready_fd))
		return EXIT_USAGE;
	if (recording->path && strcmp(recording->path, "-") == 0 && isatty(STDOUT_FILENO))
		return command_fail(EXIT_USAGE,
				    "-w - writes a binary file, and standard output is a terminal");
	return 0;
}

static int capture_connected(struct memtun *memtun, void *context)
{
	return recording_run(memtun, context);
}

static int capture_run(const struct invocation *invocation)
{
	struct recording recording;
	int status = capture_parse(&recording, invocation);
	char *filter = NULL;

	if (status == 0 && invocation->count > 1) {
		filter = words_join(invocation->count - 1, invocation->words + 1);
		if (!filter)
			status = command_fail(EXIT_REFUSED, "out of memory");
	}
	recording.filter = filter;
	if (status == 0)
		status = command_connected(invocation, capture_connected, &recording);
	free(filter);
	return status;
}

static const struct command_option capture_options[] = {
	{"-w", 0, "FILE", "write a pcapng file, not lines; - is standard output"},
	{"--faults", 0, NULL, "also frames that were dropped or impaired, and why"},
	{"-c", 0, "FRAMES", "end after this many frames"},
	TAKES_READY_FD("write a newline to FD once frames are captured"),
	{0},
};

const struct command command_capture = {
	.name = "capture",
	.summary = "show or record the frames of a port or a bridge",
	.usage = "NAME [FILTER]",
	.about = "NAME is a tunnel, an uplink or a bridge. The words behind it are a FILTER,\n"
		 "as pcap-filter(7) has them.",
	.example = "memtun capture lab -w lab.pcapng -c 2 udp",
	.options = capture_options,
	.needs = "the NAME of a tunnel, an uplink or a bridge",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.run = capture_run,
};
