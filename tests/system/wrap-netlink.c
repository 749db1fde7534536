/* SPDX-License-Identifier: MIT */
/*
 * A program that looks at interfaces as programs do, for the tests of memtun wrap. Its first word
 * says what it does; it exits with 1 and a line about the first thing that is not as with the
 * kernel's interfaces.
 *
 *	open tun|tap NAME COMMAND...  opens a device, and runs the command while it is open
 *	interfaces NAME ADDRESS       finds the interface with its address by getifaddrs(3)
 *	sockets                       netlink sockets: names, options, receiving, waiting
 *	events NAME                   hears of an interface that comes, changes and goes
 *	many                          300 sockets at once, again and again
 *	threads NAME                  1,000 getifaddrs(3) in 20 threads
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                             \
	do {                                                                         \
		if (!(condition)) {                                                  \
			printf("%d: not so: %s (errno: %s)\n", __LINE__, #condition, \
			       strerror(errno));                                     \
			exit(1);                                                     \
		}                                                                    \
	} while (0)

/* Milliseconds within which the supervisor answers, however busy the machine is. */
#define PATIENCE 20000

static int device_open(const char *name, int flags)
{
	struct ifreq request = {.ifr_flags = (short)(flags | IFF_NO_PI)};
	int fd = open("/dev/net/tun", O_RDWR);

	CHECK(fd >= 0);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	CHECK(ioctl(fd, TUNSETIFF, &request) == 0);
	return fd;
}

static int run_open(char **words)
{
	int status;
	pid_t child;

	device_open(words[1], strcmp(words[0], "tap") == 0 ? IFF_TAP : IFF_TUN);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		execvp(words[2], words + 2);
		_exit(127);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* ------------------------------------------------------------------------------ interfaces */

/* Return how often the list has the name; *has_address: once with the IPv4 address. */
static int list_count(const char *name, const char *address, bool *has_address)
{
	struct ifaddrs *list, *entry;
	int count = 0;

	CHECK(getifaddrs(&list) == 0);
	for (entry = list; entry; entry = entry->ifa_next) {
		char text[INET_ADDRSTRLEN] = "";

		if (strcmp(entry->ifa_name, name) != 0)
			continue;
		count++;
		if (address && entry->ifa_addr && entry->ifa_addr->sa_family == AF_INET &&
		    inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)entry->ifa_addr)->sin_addr,
			      text, sizeof(text)) &&
		    strcmp(text, address) == 0)
			*has_address = true;
	}
	freeifaddrs(list);
	return count;
}

static int run_interfaces(char **words)
{
	struct if_nameindex *names = if_nameindex();
	bool has_address = false, is_named = false, has_lo = false;
	unsigned int index = if_nametoindex(words[0]);
	char name[IFNAMSIZ];

	CHECK(list_count(words[0], words[1], &has_address) >= 2 && has_address);
	CHECK(names);
	for (const struct if_nameindex *entry = names; entry->if_index; entry++) {
		is_named |= strcmp(entry->if_name, words[0]) == 0 && entry->if_index == index;
		has_lo |= strcmp(entry->if_name, "lo") == 0 && entry->if_index == 1;
	}
	if_freenameindex(names);
	CHECK(is_named && has_lo);
	CHECK(index >= 1 << 20 && if_indextoname(index, name) && strcmp(name, words[0]) == 0);
	return 0;
}

static const char *thread_name;

static void *thread_run(void *unused)
{
	for (int i = 0; i < 50; i++)
		CHECK(list_count(thread_name, NULL, NULL) == 1);
	return unused;
}

