/* SPDX-License-Identifier: MIT */
#include "tests/unit/client/lib/library_fixture.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/engine/engine.h"
#include "broker/broker.h"
#include "common/control_socket.h"
#include "broker/control/listener.h"
#include "memtun.h"

void other_start(struct other *other, void (*play)(struct control_socket *socket))
{
	static int number;
	pid_t parent = getpid();
	struct control_socket socket;
	struct fault fault;

	snprintf(other->address, sizeof(other->address), "@memtun-test-library-%d-%d", parent,
		 number++);
	assert_int_equal(control_socket_listen(&socket, other->address, SOCK_SEQPACKET, &fault), 0);
	other->child = fork();
	assert_true(other->child >= 0);
	if (other->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			play(&socket);
		_exit(1);
	}
	control_socket_close(&socket);
	other->memtun = memtun_new();
	assert_non_null(other->memtun);
}

void other_end(struct other *other)
{
	memtun_free(other->memtun);
	kill(other->child, SIGKILL);
	assert_int_equal(waitpid(other->child, NULL, 0), other->child);
}

void play_broker(struct control_socket *socket)
{
	struct broker *broker = broker_new(ev_loop_new(EVFLAG_AUTO));
	struct listener listener;

	listener_start(&listener, broker->control, socket, listener_accept_session, NULL);
	ev_run(broker->engine->loop, 0);
}

int other_set_up(void **state)
{
	static struct other other;

	other_start(&other, play_broker);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	*state = &other;
	return 0;
}

int other_tear_down(void **state)
{
	other_end(*state);
	return 0;
}

void seen_note(const struct memtun_record *record, void *context)
{
	struct seen *seen = context;
	const char *event = memtun_record_string(record, "event");
	const char *name = memtun_record_string(record, "name");

	if (seen->count < 20 && name)
		snprintf(seen->name[seen->count], MEMTUN_NAME_SIZE, "%s", name);
	if (seen->count < 20 && event)
		snprintf(seen->event[seen->count], sizeof(seen->event[0]), "%s", event);
	memtun_record_number(record, "mtu", &seen->mtu);
	seen->count++;
}

struct replies replies;

void reply_noted(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	(void)memtun;
	if (reply->record) {
		replies.count++;
		if (reply->fd >= 0)
			replies.fds[replies.fd_count++] = reply->fd;
		return;
	}
	replies.error = reply->error;
	replies.order[replies.ends++] = (int)(intptr_t)context;
	replies.done = (int)(intptr_t)context == replies.last;
}
