/* SPDX-License-Identifier: MIT */
#include "tests/bench/delivery.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/bench/measure.h"
#include "tests/bench/path.h"
#include "tests/bench/process.h"

#define BATCH 32

/* Milliseconds without a frame, after all were sent, after which no more can arrive. */
#define IDLE 200

/* Milliseconds after which a frame that has not arrived is lost. */
#define CROSSES_WITHIN 5000

/* Longer than our longest frame, so that a longer one is noticed. */
#define BUFFER_SIZE 2048

/* The results of both processes, in shared memory. */
struct told {
	double first_sent, last_received;
	int received;
	atomic_bool all_sent;
};

/* ------------------------------------------------------------------------------------ ends */

static bool end_wait(const struct wire_end *end, int timeout)
{
	struct pollfd poll_fd = {.fd = end->fd, .events = POLLIN};

	if (poll(&poll_fd, 1, timeout) < 0)
		err(1, "poll");
	return poll_fd.revents;
}

static int fd_send(const struct wire_end *end, struct mmsghdr messages[], int count)
{
	(void)count;
	return writev(end->fd, messages->msg_hdr.msg_iov, 1) < 0 ? -1 : 1;
}

/* Receive one frame. A socket's wait is bounded by SO_RCVTIMEO, a device's by poll(2). */
static int fd_receive(const struct wire_end *end, struct mmsghdr messages[], int count)
{
	ssize_t length;

	(void)count;
	do {
		length = readv(end->fd, messages->msg_hdr.msg_iov, 1);
	} while (length < 0 && errno == EAGAIN && !end->is_socket && end_wait(end, IDLE));
	messages->msg_len = (unsigned int)length;
	return length < 0 ? -1 : 1;
}

struct wire_end wire_end_device(int fd)
{
	return (struct wire_end){.fd = fd, .send = fd_send, .receive = fd_receive};
}

struct wire_end wire_end_single(int fd)
{
	return (struct wire_end){
		.fd = fd, .is_socket = true, .send = fd_send, .receive = fd_receive};
}

static int socket_send(const struct wire_end *end, struct mmsghdr messages[], int count)
{
	return sendmmsg(end->fd, messages, (unsigned int)count, MSG_NOSIGNAL);
}

static int socket_receive(const struct wire_end *end, struct mmsghdr messages[], int count)
{
	return recvmmsg(end->fd, messages, (unsigned int)count, MSG_WAITFORONE, NULL);
}

struct wire_end wire_end_socket(int fd)
{
	return (struct wire_end){
		.fd = fd, .is_socket = true, .send = socket_send, .receive = socket_receive};
}

static void end_send(const struct wire_end *end, unsigned int to, unsigned int from, int count)
{
	unsigned char frame[FRAME_LENGTH_MAX];
	struct iovec part = {frame, sizeof(frame)};
	struct mmsghdr messages[BATCH] = {0};

	frame_fill(frame, to, from);
	for (int i = 0; i < BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
	while (count) {
		int sent = end->send(end, messages, count < BATCH ? count : BATCH);

		if (sent < 0)
			err(1, "cannot send a frame");
		count -= sent;
	}
}

/* Return how many of our frames have arrived, without frames of the kernel's bridge; -1 if none
 * arrives for a while. */
static int end_receive(const struct wire_end *end)
{
	static unsigned char buffers[BATCH][BUFFER_SIZE];
	static struct iovec parts[BATCH];
	static struct mmsghdr messages[BATCH];
	int received, ours = 0;

	for (int i = 0; i < BATCH && !messages[i].msg_hdr.msg_iov; i++) {
		parts[i] = (struct iovec){buffers[i], BUFFER_SIZE};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	received = end->receive(end, messages, BATCH);
	if (received < 0 && errno == EAGAIN)
		return -1;
	if (received <= 0 || messages[0].msg_len == 0)
		err(1, "cannot receive a frame");
	for (int i = 0; i < received; i++)
		ours += messages[i].msg_len == FRAME_LENGTH_MAX;
	return ours;
}

/* ------------------------------------------------------------------------------- learning */

static void cross(const struct wire_end *from, const struct wire_end *to, unsigned int to_station,
		  unsigned int from_station)
{
	end_send(from, to_station, from_station, 1);
	do {
		if (!end_wait(to, CROSSES_WITHIN))
			errx(1, "a frame does not come through");
	} while (end_receive(to) != 1);
}

void wire_learn(const struct wire *wire)
{
	cross(&wire->out, &wire->in, STATION_SENDER, STATION_RECEIVER);
	cross(&wire->in, &wire->out, STATION_RECEIVER, STATION_SENDER);
}

/* ----------------------------------------------------------------------------------- a run */

static void receive_some(const struct wire_end *end, int count, struct told *told)
{
	while (told->received < count) {
		/* Read this before the wait, so that frames sent after it are waited for once
		 * more. */
		bool all_sent = told->all_sent;
		int ours = end_receive(end);

		if (ours < 0 && all_sent)
			return;
		if (ours <= 0)
			continue;
		told->received += ours;
		told->last_received = measure_time();
	}
}

static pid_t start_receiver(const struct wire *wire, int count, struct told *told)
{
	const struct timeval idle = {.tv_usec = IDLE * 1000};
	pid_t pid = process_fork();

	if (pid)
		return pid;
	if (wire->out.is_socket
		    ? setsockopt(wire->out.fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle)) < 0
		    : fcntl(wire->out.fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		err(1, "cannot see to it that reading ends");
	process_pin(getpid(), wire->is_moved ? 0 : 1);
	alarm(RUN_LONGEST);
	receive_some(&wire->out, count, told);
	_exit(0);
}

static pid_t start_sender(const struct wire *wire, int count, struct told *told)
{
	pid_t pid = process_fork();

	if (pid)
		return pid;
	process_pin(getpid(), 0);
	alarm(RUN_LONGEST);
	told->first_sent = measure_time();
	end_send(&wire->in, STATION_RECEIVER, STATION_SENDER, count);
	told->all_sent = true;
	_exit(0);
}

struct delivery delivery_run(const struct wire *wire, int count)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t receiver, sender;
	struct delivery delivery;

	if (told == MAP_FAILED)
		err(1, "mmap");
	receiver = start_receiver(wire, count, told);
	sender = start_sender(wire, count, told);
	if (!process_wait(sender) || !process_wait(receiver))
		errx(1, "a run did not end well");
	if (told->received == 0)
		errx(1, "of %d frames none arrived", count);
	delivery = (struct delivery){
		.received = told->received,
		.seconds = told->last_received - told->first_sent,
	};
	munmap(told, sizeof(*told));
	return delivery;
}
