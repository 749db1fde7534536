/* SPDX-License-Identifier: MIT */
/*
 * The latency of a pair's frames through a bridge while a third port floods a fourth whose reader
 * has stopped, beside the latency without the flood.
 *
 * A frame's latency is from just before its write to just after its read. It is one way, so that a
 * late answer delays no next request; and frames are sent at fixed times, so that a slow bridge
 * gets as many as a fast one. The flood is as fast as the broker accepts it, of the longest frames,
 * to one learned address. The stopped reader's backlog is full before the clock starts, on both
 * sides of the comparison.
 *
 * The figure is the broker's effect on the pair, not the scheduler's. The broker has one CPU. The
 * other CPU is the pair's whenever the pair needs it, as the flooder runs there at SCHED_IDLE. On
 * the side without the flood, a process that only spins takes the flooder's place, and another
 * keeps the broker's CPU awake, as the flood does: otherwise that side would mostly show how long a
 * CPU takes to wake up.
 */
#include <err.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/account.h"
#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "memtun.h"
#include "tests/bench/path.h"
#include "tests/bench/process.h"

#define FRAME_SIZE 64
#define FRAMES 5000
#define PERIOD 200000 /* nanoseconds from one frame to the next */
#define BATCH 32

/* Further stations of the bridge. */
enum {
	STATION_FLOODER = 3,
	STATION_STOPPED = 4
};

/* Seconds within which a stopped reader's backlog must be full. */
#define FULL_WITHIN 10

/* The offset of a frame's time of sending: behind the Ethernet header, aligned. */
#define TIME_OFFSET 16

struct bridge {
	struct broker_process broker;
	struct memtun *memtun;
	int sender, receiver, flooder, stopped;
	int64_t *latencies; /* of a run, shared with the receiver */
};

static int64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ----------------------------------------------------------------------------- a bridge */

/* Make the bridge learn where a station is. */
static void announce(int fd, unsigned int station)
{
	unsigned char frame[FRAME_LENGTH_MAX];

	frame_fill(frame, STATION_SENDER, station);
	if (write(fd, frame, FRAME_SIZE) != FRAME_SIZE)
		err(1, "write");
}

static void bridge_start(struct bridge *bridge)
{
	unsigned char frame[FRAME_LENGTH_MAX];

	broker_start(&bridge->broker);
	bridge->memtun = broker_connect(&bridge->broker);
	bridge->sender = broker_open(bridge->memtun, "sender", "bridge=bench");
	bridge->receiver = broker_open(bridge->memtun, "receiver", "bridge=bench");
	path_learn(&(struct path){.in = bridge->sender, .out = bridge->receiver}, bridge->memtun,
		   "bench");
	bridge->flooder = broker_open(bridge->memtun, "flooder", "bridge=bench");
	bridge->stopped = broker_open(bridge->memtun, "stopped", "bridge=bench");
	announce(bridge->flooder, STATION_FLOODER);
	announce(bridge->stopped, STATION_STOPPED);
	for (int i = 0; i < 2; i++) {
		if (read(bridge->sender, frame, sizeof(frame)) != FRAME_SIZE)
			err(1, "read");
	}
	process_pin(bridge->broker.pid, 1);
	bridge->latencies = mmap(NULL, FRAMES * sizeof(int64_t), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bridge->latencies == MAP_FAILED)
		err(1, "mmap");
}

static void bridge_end(struct bridge *bridge)
{
	munmap(bridge->latencies, FRAMES * sizeof(int64_t));
	close(bridge->sender);
	close(bridge->receiver);
	close(bridge->flooder);
	close(bridge->stopped);
	memtun_free(bridge->memtun);
	process_end(bridge->broker.pid);
}

/* ------------------------------------------------------------------ the others on the CPUs */

/* Start a process that gets only a CPU's idle time. */
static pid_t fork_idle(int cpu)
{
	pid_t pid = process_fork();

	if (pid == 0) {
		process_pin(getpid(), cpu);
		alarm(RUN_LONGEST);
		if (sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0}) < 0)
			err(1, "sched_setscheduler");
	}
	return pid;
}

static pid_t start_spinner(int cpu)
{
	pid_t pid = fork_idle(cpu);

	if (pid == 0) {
		for (;;)
			__asm__ volatile("");
	}
	return pid;
}

/*
 * Send frames until the process is ended or its alarm ends it. Retry at once where a send would
 * block, so that the CPU stays awake, as with the spinner.
 */
