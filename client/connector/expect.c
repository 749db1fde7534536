/* SPDX-License-Identifier: MIT */
/* memtun_connector_expect(): reads until a frame matches a pattern (frame_filter.c). */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/connector/connector_parts.h"
#include "client/connector/frame_filter.h"
#include "common/clock.h"

/*
 * A frame behind the first match that does not match stays in the connector. So a test that expects
 * two frames one after the other finds both, even if both have arrived before the first call.
 */

struct expectation {
	struct memtun_connector *connector;
	const struct memtun_pattern *patterns;
	struct frame_filter **filters; /* one for each pattern; NULL if it is none */
	size_t count;
	int timeout;
	int64_t deadline;
	size_t limit;
	size_t read;
};

/* Set the connector's error text and errno, and return -1. */
static int __attribute__((format(printf, 3, 4)))
expect_fail(struct memtun_connector *connector, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(connector->error, sizeof(connector->error), format, arguments);
	va_end(arguments);
	errno = error;
	return -1;
}

/* --- patterns --- */

static int filter_compile(struct expectation *expectation, size_t index)
{
	struct memtun_connector *connector = expectation->connector;
	const char *filter = expectation->patterns[index].filter;
	char fault[FRAME_FILTER_FAULT_SIZE];

	if (!filter)
		return expect_fail(connector, EINVAL, "pattern %zu is a filter without a text",
				   index);
	expectation->filters[index] = frame_filter_new(filter, connector->mode, fault);
	if (expectation->filters[index])
		return 0;
	return expect_fail(connector, errno, "cannot compile the filter '%.100s': %s", filter,
			   fault);
}

static int pattern_prepare(struct expectation *expectation, size_t index)
{
	switch (expectation->patterns[index].kind) {
	case MEMTUN_PATTERN_FILTER:
		return filter_compile(expectation, index);
	case MEMTUN_PATTERN_CALLBACK:
		if (expectation->patterns[index].callback)
			return 0;
		return expect_fail(expectation->connector, EINVAL,
				   "pattern %zu is a callback without a function", index);
	case MEMTUN_PATTERN_EOF:
	case MEMTUN_PATTERN_TIMEOUT:
	case MEMTUN_PATTERN_LIMIT:
		return 0;
	}
	return expect_fail(expectation->connector, EINVAL, "pattern %zu is of no known kind",
			   index);
}

static bool pattern_matches(const struct expectation *expectation, size_t index,
			    const struct memtun_packet *packet)
{
	const struct memtun_pattern *pattern = &expectation->patterns[index];

	if (pattern->kind == MEMTUN_PATTERN_FILTER)
		return frame_filter_matches(expectation->filters[index], packet->data,
					    packet->length);
	return pattern->kind == MEMTUN_PATTERN_CALLBACK &&
	       pattern->callback(packet, pattern->context);
}

/* Return the index of the first pattern that the packet matches; -1 if there is none. */
static int pattern_of(const struct expectation *expectation, const struct memtun_packet *packet)
{
	for (size_t i = 0; i < expectation->count; i++) {
		if (pattern_matches(expectation, i, packet))
			return (int)i;
	}
	return -1;
}

/* Return the index of the first pattern of that kind; -1 if there is none. */
static int pattern_for(const struct expectation *expectation, enum memtun_pattern_kind kind)
{
	for (size_t i = 0; i < expectation->count; i++) {
		if (expectation->patterns[i].kind == kind)
			return (int)i;
	}
	return -1;
}

/* --- ends without a match --- */

static int expect_eof(const struct expectation *expectation)
{
	int index = pattern_for(expectation, MEMTUN_PATTERN_EOF);

	if (index >= 0)
		return index;
	return expect_fail(expectation->connector, EPIPE, "the tunnel has ended after %zu frames",
			   expectation->read);
}

static int expect_timeout(const struct expectation *expectation)
{
	int index = pattern_for(expectation, MEMTUN_PATTERN_TIMEOUT);

	if (index >= 0)
		return index;
	return expect_fail(expectation->connector, ETIMEDOUT,
			   "none of %zu frames matched in %d milliseconds", expectation->read,
			   expectation->timeout);
}

