/* SPDX-License-Identifier: MIT */
/*
 * The distributions of jitter against their formulas, on 100,000 draws of one seed. The bounds of
 * chi-squared are those that one run in a thousand exceeds (tables of the distribution, such as NIST's
 * Engineering Statistics Handbook, 1.3.6.7.4).
 */
#include "tests/unit/runner.h"

#include <math.h>

#include "broker/impair/distribution.h"
#include "broker/impair/draw.h"

#define DRAWS 100000
#define BINS 16

/* 15 degrees of freedom. */
#define CHI_SQUARED_MAX 37.697

/* 10 ms. */
#define SPREAD UINT64_C(10000000)

struct sample {
	double mean, deviation; /* in units of the spread */
	int64_t offsets[DRAWS];
};

static struct sample sample;

static void sample_take(enum memtun_distribution distribution)
{
	struct draw_stream stream;
	double sum = 0, squares = 0;

	draw_stream_init(&stream, 1, "vm0", MEMTUN_FROM_CLIENT, 1, "jitter");
	for (int i = 0; i < DRAWS; i++) {
		int64_t offset =
			distribution_offset(distribution, draw(&stream, (uint64_t)i + 1), SPREAD);
		double value = (double)offset / (double)SPREAD;

		sample.offsets[i] = offset;
		sum += value;
		squares += value * value;
	}
	sample.mean = sum / DRAWS;
	sample.deviation = sqrt(squares / DRAWS - sample.mean * sample.mean);
}

/* Return chi-squared for bins that are as likely, whose upper ends are in units of the spread. */
static double sample_chi_squared(const double ends[BINS - 1])
{
	double expected = (double)DRAWS / BINS, sum = 0;
	int counts[BINS] = {0};

	for (int i = 0; i < DRAWS; i++) {
		int bin = 0;

		while (bin < BINS - 1 && (double)sample.offsets[i] / (double)SPREAD >= ends[bin])
			bin++;
		counts[bin]++;
	}
	for (int i = 0; i < BINS; i++)
		sum += (counts[i] - expected) * (counts[i] - expected) / expected;
	return sum;
}

static void assert_near(double value, double expected, double distance)
{
	if (fabs(value - expected) > distance)
		fail_msg("%f is not within %f of %f", value, distance, expected);
}

static void uniform_offsets_fit_the_uniform_distribution(void **state)
{
	double ends[BINS - 1];

	(void)state;
	sample_take(MEMTUN_UNIFORM);
	for (int i = 0; i < BINS - 1; i++)
		ends[i] = 2.0 * (i + 1) / BINS - 1;
	/* The deviation of a mean is that of a draw divided by the root of 100,000; allow four. */
	assert_near(sample.mean, 0, 4 * 0.57735 / 316.2);
	assert_near(sample.deviation, 1 / sqrt(3), 0.005);
	assert_true(sample_chi_squared(ends) < CHI_SQUARED_MAX);
}

static void normal_offsets_fit_the_normal_distribution(void **state)
{
	double ends[BINS - 1];

	(void)state;
	sample_take(MEMTUN_NORMAL);
	for (int i = 0; i < BINS - 1; i++) {
		int quarter = 64 * (i + 1) - 512;

		ends[i] = distribution_normal[quarter < 0 ? -quarter : quarter] / 65536.0 *
			  (quarter < 0 ? -1 : 1);
	}
	assert_near(sample.mean, 0, 4 / 316.2);
	assert_near(sample.deviation, 1, 0.01);
	assert_true(sample_chi_squared(ends) < CHI_SQUARED_MAX);
}

static void pareto_offsets_fit_the_pareto_distribution(void **state)
{
	double ends[BINS - 1];

	(void)state;
	sample_take(MEMTUN_PARETO);
	/* The share 1 - 1/x^3 of all values is below x; the mean is 3/2, the variance 3/4. */
	for (int i = 0; i < BINS - 1; i++)
		ends[i] = (1 / cbrt(1 - (i + 1.0) / BINS) - 1.5) / sqrt(0.75);
	assert_near(sample.mean, 0, 4 / 316.2);
	/* The fourth moment is infinite, so that this one is less exact. */
	assert_near(sample.deviation, 1, 0.1);
	assert_true(sample_chi_squared(ends) < CHI_SQUARED_MAX);
}

static void the_table_has_the_quantiles_of_the_normal_distribution(void **state)
{
	(void)state;
	assert_int_equal(distribution_normal[0], 0);
	for (int i = 0; i < 512; i++) {
		double low = (distribution_normal[i] - 0.5) / 65536;
		double high = (distribution_normal[i] + 0.5) / 65536;
		double quantile = 0.5 + i / 1024.0;

		assert_true(0.5 + erf(low / sqrt(2)) / 2 <= quantile);
		assert_true(0.5 + erf(high / sqrt(2)) / 2 >= quantile);
	}
	assert_int_equal(distribution_normal[512], 4 * 65536);
}

/* These are of tests/system/impair_reference.py. */
static void offsets_are_exact(void **state)
{
	static const struct {
		uint64_t draw;
		int64_t uniform, normal, pareto;
	} samples[] = {
		{0, -10000000, 0, 448221862},
		{UINT64_C(0x4000000000000000), -5000000, 6744842, 1009056},
		{UINT64_C(0x8000000000000000), 0, 0, -2772217},
		{UINT64_C(0xffffffffffffffff), 9999999, -39999847, -5773486},
		{UINT64_C(0x123456789abcdef0), -8577778, 1791992, 10550602},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		assert_int_equal(distribution_offset(MEMTUN_UNIFORM, samples[i].draw, SPREAD),
				 samples[i].uniform);
		assert_int_equal(distribution_offset(MEMTUN_NORMAL, samples[i].draw, SPREAD),
				 samples[i].normal);
		assert_int_equal(distribution_offset(MEMTUN_PARETO, samples[i].draw, SPREAD),
				 samples[i].pareto);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(uniform_offsets_fit_the_uniform_distribution),
		cmocka_unit_test(normal_offsets_fit_the_normal_distribution),
		cmocka_unit_test(pareto_offsets_fit_the_pareto_distribution),
		cmocka_unit_test(the_table_has_the_quantiles_of_the_normal_distribution),
		cmocka_unit_test(offsets_are_exact),
	};

	return RUN_TESTS(tests);
}
