/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing tunnels, as a user of the library does it, beside a client of a bare server.
 * One by one is memtun_open() and close(). Pipelined is memtun_request() with a window of requests
 * that wait for their answers. The close is included: the broker detects it.
 *
 * One by one, client and server share a CPU, because one of them always waits. On two CPUs the
 * figure would be the time of a wake-up, and the scheduler would choose anew each time. Pipelined,
 * each has a CPU.
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/bare_server.h"
#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "memtun.h"
#include "tests/bench/process.h"

#define OPENS 4000
#define WINDOW 32

/* --------------------------------------------------------------------------------- one by one */

static double ours_one_by_one(struct memtun *memtun)
{
	double from = measure_time();

	for (int i = 0; i < OPENS; i++) {
		int fd = memtun_open(memtun, "bench%d", NULL);

		if (fd < 0)
			errx(1, "cannot open: %s", memtun_error(memtun));
		close(fd);
	}
	return OPENS / (measure_time() - from);
}

static double bare_one_by_one(struct bare_server *server)
{
	double from = measure_time();

	for (int i = 0; i < OPENS; i++) {
		bare_server_ask(server);
		close(bare_server_answer(server));
	}
	return OPENS / (measure_time() - from);
}

/* --------------------------------------------------------------------------------- pipelined */

struct pipeline {
	int asked, answered;
};

static void pipeline_answered(struct memtun *memtun, const struct memtun_reply *reply,
			      void *context)
{
	struct pipeline *pipeline = context;

	(void)memtun;
	if (reply->error)
		errx(1, "cannot open: %s", reply->text);
	if (reply->record)
		close(reply->fd);
	else
		pipeline->answered++;
}

static double ours_pipelined(struct memtun *memtun)
{
	struct pipeline pipeline = {0};
	double from = measure_time();

	while (pipeline.answered < OPENS) {
		while (pipeline.asked < OPENS && pipeline.asked - pipeline.answered < WINDOW) {
			if (memtun_request(memtun, MEMTUN_CMD_QUEUE_OPEN, "bench%d", NULL,
					   pipeline_answered, &pipeline) < 0)
				errx(1, "cannot ask: %s", memtun_error(memtun));
			pipeline.asked++;
		}
		if (memtun_wait(memtun, -1) < 0)
			err(1, "memtun_wait");
	}
	return OPENS / (measure_time() - from);
}

static double bare_pipelined(struct bare_server *server)
{
	double from = measure_time();

	for (int i = 0; i < WINDOW; i++)
		bare_server_ask(server);
	for (int i = 0; i < OPENS; i++) {
		close(bare_server_answer(server));
		if (i < OPENS - WINDOW)
			bare_server_ask(server);
	}
	return OPENS / (measure_time() - from);
}

/* --------------------------------------------------------------------------------- */

static void compare(const struct figure *figure, struct memtun *memtun, struct bare_server *server,
		    double (*ours)(struct memtun *), double (*bare)(struct bare_server *))
{
	struct series series = {0};

	ours(memtun);
	bare(server);
	for (int i = 0; i < MEASURE_SHORT_PAIRS; i++) {
		double rate = ours(memtun);

		series_add(&series, rate, bare(server));
	}
	series_report(&series, figure);
}

void figures_open(void)
{
	static const struct figure one_by_one = {
		.name = "open-close-sequential",
		.unit = "1/s",
		.required = 0.7,
	};
	static const struct figure pipelined = {
		.name = "open-close-pipelined",
		.unit = "1/s",
		.required = 0.7,
	};
	struct broker_process broker;
	struct bare_server server;
	struct memtun *memtun;

	bare_server_start(&server);
	broker_start(&broker);
	memtun = broker_connect(&broker);
	process_pin(getpid(), 0);
	process_pin(server.pid, 0);
	process_pin(broker.pid, 0);
	compare(&one_by_one, memtun, &server, ours_one_by_one, bare_one_by_one);
	process_pin(server.pid, 1);
	process_pin(broker.pid, 1);
	compare(&pipelined, memtun, &server, ours_pipelined, bare_pipelined);
	process_unpin(getpid());
	memtun_free(memtun);
	process_end(broker.pid);
	bare_server_end(&server);
}
