/* SPDX-License-Identifier: MIT */
#include "client/wrap/netlink_socket.h"

#include <dirent.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/wrap/interface.h"
#include "client/wrap/netlink_number.h"
#include "common/descriptor.h"
#include "common/failed.h"

/* How many sockets there are when closed ones are first looked for. */
#define SEARCH_MIN 16

/* Bytes that wait for a program that does not read. */
#define WAITING_MAX (4 << 20)

/* How often a name is tried; another supervisor of this network namespace may have the same. */
#define NAME_TRIES 64

static int socket_compare(const struct netlink_socket *a, const struct netlink_socket *b)
{
	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

RB_GENERATE(netlink_tree, netlink_socket, by_inode, socket_compare)

void netlink_sockets_init(struct netlink_sockets *sockets, struct interfaces *interfaces)
{
	memset(sockets, 0, sizeof(*sockets));
	sockets->interfaces = interfaces;
	RB_INIT(&sockets->by_inode);
	LIST_INIT(&sockets->held);
	sockets->search_at = SEARCH_MIN;
	sockets->serial = (uint32_t)getpid() << 12;
	sockets->first = netlink_number_first();
	sockets->epoll = epoll_create1(EPOLL_CLOEXEC);
}

void netlink_sockets_free(struct netlink_sockets *sockets)
{
	struct netlink_socket *socket, *next;

	RB_FOREACH_SAFE(socket, netlink_tree, &sockets->by_inode, next)
		netlink_socket_free(socket);
	descriptor_close(&sockets->epoll);
}

struct netlink_socket *netlink_socket_find(struct netlink_sockets *sockets, ino_t inode)
{
	struct netlink_socket wanted = {.inode = inode};

	return RB_FIND(netlink_tree, &sockets->by_inode, &wanted);
}

/* ------------------------------------------------------------------------------ closed ones */

/* Mark the socket behind a descriptor of a process. */
static void descriptor_mark(struct netlink_sockets *sockets, int directory, const char *name)
{
	struct netlink_socket *socket;
	unsigned long long inode;
	char target[64];
	ssize_t length = readlinkat(directory, name, target, sizeof(target) - 1);

	if (length < 0)
		return;
	target[length] = '\0';
	if (sscanf(target, "socket:[%llu]", &inode) != 1)
		return;
	socket = netlink_socket_find(sockets, (ino_t)inode);
	if (socket)
		socket->is_used = true;
}

static void process_mark(struct netlink_sockets *sockets, const char *process)
{
	const struct dirent *entry;
	char path[64];
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", process);
	directory = opendir(path);
	if (!directory)
		return;
	while ((entry = readdir(directory)))
		descriptor_mark(sockets, dirfd(directory), entry->d_name);
	closedir(directory);
}

/* Free the sockets that no process but this one has, when there may be many. */
static void sockets_search(struct netlink_sockets *sockets)
{
	struct netlink_socket *socket, *next;
	const struct dirent *entry;
	DIR *processes;

	if (sockets->count < sockets->search_at)
		return;
	processes = opendir("/proc");
	if (!processes)
		return;
	RB_FOREACH(socket, netlink_tree, &sockets->by_inode)
		socket->is_used = false;
	while ((entry = readdir(processes))) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    strtol(entry->d_name, NULL, 10) != getpid())
			process_mark(sockets, entry->d_name);
	}
	closedir(processes);
	RB_FOREACH_SAFE(socket, netlink_tree, &sockets->by_inode, next) {
		if (!socket->is_used)
			netlink_socket_free(socket);
	}
	sockets->search_at = sockets->count + SEARCH_MIN;
}

/* ------------------------------------------------------------------------------ making */

/*
 * Give the supervisor's end a name that reads as the kernel's struct sockaddr_nl, but for the
 * family: as long, with the port 0. A program then takes what it receives for the kernel's even
 * where its call is not reported. What reads as the groups makes the name unique.
 */
static int end_name(struct netlink_sockets *sockets, int fd)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	for (int i = 0; i < NAME_TRIES; i++) {
		sockets->serial++;
		memcpy((char *)&name + offsetof(struct sockaddr_nl, nl_groups), &sockets->serial,
		       sizeof(sockets->serial));
		if (bind(fd, (struct sockaddr *)&name, sizeof(struct sockaddr_nl)) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -1;
	}
	return -1;
}

static int watch(struct netlink_socket *socket, int fd, uint32_t events, int operation)
{
	struct epoll_event event = {.events = events, .data.ptr = socket};

	return epoll_ctl(socket->sockets->epoll, operation, fd, &event);
}

static int twin_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

