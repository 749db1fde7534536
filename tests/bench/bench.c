/* SPDX-License-Identifier: MIT */
/*
 * make bench: how fast and how small memtund is, beside the least that could do the same.
 *
 *	bench MEMTUND [GROUP...]
 *
 * Prints one line a figure: `bench NAME ours OURS unit UNIT baseline BASELINE ratio RATIO spread
 * LOWEST..HIGHEST`. OURS and BASELINE are medians; RATIO is the median of the pairs' ratios, and is
 * the better the higher it is; the spread is theirs.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "figures.h"
#include "process.h"

/* However it hangs, it ends: seconds. */
#define LONGEST 290

struct group {
	const char *name;
	void (*run)(void);
};

static const struct group groups[] = {
	{"open", figures_open},     {"requests", figures_requests}, {"memory", figures_memory},
	{"frames", figures_frames}, {"peers", figures_peers},       {"io", figures_io},
};

#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static const struct group *group_find(const char *name)
{
	for (size_t i = 0; i < GROUPS; i++) {
		if (strcmp(groups[i].name, name) == 0)
			return &groups[i];
	}
	errx(2, "there is no group '%s': open, requests, memory, frames, peers or io", name);
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (argc < 2)
		errx(2, "usage: bench MEMTUND [open] [requests] [memory] [frames] [peers] [io]");
	process_memtund = argv[1];
	alarm(LONGEST);
	/* Many tunnels and clients are held at once. */
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
