/* SPDX-License-Identifier: MIT */
#include "client/command/rates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/record.h"
#include "common/clock.h"

/* ------------------------------------------------------------------------------ samples */

int rates_init(struct rates *rates)
{
	*rates = (struct rates){.options = memtun_options_new()};
	return rates->options ? memtun_options_set(rates->options, "statistics", NULL) : -1;
}

void rates_free(struct rates *rates)
{
	memtun_options_free(rates->options);
	free(rates->now.ports);
	free(rates->before.ports);
	free(rates->rows);
}

static void counters_read(uint64_t counters[], const struct attribute_set *set, int first, int last)
{
	for (int which = first; which <= last; which++)
		counters[which - first] = attribute_set_number(set, (enum memtun_attribute)which);
}

static int sample_add(struct rates_sample *sample, const struct memtun_record *record)
{
	const struct attribute_set *set = &record->set;
	const char *name = attribute_set_string(set, MEMTUN_A_NAME);
	const char *bridge = attribute_set_string(set, MEMTUN_A_BRIDGE);
	struct rates_port *port;

	if (!name || !attribute_set_has(set, MEMTUN_A_FROM_CLIENT_FRAMES))
		return 0;
	if (sample->count == sample->room) {
		size_t room = sample->room ? 2 * sample->room : 64;

		port = reallocarray(sample->ports, room, sizeof(*port));
		if (!port)
			return -1;
		sample->ports = port;
		sample->room = room;
	}
	port = &sample->ports[sample->count++];
	*port = (struct rates_port){
		.id = (uint32_t)attribute_set_number(set, MEMTUN_A_ID),
		.time = clock_now(),
	};
	strlcpy(port->name, name, sizeof(port->name));
	strlcpy(port->bridge, bridge ? bridge : "", sizeof(port->bridge));
	counters_read(port->counters, set, RATES_FIRST_COUNTER, RATES_LAST_COUNTER);
	counters_read(port->faults, set, RATES_FIRST_FAULT, RATES_LAST_FAULT);
	return 0;
}

static int compare_ids(const void *one, const void *other)
{
	uint32_t first = ((const struct rates_port *)one)->id;
	uint32_t second = ((const struct rates_port *)other)->id;

	return (first > second) - (first < second);
}

/* ------------------------------------------------------------------------------ rows */

static double per_second(const struct rates_port *now, const struct rates_port *before,
			 double seconds, int counter)
{
	bool is_fault = counter >= RATES_FIRST_FAULT;
	int i = counter - (is_fault ? RATES_FIRST_FAULT : RATES_FIRST_COUNTER);

	if (is_fault)
		return (double)(now->faults[i] - before->faults[i]) / seconds;
	return (double)(now->counters[i] - before->counters[i]) / seconds;
}

/* The largest rates of a direction so far. */
struct largest {
	double drop, fault;
};

static void rate_add(double *sum, double rate, double *largest, const char **word_of,
		     const char *word)
{
	*sum += rate;
	if (rate <= *largest)
		return;
	*largest = rate;
	*word_of = word;
}

/*
 * Add the rate of a counter of drops, or of another fault, if it is one of that direction: if its word
 * begins with the prefix.
 */
static void direction_add(struct rates_direction *direction, const char *prefix, int counter,
			  double rate, struct largest *largest)
{
	static const char dropped[] = "dropped-";
	const char *word = attributes[counter].word;
	size_t length = strlen(prefix);

	if (!word || strncmp(word, prefix, length) != 0)
		return;
	word += length;
	if (strncmp(word, dropped, strlen(dropped)) == 0)
		rate_add(&direction->drops, rate, &largest->drop, &direction->reason,
			 word + strlen(dropped));
	else if (counter >= RATES_FIRST_FAULT && strcmp(word, "waiting") != 0)
		rate_add(&direction->faults, rate, &largest->fault, &direction->fault, word);
}

static void row_compute(struct rates_row *row, const struct rates_port *now,
			const struct rates_port *before, int64_t interval)
{
	/* Two samples may have the same time. */
	double seconds = (double)(interval > 0 ? interval : 1) / (double)CLOCK_SECOND;
	struct largest from = {0}, to = {0};

	*row = (struct rates_row){
		.from.reason = "", .from.fault = "", .to.reason = "", .to.fault = ""};
	strlcpy(row->name, now->name, sizeof(row->name));
	strlcpy(row->bridge, now->bridge, sizeof(row->bridge));
	row->from.frames = per_second(now, before, seconds, MEMTUN_A_FROM_CLIENT_FRAMES);
	row->from.bytes = per_second(now, before, seconds, MEMTUN_A_FROM_CLIENT_BYTES);
	row->to.frames = per_second(now, before, seconds, MEMTUN_A_TO_CLIENT_FRAMES);
	row->to.bytes = per_second(now, before, seconds, MEMTUN_A_TO_CLIENT_BYTES);
	row->queued = now->counters[MEMTUN_A_TO_CLIENT_QUEUED - RATES_FIRST_COUNTER];
	for (int counter = RATES_FIRST_COUNTER; counter <= RATES_LAST_FAULT; counter++) {
		double rate;

		if (counter > RATES_LAST_COUNTER && counter < RATES_FIRST_FAULT)
			continue;
		rate = per_second(now, before, seconds, counter);
		direction_add(&row->from, "from-client-", counter, rate, &from);
		direction_add(&row->to, "to-client-", counter, rate, &to);
	}
}

