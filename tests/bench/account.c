/* SPDX-License-Identifier: MIT */
#include "tests/bench/account.h"

#include <err.h>
#include <string.h>

#include "tests/bench/measure.h"
#include "memtun.h"

/* Seconds after which a broker that is still busy counts as hanging. */
#define QUIESCES_WITHIN 10

static uint64_t number_of(const struct memtun_record *record, const char *key)
{
	uint64_t number;

	if (memtun_record_number(record, key, &number) < 0)
		errx(1, "the broker does not count %s", key);
	return number;
}

/* Return the sum of all counters whose keys begin so: each reason for a drop has a key. */
static uint64_t sum_of(const struct memtun_record *record, const char *beginning)
{
	const char *key = NULL;
	uint64_t sum = 0;

	while ((key = memtun_record_next(record, key))) {
		if (strncmp(key, beginning, strlen(beginning)) == 0)
			sum += number_of(record, key);
	}
	return sum;
}

static void account_take(const struct memtun_record *record, void *context)
{
	*(struct account *)context = (struct account){
		.sent = number_of(record, "from-client-frames") +
			sum_of(record, "from-client-dropped-"),
		.offered = number_of(record, "to-client-offered"),
		.delivered = number_of(record, "to-client-frames"),
		.queued = number_of(record, "to-client-queued"),
		.dropped = sum_of(record, "to-client-dropped-"),
	};
}

struct account account_read(struct memtun *memtun, const char *name)
{
	struct account account = {0};

	if (memtun_show(memtun, name, true, account_take, &account) < 0)
		errx(1, "cannot show %s: %s", name, memtun_error(memtun));
	if (account.offered != account.delivered + account.queued + account.dropped)
		errx(1, "%s was offered %ju frames: %ju delivered, %ju queued, %ju dropped", name,
		     (uintmax_t)account.offered, (uintmax_t)account.delivered,
		     (uintmax_t)account.queued, (uintmax_t)account.dropped);
	return account;
}

struct account account_quiesce(struct memtun *memtun, const char *name,
			       const struct account *before, uint64_t offered)
{
	double until = measure_time() + QUIESCES_WITHIN;
	struct account account;

	do {
		account = account_read(memtun, name);
		if (measure_time() > until)
			errx(1, "%s was offered %ju of %ju frames, and %ju still wait", name,
			     (uintmax_t)(account.offered - before->offered), (uintmax_t)offered,
			     (uintmax_t)account.queued);
	} while (account.offered - before->offered < offered || account.queued);
	return account;
}
