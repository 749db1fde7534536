/* SPDX-License-Identifier: MIT */
/*
 * What rules of memtun impair cost: the loss of no frame beside a port without a rule; frames that are
 * delayed while 100,000 others wait beside 100 that do; and how late a delayed frame is, beside 100 us.
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memtun.h"
#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "tests/bench/path.h"
#include "tests/bench/process.h"

#define FRAMES 60000
#define DELAYED_FRAMES 20000
#define LATENESS_FRAMES 101
#define LATENESS_MAX 100e3
#define DELAY_MILLISECONDS 10

/* A broker with a pair, whose receiver may have a rule. */
struct impaired {
	struct broker_process broker;
	struct memtun *memtun;
	struct path path;
};

static void rule_request(struct impaired *impaired, const char *text, bool is_new)
{
	struct memtun_options *options = memtun_options_new();

	if (!options || memtun_options_parse(options, text) < 0)
		errx(1, "%s: %s", text, options ? memtun_options_error(options) : "no memory");
	if ((is_new ? memtun_impair_add(impaired->memtun, "out", options, NULL, NULL)
		    : memtun_impair_set(impaired->memtun, "out", options)) < 0)
		errx(1, "%s: %s", text, memtun_error(impaired->memtun));
	memtun_options_free(options);
}

static void impaired_start(struct impaired *impaired, const char *rule)
{
	broker_start(&impaired->broker);
	impaired->memtun = broker_connect(&impaired->broker);
	impaired->path.in = broker_open(impaired->memtun, "in", "bridge=bench");
	impaired->path.out = broker_open(impaired->memtun, "out", "bridge=bench,overflow=block");
	impaired->path.pid = impaired->broker.pid;
	path_learn(&impaired->path, impaired->memtun, "bench");
	if (rule)
		rule_request(impaired, rule, true);
	process_pin(impaired->broker.pid, 1);
}

static void impaired_end(struct impaired *impaired)
{
	close(impaired->path.in);
	close(impaired->path.out);
	memtun_free(impaired->memtun);
	process_end(impaired->broker.pid);
}

static double impaired_cost(const struct impaired *impaired, size_t size, int frames)
{
	return path_run(&impaired->path, size, frames).cpu / frames;
}

static void compare(struct impaired *ours, struct impaired *baseline, size_t size, int frames,
		    const struct figure *figure)
{
	struct series series = {0};

	impaired_cost(ours, size, frames);
	impaired_cost(baseline, size, frames);
	for (int i = 0; i < MEASURE_SHORT_PAIRS; i++) {
		double cost = impaired_cost(ours, size, frames);

		series_add(&series, cost, impaired_cost(baseline, size, frames));
	}
	series_report(&series, figure);
}

/* The loss of one frame in 10^9 loses none of these, by this seed. */
static void compare_loss(void)
{
	static const struct figure figure = {"cpu-per-frame-loss", "cpu-ns/frame", true, 0, 0.9};
	struct impaired ours, baseline;

	impaired_start(&ours, "direction=to-client,loss=0.0000001%,seed=1");
	impaired_start(&baseline, NULL);
	compare(&ours, &baseline, FRAME_LENGTH_MAX, FRAMES, &figure);
	impaired_end(&ours);
	impaired_end(&baseline);
}

static void waiting_record(const struct memtun_record *record, void *context)
{
	if (memtun_record_number(record, "to-client-waiting", context) < 0)
		errx(1, "the broker does not count to-client-waiting");
}

static uint64_t frames_waiting(struct memtun *memtun)
{
	uint64_t waiting = 0;

	if (memtun_show(memtun, "out", true, waiting_record, &waiting) < 0)
		errx(1, "cannot show: %s", memtun_error(memtun));
	return waiting;
}

/* Have frames wait for an hour, and delay those that come later by 1 ms. */
static void waiting_start(struct impaired *impaired, int waiting)
{
	unsigned char frame[FRAME_LENGTH_MAX];

	impaired_start(impaired, "direction=to-client,delay=1h");
	frame_fill(frame, STATION_RECEIVER, STATION_SENDER);
	for (int i = 0; i < waiting; i++) {
		if (send(impaired->path.in, frame, 64, MSG_NOSIGNAL) != 64)
			err(1, "send");
	}
	while (frames_waiting(impaired->memtun) < (uint64_t)waiting)
		;
	rule_request(impaired, "rule=1,delay=1ms", false);
}

static void compare_waiting(void)
{
	static const struct figure figure = {"cpu-per-frame-100000-waiting", "cpu-ns/frame", true,
					     0, 0.667};
	struct impaired ours, baseline;

	waiting_start(&ours, 100000);
	waiting_start(&baseline, 100);
	compare(&ours, &baseline, 64, DELAYED_FRAMES, &figure);
	impaired_end(&ours);
	impaired_end(&baseline);
}

static int number_compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

/* Return the median of how late delayed frames are, in nanoseconds. */
static double lateness(const struct impaired *impaired)
{
	unsigned char frame[FRAME_LENGTH_MAX];
	double late[LATENESS_FRAMES];

	frame_fill(frame, STATION_RECEIVER, STATION_SENDER);
	for (int i = 0; i < LATENESS_FRAMES; i++) {
		double from = measure_time();
		struct pollfd wait = {impaired->path.out, POLLIN, 0};

		if (send(impaired->path.in, frame, 64, MSG_NOSIGNAL) != 64 ||
		    poll(&wait, 1, 1000) != 1 || recv(impaired->path.out, frame, 64, 0) != 64)
			errx(1, "a delayed frame has not come");
		late[i] = (measure_time() - from) * 1e9 - DELAY_MILLISECONDS * 1e6;
	}
	qsort(late, LATENESS_FRAMES, sizeof(late[0]), number_compare);
	return late[LATENESS_FRAMES / 2];
}

static void measure_lateness(void)
{
	static const struct figure figure = {"delay-error-median", "ns", true, 0, 1};
	struct series series = {0};
	struct impaired impaired;

	impaired_start(&impaired, "direction=to-client,delay=10ms");
	process_unpin(impaired.broker.pid);
	for (int i = 0; i < 3; i++)
		series_add(&series, lateness(&impaired), LATENESS_MAX);
	series_report(&series, &figure);
	impaired_end(&impaired);
}

void figures_impair(void)
{
	compare_loss();
	compare_waiting();
	measure_lateness();
}
