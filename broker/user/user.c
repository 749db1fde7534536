/* SPDX-License-Identifier: MIT */
/*
 * memtun-user: the network behind an uplink of type user, by libslirp. The broker starts it, so
 * that the broker neither has libslirp's code nor waits for it. It ends when the broker closes its
 * socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <slirp/libslirp.h>

#include "broker/system/confine.h"
#include "broker/user/user_confine.h"
#include "common/clock.h"
#include "common/user_network.h"

/*
 *         memtun-user NET NET6 FORWARDS TFTP BOOTFILE RESTRICT
 *
 * An empty word is an option that is not given. Descriptor 3 is the socket for frames, one a
 * record. On descriptor 4 memtun-user tells how the start went: a newline, or the reason why not.
 */

enum {
	FRAMES_FD = 3,
	STATUS_FD = 4,
	FRAME_BYTES = 65536,
	BATCH = 64, /* frames that are read before sockets are looked at */
	WORDS = 7,
};

/* libslirp has one timer, for router advertisements. */
struct timer {
	SlirpTimerCb function;
	void *context;
	int64_t due; /* milliseconds by CLOCK_MONOTONIC; -1: not set */
};

static struct timer timer = {.due = -1};

static struct {
	struct pollfd *fds;
	size_t count, size;
} polled;

/* Tell the broker why this cannot start, and end. */
static _Noreturn void fail(const char *what, const char *why)
{
	dprintf(STATUS_FD, "%s: %s", what, why);
	exit(EXIT_FAILURE);
}

/* ------------------------------------------------------------------------------ for libslirp */

