/* SPDX-License-Identifier: MIT */
/*
 * Load on a hub, by processes that read fast, slowly, never, or are killed while they do, each
 * under another overflow policy and socket type; and the sums that must then hold for each port:
 * what was offered was delivered, still waits, or was dropped for a reason. Run in a memtund.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "memtun.h"

#define SENDERS 3
#define FRAMES_EACH 15000
#define FRAME_LENGTH_MAX 1514
#define FRAME_MIN 64

/* However it hangs, it ends: seconds. */
#define LONGEST 50

enum pace {
	FAST,
	SLOW,
	STOPPED,
	KILLED
};

struct reader {
	const char *name;
	const char *options;
	enum pace pace;
	bool loses_nothing;
};

static const struct reader readers[] = {
	{"fast", "overflow=block", FAST, true},
	{"fastdgram", "overflow=block,socket=dgram", FAST, true},
	{"faststream", "overflow=block,socket=stream", FAST, true},
	{"slowblock", "overflow=block", SLOW, true},
	{"slowtail", "overflow=drop-tail,queue=100", SLOW, false},
	{"slowhead", "overflow=drop-head,queue=100", SLOW, false},
	{"slowstream", "overflow=drop-head,queue=50,socket=stream", SLOW, false},
	{"stopped", "overflow=drop-tail", STOPPED, false},
	{"stoppedhead", "overflow=drop-head,socket=dgram", STOPPED, false},
	{"killed", "overflow=drop-tail", KILLED, false},
	{"killedblock", "overflow=block", KILLED, false},
	{"killeddgram", "overflow=drop-head,socket=dgram", KILLED, false},
};

#define READERS (sizeof(readers) / sizeof(readers[0]))

struct process {
	pid_t pid;
	int fd;      /* its tunnel, before it was started */
	int control; /* it ends, once it has read all, when this is closed */
	int result;  /* how many frames it has read */
};

/* ------------------------------------------------------------------------------ the ends */

/* A frame says who sent it, and its number; the rest follows from these. */
static size_t frame_make(unsigned char frame[FRAME_LENGTH_MAX], unsigned char sender,
			 uint32_t number)
{
	size_t length = FRAME_MIN + (number * 2654435761U) % (FRAME_LENGTH_MAX - FRAME_MIN + 1);

	memset(frame, (int)(number + sender), length);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, (const unsigned char[]){2, 0, 0, 0, 0, sender}, 6);
	/* IEEE 802's local experimental Ethertype 1. */
	frame[12] = 0x88;
	frame[13] = 0xb5;
	frame[14] = sender;
	memcpy(frame + 15, &number, sizeof(number));
	return length;
}

/* Is it whole, and later than the last of its sender's? */
static void frame_check(const unsigned char *frame, size_t length, uint32_t last[SENDERS])
{
	unsigned char expected[FRAME_LENGTH_MAX];
	uint32_t number;

	if (length < FRAME_MIN || frame[14] >= SENDERS)
		errx(1, "a frame of %zu bytes that nobody sent", length);
	memcpy(&number, frame + 15, sizeof(number));
	if (frame_make(expected, frame[14], number) != length ||
	    memcmp(frame, expected, length) != 0)
		errx(1, "frame %u of sender %u has changed", number, frame[14]);
	if (number <= last[frame[14]])
		errx(1, "frame %u of sender %u after %u", number, frame[14], last[frame[14]]);
	last[frame[14]] = number;
}

static void send_frames(int fd, unsigned char sender)
{
	unsigned char frame[FRAME_LENGTH_MAX];

	for (uint32_t number = 1; number <= FRAMES_EACH; number++) {
		size_t length = frame_make(frame, sender, number);

		if (send(fd, frame, length, MSG_NOSIGNAL) != (ssize_t)length)
			err(1, "send");
	}
}

/* One frame, if there is one now. -1: there is none. */
static ssize_t receive_frame(int fd, bool is_stream, unsigned char frame[FRAME_LENGTH_MAX])
{
	unsigned char head[4];
	ssize_t got;
	size_t length;

	if (!is_stream)
		return recv(fd, frame, FRAME_LENGTH_MAX, MSG_DONTWAIT);
	got = recv(fd, head, sizeof(head), MSG_DONTWAIT);
	if (got < 0)
		return -1;
	/* The rest of what has begun comes. */
	if (got < 4 && recv(fd, head + got, (size_t)(4 - got), MSG_WAITALL) != 4 - got)
		errx(1, "the stream ends in a length");
	length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if (length > FRAME_LENGTH_MAX || recv(fd, frame, length, MSG_WAITALL) != (ssize_t)length)
		errx(1, "the stream has no frame of %zu bytes", length);
	return (ssize_t)length;
}

