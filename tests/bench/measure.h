/* SPDX-License-Identifier: MIT */
/*
 * The benchmark measures memtun and the baseline in turn, so that other load on the machine affects
 * both. Each pair of measurements gives a ratio, and a figure is the median of these ratios. A higher
 * ratio is better, whatever the unit.
 */
#ifndef MEMTUN_BENCH_MEASURE_H
#define MEMTUN_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Enough pairs for a median that a few disturbed ones do not move. Where one side takes tenths of a
 * second there are more, so that a disturbance of seconds falls on both sides of most pairs. */
#define MEASURE_PAIRS 11
#define MEASURE_SHORT_PAIRS 31

struct figure {
	const char *name;
	const char *unit;
	bool is_cost;    /* a lower value is better */
	double floor;    /* noise, added to both sides before they are compared */
	double required; /* the minimum ratio */
};

struct series {
	int pairs;
	double ours[MEASURE_SHORT_PAIRS];
	double baseline[MEASURE_SHORT_PAIRS];
};

void series_add(struct series *series, double ours, double baseline);

/* Return the medians of our side and of the pairs' ratios. */
double series_ours(const struct series *series);
double series_ratio(const struct series *series, const struct figure *figure);

/* Print the figure's line, and one that is easy to read. */
void series_report(const struct series *series, const struct figure *figure);

/* Return CLOCK_MONOTONIC in seconds. */
double measure_time(void);

/* Return the CPU time that a process has used so far, nanoseconds. */
double measure_cpu(pid_t pid);

/* Return a process's resident memory, bytes. */
double measure_resident(pid_t pid);

#endif
