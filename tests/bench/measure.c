/* SPDX-License-Identifier: MIT */
#include "tests/bench/measure.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int compare_doubles(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return a < b ? -1 : a > b;
}

/* Sort the values. Return the median. */
static double sort_for_median(double values[], int count)
{
	qsort(values, (size_t)count, sizeof(values[0]), compare_doubles);
	return values[count / 2];
}

void series_add(struct series *series, double ours, double baseline)
{
	series->ours[series->pairs] = ours;
	series->baseline[series->pairs] = baseline;
	series->pairs++;
}

/* Store the pairs' ratios in ratios, sorted. Return the median. */
static double sort_ratios(const struct series *series, const struct figure *figure, double ratios[])
{
	for (int i = 0; i < series->pairs; i++) {
		ratios[i] =
			(series->ours[i] + figure->floor) / (series->baseline[i] + figure->floor);
		if (figure->is_cost)
			ratios[i] = 1 / ratios[i];
	}
	return sort_for_median(ratios, series->pairs);
}

double series_ours(const struct series *series)
{
	struct series sorted = *series;

	return sort_for_median(sorted.ours, series->pairs);
}

double series_ratio(const struct series *series, const struct figure *figure)
{
	double ratios[MEASURE_SHORT_PAIRS];

	return sort_ratios(series, figure, ratios);
}

void series_report(const struct series *series, const struct figure *figure)
{
	double ratios[MEASURE_SHORT_PAIRS];
	struct series sorted = *series;
	double ours, baseline, ratio;

	ours = sort_for_median(sorted.ours, series->pairs);
	baseline = sort_for_median(sorted.baseline, series->pairs);
	ratio = sort_ratios(series, figure, ratios);
	printf("bench %s ours %.1f unit %s baseline %.1f ratio %.3f spread %.3f..%.3f\n",
	       figure->name, ours, figure->unit, baseline, ratio, ratios[0],
	       ratios[series->pairs - 1]);
	printf("      must reach %.2f: %s\n", figure->required,
	       ratio >= figure->required ? "reached" : "FALLS SHORT");
	fflush(stdout);
}

double measure_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double measure_cpu(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	errno = clock_getcpuclockid(pid, &clock);
	if (errno || clock_gettime(clock, &used) < 0)
		err(1, "cannot read the CPU time of process %d", pid);
	return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}

double measure_resident(pid_t pid)
{
	char path[40], line[100];
	long kibibytes = -1;
	FILE *file;

	/* statm lacks what the CPUs have not added up yet; smaps_rollup walks the pages. */
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	file = fopen(path, "re");
	if (!file)
		err(1, "cannot read %s", path);
	while (kibibytes < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "Rss: %ld kB", &kibibytes);
	if (kibibytes < 0)
		errx(1, "%s has no line Rss", path);
	fclose(file);
	return (double)kibibytes * 1024;
}
