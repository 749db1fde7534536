/* SPDX-License-Identifier: MIT */
/*
 * The fates of frames: each model against its closed formula on 100,000 frames of one seed, so that no
 * test is flaky. A mean may be four of its standard deviations from the expected one. The bounds of
 * chi-squared are those that one run in a thousand exceeds (NIST's Engineering Statistics Handbook,
 * 1.3.6.7.4).
 */
#include "tests/unit/runner.h"

#include <stdlib.h>
#include <string.h>

#include "broker/impair/fate.h"

#define FRAMES 100000
#define REPLAYS 1000
#define REPLAYED 50
#define PERCENT UINT32_C(10000000)

#define CHI_SQUARED_MAX_7 24.322
#define CHI_SQUARED_MAX_15 37.697

static const struct fate_frame some_frame = {.length = 100, .shortest = 14, .packet = 86};

static struct fate fates[FRAMES];

/* Store the fates of all frames, and return how many have one of the faults. */
static unsigned int fates_run(const struct fate_values *values, unsigned int faults)
{
	struct fate_side side;
	unsigned int count = 0;

	fate_side_init(&side, 1, "vm0", MEMTUN_FROM_CLIENT, 1);
	for (int i = 0; i < FRAMES; i++) {
		fate_next(values, &side, &some_frame, &fates[i]);
		assert_int_equal(fates[i].number, i + 1);
		count += (fates[i].faults & faults) != 0;
	}
	return count;
}

/* Assert that a count is within four standard deviations, whose square is `variance`. */
static void assert_count(double count, double expected, double variance)
{
	if ((count - expected) * (count - expected) > 16 * variance)
		fail_msg("%.0f frames instead of about %.0f", count, expected);
}

static double chi_squared(const unsigned int *counts, const double *expected, int bins)
{
	double sum = 0;

	for (int i = 0; i < bins; i++)
		sum += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
	return sum;
}

/* Count the runs of lost frames, and compare their lengths with a geometric distribution: the
 * probability of one frame more is `more`. */
static void assert_bursts(unsigned int lost, double bursts_expected, double more)
{
	unsigned int lengths[8] = {0}, bursts = 0, length = 0;
	double expected[8], rest;

	for (int i = 0; i <= FRAMES; i++) {
		if (i < FRAMES && fates[i].faults & FAULT_LOSS) {
			length++;
			continue;
		}
		if (length) {
			bursts++;
			lengths[length < 8 ? length - 1 : 7]++;
		}
		length = 0;
	}
	assert_count(bursts, bursts_expected, bursts_expected);
	/* The mean length is 1 / (1 - more). */
	assert_count((double)lost, bursts / (1 - more), bursts * more / ((1 - more) * (1 - more)));
	rest = bursts;
	for (int i = 0; i < 7; i++) {
		expected[i] = rest * (1 - more);
		rest -= expected[i];
	}
	expected[7] = rest;
	assert_true(chi_squared(lengths, expected, 8) < CHI_SQUARED_MAX_7);
}

/* ------------------------------------------------------------------------------ loss */

static void loss_is_independent(void **state)
{
	struct fate_values values = {.loss = 30 * PERCENT};
	unsigned int lost = fates_run(&values, FAULT_LOSS);

	(void)state;
	assert_count(lost, FRAMES * 0.3, FRAMES * 0.3 * 0.7);
	/* A burst begins where a frame is lost and the one before it is not. */
	assert_bursts(lost, FRAMES * 0.3 * 0.7, 0.3);
}

static void loss_has_bursts_of_the_mean_length(void **state)
{
	struct fate_values values = {.loss = 20 * PERCENT};
	unsigned int lost;

	(void)state;
	assert_true(fate_set_burst(&values, 4000));
	assert_int_equal(values.loss_leave, 25 * PERCENT);
	/* 0.2 / (4 * 0.8) */
	assert_int_equal(values.loss_enter, 62500000);
	lost = fates_run(&values, FAULT_LOSS);
	/* The sum of a two-state chain varies by (1 + r) / (1 - r) more, where r = 1 - enter - leave. */
	assert_count(lost, FRAMES * 0.2, FRAMES * 0.2 * 0.8 * (1 + 0.6875) / (1 - 0.6875));
	assert_bursts(lost, FRAMES * 0.2 / 4, 0.75);
}

