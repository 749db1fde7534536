/* SPDX-License-Identifier: MIT */
/*
 * memtun expect: waits for a frame that one of the filters matches, and prints the number of the
 * filter and the frame.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/command.h"
#include "client/command/commands.h"
#include "client/command/options_parse.h"
#include "client/command/output.h"
#include "common/descriptor.h"
#include "common/frame/frame_describe.h"
#include "memtun/connector.h"
#include "memtun.h"

#define FILTERS_MAX 32

struct expect {
	const char *name;
	struct memtun_pattern patterns[FILTERS_MAX + 3];
	size_t filters;
	int timeout; /* milliseconds, -1: none */
	uint64_t limit;
	enum memtun_direction direction;
	int ready_fd; /* -1: none */
};

static int expect_parse(struct expect *expect, const struct invocation *invocation)
{
	*expect = (struct expect){
		.name = invocation->words[0],
		.timeout = -1,
		.direction = options_has(invocation, "--to-client") ? MEMTUN_TO_CLIENT
								    : MEMTUN_FROM_CLIENT,
		.ready_fd = -1,
	};
	for (int i = 1; i < invocation->count; i++) {
		if (expect->filters == FILTERS_MAX)
			return command_fail(EXIT_USAGE, "more than %d filters", FILTERS_MAX);
		expect->patterns[expect->filters++] = MEMTUN_FILTER(invocation->words[i]);
	}
	if (options_milliseconds(invocation, "--timeout", &expect->timeout) ||
	    options_number(invocation, "--limit", 1, 1000000000, &expect->limit) ||
	    options_ready_fd(invocation, &expect->ready_fd))
		return EXIT_USAGE;
	return 0;
}

static void print_packet(const struct memtun_packet *packet)
{
	char line[FRAME_DESCRIPTION_SIZE];

	frame_describe(line, sizeof(line), packet->mode, packet->data, packet->length);
	fprintf(output, "%s\n", line);
	for (size_t i = 0; i < packet->length; i++)
		fprintf(output, "%02x%s", packet->data[i],
			i + 1 == packet->length || i % 32 == 31 ? "\n" : "");
}

/* Wait for the frame and print it. Return the exit status. */
static int expect_match(struct expect *expect, struct memtun_connector *connector)
{
	const struct memtun_packet *packet;
	size_t count = expect->filters;
	int index;

	index = memtun_connector_expect(connector, expect->patterns, count, expect->timeout,
					expect->limit);
	if (index >= 0) {
		fprintf(output, "%d\n", index);
		for (size_t i = 0; (packet = memtun_connector_match(connector, i)); i++)
			print_packet(packet);
		return 0;
	}
	switch (errno) {
	case ETIMEDOUT:
		return command_fail(EXIT_TIMEOUT, "%s: no such frame in that time", expect->name);
	case EPIPE:
		return command_fail(EXIT_ENDED, "%s: the tunnel ended before such a frame came",
				    expect->name);
	case ENOMSG:
		return command_fail(EXIT_LIMIT, "%s: none of that many frames matched",
				    expect->name);
	case ENOSYS:
		return command_fail(EXIT_REFUSED, "%s", memtun_connector_error(connector));
	case EINVAL:
		return command_fail(EXIT_USAGE, "%s; a filter of several words is one argument",
				    memtun_connector_error(connector));
	default:
		return command_fail(EXIT_REFUSED, "%s: %s", expect->name, strerror(errno));
	}
}

static int expect_open(struct memtun *memtun, void *context)
{
	struct expect *expect = context;
	struct memtun_connector *connector;
	descriptor_owned fd = -1;
	enum memtun_mode mode;
	int status;

	if (command_find_mode(memtun, expect->name, &mode) < 0)
		return -1;
	fd = memtun_capture(memtun, expect->name, false, expect->direction, true);
	if (fd < 0)
		return -1;
	connector = memtun_connector_open_fd(fd, mode, 0);
	if (!connector)
		return command_fail(EXIT_REFUSED, "cannot read frames: %s", strerror(errno));
	descriptor_take(&fd);
	status = command_ready(expect->ready_fd);
	if (status == 0)
		status = expect_match(expect, connector);
	memtun_connector_close(connector);
	return status;
}

static int expect_run(const struct invocation *invocation)
{
	struct expect expect;
	int status = expect_parse(&expect, invocation);

	return status ? status : command_connected(invocation, expect_open, &expect);
}

static const struct command_option expect_options[] = {
	{"--to-client", 0, NULL, "look at frames to the tunnel's client, not from it"},
	{"--timeout", 0, "TIME", "end after this time; default: no limit"},
	{"--limit", 0, "FRAMES", "end after this many frames; default: no limit"},
	TAKES_READY_FD("write a newline to FD once no frame can be missed"),
	{0},
};

const struct command command_expect = {
	.name = "expect",
	.summary = "wait for a frame that matches a filter",
	.usage = "NAME FILTER...",
	.about = "A FILTER is one argument in the language of pcap-filter(7).",
	.example = "memtun expect vm0 --timeout 60 'udp port 67'",
	.options = expect_options,
	.needs = "a NAME and a FILTER",
	.words_min = 2,
	.words_max = WORDS_ANY,
	.run = expect_run,
};