static int socket_open(struct netlink_socket *socket)
{
	const int on = 1;
	int ends[2];
	struct stat status;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	socket->ours = ends[0];
	socket->theirs = ends[1];
	/* Messages name their sender, whose capabilities decide what it may change. */
	if (setsockopt(socket->ours, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    fstat(socket->theirs, &status) < 0 || end_name(socket->sockets, socket->ours) < 0)
		return -1;
	descriptor_refuse_others(socket->ours);
	socket->inode = status.st_ino;
	socket->twin = twin_open();
	if (socket->twin < 0 || watch(socket, socket->ours, EPOLLIN, EPOLL_CTL_ADD) < 0)
		return -1;
	return watch(socket, socket->twin, EPOLLIN, EPOLL_CTL_ADD);
}

struct netlink_socket *netlink_socket_new(struct netlink_sockets *sockets, int type)
{
	struct netlink_socket *socket;

	sockets_search(sockets);
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return NULL;
	socket->sockets = sockets;
	socket->ours = socket->theirs = socket->twin = -1;
	socket->type = type;
	if (socket_open(socket) < 0) {
		int saved = errno;

		descriptor_close(&socket->ours);
		descriptor_close(&socket->theirs);
		descriptor_close(&socket->twin);
		free(socket);
		errno = saved;
		return NULL;
	}
	RB_INSERT(netlink_tree, &sockets->by_inode, socket);
	sockets->count++;
	return socket;
}

void netlink_socket_free(struct netlink_socket *socket)
{
	struct netlink_held *held, *next;

	LIST_FOREACH_SAFE(held, &socket->sockets->held, link, next) {
		if (held->socket == socket) {
			LIST_REMOVE(held, link);
			free(held);
		}
	}
	RB_REMOVE(netlink_tree, &socket->sockets->by_inode, socket);
	socket->sockets->count--;
	descriptor_close(&socket->ours);
	descriptor_close(&socket->theirs);
	descriptor_close(&socket->twin);
	free(socket->waiting);
	free(socket);
}

int netlink_socket_name(struct netlink_socket *socket, uint32_t port, uint32_t groups)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_groups = groups};
	socklen_t length = sizeof(name);
	int result;

	name.nl_pid = port ? port : socket->port ? socket->port : (uint32_t)socket->process;
	result = bind(socket->twin, (struct sockaddr *)&name, sizeof(name));
	if (result < 0 && errno == EADDRINUSE && !port) {
		name.nl_pid = 0;
		result = bind(socket->twin, (struct sockaddr *)&name, sizeof(name));
	}
	if (result < 0 || getsockname(socket->twin, (struct sockaddr *)&name, &length) < 0)
		return -1;
	socket->port = name.nl_pid;
	return 0;
}

/* ------------------------------------------------------------------------------ sending */

/* Keep a datagram until `ours` takes it. */
static void datagram_keep(struct netlink_socket *socket, const void *datagram, size_t length)
{
	size_t needed = socket->waiting_used + sizeof(length) + length;

	if (needed > WAITING_MAX)
		return;
	if (needed > socket->waiting_size) {
		char *grown = realloc(socket->waiting, needed * 2);

		if (!grown)
			return;
		socket->waiting = grown;
		socket->waiting_size = needed * 2;
	}
	memcpy(socket->waiting + socket->waiting_used, &length, sizeof(length));
	memcpy(socket->waiting + socket->waiting_used + sizeof(length), datagram, length);
	socket->waiting_used = needed;
	watch(socket, socket->ours, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

void netlink_socket_send_one(struct netlink_socket *socket, const void *datagram, size_t length)
{
	if (socket->waiting_used ||
	    send(socket->ours, datagram, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		datagram_keep(socket, datagram, length);
}

void netlink_socket_send(struct netlink_socket *socket, const struct reply *reply)
{
	size_t length;

	for (size_t at = 0; (length = reply_datagram(reply, at)) > 0; at += MNL_ALIGN(length))
		netlink_socket_send_one(socket, reply->bytes + at, length);
	netlink_held_retry(socket);
}

void netlink_socket_flush(struct netlink_socket *socket)
{
	size_t at = 0, length;

	while (at < socket->waiting_used) {
		memcpy(&length, socket->waiting + at, sizeof(length));
		if (send(socket->ours, socket->waiting + at + sizeof(length), length,
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		at += sizeof(length) + length;
	}
	memmove(socket->waiting, socket->waiting + at, socket->waiting_used - at);
	socket->waiting_used -= at;
	if (!socket->waiting_used)
		watch(socket, socket->ours, EPOLLIN, EPOLL_CTL_MOD);
	netlink_held_retry(socket);
}
