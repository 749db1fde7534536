/* SPDX-License-Identifier: MIT */
#include "client/wrap/answer.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/wrap/call.h"
#include "client/wrap/interface_request.h"
#include "client/wrap/path.h"
#include "client/wrap/trace.h"
#include "common/container_of.h"
#include "common/descriptor.h"

/* Return the inode of the socket behind the program's descriptor; 0: it is none. */
static ino_t socket_inode(const struct call *call)
{
	static const char before[] = "socket:[";
	char path[48], target[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)call->thread, call->fd);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return 0;
	target[length] = '\0';
	return strncmp(target, before, strlen(before)) == 0
		       ? (ino_t)strtoull(target + strlen(before), NULL, 10)
		       : 0;
}

/* Say once for a process that its opens cannot be looked at. */
static void complain(struct answerer *answerer, const struct call *call)
{
	if (answerer->unreadable == call->thread)
		return;
	answerer->unreadable = call->thread;
	warnx("process %d is not dumpable (prctl(2), PR_SET_DUMPABLE), so wrap can't see which "
	      "files "
	      "it opens: the kernel opens them",
	      (int)call->thread);
}

/* ------------------------------------------------------------------------------ open */

/* Open a device and give it to the program. Return its number or a negative errno. */
static long open_give(struct answerer *answerer, struct call *call)
{
	descriptor_owned fd = device_make(&answerer->devices, (int)call->flags);
	int number;

	if (fd < 0) {
		/* Without a broker there is no driver behind the device. */
		long result = errno == EPIPE ? -ENODEV : -errno;

		call->operations->answer(call, result);
		return result;
	}
	number = call->operations->give(call, fd, (int)call->flags);
	if (number >= 0)
		return number;
	/* The program has no free number, or has ended. The broker sees the end of the queue. */
	number = -errno;
	call->operations->answer(call, number);
	return number;
}

static void answer_open(struct answerer *answerer, struct call *call)
{
	char path[PATH_MAX];
	int is_device = path_is_device(call, path, sizeof(path));
	long result;

	if (is_device <= 0) {
		if (is_device < 0 && errno == EPERM)
			complain(answerer, call);
		call->operations->pass(call);
		return;
	}
	result = open_give(answerer, call);
	if (answerer->trace)
		trace_open(call, path, result);
}

/* ------------------------------------------------------------------------------ ioctl */

static void answer_device(struct answerer *answerer, struct device *device, struct call *call)
{
	long result = device_ioctl(device, call);

	if (call->operations->answer(call, result) < 0 && call->request == TUNSETIFF && result == 0)
		device_not_answered(device, call->thread);
	if (answerer->trace)
		trace_ioctl(call, device, NULL, result);
}

static void answer_ioctl(struct answerer *answerer, struct call *call)
{
	ino_t inode = socket_inode(call);
	struct device *device = inode ? device_find(&answerer->devices, inode) : NULL;
	char name[IFNAMSIZ];
	int result = INTERFACE_REQUEST_PASS;

	if (device) {
		answer_device(answerer, device, call);
		return;
	}
	if (inode && _IOC_TYPE(call->request) != 'T')
		result = interface_request(&answerer->devices.interfaces, call, name);
	if (result == INTERFACE_REQUEST_PASS) {
		call->operations->pass(call);
		return;
	}
	call->operations->answer(call, result);
	if (answerer->trace)
		trace_ioctl(call, NULL, name, result);
}

/* ------------------------------------------------------------------------------ netlink */

static void answer_socket(struct answerer *answerer, struct call *call)
{
	ino_t inode = socket_inode(call);
	struct netlink_socket *socket =
		inode ? netlink_socket_find(&answerer->netlink, inode) : NULL;

	if (socket)
		netlink_call(socket, call);
	else
		call->operations->pass(call);
}

/* An interface has changed. */
static void interface_has_changed(struct interfaces *interfaces, const struct interface *interface,
				  const struct state_change *change, bool is_gone)
{
	struct answerer *answerer = container_of(interfaces, struct answerer, devices.interfaces);

	netlink_notify(&answerer->netlink, interface, change, is_gone);
}

void answerer_init(struct answerer *answerer, struct memtun *memtun, const char *socket,
		   const struct tunnel_choice *choice)
{
	devices_init(&answerer->devices, memtun, socket, choice);
	netlink_sockets_init(&answerer->netlink, &answerer->devices.interfaces);
	answerer->devices.interfaces.changed = interface_has_changed;
}

void answerer_free(struct answerer *answerer)
{
	netlink_sockets_free(&answerer->netlink);
	devices_free(&answerer->devices);
}

void answer_call(struct answerer *answerer, struct call *call)
{
	switch (call->kind) {
	case CALL_OPEN:
		answer_open(answerer, call);
		break;
	case CALL_IOCTL:
		answer_ioctl(answerer, call);
		break;
	case CALL_SOCKET:
		netlink_open(&answerer->netlink, call);
		break;
	default:
		answer_socket(answerer, call);
		break;
	case CALL_OTHER:
		call->operations->pass(call);
		break;
	}
}