static int run_threads(char **words)
{
	pthread_t threads[20];

	thread_name = words[0];
	for (int i = 0; i < 20; i++)
		CHECK(pthread_create(&threads[i], NULL, thread_run, NULL) == 0);
	for (int i = 0; i < 20; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	return 0;
}

/* ------------------------------------------------------------------------------ sockets */

static int socket_open(uint32_t groups)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	CHECK(fd >= 0);
	CHECK(bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	return fd;
}

struct dump {
	struct nlmsghdr header;
	struct rtgenmsg family;
};

/* Ask for all links. */
static void dump_send(int fd)
{
	struct dump request = {
		.header =
			{
				.nlmsg_len = sizeof(struct nlmsghdr) + sizeof(struct rtgenmsg),
				.nlmsg_type = RTM_GETLINK,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
				.nlmsg_seq = 7,
			},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	CHECK(sendto(fd, &request, request.header.nlmsg_len, 0, (struct sockaddr *)&kernel,
		     sizeof(kernel)) == (ssize_t)request.header.nlmsg_len);
}

/* Receive until the end of a dump. */
static void dump_receive(int fd)
{
	static union {
		struct nlmsghdr header;
		char bytes[65536];
	} datagram;

	do {
		struct sockaddr_nl from;
		socklen_t room = sizeof(from);

		/* The answer is there when the request's call has returned. */
		CHECK(recvfrom(fd, &datagram, sizeof(datagram), MSG_DONTWAIT,
			       (struct sockaddr *)&from, &room) > 0);
		CHECK(room == sizeof(from) && from.nl_family == AF_NETLINK && from.nl_pid == 0);
		CHECK(datagram.header.nlmsg_seq == 7);
	} while (datagram.header.nlmsg_type != NLMSG_DONE);
}

static void check_names(int fd)
{
	struct sockaddr_nl name;
	socklen_t length = sizeof(name);
	int value, on = 1;

	CHECK(getsockname(fd, (struct sockaddr *)&name, &length) == 0);
	CHECK(length == sizeof(name) && name.nl_family == AF_NETLINK && name.nl_pid);
	CHECK(getpeername(fd, (struct sockaddr *)&name, &length) == 0);
	CHECK(name.nl_family == AF_NETLINK && name.nl_pid == 0);
	length = sizeof(value);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &length) == 0 && value == AF_NETLINK);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length) == 0 && value == SOCK_RAW);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &value, &length) == 0 && value == 0);
	CHECK(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) == 0);
	CHECK(getsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &value, &length) == 0 && value == 1);
	CHECK(setsockopt(fd, SOL_NETLINK, 999, &on, sizeof(on)) < 0 && errno == ENOPROTOOPT);
}

static void check_receiving(int fd)
{
	char bytes[65536];
	struct sockaddr_nl from;
	struct iovec parts[2] = {{bytes, 10}, {bytes + 10, 10}};
	struct msghdr message = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = parts,
		.msg_iovlen = 2,
	};
	struct mmsghdr several[2] = {{.msg_hdr = message}, {.msg_hdr = message}};

	dump_send(fd);
	/* In two parts, cut, and with its real length; looked at, it stays. */
	CHECK(recvmsg(fd, &message, MSG_PEEK) == 20);
	CHECK(message.msg_flags & MSG_TRUNC && message.msg_namelen == sizeof(from));
	CHECK(((struct nlmsghdr *)(void *)bytes)->nlmsg_type == RTM_NEWLINK);
	CHECK(recvmsg(fd, &message, MSG_PEEK | MSG_TRUNC) > 20);
	message.msg_name = (void *)8;
	CHECK(recvmsg(fd, &message, 0) < 0 && errno == EFAULT);
	CHECK(recvmsg(fd, (void *)8, 0) < 0 && errno == EFAULT);
	dump_receive(fd);
	dump_send(fd);
	CHECK(recvmmsg(fd, several, 2, 0, NULL) >= 1 && several[0].msg_len == 20);
	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	CHECK(errno == EAGAIN);
}

static void check_duplicate(int fd)
{
	int other = dup(fd);
	char bytes[65536];
	pid_t child;
	int status;

	/* A call that is not reported, on a number that is not either. */
	CHECK(other >= 0);
	dump_send(other);
	struct pollfd polled = {.fd = other, .events = POLLIN};
	CHECK(poll(&polled, 1, PATIENCE) == 1);
	CHECK(read(other, bytes, sizeof(bytes)) > 0);
	while (((struct nlmsghdr *)(void *)bytes)->nlmsg_type != NLMSG_DONE)
		CHECK(read(other, bytes, sizeof(bytes)) > 0);
	close(other);
	child = fork();
	if (child == 0) {
		dump_send(fd);
		dump_receive(fd);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static volatile sig_atomic_t alarms;

static void note_alarm(int number)
{
	(void)number;
	alarms = alarms + 1;
}

static void check_waiting(int fd)
{
	struct timeval limit = {.tv_usec = 100000}, none = {0};
	struct itimerval soon = {.it_value.tv_usec = 100000};
	struct sigaction action = {.sa_handler = note_alarm};
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct sockaddr_nl from;
	socklen_t room = sizeof(from);
	char bytes[64];
	fd_set set;

	CHECK(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
	CHECK(epoll_wait(epoll, &event, 1, 0) == 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	CHECK(recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &room) < 0);
	CHECK(errno == EAGAIN);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)) == 0);
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	CHECK(recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &room) < 0);
	CHECK(errno == EINTR && alarms == 1);
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	CHECK(recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &room) < 0);
	CHECK(errno == EAGAIN);
	dump_send(fd);
	CHECK(epoll_wait(epoll, &event, 1, PATIENCE) == 1);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	CHECK(select(fd + 1, &set, NULL, NULL, NULL) == 1);
	close(epoll);
}

