/* SPDX-License-Identifier: MIT */
/*
 * Frames through a bridge of two ports, beside a bare forwarder; and between two peers, beside a
 * broker that does nothing. One process sends as fast as it can, one receives, and these are the
 * same for both sides. Who moves the frames has one CPU, both ends another: left to the scheduler,
 * the figures would say more of how often a wake-up preempts the waker. The receiving tunnel
 * blocks, so that every frame arrives, as with the forwarder; what the default, drop-tail, does is
 * told for information.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bare_forwarder.h"
#include "figures.h"
#include "measure.h"
#include "memtun.h"
#include "process.h"

#define BATCH 32
#define FRAME_MOST 1514
#define FRAMES 60000
#define PEER_FRAMES 1000000

/* One run takes well under a second: a run that takes so many has lost frames, or hangs. */
#define RUN_LONGEST 20

/* Where frames go in and come out, and who moves them. */
struct path {
	int in, out;
	pid_t pid;
};

/* What a run has shown. */
struct run {
	double cpu;     /* of who moves them, nanoseconds */
	double seconds; /* from the first sent to the last received */
};

/* --------------------------------------------------------------------------------- both ends */

static const unsigned char sender_address[6] = {0x02, 0, 0, 0, 0, 0x01};
static const unsigned char receiver_address[6] = {0x02, 0, 0, 0, 0, 0x02};

static void frame_fill(unsigned char frame[FRAME_MOST], const unsigned char to[6],
		       const unsigned char from[6])
{
	memset(frame, 0, FRAME_MOST);
	memcpy(frame, to, 6);
	memcpy(frame + 6, from, 6);
	/* IEEE 802's local experimental Ethertype 1. */
	frame[12] = 0x88;
	frame[13] = 0xb5;
}

static void send_frames(int fd, size_t size, int count)
{
	unsigned char frame[FRAME_MOST];
	struct iovec part = {frame, size};
	struct mmsghdr messages[BATCH] = {0};

	frame_fill(frame, receiver_address, sender_address);
	for (int i = 0; i < BATCH; i++) {
		messages[i].msg_hdr.msg_iov = &part;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (count) {
		int sent = sendmmsg(fd, messages, (unsigned int)(count < BATCH ? count : BATCH),
				    MSG_NOSIGNAL);

		if (sent < 0)
			err(1, "sendmmsg");
		count -= sent;
	}
}

static void receive_frames(int fd, size_t size, int count)
{
	static unsigned char buffers[BATCH][FRAME_MOST];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = {0};

	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){buffers[i], FRAME_MOST};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (count) {
		int received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);

		if (received < 0)
			err(1, "recvmmsg");
		for (int i = 0; i < received; i++) {
			if (messages[i].msg_len != size)
				errx(1, "a frame of %u bytes", messages[i].msg_len);
		}
		count -= received;
	}
}

static pid_t start_sender(int fd, size_t size, int count)
{
	pid_t pid = process_fork();

	if (pid == 0) {
		process_pin(getpid(), 0);
		alarm(RUN_LONGEST);
		send_frames(fd, size, count);
		_exit(0);
	}
	return pid;
}

static pid_t start_receiver(int fd, size_t size, int count)
{
	pid_t pid = process_fork();

	if (pid == 0) {
		process_pin(getpid(), 0);
		alarm(RUN_LONGEST);
		receive_frames(fd, size, count);
		_exit(0);
	}
	return pid;
}

static struct run path_run(const struct path *path, size_t size, int count)
{
	double cpu = measure_cpu(path->pid), from = measure_time();
	pid_t receiver = start_receiver(path->out, size, count);
	pid_t sender = start_sender(path->in, size, count);

	if (!process_wait(sender) || !process_wait(receiver))
		errx(1, "not all of %d frames of %zu bytes arrived", count, size);
	return (struct run){
		.seconds = measure_time() - from,
		.cpu = measure_cpu(path->pid) - cpu,
	};
}

/* --------------------------------------------------------------------------------- a bridge */

static void compare_bridge(const struct path *ours, const struct path *bare, size_t size)
{
	struct series cpu = {0}, rate = {0};
	char cpu_name[40], rate_name[40];
	struct figure cpu_figure = {cpu_name, "cpu-ns/frame", .is_cost = true, .required = 0.85};
	struct figure rate_figure = {rate_name, "1/s", .required = 0.85};

	snprintf(cpu_name, sizeof(cpu_name), "cpu-per-frame-%zu", size);
	snprintf(rate_name, sizeof(rate_name), "frames-per-second-%zu", size);
	path_run(ours, size, FRAMES);
	path_run(bare, size, FRAMES);
	for (int i = 0; i < MEASURE_SHORT_PAIRS; i++) {
		struct run our_run = path_run(ours, size, FRAMES);
		struct run bare_run = path_run(bare, size, FRAMES);

		series_add(&cpu, our_run.cpu / FRAMES, bare_run.cpu / FRAMES);
		series_add(&rate, FRAMES / our_run.seconds, FRAMES / bare_run.seconds);
	}
	series_report(&cpu, &cpu_figure);
	series_report(&rate, &rate_figure);
}

