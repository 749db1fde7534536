/* SPDX-License-Identifier: MIT */
/*
 * The broker's cost of a request when many clients are connected, beside its cost with one client.
 * Each client in turn asks for one tunnel and waits for the answer, so in both cases each request
 * wakes the broker. All processes are on one CPU, for the reason in figures_open.c.
 */
#include <err.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "memtun.h"
#include "tests/bench/process.h"

#define CLIENTS 1000
#define REQUESTS 5000

struct crowd {
	struct broker_process broker;
	struct memtun *clients[CLIENTS];
	int count;
};

static struct crowd *crowd_start(int count)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));

	if (!crowd)
		err(1, "calloc");
	broker_start(&crowd->broker);
	crowd->count = count;
	for (int i = 0; i < count; i++)
		crowd->clients[i] = broker_connect(&crowd->broker);
	if (memtun_add(crowd->clients[0], "bench0", NULL) < 0)
		errx(1, "cannot add: %s", memtun_error(crowd->clients[0]));
	return crowd;
}

static void crowd_end(struct crowd *crowd)
{
	for (int i = 0; i < crowd->count; i++)
		memtun_free(crowd->clients[i]);
	process_end(crowd->broker.pid);
	free(crowd);
}

static void ignore_record(const struct memtun_record *record, void *context)
{
	(void)record;
	(void)context;
}

/* Return the nanoseconds per request. */
static double crowd_ask(struct crowd *crowd)
{
	double from = measure_cpu(crowd->broker.pid);

	for (int i = 0; i < REQUESTS; i++) {
		struct memtun *client = crowd->clients[i % crowd->count];

		if (memtun_show(client, "bench0", false, ignore_record, NULL) < 0)
			errx(1, "cannot ask: %s", memtun_error(client));
	}
	return (measure_cpu(crowd->broker.pid) - from) / REQUESTS;
}

void figures_requests(void)
{
	static const struct figure figure = {
		.name = "requests-1000-clients",
		.unit = "cpu-ns/request",
		.is_cost = true,
		.required = 0.77,
	};
	struct crowd *many = crowd_start(CLIENTS), *one = crowd_start(1);
	struct series series = {0};

	process_pin(getpid(), 0);
	process_pin(many->broker.pid, 0);
	process_pin(one->broker.pid, 0);
	crowd_ask(many);
	crowd_ask(one);
	for (int i = 0; i < MEASURE_SHORT_PAIRS; i++) {
		double cost = crowd_ask(many);

		series_add(&series, cost, crowd_ask(one));
	}
	series_report(&series, &figure);
	process_unpin(getpid());
	crowd_end(many);
	crowd_end(one);
}
