/* SPDX-License-Identifier: MIT */
/*
 * make bench: the speed and size of memtund, beside the minimum that could do the same.
 *
 *	bench MEMTUND [GROUP...]
 *
 * Print one line for each figure: `bench NAME ours OURS unit UNIT baseline BASELINE ratio RATIO
 * spread LOWEST..HIGHEST`. OURS and BASELINE are medians. RATIO is the median of the pairs' ratios,
 * and a higher ratio is better; the spread is that of the ratios. Where a baseline is not
 * available, the line is `bench NAME skipped: WHY`.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/figures.h"
#include "tests/bench/process.h"

/* Seconds after which a hanging benchmark ends. */
#define LONGEST 600

struct group {
	const char *name;
	void (*run)(void);
};

static const struct group groups[] = {
	{"open", figures_open},       {"requests", figures_requests},
	{"objects", figures_objects}, {"memory", figures_memory},
	{"frames", figures_frames},   {"bridge", figures_bridge},
	{"ports", figures_ports},     {"latency", figures_latency},
	{"flood", figures_flood},     {"peers", figures_peers},
	{"io", figures_io},           {"segment", figures_segment},
	{"impair", figures_impair},   {"netns", figures_netns},
	{"wrap", figures_wrap},
};

#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static const struct group *group_find(const char *name)
{
	for (size_t i = 0; i < GROUPS; i++) {
		if (strcmp(groups[i].name, name) == 0)
			return &groups[i];
	}
	fprintf(stderr, "bench: there is no group '%s'. There are:", name);
	for (size_t i = 0; i < GROUPS; i++)
		fprintf(stderr, " %s", groups[i].name);
	fputc('\n', stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (argc == 3 && strcmp(argv[1], BENCH_MEASURE) == 0)
		return wrap_measure(argv[2]);
	if (argc < 2)
		errx(2, "usage: bench MEMTUND [GROUP...]");
	process_memtund = argv[1];
	alarm(LONGEST);
	/* Many tunnels and clients are open at once. */
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		err(1, "getrlimit");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		err(1, "setrlimit");
	for (int i = 2; i < argc; i++)
		group_find(argv[i])->run();
	for (size_t i = 0; argc == 2 && i < GROUPS; i++)
		groups[i].run();
	return 0;
}