static void the_first_frame_is_lost_as_often_as_any(void **state)
{
	struct fate_values values = {.loss = 20 * PERCENT};
	unsigned int lost = 0;

	(void)state;
	assert_true(fate_set_burst(&values, 4000));
	for (uint64_t seed = 0; seed < 10000; seed++) {
		struct fate_side side;
		struct fate fate;

		fate_side_init(&side, seed, "vm0", MEMTUN_FROM_CLIENT, 1);
		fate_next(&values, &side, &some_frame, &fate);
		lost += fate.faults & FAULT_LOSS;
	}
	assert_count(lost, 2000, 10000 * 0.2 * 0.8);
}

static void impossible_bursts_are_refused(void **state)
{
	struct fate_values values = {.loss = 50 * PERCENT};

	(void)state;
	/* One frame is lost, the next is not. */
	assert_true(fate_set_burst(&values, 1000));
	assert_int_equal(values.loss_enter, DRAW_BILLION);
	values.loss++;
	assert_false(fate_set_burst(&values, 1000));
	values.loss = DRAW_BILLION;
	assert_false(fate_set_burst(&values, 4000));
	values.loss = 0;
	assert_true(fate_set_burst(&values, 4000));
	assert_int_equal(values.loss_enter, 0);
}

static void probabilities_of_0_and_100_percent_are_exact(void **state)
{
	struct fate_values none = {0};
	struct fate_values all = {.loss = DRAW_BILLION};

	(void)state;
	assert_int_equal(fates_run(&none, ~0U), 0);
	assert_int_equal(fates_run(&all, FAULT_LOSS), FRAMES);
}

/* ------------------------------------------------------------------------------ the others */

static void duplicates_have_their_share(void **state)
{
	struct fate_values values = {.duplicate = 10 * PERCENT};

	(void)state;
	assert_count(fates_run(&values, FAULT_DUPLICATED), FRAMES * 0.1, FRAMES * 0.09);
}

static void each_bit_is_corrupted_as_often(void **state)
{
	struct fate_values values = {.corrupt = DRAW_BILLION};
	unsigned int counts[16] = {0};
	double expected[16];

	(void)state;
	assert_int_equal(fates_run(&values, FAULT_CORRUPTED), FRAMES);
	for (int i = 0; i < FRAMES; i++) {
		assert_true(fates[i].bit < 800);
		counts[fates[i].bit / 50]++;
	}
	for (int i = 0; i < 16; i++)
		expected[i] = FRAMES / 16.0;
	assert_true(chi_squared(counts, expected, 16) < CHI_SQUARED_MAX_15);
	values.corrupt = 5 * PERCENT;
	assert_count(fates_run(&values, FAULT_CORRUPTED), FRAMES * 0.05, FRAMES * 0.05 * 0.95);
}

static void each_shorter_length_is_as_likely(void **state)
{
	struct fate_values values = {.truncate = DRAW_BILLION, .corrupt = DRAW_BILLION};
	unsigned int counts[16] = {0};
	double expected[16];

	(void)state;
	assert_int_equal(fates_run(&values, FAULT_TRUNCATED), FRAMES);
	for (int i = 0; i < FRAMES; i++) {
		assert_in_range(fates[i].length, 14, 99);
		/* A bit that is cut off does not change. */
		assert_true(fates[i].bit < 8 * fates[i].length);
		/* 86 lengths: bins of 5 or 6. */
		counts[(fates[i].length - 14) * 16 / 86]++;
	}
	for (int i = 0; i < 16; i++) {
		int lengths = 0;

		for (int length = 0; length < 86; length++)
			lengths += length * 16 / 86 == i;
		expected[i] = FRAMES * lengths / 86.0;
	}
	assert_true(chi_squared(counts, expected, 16) < CHI_SQUARED_MAX_15);
}

static void the_shortest_frame_is_not_truncated(void **state)
{
	const struct fate_frame shortest = {.length = 14, .shortest = 14};
	struct fate_values values = {.truncate = DRAW_BILLION};
	struct fate_side side;
	struct fate fate;

	(void)state;
	fate_side_init(&side, 1, "vm0", MEMTUN_FROM_CLIENT, 1);
	fate_next(&values, &side, &shortest, &fate);
	assert_int_equal(fate.faults, 0);
}