static void check_sending(int fd)
{
	struct sockaddr_nl other = {.nl_family = AF_NETLINK, .nl_pid = 1};
	struct sockaddr_nl wrong = {.nl_family = AF_INET};
	char bytes[16] = {0};

	CHECK(sendto(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&other, sizeof(other)) < 0);
	CHECK(errno == EPERM || errno == ECONNREFUSED);
	CHECK(sendto(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&wrong, sizeof(wrong)) < 0);
	CHECK(errno == EINVAL);
	CHECK(sendto(fd, (void *)8, 16, 0, NULL, 0) < 0 && errno == EFAULT);
}

static int run_sockets(char **words)
{
	int fd = socket_open(0);

	(void)words;
	check_names(fd);
	check_receiving(fd);
	check_duplicate(fd);
	check_sending(fd);
	check_waiting(fd);
	return 0;
}

static int run_many(char **words)
{
	static int sockets[300];

	(void)words;
	for (int turn = 0; turn < 5; turn++) {
		for (int i = 0; i < 300; i++)
			sockets[i] = socket_open(0);
		dump_send(sockets[0]);
		dump_receive(sockets[0]);
		dump_send(sockets[299]);
		dump_receive(sockets[299]);
		for (int i = 0; i < 300; i++)
			close(sockets[i]);
	}
	return 0;
}

/* ------------------------------------------------------------------------------ events */

/* Wait for a message of that type about that interface. */
static void event_await(int fd, uint16_t type, int index)
{
	union {
		struct nlmsghdr header;
		char bytes[8192];
	} message;
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	for (;;) {
		const struct ifinfomsg *info = NLMSG_DATA(&message.header);

		CHECK(poll(&polled, 1, PATIENCE) == 1);
		CHECK(recv(fd, &message, sizeof(message), 0) > 0);
		if (message.header.nlmsg_type == type && (!index || info->ifi_index == index))
			return;
	}
}

static int run_events(char **words)
{
	int fd = socket_open(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE);
	int device = device_open(words[0], IFF_TUN);
	int index = (int)if_nametoindex(words[0]);
	int inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct ifreq request = {0};

	CHECK(index && inet >= 0);
	event_await(fd, RTM_NEWLINK, index);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", words[0]);
	request.ifr_flags = IFF_UP;
	CHECK(ioctl(inet, SIOCSIFFLAGS, &request) == 0);
	event_await(fd, RTM_NEWLINK, index);
	address.sin_addr.s_addr = htonl(0x0a000001);
	memcpy(&request.ifr_addr, &address, sizeof(address));
	CHECK(ioctl(inet, SIOCSIFADDR, &request) == 0);
	event_await(fd, RTM_NEWADDR, 0);
	event_await(fd, RTM_NEWROUTE, 0);
	close(device);
	event_await(fd, RTM_DELLINK, index);
	return 0;
}

int main(int count, char **words)
{
	if (count >= 5 && strcmp(words[1], "open") == 0)
		return run_open(words + 2);
	if (count == 4 && strcmp(words[1], "interfaces") == 0)
		return run_interfaces(words + 2);
	if (count == 2 && strcmp(words[1], "sockets") == 0)
		return run_sockets(words + 2);
	if (count == 2 && strcmp(words[1], "many") == 0)
		return run_many(words + 2);
	if (count == 3 && strcmp(words[1], "threads") == 0)
		return run_threads(words + 2);
	if (count == 3 && strcmp(words[1], "events") == 0)
		return run_events(words + 2);
	return 2;
}
