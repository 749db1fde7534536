/* SPDX-License-Identifier: MIT */
/* Rates from two samples. This file emulates the broker. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/command/rates.h"
#include "client/lib/record.h"

/* The time in seconds. The linker replaces the C library's function by this one. */
static time_t seconds;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){.tv_sec = seconds};
	return 0;
}

/* The requests, which sample() answers. */
static struct {
	memtun_reply_function *function;
	void *context;
	enum memtun_command command;
} asked[2];
static unsigned int asked_count;
static int request_error;

int memtun_request(struct memtun *memtun, enum memtun_command command, const char *name,
		   const struct memtun_options *options, memtun_reply_function *function,
		   void *context)
{
	(void)memtun;
	assert_null(name);
	assert_non_null(options);
	if (request_error) {
		errno = request_error;
		return -1;
	}
	assert_true(asked_count < 2);
	asked[asked_count].function = function;
	asked[asked_count].context = context;
	asked[asked_count++].command = command;
	return 0;
}

struct port {
	uint32_t id;
	const char *name;
	const char *bridge;
	bool is_uplink;
	bool has_no_counters;
	uint64_t from_frames, from_bytes, to_frames, queued, runt, full, mtu;
	uint64_t lost, delayed, corrupted, waiting; /* by rules, all to the client */
};

static void answer_port(unsigned int request, const struct port *port)
{
	struct memtun_record record = {0};
	struct memtun_reply reply = {.record = &record, .fd = -1};
	struct attribute_set *set = &record.set;

	attribute_set_put_number(set, MEMTUN_A_ID, port->id);
	attribute_set_put_string(set, MEMTUN_A_NAME, port->name);
	if (port->bridge)
		attribute_set_put_string(set, MEMTUN_A_BRIDGE, port->bridge);
	if (!port->has_no_counters) {
		attribute_set_put_number(set, MEMTUN_A_FROM_CLIENT_FRAMES, port->from_frames);
		attribute_set_put_number(set, MEMTUN_A_FROM_CLIENT_BYTES, port->from_bytes);
		attribute_set_put_number(set, MEMTUN_A_FROM_CLIENT_DROPPED_RUNT, port->runt);
		attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_FRAMES, port->to_frames);
		attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_QUEUED, port->queued);
		attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_DROPPED_FULL, port->full);
		attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_DROPPED_MTU, port->mtu);
		attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_DROPPED_LOSS, port->lost);
		attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_DELAYED, port->delayed);
		attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_CORRUPTED, port->corrupted);
		attribute_set_put_number(set, MEMTUN_A_TO_CLIENT_WAITING, port->waiting);
	}
	asked[request].function(NULL, &reply, asked[request].context);
}

/* Take a sample of these ports, up to one without a name. */
static void sample(struct rates *rates, const struct port *ports, int error)
{
	struct memtun_reply end = {.fd = -1, .error = error, .text = "it broke"};

	asked_count = 0;
	assert_int_equal(rates_ask(rates, NULL), 0);
	assert_int_equal(rates->asked, 2);
	for (unsigned int request = 0; request < 2; request++) {
		bool uplinks = asked[request].command == MEMTUN_CMD_UPLINK_SHOW;

		for (const struct port *port = ports; port->name; port++) {
			if (port->is_uplink == uplinks)
				answer_port(request, port);
		}
		asked[request].function(NULL, &end, asked[request].context);
	}
	assert_int_equal(rates->asked, 0);
}

static void sample_at(struct rates *rates, time_t time, const struct port *ports)
{
	seconds = time;
	sample(rates, ports, 0);
}

static int setup(void **state)
{
	static struct rates rates;

	*state = &rates;
	return rates_init(&rates);
}

static int teardown(void **state)
{
	rates_free(*state);
	return 0;
}

static void a_rate_is_what_was_counted_between_two_samples(void **state)
{
	const struct port before[] = {
		{.id = 3, .name = "web", .bridge = "lab", .from_frames = 100, .from_bytes = 1000},
		{.id = 9, .name = "lan", .bridge = "lab", .is_uplink = true, .to_frames = 7},
		{0},
	};
	const struct port after[] = {
		{.id = 3, .name = "web", .from_frames = 120, .from_bytes = 3000, .queued = 5},
		{.id = 9, .name = "lan", .bridge = "lab", .is_uplink = true, .to_frames = 8},
		{0},
	};
	struct rates *rates = *state;

	sample_at(rates, 100, before);
	assert_int_equal(rates->samples, 1);
	assert_int_equal(rates->row_count, 0);
	sample_at(rates, 104, after);
	assert_int_equal(rates->samples, 2);
	assert_int_equal(rates->row_count, 2);
	rates_sort(rates, RATES_BY_NAME);
	assert_string_equal(rates->rows[0].name, "lan");
	assert_string_equal(rates->rows[0].bridge, "lab");
	assert_true(rates->rows[0].to.frames == 0.25);
	assert_true(rates->rows[0].from.frames == 0);
	/* The row has the bridge of the later sample. */
	assert_string_equal(rates->rows[1].bridge, "");
	assert_true(rates->rows[1].from.frames == 5);
	assert_true(rates->rows[1].from.bytes == 500);
	assert_int_equal(rates->rows[1].queued, 5);
}

