/* SPDX-License-Identifier: MIT */
/*
 * memtun-host: runs a TCP/IP stack, lwIP, on a tunnel that `memtun host` has opened. `memtun host`
 * becomes this program, so that memtun itself needs no lwIP. It runs until the tunnel ends, or
 * until a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <lwip/tcpip.h>

#include "client/host/host_echo.h"
#include "client/host/host_interface.h"
#include "client/host/host_ping.h"
#include "client/host/host_socks.h"
#include "common/clock.h"
#include "common/exit_status.h"
#include "common/host_addresses.h"
#include "common/process.h"

/*
 *         memtun-host NAME FD READY-FD tap|tun MTU {address A/P | gateway G}... [KEY VALUE]...
 *
 * The other keys are `socks`, and those of memtun ping, which runs until its end.
 *
 * The main thread reads frames, and locks lwIP's core while lwIP processes one. lwIP's own thread
 * only runs timers. Writes never block, so the core is never locked for long. In a flood, frames
 * wait in the broker, which counts those that it drops.
 */

/* How many frames to read before the next check for a signal. */
#define BATCH 64

static struct host_interface interface;

static int host_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int host_fail(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("memtun: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	return status;
}

/*
 * Parse the arguments, which memtun has checked. Return the flags of the tunnel's descriptor. -1:
 * another program than memtun made the arguments.
 */
static int host_parse(int count, char **words, int *ready_fd, const char **socks)
{
	const char *reason;

	if (count < HOST_FIRST_ADDRESS + 2 || count % 2 != 0)
		return -1;
	interface.fd = atoi(words[2]);
	*ready_fd = atoi(words[3]);
	interface.ethernet = strcmp(words[4], "tap") == 0;
	interface.mtu = (unsigned int)atoi(words[5]);
	for (int i = HOST_FIRST_ADDRESS; i < count; i += 2) {
		if (host_ping_set(words[i], words[i + 1]) == 0)
			continue;
		if (strcmp(words[i], "socks") == 0) {
			*socks = words[i + 1];
			continue;
		}
		if (!host_addresses_has_key(words[i]) ||
		    host_addresses_set(&interface.addresses, words[i], words[i + 1], &reason) < 0)
			return -1;
	}
	if (host_addresses_check(&interface.addresses) ||
	    host_addresses_check_tunnel(&interface.addresses, interface.ethernet, interface.mtu))
		return -1;
	return fcntl(interface.fd, F_GETFL);
}

/*
 * Return a descriptor that is readable after a signal that ends the program. The signals are
 * blocked in lwIP's thread, too. -1 with errno.
 */
static int signals_open(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &ends, NULL) < 0)
		return -1;
	return signalfd(-1, &ends, SFD_CLOEXEC);
}

/*
 * Start lwIP with the interface and the services: from now on the host answers. -1: out of memory.
 */
static int host_start(void)
{
	int result;

	tcpip_init(NULL, NULL);
	LOCK_TCPIP_CORE();
	result = host_interface_start(&interface);
	if (result == 0)
		result = host_ping_is_set() ? host_ping_start(&interface) : host_echo_start();
	UNLOCK_TCPIP_CORE();
	return result;
}

/* Read frames, at most a batch. False at the tunnel's end. */
static bool host_read(bool hung_up)
{
	static uint8_t frame[UINT16_MAX + 1]; /* shows that a frame is longer than lwIP's 16 bits */

	for (int i = 0; i < BATCH; i++) {
		ssize_t length = read(interface.fd, frame, sizeof(frame));

		if (length > 0) {
			LOCK_TCPIP_CORE();
			host_interface_take(&interface, frame, (size_t)length);
			host_echo_bound();
			UNLOCK_TCPIP_CORE();
			continue;
		}
		/* After ECONNRESET, earlier frames can still be read. */
		if (length < 0 && (errno == EINTR || errno == ECONNRESET))
			continue;
		/*
		 * An empty frame, no frame yet, or the end of the tunnel: poll() distinguishes
		 * them.
		 */
		return !hung_up && (length == 0 || errno == EAGAIN);
	}
	return true;
}

/*
 * Send the ping that is due, if this is one: false at its end. Find out what else to wait for, and
 * until when.
 */
static bool host_turn(struct pollfd *fds, unsigned int *count, int64_t *deadline)
{
	bool goes_on;

	LOCK_TCPIP_CORE();
	goes_on = !host_ping_is_set() || host_ping_turn();
	*count = host_socks_poll(fds);
	*deadline = host_socks_deadline();
	UNLOCK_TCPIP_CORE();
	return goes_on;
}

static int host_run(const char *name, int signals)
{
	struct pollfd fds[2 + HOST_SOCKS_FDS] = {{.fd = interface.fd, .events = POLLIN | POLLRDHUP},
						 {.fd = signals, .events = POLLIN}};

	for (;;) {
		unsigned int socks = 0;
		int64_t deadline = -1;
		int timeout;

		if (!host_turn(fds + 2, &socks, &deadline))
			return host_ping_end();
		timeout = host_ping_is_set() ? host_ping_timeout() : clock_poll_timeout(deadline);
		if (poll(fds, 2 + socks, timeout) < 0 && errno != EINTR)
			return host_fail(EXIT_REFUSED, "%s: cannot wait for frames: %s", name,
					 strerror(errno));
		if (fds[1].revents)
			return host_ping_is_set() ? host_ping_end() : EXIT_SUCCESS;
		if (!host_read(fds[0].revents & (POLLHUP | POLLRDHUP | POLLERR)))
			return host_fail(EXIT_ENDED, "%s: the tunnel has ended", name);
		LOCK_TCPIP_CORE();
		host_socks_turn(fds + 2, socks);
		UNLOCK_TCPIP_CORE();
	}
}

int main(int argc, char **argv)
{
	struct process_signals inherited;
	int ready_fd, signals, flags;
	const char *name = argv[1], *socks = NULL;

	if (process_begin(&inherited) < 0)
		return host_fail(EXIT_REFUSED, "cannot open /dev/null: %s", strerror(errno));
	flags = host_parse(argc, argv, &ready_fd, &socks);
	if (flags < 0)
		return host_fail(EXIT_USAGE, "memtun-host is started by: memtun host NAME ...");
	/* poll() reports the tunnel's end. */
	signal(SIGPIPE, SIG_IGN);
	signals = signals_open();
	if (signals < 0 || fcntl(interface.fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return host_fail(EXIT_REFUSED, "%s: cannot prepare to read: %s", name,
				 strerror(errno));
	if (socks && host_socks_listen(socks) < 0)
		return host_fail(EXIT_REFUSED, "cannot listen on %s: %s", socks, strerror(errno));
	if (host_start() < 0)
		return host_fail(EXIT_REFUSED, "%s: cannot start lwIP: out of memory", name);
	if (ready_fd >= 0 && (write(ready_fd, "\n", 1) != 1 || close(ready_fd) < 0))
		return host_fail(EXIT_REFUSED, "cannot write to --ready-fd %d: %s", ready_fd,
				 strerror(errno));
	return host_run(name, signals);
}
