/* SPDX-License-Identifier: MIT */
/*
 * Privilege separation: the parent asks memtund for a tunnel. The worker, which reads packets of
 * unknown origin, has no privileges. It receives the tunnel as a descriptor, and answers pings to
 * any address.
 *
 *	memtun add left peer right mode tun
 *	privsep right
 *
 * First the worker drops its user (if that is root), its capabilities and, with a seccomp filter,
 * all system calls but the few that it needs. Only then does it receive the descriptor, over a
 * memtun transport. It checks, and prints, that it can open no file, connect to no socket and run
 * no program.
 */
#include <cap-ng.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memtun.h>
#include <memtun/transport.h>

/* "nobody" and "nogroup" in Debian; a real program has a user of its own. */
#define WORKER_USER 65534
#define WORKER_GROUP 65534

/* --- the worker --- */

static void worker_drop_rights(void)
{
	/* The system calls of a transport and of ping, some also by their names on 32-bit systems.
	 * AddressSanitizer calls sigaltstack at the end. */
	static const int allowed[] = {
		SCMP_SYS(read),
		SCMP_SYS(write),
		SCMP_SYS(close),
		SCMP_SYS(recvmsg),
		SCMP_SYS(getsockopt),
		SCMP_SYS(fcntl),
		SCMP_SYS(fcntl64),
		SCMP_SYS(poll),
		SCMP_SYS(ppoll),
		SCMP_SYS(ppoll_time64),
		SCMP_SYS(restart_syscall),
		SCMP_SYS(rt_sigreturn),
		SCMP_SYS(clock_gettime),
		SCMP_SYS(clock_gettime64),
		SCMP_SYS(getpid),
		SCMP_SYS(getuid),
		SCMP_SYS(getuid32),
		SCMP_SYS(brk),
		SCMP_SYS(mmap),
		SCMP_SYS(mmap2),
		SCMP_SYS(munmap),
		SCMP_SYS(exit_group),
		SCMP_SYS(sigaltstack),
	};
	scmp_filter_ctx filter;

	capng_clear(CAPNG_SELECT_BOTH);
	if (getuid() == 0 ? capng_change_id(WORKER_USER, WORKER_GROUP,
					    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING)
			  : capng_apply(CAPNG_SELECT_CAPS))
		errx(1, "cannot give up privileges");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err(1, "cannot set no_new_privs");
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		errx(1, "cannot make a filter");
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) < 0)
			errx(1, "cannot allow system call %d", allowed[i]);
	}
	/* The transport uses it to find out whether data is unread after a hang-up. */
	if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			     SCMP_A1(SCMP_CMP_EQ, FIONREAD)) < 0)
		errx(1, "cannot allow ioctl");
	if (seccomp_load(filter) < 0)
		errx(1, "cannot load the filter");
	seccomp_release(filter);
}

/* Try what an attacker who has taken over the worker would try first. */
static void worker_show_rights(void)
{
	const char *opened = open("/dev/null", O_RDONLY) < 0 ? strerror(errno) : NULL;
	const char *connected = socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? strerror(errno) : NULL;
	char line[160];

	if (!opened || !connected)
		errx(1, "the filter doesn't work");
	snprintf(line, sizeof(line), "worker %d, user %d; open: %s; socket: %s\n", getpid(),
		 getuid(), opened, connected);
	/* stdio would first call fstat(2), which the filter forbids. */
	if (write(STDOUT_FILENO, line, strlen(line)) < 0)
		warn("cannot write");
}

struct delivery {
	int fd;
	bool done;
};

static void delivery_fd_received(struct memtun_transport *transport, int fd, void *context)
{
	struct delivery *delivery = context;

	(void)transport;
	if (delivery->fd >= 0)
		close(delivery->fd);
	delivery->fd = fd;
}

static void delivery_data_received(struct memtun_transport *transport, const void *data,
				   size_t length, unsigned int flags, void *context)
{
	struct delivery *delivery = context;

	(void)transport;
	(void)data;
	(void)length;
	(void)flags;
	delivery->done = true;
}

static void delivery_closed(struct memtun_transport *transport, int error, void *context)
{
	struct delivery *delivery = context;

	(void)transport;
	(void)error;
	delivery->done = true;
}

/* Wait for one message, and return the descriptor that came with it, or -1. */
static int worker_take_tunnel(int channel)
{
	static const struct memtun_transport_handlers handlers = {
		.fd_received = delivery_fd_received,
		.data_received = delivery_data_received,
		.closed = delivery_closed,
	};
	struct delivery delivery = {.fd = -1};
	struct memtun_transport *transport = memtun_transport_new(channel, &handlers, &delivery);

	if (!transport)
		err(1, "cannot make a transport");
	while (!delivery.done) {
		struct pollfd wait = {.fd = channel, .events = memtun_transport_events(transport)};
		/* There is a deadline only after a transient error: retry often. */
		int timeout = memtun_transport_deadline(transport) < 0 ? -1 : 1;

		if (poll(&wait, 1, timeout) >= 0)
			memtun_transport_dispatch(transport, wait.revents);
	}
	memtun_transport_free(transport);
	return delivery.fd;
}

