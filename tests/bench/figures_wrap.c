/* SPDX-License-Identifier: MIT */
/*
 * Programs under memtun wrap. What is measured runs in a process of its own, this program with the
 * arguments of wrap_measure(), with and without memtun wrap in turn, and prints one number.
 */
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "tests/bench/process.h"

#define FRAME 64
#define BATCH 64 /* frames that fit into a socket */

#define MICROSECONDS_OPEN 150
#define MICROSECONDS_REQUEST 20
#define NANOSECONDS_CALL 60

static const char frame[FRAME];

/* End the program if a call fails. */
static int must(const char *call, int result)
{
	if (result < 0)
		err(1, "%s", call);
	return result;
}

/* ------------------------------------------------------------------------------ in the program */

/* Open a TUN without packet information. */
static int tun_open(void)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = must("open", open("/dev/net/tun", O_RDWR | O_CLOEXEC));

	must("TUNSETIFF", ioctl(fd, TUNSETIFF, &request));
	return fd;
}

/*
 * Return the seconds of writing and reading a frame. A wrapped descriptor is the end of such a pair,
 * so that what wrap adds is what the filter adds to the two calls.
 */
static double time_frames(int in, int out)
{
	const int batches = 2000;
	char buffer[2048];
	double from = measure_time();

	for (int batch = 0; batch < batches; batch++) {
		for (int i = 0; i < BATCH; i++) {
			if (write(in, frame, FRAME) != FRAME)
				err(1, "write");
		}
		for (int i = 0; i < BATCH; i++) {
			if (read(out, buffer, sizeof(buffer)) != FRAME)
				err(1, "read");
		}
	}
	return (measure_time() - from) / batches / BATCH;
}

static double time_pair(void)
{
	int ends[2];

	must("socketpair", socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
	return time_frames(ends[0], ends[1]);
}

static double time_open(void)
{
	const int count = 500;
	double from = measure_time();

	for (int i = 0; i < count; i++)
		close(tun_open());
	return (measure_time() - from) / count;
}

/* A call that is neither reported nor needs any work. */
static double time_untrapped(void)
{
	const int count = 1000000;
	double from = measure_time();

	for (int i = 0; i < count; i++)
		syscall(SYS_getppid);
	return (measure_time() - from) / count;
}

static double time_other_open(void)
{
	const int count = 5000;
	double from = measure_time();

	for (int i = 0; i < count; i++)
		close(must("open", open("/dev/null", O_RDWR | O_CLOEXEC)));
	return (measure_time() - from) / count;
}

/* A request about an interface of the kernel, while the program has one of its own. */
static double time_request(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int inet = must("socket", socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	const int count = 2000;
	double from;

	tun_open();
	from = measure_time();
	for (int i = 0; i < count; i++)
		must("SIOCGIFINDEX", ioctl(inet, SIOCGIFINDEX, &request));
	return (measure_time() - from) / count;
}

static const struct what {
	const char *name;
	double (*time)(void);
} whats[] = {
	{"pair", time_pair},           {"open", time_open},
	{"untrapped", time_untrapped}, {"other-open", time_other_open},
	{"request", time_request},
};

int wrap_measure(const char *name)
{
	for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
		if (strcmp(whats[i].name, name) == 0) {
			printf("%.12f\n", whats[i].time());
			return 0;
		}
	}
	errx(2, "nothing is called %s", name);
}

/* ------------------------------------------------------------------------------ around it */

/* Return the seconds that the program measures, under memtun wrap or without it. */
static double run(const struct broker_process *broker, bool wrapped, const char *name)
{
	char self[PATH_MAX], memtun[PATH_MAX], line[64];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *slash = strrchr(process_memtund, '/');
	const char *arguments[] = {memtun, "wrap", "--notify",    "--socket", broker->address,
				   "--",   self,   BENCH_MEASURE, name,       NULL};
	const char *const *command = wrapped ? arguments : arguments + 6;
	int ends[2];
	pid_t pid;

	if (length < 0 || pipe(ends) < 0)
		err(1, "cannot run memtun wrap");
	self[length] = '\0';
	/* memtun is where memtund is. */
	snprintf(memtun, sizeof(memtun), "%.*smemtun",
		 slash ? (int)(slash - process_memtund + 1) : 0, process_memtund);
	pid = process_fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execvp(command[0], (char **)(uintptr_t)command);
		err(1, "cannot run %s", command[0]);
	}
	close(ends[1]);
	length = read(ends[0], line, sizeof(line) - 1);
	close(ends[0]);
	if (!process_wait(pid) || length <= 0)
		errx(1, "memtun wrap could not be measured: see memtun wrap --explain");
	line[length] = '\0';
	return strtod(line, NULL);
}

/* Measure with and without memtun wrap in turn, in that unit. */
static void beside_unwrapped(const struct broker_process *broker, const char *name,
			     const struct figure *figure, double unit)
{
	struct series series = {0};

	for (int i = 0; i < MEASURE_PAIRS; i++) {
		double ours = run(broker, true, name);

		series_add(&series, ours / unit, run(broker, false, name) / unit);
	}
	series_report(&series, figure);
}

/* Measure with memtun wrap, beside a limit. */
static void beside_limit(const struct broker_process *broker, const char *name,
			 const struct figure *figure, double unit, double limit)
{
	struct series series = {0};

	for (int i = 0; i < MEASURE_PAIRS; i++)
		series_add(&series, run(broker, true, name) / unit, limit);
	series_report(&series, figure);
}

/* Measure a call that the filter lets pass, beside the same call without a filter and the limit. */
static void added_to_call(const struct broker_process *broker, const struct figure *figure)
{
	struct series series = {0};

	for (int i = 0; i < MEASURE_PAIRS; i++) {
		double ours = run(broker, true, "untrapped");

		series_add(&series, ours * 1e9,
			   run(broker, false, "untrapped") * 1e9 + NANOSECONDS_CALL);
	}
	series_report(&series, figure);
}

void figures_wrap(void)
{
	static const struct figure frames = {
		.name = "wrap-write-read-64", .unit = "ns", .is_cost = true, .required = 0.95};
	static const struct figure opened = {
		.name = "wrap-open-close", .unit = "us", .is_cost = true, .required = 1};
	static const struct figure untrapped = {
		.name = "wrap-untrapped-call", .unit = "ns", .is_cost = true, .required = 1};
	static const struct figure other = {
		.name = "wrap-other-open", .unit = "us", .is_cost = true, .required = 1.0 / 6};
	static const struct figure request = {
		.name = "wrap-other-request", .unit = "us", .is_cost = true, .required = 1};
	struct broker_process broker;

	broker_start(&broker);
	beside_unwrapped(&broker, "pair", &frames, 1e-9);
	beside_limit(&broker, "open", &opened, 1e-6, MICROSECONDS_OPEN);
	added_to_call(&broker, &untrapped);
	beside_unwrapped(&broker, "other-open", &other, 1e-6);
	beside_limit(&broker, "request", &request, 1e-6, MICROSECONDS_REQUEST);
	process_end(broker.pid);
}
