/* SPDX-License-Identifier: MIT */
/*
 * The broker's cost of a pair's frames when many other ports are on their bridge, all open and
 * idle, beside a broker with the pair alone.
 */
#include <err.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "memtun.h"
#include "tests/bench/path.h"
#include "tests/bench/process.h"

#define FRAMES 60000
#define PORTS_MAX 256

/* A broker, and the number of ports on its bridge. */
struct crowd {
	struct broker_process broker;
	struct memtun *memtun;
	int fds[PORTS_MAX]; /* first those of the pair */
	int count;
	struct path path;
};

static void crowd_start(struct crowd *crowd, int count)
{
	broker_start(&crowd->broker);
	crowd->memtun = broker_connect(&crowd->broker);
	crowd->count = count;
	for (int i = 0; i < count; i++)
		crowd->fds[i] =
			broker_open(crowd->memtun, "port%d",
				    i == 1 ? "bridge=bench,overflow=block" : "bridge=bench");
	crowd->path = (struct path){crowd->fds[0], crowd->fds[1], crowd->broker.pid};
	path_learn(&crowd->path, crowd->memtun, "bench");
	process_pin(crowd->broker.pid, 1);
}

static void crowd_end(struct crowd *crowd)
{
	for (int i = 0; i < crowd->count; i++)
		close(crowd->fds[i]);
	memtun_free(crowd->memtun);
	process_end(crowd->broker.pid);
}

static double crowd_cost(const struct crowd *crowd)
{
	return path_run(&crowd->path, FRAME_LENGTH_MAX, FRAMES).cpu / FRAMES;
}

static void compare_crowds(const struct crowd *pair, int count)
{
	struct series series = {0};
	struct crowd crowd;
	char name[40];
	struct figure figure = {name, "cpu-ns/frame", .is_cost = true, .required = 0.83};

	snprintf(name, sizeof(name), "cpu-per-frame-%d-ports", count);
	crowd_start(&crowd, count);
	crowd_cost(&crowd);
	crowd_cost(pair);
	for (int i = 0; i < MEASURE_SHORT_PAIRS; i++) {
		double cost = crowd_cost(&crowd);

		series_add(&series, cost, crowd_cost(pair));
	}
	series_report(&series, &figure);
	crowd_end(&crowd);
}

void figures_ports(void)
{
	static const int counts[] = {32, PORTS_MAX};
	struct crowd pair;

	crowd_start(&pair, 2);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		compare_crowds(&pair, counts[i]);
	crowd_end(&pair);
}