/* Turn an echo request into its reply, in place. Return false for any other packet. */
static bool ping_answer(void *packet, size_t length)
{
	struct iphdr *ip = packet;
	struct icmphdr *icmp;
	uint32_t sender, sum;

	if (length < sizeof(*ip) || ip->version != 4 || ip->ihl < 5 ||
	    length < ip->ihl * 4 + sizeof(*icmp) || ip->protocol != IPPROTO_ICMP ||
	    (ip->frag_off & htons(IP_MF | IP_OFFMASK)))
		return false;
	icmp = (struct icmphdr *)((char *)packet + ip->ihl * 4);
	if (icmp->type != ICMP_ECHO || icmp->code != 0)
		return false;
	/* Swapping words does not change their sum, so the header's checksum stays valid. */
	sender = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = sender;
	/* RFC 1624, equation 3: the first 16 bits of the message change from 0x0800 to 0. */
	icmp->type = ICMP_ECHOREPLY;
	sum = (uint16_t)~ntohs(icmp->checksum) + (uint16_t) ~(ICMP_ECHO << 8);
	icmp->checksum = htons((uint16_t) ~(sum + (sum >> 16)));
	return true;
}

/* Return whether the tunnel has ended: a read of 0 bytes alone may be an empty frame. */
static bool tunnel_has_ended(int tunnel)
{
	struct pollfd look = {.fd = tunnel, .events = POLLIN | POLLRDHUP};

	return poll(&look, 1, 0) == 1 && (look.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

static void worker_answer(int tunnel)
{
	static _Alignas(struct iphdr) char packet[UINT16_MAX];

	for (;;) {
		ssize_t length = read(tunnel, packet, sizeof(packet));

		if (length == 0 && tunnel_has_ended(tunnel))
			return;
		/* ECONNRESET: the peer has closed, and its packets may still be unread. */
		if (length < 0 && errno != EINTR && errno != ECONNRESET)
			err(1, "cannot read from the tunnel");
		/* A reply that can't be written is lost, as on any network. */
		if (length > 0 && ping_answer(packet, (size_t)length) &&
		    write(tunnel, packet, (size_t)length) < 0 && errno != EPIPE)
			warn("an answer is lost");
	}
}

static _Noreturn void worker_run(int channel)
{
	int tunnel;

	signal(SIGPIPE, SIG_IGN);
	worker_drop_rights();
	worker_show_rights();
	tunnel = worker_take_tunnel(channel);
	if (tunnel < 0)
		_exit(1); /* the parent has printed why */
	worker_answer(tunnel);
	_exit(0);
}

/* --- the parent --- */

static int tunnel_open(const char *name)
{
	struct memtun_options *options = memtun_options_new();
	struct memtun *memtun = memtun_new();
	int tunnel;

	if (!options || !memtun || memtun_options_set(options, "mode", "tun") < 0)
		err(1, "cannot prepare");
	if (memtun_connect(memtun, NULL) < 0)
		errx(1, "%s", memtun_error(memtun));
	tunnel = memtun_open(memtun, name, options);
	if (tunnel < 0)
		errx(1, "%s: %s", name, memtun_error(memtun));
	memtun_free(memtun);
	memtun_options_free(options);
	return tunnel;
}

static void tunnel_give(int channel, int tunnel)
{
	static const struct memtun_transport_handlers nothing_is_received;
	struct memtun_transport *transport =
		memtun_transport_new(channel, &nothing_is_received, NULL);

	/* A message needs a byte. An empty socket takes it at once. */
	if (!transport || memtun_transport_send(transport, "", 1, &tunnel, 1) < 0 ||
	    memtun_transport_queued_fds(transport) > 0)
		err(1, "cannot hand the tunnel over");
	memtun_transport_free(transport);
}

int main(int argc, char **argv)
{
	int channel[2], status;
	pid_t worker;

	if (argc != 2)
		errx(2, "usage: %s TUNNEL", argv[0]);
	if (getuid() != 0)
		printf("not started by root, so the worker runs as user %d too\n", getuid());
	fflush(stdout);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		err(1, "cannot make a socketpair");
	worker = fork();
	if (worker < 0)
		err(1, "cannot start the worker");
	if (worker == 0) {
		close(channel[1]);
		worker_run(channel[0]);
	}
	close(channel[0]);
	tunnel_give(channel[1], tunnel_open(argv[1]));
	if (waitpid(worker, &status, 0) < 0)
		err(1, "cannot wait for the worker");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
