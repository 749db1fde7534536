/* SPDX-License-Identifier: MIT */
#include "tests/bench/path.h"

#include <err.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/bench/measure.h"
#include "memtun.h"
#include "tests/bench/process.h"

#define BATCH 32

/* --------------------------------------------------------------------------------- both ends */

static void address_fill(unsigned char address[6], unsigned int station)
{
	memset(address, station ? 0 : 0xff, 6);
	if (!station)
		return;
	address[0] = 0x02; /* locally administered */
	address[4] = (unsigned char)(station >> 8);
	address[5] = (unsigned char)station;
}

void frame_fill(unsigned char frame[FRAME_LENGTH_MAX], unsigned int to, unsigned int from)
{
	memset(frame, 0, FRAME_LENGTH_MAX);
	address_fill(frame, to);
	address_fill(frame + 6, from);
	/* The Local Experimental Ethertype 1 of IEEE 802, 0x88b5. */
	frame[12] = 0x88;
	frame[13] = 0xb5;
}

static void send_frames(int fd, size_t size, int count)
{
	unsigned char frame[FRAME_LENGTH_MAX];
	struct iovec part = {frame, size};
	struct mmsghdr messages[BATCH] = {0};

	frame_fill(frame, STATION_RECEIVER, STATION_SENDER);
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
	static unsigned char buffers[BATCH][FRAME_LENGTH_MAX];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = {0};

	for (int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){buffers[i], FRAME_LENGTH_MAX};
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

pid_t path_send(int fd, size_t size, int count)
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

pid_t path_receive(int fd, size_t size, int count)
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

struct run path_run(const struct path *path, size_t size, int count)
{
	double cpu = measure_cpu(path->pid), from = measure_time();
	pid_t receiver = path_receive(path->out, size, count);
	pid_t sender = path_send(path->in, size, count);

	if (!process_wait(sender) || !process_wait(receiver))
		errx(1, "not all of %d frames of %zu bytes arrived", count, size);
	return (struct run){
		.seconds = measure_time() - from,
		.cpu = measure_cpu(path->pid) - cpu,
	};
}

/* --------------------------------------------------------------------------------- learning */

static void cross(int from, int to, const unsigned char *frame)
{
	unsigned char received[FRAME_LENGTH_MAX];

	if (send(from, frame, 64, 0) != 64 || recv(to, received, sizeof(received), 0) != 64)
		err(1, "a frame does not cross the bridge");
}

static void read_addresses(const struct memtun_record *record, void *context)
{
	if (memtun_record_number(record, "addresses", context) < 0)
		errx(1, "the bridge does not say how many addresses it has learned");
}

void path_learn(const struct path *path, struct memtun *memtun, const char *name)
{
	unsigned char frame[FRAME_LENGTH_MAX];
	uint64_t addresses = 0;

	frame_fill(frame, STATION_SENDER, STATION_RECEIVER);
	cross(path->out, path->in, frame);
	frame_fill(frame, STATION_RECEIVER, STATION_SENDER);
	cross(path->in, path->out, frame);
	if (memtun_bridge_show(memtun, name, read_addresses, &addresses) < 0)
		errx(1, "cannot show the bridge: %s", memtun_error(memtun));
	if (addresses != 2)
		errx(1, "bridge %s has learned %ju addresses, not 2", name, (uintmax_t)addresses);
}