static ssize_t frame_send(const void *frame, size_t length, void *context)
{
	(void)context;
	/* A frame that the broker has no room for is lost, as on a wire. */
	send(FRAMES_FD, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	return (ssize_t)length;
}

static void guest_error(const char *message, void *context)
{
	(void)message;
	(void)context;
}

static int64_t clock_get(void *context)
{
	(void)context;
	return clock_now();
}

static void *timer_make(SlirpTimerCb function, void *function_context, void *context)
{
	(void)context;
	timer = (struct timer){function, function_context, -1};
	return &timer;
}

static void timer_end(void *of, void *context)
{
	(void)of;
	(void)context;
	timer.due = -1;
}

static void timer_set(void *of, int64_t milliseconds, void *context)
{
	(void)of;
	(void)context;
	timer.due = milliseconds;
}

/* Every descriptor is given to poll(2) in each turn. */
static void descriptor_ignore(int fd, void *context)
{
	(void)fd;
	(void)context;
}

/* The loop looks at all sockets in each turn. */
static void turn_ignore(void *context)
{
	(void)context;
}

static const SlirpCb callbacks = {
	.send_packet = frame_send,
	.guest_error = guest_error,
	.clock_get_ns = clock_get,
	.timer_new = timer_make,
	.timer_free = timer_end,
	.timer_mod = timer_set,
	.register_poll_fd = descriptor_ignore,
	.unregister_poll_fd = descriptor_ignore,
	.notify = turn_ignore,
};

/* ------------------------------------------------------------------------------ starting */

static struct in_addr host4(const struct user_network *network, uint32_t number)
{
	return (struct in_addr){htonl(ntohl(network->ipv4.ipv4.s_addr) + number)};
}

static struct in6_addr host6(const struct user_network *network, uint8_t number)
{
	struct in6_addr address = network->ipv6.ipv6;

	address.s6_addr[15] = number;
	return address;
}

static const char *word_or_null(const char *word)
{
	return word[0] ? word : NULL;
}

static Slirp *slirp_start(const struct user_network *network, char **words)
{
	SlirpConfig config = {
		.version = 1,
		.restricted = word_or_null(words[6]) != NULL,
		.in_enabled = true,
		.vnetwork = network->ipv4.ipv4,
		.vnetmask = {htonl(UINT32_MAX << (32 - network->prefix4))},
		.vhost = host4(network, 2),
		.vnameserver = host4(network, 3),
		.vdhcp_start = host4(network, 15),
		.in6_enabled = true,
		.vprefix_addr6 = network->ipv6.ipv6,
		.vprefix_len = (uint8_t)network->prefix6,
		.vhost6 = host6(network, 2),
		.vnameserver6 = host6(network, 3),
		.vhostname = "memtun",
		.tftp_path = word_or_null(words[4]),
		.bootfile = word_or_null(words[5]),
	};
	Slirp *slirp = slirp_new(&config, &callbacks, NULL);

	if (!slirp)
		fail("cannot start libslirp", strerror(errno));
	return slirp;
}

static void forward_add(Slirp *slirp, const struct user_forward *forward)
{
	char text[SOCKET_ADDRESS_TEXT_SIZE], what[sizeof("cannot listen on udp ") + sizeof(text)];
	int flags = forward->is_udp ? SLIRP_HOSTFWD_UDP : 0;

	if (forward->local.ss_family == AF_INET6)
		flags |= SLIRP_HOSTFWD_V6ONLY;
	if (slirp_add_hostxfwd(slirp, (const struct sockaddr *)&forward->local,
			       socket_address_size(&forward->local),
			       (const struct sockaddr *)&forward->target,
			       socket_address_size(&forward->target), flags) == 0)
		return;
	snprintf(what, sizeof(what), "cannot listen on %s %s", forward->is_udp ? "udp" : "tcp",
		 socket_address_format(&forward->local, text));
	fail(what, strerror(errno));
}

/* ------------------------------------------------------------------------------ running */

static int polled_add(int fd, int events, void *context)
{
	(void)context;
	if (polled.count == polled.size) {
		size_t size = polled.size ? 2 * polled.size : 64;
		struct pollfd *fds = realloc(polled.fds, size * sizeof(*fds));

		if (!fds)
			return -1;
		polled.fds = fds;
		polled.size = size;
	}
	polled.fds[polled.count] = (struct pollfd){
		.fd = fd,
		.events = (short)((events & SLIRP_POLL_IN ? POLLIN : 0) |
				  (events & SLIRP_POLL_OUT ? POLLOUT : 0) |
				  (events & SLIRP_POLL_PRI ? POLLPRI : 0)),
	};
	return (int)polled.count++;
}

static int polled_events(int index, void *context)
{
	short events = index < 0 ? 0 : polled.fds[index].revents;

	(void)context;
	return (events & POLLIN ? SLIRP_POLL_IN : 0) | (events & POLLOUT ? SLIRP_POLL_OUT : 0) |
	       (events & POLLPRI ? SLIRP_POLL_PRI : 0) | (events & POLLERR ? SLIRP_POLL_ERR : 0) |
	       (events & POLLHUP ? SLIRP_POLL_HUP : 0);
}

/* Give frames to libslirp. False: the broker has closed the socket. */
static bool frames_take(Slirp *slirp)
{
	static uint8_t frame[FRAME_BYTES];

	for (int i = 0; i < BATCH; i++) {
		ssize_t length = recv(FRAMES_FD, frame, sizeof(frame), MSG_DONTWAIT);

		if (length <= 0)
			return length < 0 && (errno == EAGAIN || errno == EINTR);
		slirp_input(slirp, frame, (int)length);
	}
	return true;
}

/* Return the milliseconds to wait, as poll(2) takes them. */
static int wait_for(uint32_t timeout)
{
	int64_t now = clock_now() / CLOCK_MILLISECOND, wait = timeout;

	if (timer.due >= 0 && timer.due - now < wait)
		wait = timer.due - now;
	if (wait < 0)
		return 0;
	return wait > 60000 ? 60000 : (int)wait;
}

static void run(Slirp *slirp)
{
	for (;;) {
		uint32_t timeout = UINT32_MAX;
		int ready;

		polled.count = 0;
		if (polled_add(FRAMES_FD, SLIRP_POLL_IN, NULL) < 0)
			return;
		slirp_pollfds_fill(slirp, &timeout, polled_add, NULL);
		ready = poll(polled.fds, polled.count, wait_for(timeout));
		slirp_pollfds_poll(slirp, ready < 0, polled_events, NULL);
		if (timer.due >= 0 && clock_now() / CLOCK_MILLISECOND >= timer.due) {
			timer.due = -1;
			timer.function(timer.context);
		}
		if (ready > 0 && polled.fds[0].revents && !frames_take(slirp))
			return;
	}
}

int main(int argc, char **argv)
{
	struct user_network network;
	struct fault fault;
	Slirp *slirp;

	if (argc != WORDS || fcntl(FRAMES_FD, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC) < 0) {
		fputs("memtun-user is started by memtund for an uplink of type user\n", stderr);
		return EXIT_FAILURE;
	}
	user_network_init(&network);
	if (user_network_parse(&network, word_or_null(argv[1]), word_or_null(argv[2]),
			       word_or_null(argv[3]), &fault) < 0)
		fail("wrong arguments", fault.text);
	signal(SIGPIPE, SIG_IGN);
	if (confine(false) < 0)
		fail("cannot drop privileges", strerror(errno));
	slirp = slirp_start(&network, argv);
	for (unsigned int i = 0; i < network.forward_count; i++)
		forward_add(slirp, &network.forwards[i]);
	if (user_confine() < 0)
		fail("cannot confine memtun-user", strerror(errno));
	if (write(STATUS_FD, "\n", 1) != 1)
		return EXIT_FAILURE;
	close(STATUS_FD);
	run(slirp);
	return EXIT_SUCCESS;
}