/* Compute a row for each port. Both samples are sorted by id, so one walk finds the pairs. */
static int rates_compute(struct rates *rates)
{
	static const struct rates_port none;
	const struct rates_sample *now = &rates->now, *before = &rates->before;
	struct rates_row *rows =
		reallocarray(rates->rows, now->count ? now->count : 1, sizeof(*rows));
	int64_t interval = now->time - before->time;
	size_t old = 0;

	if (!rows)
		return -1;
	rates->rows = rows;
	rates->row_count = now->count;
	for (size_t i = 0; i < now->count; i++) {
		const struct rates_port *port = &now->ports[i];

		while (old < before->count && before->ports[old].id < port->id)
			old++;
		if (old < before->count && before->ports[old].id == port->id)
			row_compute(&rows[i], port, &before->ports[old],
				    port->time - before->ports[old].time);
		else /* the port is newer than the earlier sample */
			row_compute(&rows[i], port, &none, interval);
	}
	return 0;
}

/* ------------------------------------------------------------------------------ asking */

/* Both lists have arrived: sort the sample and compute the rates. */
static void sample_complete(struct rates *rates)
{
	if (rates->failed)
		return;
	if (rates->now.count)
		qsort(rates->now.ports, rates->now.count, sizeof(*rates->now.ports), compare_ids);
	rates->samples++;
	if (rates->samples > 1 && rates_compute(rates) < 0)
		rates->failed = fault_set(&rates->fault, ENOMEM, "out of memory") < 0;
}

static void rates_answered(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	struct rates *rates = context;

	(void)memtun;
	if (reply->record) {
		if (sample_add(&rates->now, reply->record) < 0)
			rates->failed = fault_set(&rates->fault, ENOMEM, "out of memory") < 0;
		return;
	}
	if (reply->error)
		rates->failed = fault_set(&rates->fault, reply->error, "%s", reply->text) < 0;
	if (--rates->asked == 0)
		sample_complete(rates);
}

int rates_ask(struct rates *rates, struct memtun *memtun)
{
	struct rates_sample older = rates->before;

	rates->before = rates->now;
	rates->now = older;
	rates->now.count = 0;
	rates->now.time = clock_now();
	rates->failed = false;
	if (memtun_request(memtun, MEMTUN_CMD_TUNNEL_SHOW, NULL, rates->options, rates_answered,
			   rates) < 0)
		return -1;
	rates->asked++;
	if (memtun_request(memtun, MEMTUN_CMD_UPLINK_SHOW, NULL, rates->options, rates_answered,
			   rates) < 0)
		return -1;
	rates->asked++;
	return 0;
}

/* ------------------------------------------------------------------------------ order */

static int compare_names(const void *one, const void *other)
{
	return strcmp(((const struct rates_row *)one)->name,
		      ((const struct rates_row *)other)->name);
}

static int compare_rates(const void *one, const void *other)
{
	const struct rates_row *first = one, *second = other;
	double first_rate = first->from.frames + first->to.frames;
	double second_rate = second->from.frames + second->to.frames;
	int order = (second_rate > first_rate) - (second_rate < first_rate);

	return order ? order : compare_names(one, other);
}

static int compare_drops(const void *one, const void *other)
{
	const struct rates_row *first = one, *second = other;
	double first_drops = first->from.drops + first->to.drops;
	double second_drops = second->from.drops + second->to.drops;
	int order = (second_drops > first_drops) - (second_drops < first_drops);

	return order ? order : compare_names(one, other);
}

void rates_sort(struct rates *rates, enum rates_order order)
{
	static int (*const compare[])(const void *, const void *) = {
		[RATES_BY_NAME] = compare_names,
		[RATES_BY_RATE] = compare_rates,
		[RATES_BY_DROPS] = compare_drops,
	};

	if (rates->row_count)
		qsort(rates->rows, rates->row_count, sizeof(*rates->rows), compare[order]);
}
