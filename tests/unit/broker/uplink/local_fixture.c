/* SPDX-License-Identifier: MIT */
#include "tests/unit/broker/uplink/local_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/control_socket.h"

/* The time limit of a wait in seconds. Reaching it is a failure: the broker looks once a second, and
 * its first delays are short. */
#define LONG 10.

/* Not in $TMPDIR, whose path may be too long for sockets and for messages that have their paths. */
static char directory[] = "/tmp/memtun-local-XXXXXX";

int places_set_up(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

int places_tear_down(void **state)
{
	(void)state;
	return rmdir(directory);
}

const char *place(const char *name)
{
	static char paths[4][64];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

int socket_bound(int type, const char *path)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un name;
	struct fault fault;
	socklen_t size;

	assert_true(fd >= 0);
	assert_int_equal(control_socket_parse(path, &name, &size, &fault), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
	return fd;
}

int try_connect(int fd, const char *path)
{
	struct sockaddr_un name;
	struct fault fault;
	socklen_t size;

	assert_int_equal(control_socket_parse(path, &name, &size, &fault), 0);
	return connect(fd, (struct sockaddr *)&name, size);
}

/* ------------------------------------------------------------------------------ waiting */

static bool uplink_is_up(void *context)
{
	return uplink_find(((struct broker_fixture *)context)->broker->uplinks, "up")->up;
}

static bool uplink_is_down(void *context)
{
	return !uplink_is_up(context);
}

void wait_up(struct broker_fixture *fixture)
{
	assert_true(broker_wait(fixture, uplink_is_up, fixture, LONG));
	broker_quiesce(fixture);
}

void wait_down(struct broker_fixture *fixture)
{
	assert_true(broker_wait(fixture, uplink_is_down, fixture, LONG));
	broker_quiesce(fixture);
}

void uplink_gone(struct broker_fixture *fixture)
{
	done(fixture, MEMTUN_CMD_UPLINK_DELETE, "name=up");
}
