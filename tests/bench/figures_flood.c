/* SPDX-License-Identifier: MIT */
/*
 * The bytes that the broker copies in user space when a frame goes to 32 ports. The broker sends a
 * frame to each port's socket from the one buffer that it was read into, and copies it only into a
 * backlog. Readers that keep up cost no copy: here all 32 read each batch before the next is sent.
 * The cost of one stopped reader is printed for information.
 */
#include <err.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/bench/account.h"
#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "memtun.h"
#include "tests/bench/path.h"
#include "tests/bench/process.h"

#define READERS 32
#define BATCH 32
#define BATCHES 200
#define FRAMES (BATCH * BATCHES)

/* The name of the reader that stops. The other readers have the next numbers. */
#define FIRST_READER "reader0"

struct flood {
	struct broker_process broker;
	struct memtun *memtun;
	int sender, readers[READERS];
};

static void flood_start(struct flood *flood)
{
	broker_start(&flood->broker);
	flood->memtun = broker_connect(&flood->broker);
	flood->sender = broker_open(flood->memtun, "sender", "bridge=bench");
	for (int i = 0; i < READERS; i++)
		flood->readers[i] = broker_open(flood->memtun, "reader%d", "bridge=bench");
}

static void flood_end(struct flood *flood)
{
	close(flood->sender);
	for (int i = 0; i < READERS; i++)
		close(flood->readers[i]);
	memtun_free(flood->memtun);
	process_end(flood->broker.pid);
}

static void send_batch(int fd)
{
	unsigned char frame[FRAME_LENGTH_MAX];
	struct iovec part = {frame, sizeof(frame)};
	struct mmsghdr messages[BATCH] = {0};

	frame_fill(frame, 0, STATION_SENDER);
	for (int i = 0; i < BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
	if (sendmmsg(fd, messages, BATCH, MSG_NOSIGNAL) != BATCH)
		err(1, "sendmmsg");
}

static void read_batch(int fd)
{
	unsigned char frame[FRAME_LENGTH_MAX];

	for (int i = 0; i < BATCH; i++) {
		if (recv(fd, frame, sizeof(frame), 0) != FRAME_LENGTH_MAX)
			err(1, "recv");
	}
}

static void add_copied(const struct memtun_record *record, void *context)
{
	uint64_t copied;

	if (memtun_record_number(record, "to-client-copied-bytes", &copied) < 0)
		errx(1, "the broker does not count to-client-copied-bytes");
	*(uint64_t *)context += copied;
}

static uint64_t copied_bytes(struct memtun *memtun)
{
	uint64_t copied = 0;

	if (memtun_show(memtun, NULL, true, add_copied, &copied) < 0)
		errx(1, "cannot show: %s", memtun_error(memtun));
	return copied;
}

/* Return the bytes copied for each frame sent, while only the readers from `first` on read. */
static double flood_run(struct flood *flood, int first)
{
	uint64_t before = copied_bytes(flood->memtun);

	for (int batch = 0; batch < BATCHES; batch++) {
		send_batch(flood->sender);
		for (int i = first; i < READERS; i++)
			read_batch(flood->readers[i]);
	}
	return (double)(copied_bytes(flood->memtun) - before) / FRAMES;
}

static void tell_stopped(struct flood *flood)
{
	struct account before = account_read(flood->memtun, FIRST_READER), after;
	double copied = flood_run(flood, 1);

	after = account_read(flood->memtun, FIRST_READER);
	printf("info flood-stopped-reader copied %.1f bytes/frame: %ju of %d frames wait for it, "
	       "%ju were dropped\n",
	       copied, (uintmax_t)(after.queued - before.queued), FRAMES,
	       (uintmax_t)(after.dropped - before.dropped));
}

void figures_flood(void)
{
	/* The required number is 0: one byte per frame would halve the ratio. */
	static const struct figure figure = {
		.name = "flood-32-copied-bytes",
		.unit = "bytes/frame",
		.is_cost = true,
		.floor = 1,
		.required = 1,
	};
	struct series series = {0};
	struct flood flood;

	flood_start(&flood);
	for (int i = 0; i < MEASURE_PAIRS; i++)
		series_add(&series, flood_run(&flood, 0), 0);
	series_report(&series, &figure);
	tell_stopped(&flood);
	flood_end(&flood);
}
