/* SPDX-License-Identifier: MIT */
/*
 * What a figure is made of: pairs of one measurement of ours and one of the baseline, taken in turn
 * so that whatever else the machine does falls on both. The ratio is that of each pair, and is the
 * better the higher it is, whatever the unit.
 */
#ifndef MEMTUN_BENCH_MEASURE_H
#define MEMTUN_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Enough for a median that some disturbed pairs don't move. Where one side takes tenths of a second
 * there are more of them, so that what disturbs for seconds falls on both sides of most pairs. */
#define MEASURE_PAIRS 11
#define MEASURE_SHORT_PAIRS 31

struct figure {
	const char *name;
	const char *unit;
	bool is_cost;    /* less of it is better */
	double floor;    /* noise, added to both sides before they are compared */
	double required; /* the ratio to be reached */
};

struct series {
	int pairs;
	double ours[MEASURE_SHORT_PAIRS];
	double baseline[MEASURE_SHORT_PAIRS];
};

void series_add(struct series *series, double ours, double baseline);

/* The medians of our side and of the pairs' ratios. */
double series_ours(const struct series *series);
double series_ratio(const struct series *series, const struct figure *figure);

/* Prints the figure's line, and one for people. */
void series_report(const struct series *series, const struct figure *figure);

/* Seconds of CLOCK_MONOTONIC. */
double measure_time(void);

/* CPU time that the process has used so far, nanoseconds. */
double measure_cpu(pid_t pid);

/* Its resident memory, bytes. */
double measure_resident(pid_t pid);

#endif
