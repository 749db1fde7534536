/* SPDX-License-Identifier: MIT */
/*
 * memtun expect: waits for a frame that one of some filters matches, among those that a tunnel's
 * client sends, and prints which filter and the frame.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command/command.h"
#include "common/descriptor.h"
#include "common/frame/frame_describe.h"
#include "memtun.h"
#include "memtun/connector.h"

#define FILTERS_MAX 32

struct expect {
	const char *name;
	struct memtun_pattern patterns[FILTERS_MAX + 3];
	size_t filters;
	int timeout; /* milliseconds, -1: none */
	uint64_t limit;
	enum memtun_direction direction;
	int ready_fd; /* -1: nobody waits */
};

static int expect_parse(struct expect *expect, int count, char **words)
{
	*expect = (struct expect){.timeout = -1, .direction = MEMTUN_FROM_CLIENT, .ready_fd = -1};
	for (int i = 0; i < count; i++) {
		const char *value = i + 1 < count ? words[i + 1] : NULL;

		if (strcmp(words[i], "--timeout") == 0 || strcmp(words[i], "--limit") == 0) {
			bool is_limit = words[i][2] == 'l';

			if (!value)
				return command_fail(EXIT_USAGE, "%s needs a value", words[i]);
			if (is_limit
				    ? command_number(words[i], value, 1, 1000000000, &expect->limit)
				    : command_seconds(words[i], value, &expect->timeout))
				return EXIT_USAGE;
			i++;
		} else if (strcmp(words[i], "--ready-fd") == 0) {
			if (!value)
				return command_fail(EXIT_USAGE, "%s needs a value", words[i]);
			if (command_ready_fd(value, &expect->ready_fd))
				return EXIT_USAGE;
			i++;
		} else if (strcmp(words[i], "--to-client") == 0) {
			expect->direction = MEMTUN_TO_CLIENT;
		} else if (words[i][0] == '-') {
			return command_fail(EXIT_USAGE, "expect has no option %s", words[i]);
		} else if (!expect->name) {
			expect->name = words[i];
		} else if (expect->filters == FILTERS_MAX) {
			return command_fail(EXIT_USAGE, "more than %d filters", FILTERS_MAX);
		} else {
			expect->patterns[expect->filters++] = MEMTUN_FILTER(words[i]);
		}
	}
	if (!expect->name || !expect->filters)
		return command_fail(EXIT_USAGE, "expect needs a NAME and a FILTER");
	return 0;
}

static void print_packet(const struct memtun_packet *packet)
{
	char line[FRAME_DESCRIPTION_SIZE];

	frame_describe(line, sizeof(line), packet->mode, packet->data, packet->length);
	puts(line);
	for (size_t i = 0; i < packet->length; i++)
		printf("%02x%s", packet->data[i],
		       i + 1 == packet->length || i % 32 == 31 ? "\n" : "");
}

/* The exit status: 0, 124 timeout, 4 end, 5 limit. */
static int expect_run(struct expect *expect, struct memtun_connector *connector)
{
	const struct memtun_packet *packet;
	size_t count = expect->filters;
	int index;

	index = memtun_connector_expect(connector, expect->patterns, count, expect->timeout,
					expect->limit);
	if (index >= 0) {
		printf("%d\n", index);
		for (size_t i = 0; (packet = memtun_connector_match(connector, i)); i++)
			print_packet(packet);
		return 0;
	}
	switch (errno) {
	case ETIMEDOUT:
		return command_fail(EXIT_TIMEOUT, "%s: no such frame in that time", expect->name);
	case EPIPE:
		return command_fail(EXIT_ENDED, "%s: it ended before such a frame came",
				    expect->name);
	case ENOMSG:
		return command_fail(EXIT_LIMIT, "%s: none of the frames was such a one",
				    expect->name);
	case EINVAL:
		return command_fail(EXIT_USAGE, "%s; a filter of several words is one argument",
				    memtun_connector_error(connector));
	default:
		return command_fail(EXIT_REFUSED, "%s: %s", expect->name, strerror(errno));
	}
}

int command_expect(const struct invocation *invocation, int count, char **words)
{
	struct memtun_connector *connector = NULL;
	descriptor_owned fd = -1;
	enum memtun_mode mode;
	struct expect expect;
	struct memtun *memtun;
	int status = expect_parse(&expect, count, words);

	if (status != 0)
		return status;
	memtun = command_connect(invocation, &status);
	if (!memtun)
		return status;
	status = command_mode(memtun, expect.name, &mode);
	if (status == 0) {
		fd = memtun_capture(memtun, expect.name, false, expect.direction, true);
		if (fd < 0)
			status = command_fail(EXIT_REFUSED, "%s", memtun_error(memtun));
	}
	if (status == 0) {
		connector = memtun_connector_open_fd(fd, mode, 0);
		if (connector)
			descriptor_take(&fd);
		else
			status = command_fail(EXIT_REFUSED, "cannot read frames: %s",
					      strerror(errno));
	}
	if (status == 0)
		status = command_ready(expect.ready_fd);
	if (status == 0)
		status = expect_run(&expect, connector);
	memtun_connector_close(connector);
	memtun_free(memtun);
	return status;
}