static void reordering_has_its_share_and_its_gap(void **state)
{
	struct fate_values values = {.delay = 1000, .reorder = 50 * PERCENT, .gap = 5};
	int last = -1;

	(void)state;
	/* Of five frames four pass the gap, and then half of the frames are reordered: one in six. The
	 * distances have the variance 2. */
	assert_count(fates_run(&values, FAULT_REORDERED), FRAMES / 6.0, FRAMES / 6.0 * 2 / 36);
	for (int i = 0; i < FRAMES; i++) {
		if (fates[i].faults & FAULT_REORDERED) {
			assert_true(i - last >= 5);
			assert_int_equal(fates[i].delay, 0);
			last = i;
		} else {
			assert_int_equal(fates[i].delay, 1000);
		}
	}
	values.reorder = DRAW_BILLION;
	assert_int_equal(fates_run(&values, FAULT_REORDERED), FRAMES / 5);
	assert_true(fates[4].faults & FAULT_REORDERED);
	values.reorder = 25 * PERCENT;
	values.gap = 0;
	assert_count(fates_run(&values, FAULT_REORDERED), FRAMES * 0.25, FRAMES * 0.25 * 0.75);
}

static void a_delay_is_never_negative(void **state)
{
	struct fate_values values = {.delay = 1000, .jitter = 2000, .distribution = MEMTUN_UNIFORM};
	double sum = 0;

	(void)state;
	/* A quarter of the offsets is below -1000. */
	assert_count(FRAMES - fates_run(&values, FAULT_DELAYED), FRAMES * 0.25,
		     FRAMES * 0.25 * 0.75);
	for (int i = 0; i < FRAMES; i++) {
		assert_true(fates[i].delay < 3000);
		sum += (double)fates[i].delay;
	}
	/* From 0 to 3000 in three quarters of the cases; else 0. The variance is less than 2^20. */
	assert_count(sum, FRAMES * 1125.0, FRAMES * 1048576.0);
}

static void listed_frames_are_dropped(void **state)
{
	struct fate_values values = {.loss = 0};
	struct fault fault;

	(void)state;
	assert_int_equal(number_list_parse(&values.drop, "1+3+8-10", &fault), 0);
	assert_int_equal(fates_run(&values, FAULT_LISTED), 5);
	for (int number = 1; number <= 12; number++)
		assert_int_equal((fates[number - 1].faults & FAULT_LISTED) != 0,
				 number == 1 || number == 3 || (number >= 8 && number <= 10));
}

static void packets_longer_than_pmtu_are_dropped(void **state)
{
	struct fate_values values = {.pmtu = 85};

	(void)state;
	assert_int_equal(fates_run(&values, FAULT_PMTU), FRAMES);
	values.pmtu = 86;
	assert_int_equal(fates_run(&values, FAULT_PMTU), 0);
}

/* ------------------------------------------------------------------------------ repeating */

static const struct fate_values busy = {
	.loss = 10 * PERCENT,
	.duplicate = 10 * PERCENT,
	.corrupt = 10 * PERCENT,
	.truncate = 10 * PERCENT,
	.delay = 1000000,
	.jitter = 500000,
	.distribution = MEMTUN_NORMAL,
	.reorder = 10 * PERCENT,
	.gap = 2,
};

static void a_thousand_replays_are_identical(void **state)
{
	static struct fate first[REPLAYED];

	(void)state;
	for (int replay = 0; replay < REPLAYS; replay++) {
		struct fate_side side;

		fate_side_init(&side, 7, "vm0", MEMTUN_TO_CLIENT, 2);
		for (int i = 0; i < REPLAYED; i++) {
			struct fate fate;

			memset(&fate, 0, sizeof(fate));
			fate_next(&busy, &side, &some_frame, &fate);
			if (replay == 0)
				first[i] = fate;
			assert_int_equal(fate.number, first[i].number);
			assert_int_equal(fate.faults, first[i].faults);
			assert_int_equal(fate.bit, first[i].bit);
			assert_int_equal(fate.length, first[i].length);
			assert_int_equal(fate.delay, first[i].delay);
		}
	}
}