/* Has the bridge learn where the receiver is, as it does wherever anything answers. */
static void path_learn(const struct path *path)
{
	unsigned char frame[FRAME_MOST];

	frame_fill(frame, sender_address, receiver_address);
	if (send(path->out, frame, 64, 0) != 64 || recv(path->in, frame, sizeof(frame), 0) != 64)
		err(1, "no frame goes back");
}

struct drops {
	uint64_t offered, delivered, queued;
};

static void drops_read(const struct memtun_record *record, void *context)
{
	struct drops *drops = context;

	memtun_record_number(record, "to-client-offered", &drops->offered);
	memtun_record_number(record, "to-client-frames", &drops->delivered);
	memtun_record_number(record, "to-client-queued", &drops->queued);
}

static struct drops drops_now(struct memtun *memtun)
{
	struct drops drops = {0};

	if (memtun_show(memtun, "out", true, drops_read, &drops) < 0)
		errx(1, "cannot show: %s", memtun_error(memtun));
	return drops;
}

/* The same with the default overflow: what the receiver has no room for is dropped, and counted. */
static void tell_drop_tail(struct memtun *memtun, const struct path *path, size_t size)
{
	struct drops before = drops_now(memtun), after;
	double cpu = measure_cpu(path->pid), from = measure_time(), seconds;
	/* Reads on until it is ended here. */
	pid_t receiver = start_receiver(path->out, size, FRAMES + 1);
	pid_t sender = start_sender(path->in, size, FRAMES);
	char left;

	if (!process_wait(sender))
		errx(1, "not all frames of %zu bytes were sent", size);
	do {
		after = drops_now(memtun);
	} while (after.offered - before.offered < FRAMES || after.queued);
	seconds = measure_time() - from;
	cpu = measure_cpu(path->pid) - cpu;
	process_end(receiver);
	while (recv(path->out, &left, sizeof(left), MSG_DONTWAIT) > 0)
		;
	printf("info drop-tail-%zu offered %.0f frames/s delivered %.1f %% cpu-ns/frame %.0f\n",
	       size, FRAMES / seconds, (double)(after.delivered - before.delivered) * 100 / FRAMES,
	       cpu / FRAMES);
}

void figures_frames(void)
{
	static const size_t sizes[] = {64, 1514};
	struct memtun_options *drop_tail = memtun_options_new();
	struct bare_forwarder forwarder;
	struct broker_process broker;
	struct path ours, bare;
	struct memtun *memtun;

	broker_start(&broker);
	memtun = broker_connect(&broker);
	bare_forwarder_start(&forwarder);
	bare = (struct path){forwarder.in, forwarder.out, forwarder.pid};
	ours = (struct path){
		.in = broker_open(memtun, "in", "bridge=bench"),
		.out = broker_open(memtun, "out", "bridge=bench,overflow=block"),
		.pid = broker.pid,
	};
	path_learn(&ours);
	process_pin(ours.pid, 1);
	process_pin(bare.pid, 1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		compare_bridge(&ours, &bare, sizes[i]);
	if (!drop_tail || memtun_options_set(drop_tail, "overflow", "drop-tail") < 0 ||
	    memtun_set(memtun, "out", drop_tail) < 0)
		errx(1, "cannot set overflow: %s", memtun_error(memtun));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		tell_drop_tail(memtun, &ours, sizes[i]);
	memtun_options_free(drop_tail);
	close(ours.in);
	close(ours.out);
	memtun_free(memtun);
	process_end(broker.pid);
	bare_forwarder_end(&forwarder);
}

/* --------------------------------------------------------------------------------- peers */

static void wait_seconds(double seconds)
{
	struct timespec rest = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};

	nanosleep(&rest, NULL);
}

void figures_peers(void)
{
	/* A nanosecond a frame is noise: a single wake-up for something else is several. */
	static const struct figure figure = {
		.name = "peer-pair-broker-cpu",
		.unit = "cpu-ns",
		.is_cost = true,
		.floor = PEER_FRAMES,
		.required = 0.9,
	};
	struct broker_process broker;
	struct memtun *memtun;
	struct series series = {0};
	struct path path;

	broker_start(&broker);
	memtun = broker_connect(&broker);
	path = (struct path){
		.in = broker_open(memtun, "left", "peer=right"),
		.out = broker_open(memtun, "right", ""),
		.pid = broker.pid,
	};
	for (int i = 0; i < MEASURE_PAIRS; i++) {
		struct run run = path_run(&path, 64, PEER_FRAMES);
		double from = measure_cpu(broker.pid);

		wait_seconds(run.seconds);
		series_add(&series, run.cpu, measure_cpu(broker.pid) - from);
	}
	series_report(&series, &figure);
	close(path.in);
	close(path.out);
	memtun_free(memtun);
	process_end(broker.pid);
}
