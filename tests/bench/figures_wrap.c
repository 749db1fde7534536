/* SPDX-License-Identifier: MIT */
/*
 * Programs under memtun wrap. What is measured runs in a process of its own, this program with the
 * arguments of wrap_measure(), with and without memtun wrap in turn, and prints one number.
 */
#include <err.h>
#include <fcntl.h>
#include <ifaddrs.h>
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
#define FRAMES 64     /* so many fit into a socket */
#define BATCHES 301   /* of calls; the median counts */
#define BUILD_PAIRS 5 /* a build takes seconds */

#define MICROSECONDS_OPEN 150
#define MICROSECONDS_REQUEST 20
#define MICROSECONDS_GETIFADDRS 1000
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

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return (first > second) - (first < second);
}

/*
 * Return the seconds of one call: the median of BATCHES batches, each so short that other load on the
 * machine does not interrupt most of them.
 */
static double time_batches(void (*call)(void), int calls)
{
	static double seconds[BATCHES];

	for (int batch = 0; batch < BATCHES; batch++) {
		double from = measure_time();

		for (int i = 0; i < calls; i++)
			call();
		seconds[batch] = (measure_time() - from) / calls;
	}
	qsort(seconds, BATCHES, sizeof(seconds[0]), compare);
	return seconds[BATCHES / 2];
}

static int pair[2];

static void frames_pass(void)
{
	char buffer[2048];

	for (int i = 0; i < FRAMES; i++) {
		if (write(pair[0], frame, FRAME) != FRAME)
			err(1, "write");
	}
	for (int i = 0; i < FRAMES; i++) {
		if (read(pair[1], buffer, sizeof(buffer)) != FRAME)
			err(1, "read");
	}
}

/*
 * Return the seconds of writing and reading a frame. A wrapped descriptor is the end of such a pair,
 * so that what wrap adds is what the filter adds to the two calls.
 */
static double time_pair(void)
{
	must("socketpair", socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	return time_batches(frames_pass, 1) / FRAMES;
}

static void tun_open_close(void)
{
	close(tun_open());
}

static double time_open(void)
{
	return time_batches(tun_open_close, 2);
}

/* A call that is neither reported nor needs any work. */
static void untrapped(void)
{
	syscall(SYS_getppid);
}

static double time_untrapped(void)
{
	return time_batches(untrapped, 1000);
}

static void other_open(void)
{
	close(must("open", open("/dev/null", O_RDWR | O_CLOEXEC)));
}

static double time_other_open(void)
{
	return time_batches(other_open, 20);
}

static int inet;

static void other_request(void)
{
	struct ifreq request = {.ifr_name = "lo"};

	must("SIOCGIFINDEX", ioctl(inet, SIOCGIFINDEX, &request));
}

/* A request about an interface of the kernel, while the program has one of its own. */
static double time_request(void)
{
	inet = must("socket", socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	tun_open();
	return time_batches(other_request, 20);
}

static void addresses_get(void)
{
	struct ifaddrs *list;

	must("getifaddrs", getifaddrs(&list));
	freeifaddrs(list);
}

/* getifaddrs(3), while the program has an interface of its own. */
static double time_getifaddrs(void)
{
	tun_open();
	return time_batches(addresses_get, 1);
}

/* A parallel build: build.mk, in a directory of its own. */
static double time_build(void)
{
	char command[3 * PATH_MAX], place[] = "/tmp/memtun-bench-XXXXXX";
	const char *source = getenv("top_srcdir");
	double seconds;

	if (!source || !mkdtemp(place))
		err(1, "cannot build: run this by make bench");
	snprintf(command, sizeof(command),
		 "CCACHE_DISABLE=1 make -s -j2 -f '%s/tests/bench/build.mk' OUT=%s >&2", source,
		 place);
	seconds = measure_time();
	if (system(command) != 0)
		errx(1, "the build fails");
	seconds = measure_time() - seconds;
	snprintf(command, sizeof(command), "rm -r %s", place);
	if (system(command) != 0)
		errx(1, "cannot remove %s", place);
	return seconds;
}

static const struct what {
	const char *name;
	double (*time)(void);
} whats[] = {
	{"pair", time_pair},           {"open", time_open},
	{"untrapped", time_untrapped}, {"other-open", time_other_open},
	{"request", time_request},     {"getifaddrs", time_getifaddrs},
	{"build", time_build},
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
			     const struct figure *figure, double unit, int pairs)
{
	struct series series = {0};

	for (int i = 0; i < pairs; i++) {
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
	static const struct figure getifaddrs = {
		.name = "wrap-getifaddrs", .unit = "us", .is_cost = true, .required = 1};
	static const struct figure build = {
		.name = "wrap-parallel-build", .unit = "s", .is_cost = true, .required = 0.97};
	struct broker_process broker;

	broker_start(&broker);
	beside_unwrapped(&broker, "pair", &frames, 1e-9, MEASURE_PAIRS);
	beside_limit(&broker, "open", &opened, 1e-6, MICROSECONDS_OPEN);
	added_to_call(&broker, &untrapped);
	beside_unwrapped(&broker, "other-open", &other, 1e-6, MEASURE_PAIRS);
	beside_limit(&broker, "request", &request, 1e-6, MICROSECONDS_REQUEST);
	beside_limit(&broker, "getifaddrs", &getifaddrs, 1e-6, MICROSECONDS_GETIFADDRS);
	beside_unwrapped(&broker, "build", &build, 1, BUILD_PAIRS);
	process_end(broker.pid);
}