static uint64_t receive_frames(const struct reader *reader, int fd, int control)
{
	const struct timespec pause = {0, reader->pace == SLOW ? 50000 : 0};
	bool is_stream = strstr(reader->options, "stream") != NULL;
	unsigned char frame[FRAME_LENGTH_MAX];
	uint32_t last[SENDERS] = {0};
	uint64_t count = 0;

	for (;;) {
		struct pollfd wait[2] = {{fd, POLLIN, 0}, {control, POLLIN, 0}};
		ssize_t length = receive_frame(fd, is_stream, frame);

		if (length >= 0) {
			frame_check(frame, (size_t)length, last);
			count++;
			if (reader->pace == KILLED && count == FRAMES_EACH / 10)
				raise(SIGKILL);
			nanosleep(&pause, NULL);
			continue;
		}
		if (errno != EAGAIN)
			err(1, "%s: recv", reader->name);
		if (poll(wait, 2, -1) < 0)
			err(1, "poll");
		if (!wait[0].revents && wait[1].revents)
			return count;
	}
}

/* ------------------------------------------------------------------------------ processes */

static int tunnel_open(struct memtun *memtun, const char *name, const char *text)
{
	struct memtun_options *options = memtun_options_new();
	int fd = -1;

	if (!options || memtun_options_parse(options, text) < 0 ||
	    memtun_options_set(options, "bridge", "lab") < 0 ||
	    memtun_options_set(options, "persistent", "on") < 0)
		errx(1, "%s: %s", text, options ? memtun_options_error(options) : "no memory");
	fd = memtun_open(memtun, name, options);
	if (fd < 0)
		errx(1, "%s", memtun_error(memtun));
	memtun_options_free(options);
	return fd;
}

/* All tunnels are open in this process; a child keeps its own only. */
static void child_close_others(const struct process *all, size_t count, const struct process *own)
{
	for (size_t i = 0; i < count; i++) {
		if (all + i != own && all[i].fd >= 0)
			close(all[i].fd);
	}
}

static void reader_start(const struct reader *reader, struct process *all, struct process *process)
{
	int control[2], result[2];
	uint64_t count = 0;

	if (pipe2(control, O_CLOEXEC) < 0 || pipe2(result, O_CLOEXEC) < 0)
		err(1, "pipe2");
	process->pid = fork();
	if (process->pid < 0)
		err(1, "fork");
	if (process->pid > 0) {
		close(control[0]);
		close(result[1]);
		close(process->fd);
		process->fd = -1;
		process->control = control[1];
		process->result = result[0];
		return;
	}
	alarm(LONGEST);
	child_close_others(all, READERS + SENDERS, process);
	for (size_t i = 0; i < READERS; i++) {
		if (all[i].control > 0)
			close(all[i].control);
	}
	close(control[1]);
	if (reader->pace == STOPPED) {
		struct pollfd end = {control[0], POLLIN, 0};

		poll(&end, 1, -1);
	} else {
		count = receive_frames(reader, process->fd, control[0]);
	}
	if (write(result[1], &count, sizeof(count)) != sizeof(count))
		err(1, "write");
	_exit(0);
}

static void sender_start(unsigned char sender, struct process *all, struct process *process)
{
	process->pid = fork();
	if (process->pid < 0)
		err(1, "fork");
	if (process->pid == 0) {
		alarm(LONGEST);
		child_close_others(all, READERS + SENDERS, process);
		send_frames(process->fd, sender);
		_exit(0);
	}
}

/* ------------------------------------------------------------------------------ the sums */

struct sums {
	uint64_t offered, delivered, queued, dropped, no_client;
	uint64_t from, from_dropped;
};

static void sums_record(const struct memtun_record *record, void *context)
{
	struct sums *sums = context;
	const char *key = NULL;

	*sums = (struct sums){0};
	while ((key = memtun_record_next(record, key))) {
		uint64_t number = 0;

		memtun_record_number(record, key, &number);
		if (strncmp(key, "to-client-dropped-", 18) == 0)
			sums->dropped += number;
		if (strncmp(key, "from-client-dropped-", 20) == 0)
			sums->from_dropped += number;
	}
	memtun_record_number(record, "to-client-offered", &sums->offered);
	memtun_record_number(record, "to-client-frames", &sums->delivered);
	memtun_record_number(record, "to-client-queued", &sums->queued);
	memtun_record_number(record, "to-client-dropped-no-client", &sums->no_client);
	memtun_record_number(record, "from-client-frames", &sums->from);
}

