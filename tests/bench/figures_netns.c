/* SPDX-License-Identifier: MIT */
/*
 * TCP between two kernels' stacks: iperf3 in two memtun netns, whose frames the broker forwards.
 * The baselines are two network namespaces on a bridge of the kernel, by veth, and two that
 * slirp4netns joins to the loopback interface. With veth the same frame of 64 KiB is handed on in
 * the sender's own system call; through the broker it is copied out of the kernel and into it
 * again.
 */
#include <stdio.h>

#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "tests/bench/netns_path.h"

static void compare(struct netns_path *ours, const char *kind, const char *name, double required)
{
	const struct figure figure = {.name = name, .unit = "bit/s", .required = required};
	struct netns_path other;
	struct series series = {0};
	const char *reason = netns_path_start(&other, kind);

	if (reason) {
		printf("bench %s not measured: %s\n", name, reason);
		return;
	}
	netns_path_measure(ours);
	netns_path_measure(&other);
	for (int i = 0; i < MEASURE_PAIRS; i++) {
		double rate = netns_path_measure(ours);

		series_add(&series, rate, netns_path_measure(&other));
	}
	series_report(&series, &figure);
	netns_path_end(&other);
}

void figures_netns(void)
{
	struct netns_path ours;
	const char *reason = netns_path_start(&ours, "memtun");

	if (reason) {
		printf("bench netns not measured: %s\n", reason);
		return;
	}
	compare(&ours, "kernel", "netns-iperf3-veth", 0.3);
	compare(&ours, "slirp4netns", "netns-iperf3-slirp4netns", 1);
	netns_path_end(&ours);
}