static void a_changed_key_leaves_the_others_draws(void **state)
{
	struct fate_values values = busy;
	static unsigned char duplicated[FRAMES];

	(void)state;
	values.loss = 0;
	fates_run(&values, 0);
	for (int i = 0; i < FRAMES; i++)
		duplicated[i] = (fates[i].faults & FAULT_DUPLICATED) != 0;
	values.loss = 20 * PERCENT;
	values.corrupt = 50 * PERCENT;
	values.truncate = 0;
	fates_run(&values, 0);
	for (int i = 0; i < FRAMES; i++) {
		if (!(fates[i].faults & FAULT_LOSS))
			assert_int_equal((fates[i].faults & FAULT_DUPLICATED) != 0, duplicated[i]);
	}
}

/* These are of tests/system/impair_reference.py. */
static void fates_are_those_of_the_page(void **state)
{
	static const unsigned char alone[] = {1, 2, 3, 10, 12, 14, 17, 18, 27, 29, 34, 35, 37, 40};
	static const unsigned char bursts[] = {1,  2,  3,  4,  18, 40, 41, 42,
					       43, 54, 55, 56, 57, 58, 60};
	struct fate_values values = {.loss = 30 * PERCENT};
	struct fate_side side;
	struct fate fate;
	size_t next = 0;

	(void)state;
	fate_side_init(&side, 7, "a", MEMTUN_FROM_CLIENT, 1);
	for (unsigned int number = 1; number <= 40; number++) {
		fate_next(&values, &side, &some_frame, &fate);
		assert_int_equal(fate.faults, number == alone[next] ? FAULT_LOSS : 0);
		next += number == alone[next] && number < 40;
	}
	values.loss = 20 * PERCENT;
	assert_true(fate_set_burst(&values, 3000));
	next = 0;
	fate_side_init(&side, 7, "a", MEMTUN_FROM_CLIENT, 1);
	for (unsigned int number = 1; number <= 60; number++) {
		fate_next(&values, &side, &some_frame, &fate);
		assert_int_equal(fate.faults, number == bursts[next] ? FAULT_LOSS : 0);
		next += number == bursts[next] && number < 60;
	}
}

static void lists_of_numbers_are_checked(void **state)
{
	static const char *const wrong[] = {"",
					    "0",
					    "1+",
					    "+1",
					    "1++2",
					    "3-2",
					    "1-",
					    "-1",
					    "1,2",
					    "1-2-3",
					    "a",
					    "1 ",
					    "18446744073709551616"};
	struct number_list list;
	struct fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(number_list_parse(&list, wrong[i], &fault), -1);
	assert_non_null(strstr(fault.text, "such as 1+3+8-10"));
	assert_int_equal(number_list_parse(&list, NULL, &fault), 0);
	assert_false(number_list_has(&list, 1));
	assert_int_equal(number_list_parse(&list, "18446744073709551615", &fault), 0);
	assert_true(number_list_has(&list, UINT64_MAX));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(loss_is_independent),
		cmocka_unit_test(loss_has_bursts_of_the_mean_length),
		cmocka_unit_test(the_first_frame_is_lost_as_often_as_any),
		cmocka_unit_test(impossible_bursts_are_refused),
		cmocka_unit_test(probabilities_of_0_and_100_percent_are_exact),
		cmocka_unit_test(duplicates_have_their_share),
		cmocka_unit_test(each_bit_is_corrupted_as_often),
		cmocka_unit_test(each_shorter_length_is_as_likely),
		cmocka_unit_test(the_shortest_frame_is_not_truncated),
		cmocka_unit_test(reordering_has_its_share_and_its_gap),
		cmocka_unit_test(a_delay_is_never_negative),
		cmocka_unit_test(listed_frames_are_dropped),
		cmocka_unit_test(packets_longer_than_pmtu_are_dropped),
		cmocka_unit_test(a_thousand_replays_are_identical),
		cmocka_unit_test(a_changed_key_leaves_the_others_draws),
		cmocka_unit_test(fates_are_those_of_the_page),
		cmocka_unit_test(lists_of_numbers_are_checked),
	};

	return RUN_TESTS(tests);
}
