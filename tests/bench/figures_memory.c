/* SPDX-License-Identifier: MIT */
/*
 * Resident memory of memtund for each idle open tunnel. No other program does the same, so the
 * baseline is a limit. Each measurement starts a broker, as one that had as many tunnels before
 * would still have their memory.
 */
#include <err.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "memtun.h"
#include "tests/bench/process.h"

#define TUNNELS 10000
#define BYTES_MAX 2048

/* Descriptors besides the tunnels': the standard streams, sockets, and those of libev. */
#define OTHER_DESCRIPTORS 100

static int fds[TUNNELS];

static int count_possible(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		err(1, "getrlimit");
	if (files.rlim_cur < TUNNELS + OTHER_DESCRIPTORS) {
		printf("info %s opens %d tunnels only: the limit of descriptors is %ju\n",
		       "idle-tunnel-memory", (int)files.rlim_cur - OTHER_DESCRIPTORS,
		       (uintmax_t)files.rlim_cur);
		return (int)files.rlim_cur - OTHER_DESCRIPTORS;
	}
	return TUNNELS;
}

/* Return the bytes per tunnel. */
static double measure_tunnels(int count)
{
	struct broker_process broker;
	struct memtun *memtun;
	double before, after;

	broker_start(&broker);
	memtun = broker_connect(&broker);
	/* The first tunnel allocates more than the others, so it is opened before. */
	close(broker_open(memtun, "bench%d", ""));
	before = measure_resident(broker.pid);
	for (int i = 0; i < count; i++)
		fds[i] = broker_open(memtun, "bench%d", "");
	after = measure_resident(broker.pid);
	for (int i = 0; i < count; i++)
		close(fds[i]);
	memtun_free(memtun);
	process_end(broker.pid);
	return (after - before) / count;
}

void figures_memory(void)
{
	static const struct figure figure = {
		.name = "idle-tunnel-memory",
		.unit = "bytes/tunnel",
		.is_cost = true,
		.required = 1,
	};
	int count = count_possible();
	struct series series = {0};

	for (int i = 0; i < MEASURE_PAIRS; i++)
		series_add(&series, measure_tunnels(count), BYTES_MAX);
	series_report(&series, &figure);
}
