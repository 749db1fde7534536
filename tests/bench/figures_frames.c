/* SPDX-License-Identifier: MIT */
/*
 * Frames through a learning bridge of two ports that knows both addresses, beside a bare forwarder;
 * and frames between two peers, beside a broker that does nothing. The receiving tunnel blocks, so
 * every frame arrives, as with the forwarder. The figure of the default, drop-tail, is printed for
 * information.
 */
#include <err.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/account.h"
#include "tests/bench/bare_forwarder.h"
#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "memtun.h"
#include "tests/bench/path.h"
#include "tests/bench/process.h"

#define FRAMES 60000
#define PEER_FRAMES 1000000

/* --------------------------------------------------------------------------------- a bridge */

static void compare_bridge(const struct path *ours, const struct path *bare, size_t size)
{
	struct series cpu = {0}, rate = {0};
	char cpu_name[40], rate_name[40];
	struct figure cpu_figure = {cpu_name, "cpu-ns/frame", .is_cost = true, .required = 0.85};
	struct figure rate_figure = {rate_name, "1/s", .required = 0.85};

	snprintf(cpu_name, sizeof(cpu_name), "cpu-per-frame-%zu", size);
	snprintf(rate_name, sizeof(rate_name), "frames-per-second-%zu", size);
	path_run(ours, size, FRAMES);
	path_run(bare, size, FRAMES);
	for (int i = 0; i < MEASURE_SHORT_PAIRS; i++) {
		struct run our_run = path_run(ours, size, FRAMES);
		struct run bare_run = path_run(bare, size, FRAMES);

		series_add(&cpu, our_run.cpu / FRAMES, bare_run.cpu / FRAMES);
		series_add(&rate, FRAMES / our_run.seconds, FRAMES / bare_run.seconds);
	}
	series_report(&cpu, &cpu_figure);
	series_report(&rate, &rate_figure);
}

/* Measure the same with drop-tail, the default: frames without room are dropped and counted. */
static void tell_drop_tail(struct memtun *memtun, const struct path *path, size_t size)
{
	struct account before = account_read(memtun, "out"), after;
	double cpu = measure_cpu(path->pid), from = measure_time(), seconds;
	/* Reads until this process ends it. */
	pid_t receiver = path_receive(path->out, size, FRAMES + 1);
	pid_t sender = path_send(path->in, size, FRAMES);
	char left;

	if (!process_wait(sender))
		errx(1, "not all frames of %zu bytes were sent", size);
	after = account_quiesce(memtun, "out", &before, FRAMES);
	seconds = measure_time() - from;
	cpu = measure_cpu(path->pid) - cpu;
	process_end(receiver);
	while (recv(path->out, &left, sizeof(left), MSG_DONTWAIT) > 0)
		;
	printf("info drop-tail-%zu offered %.0f frames/s delivered %.1f %% cpu-ns/frame %.0f\n",
	       size, FRAMES / seconds, (double)(after.delivered - before.delivered) * 100 / FRAMES,
	       cpu / FRAMES);
}

void figures_frames(void)
{
	static const size_t sizes[] = {64, 1514};
	struct memtun_options *drop_tail = memtun_options_new();
	struct bare_forwarder forwarder;
	struct broker_process broker;
	struct path ours, bare;
	struct memtun *memtun;

	broker_start(&broker);
	memtun = broker_connect(&broker);
	bare_forwarder_start(&forwarder);
	bare = (struct path){forwarder.in, forwarder.out, forwarder.pid};
	ours = (struct path){
		.in = broker_open(memtun, "in", "bridge=bench"),
		.out = broker_open(memtun, "out", "bridge=bench,overflow=block"),
		.pid = broker.pid,
	};
	path_learn(&ours, memtun, "bench");
	process_pin(ours.pid, 1);
	process_pin(bare.pid, 1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		compare_bridge(&ours, &bare, sizes[i]);
	if (!drop_tail || memtun_options_set(drop_tail, "overflow", "drop-tail") < 0 ||
	    memtun_set(memtun, "out", drop_tail) < 0)
		errx(1, "cannot set overflow: %s", memtun_error(memtun));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		tell_drop_tail(memtun, &ours, sizes[i]);
	memtun_options_free(drop_tail);
	close(ours.in);
	close(ours.out);
	memtun_free(memtun);
	process_end(broker.pid);
	bare_forwarder_end(&forwarder);
}

/* --------------------------------------------------------------------------------- peers */

static void wait_seconds(double seconds)
{
	struct timespec rest = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};

	nanosleep(&rest, NULL);
}

void figures_peers(void)
{
	/* One nanosecond per frame is noise: a single unrelated wake-up is several. */
	static const struct figure figure = {
		.name = "peer-pair-broker-cpu",
		.unit = "cpu-ns",
		.is_cost = true,
		.floor = PEER_FRAMES,
		.required = 0.9,
	};
	struct broker_process broker;
	struct memtun *memtun;
	struct series series = {0};
	struct path path;

	broker_start(&broker);
	memtun = broker_connect(&broker);
	path = (struct path){
		.in = broker_open(memtun, "left", "peer=right"),
		.out = broker_open(memtun, "right", ""),
		.pid = broker.pid,
	};
	for (int i = 0; i < MEASURE_PAIRS; i++) {
		struct run run = path_run(&path, 64, PEER_FRAMES);
		double from = measure_cpu(broker.pid);

		wait_seconds(run.seconds);
		series_add(&series, run.cpu, measure_cpu(broker.pid) - from);
	}
	series_report(&series, &figure);
	close(path.in);
	close(path.out);
	memtun_free(memtun);
	process_end(broker.pid);
}