static void ports_come_and_go(void **state)
{
	const struct port first[] = {
		{.id = 1, .name = "gone", .from_frames = 50},
		{.id = 2, .name = "stays", .from_frames = 50},
		{0},
	};
	const struct port second[] = {
		{.id = 2, .name = "stays", .from_frames = 60},
		/* A new port with the name of a deleted one. */
		{.id = 5, .name = "gone", .from_frames = 30},
		{.id = 6, .name = "wired", .has_no_counters = true},
		{0},
	};
	const struct port none[] = {{0}};
	struct rates *rates = *state;

	sample_at(rates, 0, first);
	sample_at(rates, 10, second);
	assert_int_equal(rates->row_count, 2);
	rates_sort(rates, RATES_BY_RATE);
	assert_string_equal(rates->rows[0].name, "gone");
	assert_true(rates->rows[0].from.frames == 3);
	assert_true(rates->rows[1].from.frames == 1);
	sample_at(rates, 20, none);
	assert_int_equal(rates->row_count, 0);
	rates_sort(rates, RATES_BY_RATE);
	/* All ports are new. */
	sample_at(rates, 40, second);
	assert_int_equal(rates->row_count, 2);
	rates_sort(rates, RATES_BY_NAME);
	assert_true(rates->rows[0].from.frames == 1.5);
}

static void drops_have_the_reason_of_most_of_them(void **state)
{
	const struct port before[] = {
		{.id = 1, .name = "it", .full = 1000}, {.id = 2, .name = "z"}, {0}};
	const struct port after[] = {
		{.id = 1, .name = "it", .full = 1030, .mtu = 10, .runt = 4},
		{.id = 2, .name = "z"},
		{0},
	};
	struct rates *rates = *state;

	sample_at(rates, 0, before);
	sample_at(rates, 2, after);
	rates_sort(rates, RATES_BY_DROPS);
	assert_string_equal(rates->rows[0].name, "it");
	assert_true(rates->rows[0].to.drops == 20);
	assert_string_equal(rates->rows[0].to.reason, "full");
	assert_true(rates->rows[0].from.drops == 2);
	assert_string_equal(rates->rows[0].from.reason, "runt");
	assert_string_equal(rates->rows[1].to.reason, "");
	assert_true(rates->rows[1].to.drops == 0);
}

static void impaired_frames_that_pass_are_faults_and_no_drops(void **state)
{
	const struct port before[] = {
		{.id = 1, .name = "a", .lost = 5, .delayed = 10, .corrupted = 1},
		{0},
	};
	const struct port after[] = {
		{.id = 1,
		 .name = "a",
		 .lost = 9,
		 .mtu = 2,
		 .delayed = 16,
		 .corrupted = 21,
		 .waiting = 99},
		{0},
	};
	struct rates *rates = *state;

	sample_at(rates, 0, before);
	sample_at(rates, 2, after);
	assert_int_equal(rates->row_count, 1);
	assert_true(rates->rows[0].to.drops == 3);
	assert_string_equal(rates->rows[0].to.reason, "loss");
	assert_true(rates->rows[0].to.faults == 13);
	assert_string_equal(rates->rows[0].to.fault, "corrupted");
	assert_true(rates->rows[0].from.faults == 0);
	assert_string_equal(rates->rows[0].from.fault, "");
}

static void a_time_that_stands_still_divides_nothing_by_zero(void **state)
{
	const struct port ports[] = {{.id = 1, .name = "it", .from_frames = 5}, {0}};
	struct rates *rates = *state;

	sample_at(rates, 1, ports);
	sample_at(rates, 1, ports);
	assert_true(rates->rows[0].from.frames == 0);
}

static void a_sample_that_failed_is_none(void **state)
{
	const struct port ports[] = {{.id = 1, .name = "it"}, {0}};
	struct rates *rates = *state;

	sample(rates, ports, EPIPE);
	assert_true(rates->failed);
	assert_string_equal(rates->fault.text, "it broke");
	assert_int_equal(rates->samples, 0);
	request_error = ENOTCONN;
	assert_int_equal(rates_ask(rates, NULL), -1);
	assert_int_equal(errno, ENOTCONN);
	request_error = 0;
}

static void many_ports_are_sampled(void **state)
{
	static struct port ports[1001];
	static char names[1000][8];
	struct rates *rates = *state;

	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(names[i], sizeof(names[i]), "p%03u", i);
		/*
		 * Tunnels and uplinks share one sequence of ids, and are listed one kind after the
		 * other.
		 */
		ports[i] = (struct port){.id = i + 1, .name = names[i], .is_uplink = i % 3 == 0};
	}
	sample_at(rates, 1, ports);
	for (unsigned int i = 0; i < 1000; i++)
		ports[i].from_frames = i;
	sample_at(rates, 2, ports);
	assert_int_equal(rates->row_count, 1000);
	rates_sort(rates, RATES_BY_RATE);
	for (unsigned int i = 0; i < 1000; i++) {
		assert_string_equal(rates->rows[i].name, names[999 - i]);
		assert_true(rates->rows[i].from.frames == 999 - i);
	}
}

#define WITH_RATES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_RATES(a_rate_is_what_was_counted_between_two_samples),
		WITH_RATES(ports_come_and_go),
		WITH_RATES(drops_have_the_reason_of_most_of_them),
		WITH_RATES(impaired_frames_that_pass_are_faults_and_no_drops),
		WITH_RATES(a_time_that_stands_still_divides_nothing_by_zero),
		WITH_RATES(a_sample_that_failed_is_none),
		WITH_RATES(many_ports_are_sampled),
	};

	return RUN_TESTS(tests);
}
