/* SPDX-License-Identifier: MIT */
/*
 * The broker's cost of a request when it has 100,000 tunnels. Other clients wait while the broker
 * carries a request out, so the limit of the longest one is 1 ms. The requests use five name
 * templates in turn, add, show and delete.
 */
#include <err.h>
#include <stdio.h>

#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "memtun.h"
#include "tests/bench/process.h"

#define TUNNELS 100000
#define ROUNDS 50
#define LIMIT_NS 1e6

static void ignore_record(const struct memtun_record *record, void *context)
{
	(void)record;
	(void)context;
}

static void require(struct memtun *memtun, int result, const char *what)
{
	if (result < 0)
		errx(1, "cannot %s a tunnel: %s", what, memtun_error(memtun));
}

/* Return the longest time of CPU that a request took, nanoseconds. */
static double measure_longest(struct memtun *memtun, pid_t broker)
{
	static const char *const templates[] = {"bench%d", "a%d", "b%d", "c%d", "d%d"};
	double max = 0, last = measure_cpu(broker), now;

	for (int i = 0; i < 3 * ROUNDS; i++) {
		char name[MEMTUN_NAME_SIZE];

		snprintf(name, sizeof(name), "bench%d", i * 7 % TUNNELS);
		if (i % 3 == 0)
			require(memtun, memtun_delete(memtun, name), "delete");
		else if (i % 3 == 1)
			require(memtun, memtun_add(memtun, templates[i / 3 % 5], NULL), "add");
		else
			require(memtun,
				memtun_show(memtun, "bench99999", true, ignore_record, NULL),
				"show");
		now = measure_cpu(broker);
		max = now - last > max ? now - last : max;
		last = now;
	}
	/* Fill the gaps, so that the next measurement finds the same tunnels. */
	for (int i = 0; i < ROUNDS; i++)
		require(memtun, memtun_add(memtun, "bench%d", NULL), "add");
	return max;
}

void figures_objects(void)
{
	static const struct figure figure = {
		.name = "longest-request-100000-tunnels",
		.unit = "cpu-ns/request",
		.is_cost = true,
		.required = 1,
	};
	struct series series = {0};
	struct broker_process broker;
	struct memtun *memtun;

	broker_start(&broker);
	memtun = broker_connect(&broker);
	for (int i = 0; i < TUNNELS; i++)
		require(memtun, memtun_add(memtun, "bench%d", NULL), "add");
	for (int i = 0; i < MEASURE_PAIRS; i++)
		series_add(&series, measure_longest(memtun, broker.pid), LIMIT_NS);
	series_report(&series, &figure);
	memtun_free(memtun);
	process_end(broker.pid);
}