static pid_t start_flooder(int fd)
{
	unsigned char frame[FRAME_LENGTH_MAX];
	struct iovec part = {frame, sizeof(frame)};
	struct mmsghdr messages[BATCH] = {0};
	pid_t pid = fork_idle(0);

	if (pid)
		return pid;
	frame_fill(frame, STATION_STOPPED, STATION_FLOODER);
	for (int i = 0; i < BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
	for (;;) {
		if (sendmmsg(fd, messages, BATCH, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		    errno != EAGAIN)
			err(1, "sendmmsg");
	}
}

/* -------------------------------------------------------------------------------- the pair */

static void send_paced(int fd)
{
	unsigned char frame[FRAME_LENGTH_MAX];
	int64_t next = nanoseconds();

	/* The kernel's timer slack, nanoseconds. */
	if (prctl(PR_SET_TIMERSLACK, 1) < 0)
		err(1, "prctl");
	frame_fill(frame, STATION_RECEIVER, STATION_SENDER);
	for (int i = 0; i < FRAMES; i++) {
		struct timespec time = {next / 1000000000, next % 1000000000};
		int64_t now;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
		now = nanoseconds();
		memcpy(frame + TIME_OFFSET, &now, sizeof(now));
		if (write(fd, frame, FRAME_SIZE) != FRAME_SIZE)
			err(1, "write");
		next += PERIOD;
	}
}

static void receive_paced(int fd, int64_t latencies[])
{
	unsigned char frame[FRAME_LENGTH_MAX];
	int64_t sent;

	for (int i = 0; i < FRAMES; i++) {
		if (read(fd, frame, sizeof(frame)) != FRAME_SIZE)
			err(1, "read");
		memcpy(&sent, frame + TIME_OFFSET, sizeof(sent));
		latencies[i] = nanoseconds() - sent;
	}
}

static pid_t start_half(const struct bridge *bridge, bool sends)
{
	pid_t pid = process_fork();

	if (pid)
		return pid;
	process_pin(getpid(), 0);
	alarm(RUN_LONGEST);
	if (sends)
		send_paced(bridge->sender);
	else
		receive_paced(bridge->receiver, bridge->latencies);
	_exit(0);
}

static int compare_latencies(const void *one, const void *other)
{
	int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;

	return a < b ? -1 : a > b;
}

struct latency {
	double median, p99, max; /* microseconds */
};

static struct latency pair_run(const struct bridge *bridge)
{
	int64_t *latencies = bridge->latencies;
	pid_t receiver = start_half(bridge, false);
	pid_t sender = start_half(bridge, true);

	if (!process_wait(sender) || !process_wait(receiver))
		errx(1, "not all of the pair's %d frames arrived", FRAMES);
	qsort(latencies, FRAMES, sizeof(latencies[0]), compare_latencies);
	return (struct latency){
		.median = (double)latencies[FRAMES / 2] / 1000,
		.p99 = (double)latencies[FRAMES * 99 / 100] / 1000,
		.max = (double)latencies[FRAMES - 1] / 1000,
	};
}

/* -------------------------------------------------------------------------------- both sides */

/* Send until the stopped reader's backlog overflows. */
static void wait_full(const struct bridge *bridge)
{
	uint64_t dropped = account_read(bridge->memtun, "stopped").dropped;
	double until = measure_time() + FULL_WITHIN;

	while (account_read(bridge->memtun, "stopped").dropped == dropped) {
		if (measure_time() > until)
			errx(1, "a stopped reader's queue does not become full");
	}
}

static struct latency quiet_run(const struct bridge *bridge)
{
	pid_t spinners[] = {start_spinner(0), start_spinner(1)};
	struct latency latency = pair_run(bridge);

	process_end(spinners[0]);
	process_end(spinners[1]);
	return latency;
}

/* Measure one side. *rate is how many of the flood's frames the broker accepted per second. */
static struct latency flooded_run(const struct bridge *bridge, double *rate)
{
	pid_t flooder = start_flooder(bridge->flooder);
	struct account before, after;
	struct latency latency;
	double from;

	wait_full(bridge);
	before = account_read(bridge->memtun, "stopped");
	from = measure_time();
	latency = pair_run(bridge);
	after = account_read(bridge->memtun, "stopped");
	*rate = (double)(after.offered - before.offered) / (measure_time() - from);
	process_end(flooder);
	if (after.delivered != before.delivered || after.dropped == before.dropped)
		errx(1, "the flood did not meet a stopped reader");
	return latency;
}

static void tell(const char *name, const struct latency *latency)
{
	printf("info %s us: median %.1f p99 %.1f most %.1f\n", name, latency->median, latency->p99,
	       latency->max);
}

void figures_latency(void)
{
	static const struct figure figure = {
		.name = "latency-p99-flooded",
		.unit = "us",
		.is_cost = true,
		.required = 0.5,
	};
	struct series series = {0};
	struct latency quiet, flooded;
	struct bridge bridge;
	double rate;

	bridge_start(&bridge);
	flooded_run(&bridge, &rate);
	quiet_run(&bridge);
	for (int i = 0; i < MEASURE_PAIRS; i++) {
		flooded = flooded_run(&bridge, &rate);
		quiet = quiet_run(&bridge);
		series_add(&series, flooded.p99, quiet.p99);
	}
	series_report(&series, &figure);
	printf("info latency-p99-flooded last pair: a flood of %.0f frames/s\n", rate);
	tell("latency-p99-flooded flooded", &flooded);
	tell("latency-p99-flooded quiet", &quiet);
	bridge_end(&bridge);
}