static int expect_limit(const struct expectation *expectation)
{
	int index = pattern_for(expectation, MEMTUN_PATTERN_LIMIT);

	if (index >= 0)
		return index;
	return expect_fail(expectation->connector, ENOMSG, "none of %zu frames matched",
			   expectation->read);
}

static int expect_no_frame(const struct expectation *expectation)
{
	if (errno == EPIPE)
		return expect_eof(expectation);
	if (errno == ETIMEDOUT)
		return expect_timeout(expectation);
	return expect_fail(expectation->connector, errno, "cannot read: %s", strerror(errno));
}

/* --- reading --- */

static bool limit_is_reached(const struct expectation *expectation)
{
	return expectation->limit > 0 && expectation->read == expectation->limit;
}

/* Give the frame if it matches the pattern; else keep it behind the waiting frames. */
static int collect_one(struct expectation *expectation, int index, struct connector_frame *frame)
{
	expectation->read++;
	if (pattern_matches(expectation, (size_t)index, &frame->packet))
		return connector_give(expectation->connector, frame);
	connector_keep_waiting(expectation->connector, frame);
	return 0;
}

/*
 * Give the frames that have arrived and match the pattern. Each waiting frame is looked at once, in
 * order, and those that stay keep their order. The next call that reads reports an error again.
 */
static void collect_matches(struct expectation *expectation, int index)
{
	struct memtun_connector *connector = expectation->connector;
	struct connector_frames waited = TAILQ_HEAD_INITIALIZER(waited);
	struct connector_frame *frame;

	TAILQ_CONCAT(&waited, &connector->waiting, entry);
	while ((frame = TAILQ_FIRST(&waited)) && !limit_is_reached(expectation)) {
		TAILQ_REMOVE(&waited, frame, entry);
		if (collect_one(expectation, index, frame) < 0)
			break;
	}
	TAILQ_CONCAT(&connector->waiting, &waited, entry);
	for (int i = 0; i < CONNECTOR_DRAIN_MAX && !limit_is_reached(expectation); i++) {
		frame = connector_receive(connector);
		if (!frame || collect_one(expectation, index, frame) < 0)
			break;
	}
}

static int expect_run(struct expectation *expectation)
{
	struct memtun_connector *connector = expectation->connector;
	struct connector_frame *frame;
	int late = 0;
	int index;

	while ((frame = connector_next(connector, expectation->deadline))) {
		expectation->read++;
		index = pattern_of(expectation, &frame->packet);
		if (index >= 0) {
			if (connector_give(connector, frame) < 0)
				break;
			collect_matches(expectation, index);
			return index;
		}
		connector_recycle(connector, frame);
		if (limit_is_reached(expectation))
			return expect_limit(expectation);
		if (expectation->deadline >= 0 && clock_now() >= expectation->deadline &&
		    ++late == CONNECTOR_DRAIN_MAX)
			return expect_timeout(expectation);
	}
	return expect_no_frame(expectation);
}

int memtun_connector_expect(struct memtun_connector *connector,
			    const struct memtun_pattern *patterns, size_t count, int timeout,
			    size_t limit)
{
	struct expectation expectation = {
		.connector = connector,
		.patterns = patterns,
		.filters = calloc(count + 1, sizeof(struct frame_filter *)),
		.count = count,
		.timeout = timeout,
		.deadline = connector_deadline(timeout),
		.limit = limit,
	};
	int index = 0;
	int saved;

	connector->error[0] = '\0';
	connector_release(connector);
	if (!expectation.filters)
		return expect_fail(connector, ENOMEM, "%s", strerror(ENOMEM));
	for (size_t i = 0; i < count && index == 0; i++)
		index = pattern_prepare(&expectation, i);
	if (index == 0)
		index = expect_run(&expectation);
	saved = errno;
	for (size_t i = 0; i < count; i++)
		frame_filter_free(expectation.filters[i]);
	free(expectation.filters);
	errno = saved;
	return index;
}

const struct memtun_packet *memtun_connector_match(const struct memtun_connector *connector,
						   size_t index)
{
	return index < connector->given_count ? &connector->given[index]->packet : NULL;
}

const char *memtun_connector_error(const struct memtun_connector *connector)
{
	return connector->error;
}
