/* SPDX-License-Identifier: MIT */
/*
 * Two TCP/IP stacks (lwIP) transfer 1 MiB on the broker's manual clock, so that retransmissions take
 * no real time and each run of a seed is the same:
 *
 *	memtund --clock manual -- lwip-clock loss=20%,seed=7
 *
 * The argument is more of the client's SPEC. This is the driver: it moves the clock, to the next event
 * of the broker or of a stack (lwip-stack.h), only when nothing moves. It prints the checksum of what
 * the client got, the frames that each stack sent and received, and the time on the clock.
 */
#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memtun.h"
#include "tests/system/lwip-stack.h"

enum {
	TICK = 250,          /* milliseconds: TCP_TMR_INTERVAL of lwIP; other timers may be late */
	QUIET_LIMIT = 20000, /* milliseconds of real time */
	HOURS_MAX = 2,       /* of the clock: lwIP gives a connection up much earlier */
};

#define HOUR (UINT64_C(3600000) * MILLISECOND)

struct driver {
	struct memtun *memtun;
	uint64_t start, now,
		next; /* on the clock, nanoseconds; next: of the broker, or UINT64_MAX */
	int stacks[2];
	struct report reports[2];
	uint64_t frames; /* that the stacks had sent and received when all was settled */
};

static void clock_record(const struct memtun_record *record, void *context)
{
	struct driver *driver = context;

	driver->next = UINT64_MAX;
	memtun_record_number(record, "clock-time", &driver->now);
	memtun_record_number(record, "clock-next", &driver->next);
}

/* Tell one stack the time, and take its report. */
static void stack_tell(struct driver *driver, int which, uint64_t time, bool runs_timers)
{
	struct order order = {.now = time - driver->start, .runs_timers = runs_timers};
	struct report *report = &driver->reports[which];

	if (send(driver->stacks[which], &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order) ||
	    recv(driver->stacks[which], report, sizeof(*report), 0) != sizeof(*report))
		errx(1, "the %s has ended", which ? "client" : "server");
}

/* Return how many frames the stacks have sent and received. */
static uint64_t frames_count(const struct driver *driver)
{
	return driver->reports[0].sent + driver->reports[0].received + driver->reports[1].sent +
	       driver->reports[1].received;
}

/* Return when no frame moves: each was read, and no stack answers any more. */
static void settle(struct driver *driver)
{
	uint64_t before;

	do {
		before = driver->frames;
		if (memtun_wait_quiet(driver->memtun, "client,server", 0, QUIET_LIMIT, NULL, NULL) <
		    0)
			errx(1, "%s", memtun_error(driver->memtun));
		for (int i = 0; i < 2; i++)
			stack_tell(driver, i, driver->now, false);
		driver->frames = frames_count(driver);
	} while (driver->frames != before);
	if (memtun_clock_show(driver->memtun, clock_record, driver) < 0)
		errx(1, "%s", memtun_error(driver->memtun));
}

/* Return the time of the next event, of the broker or of a stack. */
static uint64_t next_event(const struct driver *driver)
{
	uint64_t milliseconds = (driver->now - driver->start) / MILLISECOND, next;
	uint32_t sleep = driver->reports[0].sleep;

	if (sleep > driver->reports[1].sleep)
		sleep = driver->reports[1].sleep;
	next = (milliseconds + sleep + TICK - 1) / TICK * TICK;
	next = driver->start + next * MILLISECOND;
	if (next > driver->next)
		next = driver->next;
	return next > driver->now ? next : driver->now;
}

/* Move the clock to the next event, and let that happen. */
static void clock_move(struct driver *driver)
{
	uint64_t time = next_event(driver);
	bool releases = time >= driver->next;

	if (time > driver->start + HOURS_MAX * HOUR)
		errx(1, "not done after %d hours of the clock", HOURS_MAX);
	/* The stacks know the time before a frame comes that is due then. */
	for (int i = 0; i < 2; i++)
		stack_tell(driver, i, time, false);
	if (memtun_clock_advance(driver->memtun, time - driver->now, clock_record, driver) < 0)
		errx(1, "%s", memtun_error(driver->memtun));
	if (releases)
		settle(driver);
	/* One after the other, so that a frame of one is never early or late for a timer of the
	 * other. */
	for (int i = 0; i < 2; i++) {
		stack_tell(driver, i, driver->now, true);
		if (frames_count(driver) != driver->frames)
			settle(driver);
	}
}

static int tunnel_open(struct memtun *memtun, const char *name, const char *more)
{
	struct memtun_options *options = memtun_options_new();
	int fd;

	if (!options || memtun_options_parse(options, "bridge=lab") < 0 ||
	    memtun_options_parse(options, more) < 0)
		errx(2, "%s", options ? memtun_options_error(options) : "out of memory");
	fd = memtun_open(memtun, name, options);
	if (fd < 0)
		errx(1, "%s", memtun_error(memtun));
	memtun_options_free(options);
	return fd;
}

int main(int argc, char **argv)
{
	struct driver driver = {.memtun = memtun_new()};
	uint64_t expected = CHECKSUM_START;
	int server, client;

	if (argc != 2)
		errx(2, "usage: %s SPEC", argv[0]);
	signal(SIGPIPE, SIG_IGN);
	if (!driver.memtun || memtun_connect(driver.memtun, NULL) < 0)
		errx(1, "%s", driver.memtun ? memtun_error(driver.memtun) : "out of memory");
	server = tunnel_open(driver.memtun, "server", "");
	client = tunnel_open(driver.memtun, "client", argv[1]);
	if (memtun_clock_show(driver.memtun, clock_record, &driver) < 0)
		errx(1, "%s", memtun_error(driver.memtun));
	driver.start = driver.now;
	driver.stacks[0] = stack_start(server, 1, client);
	driver.stacks[1] = stack_start(client, 2, driver.stacks[0]);
	settle(&driver);
	while (!driver.reports[1].is_done)
		clock_move(&driver);

	for (uint32_t i = 0; i < SIZE; i++)
		expected = checksum_add(expected, content(i));
	if (driver.reports[1].bytes != SIZE || driver.reports[1].checksum != expected)
		errx(1, "the client got %" PRIu32 " bytes with the wrong checksum",
		     driver.reports[1].bytes);
	printf("%d bytes, checksum %016" PRIx64 ", server %" PRIu64 "/%" PRIu64 ", client %" PRIu64
	       "/%" PRIu64 " frames, %" PRIu64 " ms\n",
	       SIZE, expected, driver.reports[0].sent, driver.reports[0].received,
	       driver.reports[1].sent, driver.reports[1].received,
	       (driver.now - driver.start) / MILLISECOND);
	/* The stacks end when the driver's ends are closed. */
	for (int i = 0; i < 2; i++)
		close(driver.stacks[i]);
	while (wait(NULL) > 0)
		;
	memtun_free(driver.memtun);
	return 0;
}
