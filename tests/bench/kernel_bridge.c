/* SPDX-License-Identifier: MIT */
#include "tests/bench/kernel_bridge.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/bench/process.h"

#define BRIDGE "bridge0"

/* Room for a request about a link, and for its answer, bytes. */
#define MESSAGE_SIZE 1024

/* The process's message with both TAPs when it is ready. Otherwise its message is the reason. */
#define READY "ready"
#define ANSWER_SIZE 200

/* Room for two descriptors. */
union control {
	char room[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr align;
};

/* --------------------------------------------------------------------- in the namespace */

static int answer_fd; /* the socket for that message */

/* Send the reason why there is no bridge, and end the process. */
static void close_later(const char *what)
{
	char text[ANSWER_SIZE];

	snprintf(text, sizeof(text), "cannot %s: %s", what, strerror(errno));
	send(answer_fd, text, strlen(text), MSG_NOSIGNAL);
	_exit(0);
}

static void enter_namespace(void)
{
	/* An ordinary user has the capability in a user namespace of its own. */
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		close_later("make a network namespace");
}

/* Disable IPv6 for interfaces that are made later, as it would send frames of its own. */
static void refuse_ipv6(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || write(fd, "1", 1) != 1)
		close_later("turn off IPv6");
	close(fd);
}

static int open_tap(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		close_later("open /dev/net/tun");
	strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		close_later("make a TAP");
	return fd;
}

/* Send a request about a link and wait for the acknowledgement. */
static void request_link(struct nlmsghdr *request, const char *what)
{
	char buffer[MESSAGE_SIZE];
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	ssize_t length;

	request->nlmsg_type = RTM_NEWLINK;
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		close_later(what);
	length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (length < 0 ||
	    mnl_cb_run(buffer, (size_t)length, 0, mnl_socket_get_portid(socket), NULL, NULL) < 0)
		close_later(what);
	mnl_socket_close(socket);
}

static struct nlmsghdr *begin_link(char *buffer, const char *name)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(request, sizeof(*link));

	link->ifi_flags = link->ifi_change = IFF_UP;
	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	return request;
}

/* Make a bridge whose ports forward at once, and that sends no frames of its own. */
static void make_bridge(void)
{
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *request = begin_link(buffer, BRIDGE);
	struct nlattr *info = mnl_attr_nest_start(request, IFLA_LINKINFO), *data;

	request->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_strz(request, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
	mnl_attr_put_u32(request, IFLA_BR_FORWARD_DELAY, 0);
	mnl_attr_put_u8(request, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_nest_end(request, data);
	mnl_attr_nest_end(request, info);
	request_link(request, "make a bridge");
}

static unsigned int link_index(const char *name)
{
	struct ifreq request = {0};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
	if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &request) < 0)
		close_later("find the bridge");
	close(fd);
	return (unsigned int)request.ifr_ifindex;
}

static void join_bridge(const char *name)
{
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *request = begin_link(buffer, name);

	mnl_attr_put_u32(request, IFLA_MASTER, link_index(BRIDGE));
	request_link(request, "put a TAP on the bridge");
}

static void send_taps(const int taps[2])
{
	char answer[] = READY;
	union control control = {0};
	struct iovec bytes = {answer, sizeof(answer)};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(header), taps, 2 * sizeof(int));
	if (sendmsg(answer_fd, &message, MSG_NOSIGNAL) < 0)
		close_later("hand out the TAPs");
}

static void hold_bridge(void)
{
	int taps[2];

	enter_namespace();
	refuse_ipv6();
	taps[0] = open_tap("tap0");
	taps[1] = open_tap("tap1");
	make_bridge();
	join_bridge("tap0");
	join_bridge("tap1");
	send_taps(taps);
	for (;;)
		pause();
}

/* ----------------------------------------------------------------------- outside of it */

static const char *receive_taps(int fd, int taps[2])
{
	static char answer[ANSWER_SIZE];
	union control control;
	struct iovec bytes = {answer, sizeof(answer) - 1};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header;

	if (length <= 0)
		errx(1, "the process with the kernel's bridge has ended");
	answer[length] = '\0';
	if (strcmp(answer, READY) != 0)
		return answer;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		errx(1, "the process with the kernel's bridge sent no TAPs");
	memcpy(taps, CMSG_DATA(header), 2 * sizeof(int));
	return NULL;
}

const char *kernel_bridge_start(struct kernel_bridge *bridge)
{
	const char *reason;
	int ends[2], taps[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		err(1, "socketpair");
	bridge->pid = process_fork();
	if (bridge->pid == 0) {
		close(ends[0]);
		answer_fd = ends[1];
		hold_bridge();
	}
	close(ends[1]);
	reason = receive_taps(ends[0], taps);
	close(ends[0]);
	if (reason) {
		process_wait(bridge->pid);
		return reason;
	}
	bridge->wire =
		(struct wire){.in = wire_end_device(taps[0]), .out = wire_end_device(taps[1])};
	return NULL;
}

void kernel_bridge_end(struct kernel_bridge *bridge)
{
	close(bridge->wire.in.fd);
	close(bridge->wire.out.fd);
	process_end(bridge->pid);
}