static void sums_get(struct memtun *memtun, const char *name, struct sums *sums)
{
	if (memtun_show(memtun, name, true, sums_record, sums) < 0)
		errx(1, "%s", memtun_error(memtun));
	if (sums->offered != sums->delivered + sums->queued + sums->dropped)
		errx(1,
		     "%s: offered %" PRIu64 " is not delivered %" PRIu64 " + queued %" PRIu64
		     " + dropped %" PRIu64,
		     name, sums->offered, sums->delivered, sums->queued, sums->dropped);
}

static void reader_check(struct memtun *memtun, const struct reader *reader,
			 struct process *process)
{
	struct sums sums;
	uint64_t count = 0;
	int status;

	/* Each request is a turn of the broker. */
	do {
		sums_get(memtun, reader->name, &sums);
	} while (reader->pace != STOPPED && sums.queued);
	close(process->control);
	if (read(process->result, &count, sizeof(count)) < 0)
		err(1, "read");
	close(process->result);
	if (waitpid(process->pid, &status, 0) < 0)
		err(1, "waitpid");
	if (reader->pace == KILLED ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL
				   : status != 0)
		errx(1, "%s has ended with %#x", reader->name, (unsigned int)status);
	if (sums.offered != (uint64_t)SENDERS * FRAMES_EACH)
		errx(1, "%s: %" PRIu64 " frames were offered", reader->name, sums.offered);
	if (reader->loses_nothing && sums.dropped)
		errx(1, "%s: %" PRIu64 " frames were dropped", reader->name, sums.dropped);
	if ((reader->pace == FAST || reader->pace == SLOW) && count != sums.delivered)
		errx(1, "%s: %" PRIu64 " frames were delivered, and it got %" PRIu64, reader->name,
		     sums.delivered, count);
	if (reader->pace == KILLED && sums.no_client == 0)
		errx(1, "%s: nobody has noticed its death", reader->name);
	printf("%s: offered %" PRIu64 ", delivered %" PRIu64 ", queued %" PRIu64
	       ", dropped %" PRIu64 "\n",
	       reader->name, sums.offered, sums.delivered, sums.queued, sums.dropped);
}

int main(void)
{
	static struct process processes[READERS + SENDERS];
	static const char *const senders[SENDERS] = {"sender0", "sender1", "sender2"};
	struct memtun *memtun = memtun_new();
	struct sums sums;
	struct memtun_options *hub = memtun_options_new();
	int status;

	alarm(LONGEST);
	if (!memtun || memtun_connect(memtun, NULL) < 0)
		errx(1, "%s", memtun ? memtun_error(memtun) : "no memory");
	if (!hub || memtun_options_set(hub, "hub", NULL) < 0)
		errx(1, "no memory");
	if (memtun_bridge_add(memtun, "lab", hub) < 0)
		errx(1, "%s", memtun_error(memtun));
	memtun_options_free(hub);
	for (size_t i = 0; i < READERS; i++)
		processes[i].fd = tunnel_open(memtun, readers[i].name, readers[i].options);
	for (size_t i = 0; i < SENDERS; i++)
		processes[READERS + i].fd = tunnel_open(memtun, senders[i], "");
	for (size_t i = 0; i < READERS; i++)
		reader_start(&readers[i], processes, &processes[i]);
	for (size_t i = 0; i < SENDERS; i++)
		sender_start((unsigned char)i, processes, &processes[READERS + i]);
	for (size_t i = 0; i < SENDERS; i++) {
		if (waitpid(processes[READERS + i].pid, &status, 0) < 0 || status != 0)
			errx(1, "%s has failed", senders[i]);
		/* Open here still: what it sent may yet have to be read. */
		do {
			sums_get(memtun, senders[i], &sums);
		} while (sums.from < FRAMES_EACH);
		if (sums.from != FRAMES_EACH || sums.from_dropped)
			errx(1, "%s: %" PRIu64 " frames, %" PRIu64 " dropped", senders[i],
			     sums.from, sums.from_dropped);
	}
	for (size_t i = 0; i < READERS; i++)
		reader_check(memtun, &readers[i], &processes[i]);
	memtun_free(memtun);
	return 0;
}
