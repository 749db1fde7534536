/* SPDX-License-Identifier: MIT */
/*
 * The client library: with a broker in a child process, and with children that play a broker that
 * ends, sends invalid answers or is slow.
 */
#include "tests/unit/runner.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/control/control.h"
#include "broker/engine/engine.h"
#include "broker/tunnel/tunnel.h"
#include "broker/uplink/uplink.h"
#include "broker/broker.h"
#include "client/lib/connection.h"
#include "common/control_socket.h"
#include "broker/control/listener.h"
#include "memtun.h"
#include "memtun/io.h"
#include "common/message.h"
#include "client/lib/options.h"
#include "broker/switch/port.h"

/* A broker, or a function that plays one, in a process of its own. */
struct other {
	pid_t child;
	char address[64];
	struct memtun *memtun;
};

/* Start the child. It has the listening socket alone, and `play` never returns. */
static void other_start(struct other *other, void (*play)(struct control_socket *socket))
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

static void other_end(struct other *other)
{
	memtun_free(other->memtun);
	kill(other->child, SIGKILL);
	assert_int_equal(waitpid(other->child, NULL, 0), other->child);
}

static void play_broker(struct control_socket *socket)
{
	struct broker *broker = broker_new(ev_loop_new(EVFLAG_AUTO));
	struct listener listener;

	listener_start(&listener, broker->control, socket, listener_accept_session, NULL);
	ev_run(broker->engine->loop, 0);
}

static int set_up(void **state)
{
	static struct other other;

	other_start(&other, play_broker);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	*state = &other;
	return 0;
}

static int tear_down(void **state)
{
	other_end(*state);
	return 0;
}

/* Dispatch until *done, or fail after a time that no test takes. */
static void run_until(struct memtun *memtun, const bool *done)
{
	while (!*done)
		assert_int_equal(memtun_wait(memtun, 10000), 1);
}

/* ------------------------------------------------------------------------------ blocking */

struct seen {
	unsigned int count;
	char name[20][MEMTUN_NAME_SIZE];
	char event[20][24];
	uint64_t mtu;
};

static void note(const struct memtun_record *record, void *context)
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

static void a_tunnel_is_opened_and_passes_frames(void **state)
{
	struct other *other = *state;
	struct memtun_options *options = memtun_options_new();
	char name[MEMTUN_NAME_SIZE];
	char frame[60] = {0};
	struct pollfd poll_fd;
	int one, two;

	assert_int_equal(memtun_options_set(options, "bridge", "lab"), 0);
	one = memtun_open_named(other->memtun, NULL, options, name);
	assert_true(one >= 0);
	assert_string_equal(name, "tap0");
	two = memtun_open(other->memtun, NULL, options);
	assert_true(two >= 0);
	assert_true(fcntl(one, F_GETFD) & FD_CLOEXEC);
	assert_false(fcntl(one, F_GETFL) & O_NONBLOCK);
	memset(frame, 0xff, 6);
	frame[11] = 2;
	assert_int_equal(write(one, frame, sizeof(frame)), sizeof(frame));
	poll_fd = (struct pollfd){.fd = two, .events = POLLIN};
	assert_int_equal(poll(&poll_fd, 1, 10000), 1);
	assert_int_equal(read(two, frame, sizeof(frame)), sizeof(frame));
	memtun_options_free(options);
	close(one);
	close(two);
}

/* Return the smallest number of a descriptor that the library uses, in a program without 0 to 2. */
static int smallest_descriptor(const char *address)
{
	struct memtun *memtun = memtun_new();
	struct memtun_io *io = memtun_io_memory_new();
	int fds[5], smallest = INT_MAX;

	close(0);
	close(1);
	close(2);
	if (memtun_connect(memtun, address) < 0)
		return -1;
	fds[0] = memtun_fd(memtun);
	fds[1] = memtun_open(memtun, "tap0", NULL);
	fds[2] = memtun_capture(memtun, "tap0", false, 0, false);
	fds[3] = memtun_inject(memtun, "tap0", MEMTUN_TO_CLIENT);
	fds[4] = memtun_io_open(io, "/dev/net/tun", O_RDWR);
	for (int i = 0; i < 5; i++)
		smallest = fds[i] < smallest ? fds[i] : smallest;
	return smallest;
}

static void no_descriptor_is_a_standard_one(void **state)
{
	const struct other *other = *state;
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(smallest_descriptor(other->address));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 3, 100);
}

static void without_a_name_the_mode_gives_one(void **state)
{
	struct other *other = *state;
	struct memtun_options *options = memtun_options_new();
	char name[MEMTUN_NAME_SIZE];

	assert_int_equal(memtun_options_set(options, "mode", "tun"), 0);
	close(memtun_open_named(other->memtun, NULL, options, name));
	assert_string_equal(name, "tun0");
	memtun_options_free(options);
}

static void every_call_does_what_it_says(void **state)
{
	struct other *other = *state;
	struct memtun *memtun = other->memtun;
	struct memtun_options *options = memtun_options_new();
	struct seen seen = {0};

	assert_int_equal(memtun_add(memtun, "it", NULL), 0);
	assert_int_equal(memtun_options_parse(options, "mtu=9000"), 0);
	assert_int_equal(memtun_set(memtun, "it", options), 0);
	assert_int_equal(memtun_add(memtun, "other", NULL), 0);
	assert_int_equal(memtun_show(memtun, "it", true, note, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.mtu, 9000);
	seen.count = 0;
	assert_int_equal(memtun_show(memtun, NULL, false, note, &seen), 0);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.name[1], "other");
	assert_int_equal(memtun_delete(memtun, "it"), 0);
	assert_int_equal(memtun_show(memtun, "it", false, note, &seen), -1);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(memtun_error(memtun), "there is no tunnel 'it'");
	memtun_options_free(options);
}

static void note_bridge(const struct memtun_record *record, void *context)
{
	char *seen = context;

	snprintf(seen + strlen(seen), 60 - strlen(seen), "%s: hub %s, loop-guard %s; ",
		 memtun_record_string(record, "name"), memtun_record_string(record, "hub"),
		 memtun_record_string(record, "loop-guard"));
}

static void bridges_are_made_with_their_options(void **state)
{
	static const char *const names[] = {"a", "b", "c"};
	static const char *const keys[] = {NULL, "hub", "loop-guard"};
	static const char *const expected[] = {"a: hub off, loop-guard off; ",
					       "b: hub on, loop-guard off; ",
					       "c: hub off, loop-guard on; "};
	struct memtun *memtun = ((struct other *)*state)->memtun;

	for (int i = 0; i < 3; i++) {
		struct memtun_options *options = keys[i] ? memtun_options_new() : NULL;
		char seen[60] = "";

		if (options)
			assert_int_equal(memtun_options_set(options, keys[i], NULL), 0);
		assert_int_equal(memtun_bridge_add(memtun, names[i], options), 0);
		assert_int_equal(memtun_bridge_show(memtun, names[i], note_bridge, seen), 0);
		assert_string_equal(seen, expected[i]);
		assert_int_equal(memtun_bridge_delete(memtun, names[i]), 0);
		assert_int_equal(memtun_bridge_show(memtun, names[i], NULL, NULL), -1);
		assert_int_equal(errno, ENOENT);
		memtun_options_free(options);
	}
}

/* The last record of an uplink. */
struct uplink_seen {
	unsigned int count;
	char type[16], state[16], group[64];
	uint64_t frames;
	bool has_frames;
};

static void note_uplink(const struct memtun_record *record, void *context)
{
	struct uplink_seen *seen = context;
	const char *group = memtun_record_string(record, "group");

	seen->count++;
	snprintf(seen->type, sizeof(seen->type), "%s", memtun_record_string(record, "type"));
	snprintf(seen->state, sizeof(seen->state), "%s", memtun_record_string(record, "state"));
	snprintf(seen->group, sizeof(seen->group), "%s", group ? group : "");
	seen->has_frames = memtun_record_number(record, "to-client-offered", &seen->frames) == 0;
}

static void an_uplink_is_made_shown_and_deleted(void **state)
{
	struct other *other = *state;
	struct memtun *memtun = other->memtun;
	struct memtun_options *options = memtun_options_new();
	struct uplink_seen seen = {0};

	assert_int_equal(
		memtun_options_parse(options, "bridge=lab,type=mcast,group=230.0.0.1,port=17113"),
		0);
	assert_int_equal(memtun_uplink_add(memtun, "lan", options, note_uplink, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.type, "mcast");
	assert_string_equal(seen.state, "up");
	assert_string_equal(seen.group, "230.0.0.1");
	/* The function may be NULL. */
	assert_int_equal(memtun_options_set(options, "bridge", "lab2"), 0);
	assert_int_equal(memtun_uplink_add(memtun, "lan2", options, NULL, NULL), 0);
	assert_int_equal(memtun_uplink_add(memtun, "lan", options, note_uplink, &seen), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(seen.count, 1);
	assert_int_equal(memtun_uplink_show(memtun, "lan", false, note_uplink, &seen), 0);
	assert_false(seen.has_frames);
	assert_int_equal(memtun_uplink_show(memtun, NULL, true, note_uplink, &seen), 0);
	assert_int_equal(seen.count, 4);
	assert_true(seen.has_frames);
	assert_int_equal(memtun_uplink_delete(memtun, "lan"), 0);
	assert_int_equal(memtun_uplink_delete(memtun, "lan"), -1);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(memtun_error(memtun), "there is no uplink 'lan'");
	memtun_options_free(options);
	/* The error names the option that is missing. */
	options = memtun_options_new();
	assert_int_equal(memtun_options_parse(options, "bridge=lab,type=mcast,port=1"), 0);
	assert_int_equal(memtun_uplink_add(memtun, "lan", options, note_uplink, &seen), -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(memtun_error(memtun), "an uplink of type mcast needs group");
	memtun_options_free(options);
}

static void a_descriptor_is_handed_in_and_stays_the_callers(void **state)
{
	struct other *other = *state;
	struct memtun *memtun = other->memtun;
	struct memtun_options *options = memtun_options_new();
	int ends[2], pipe_ends[2];
	char byte;

	assert_int_equal(memtun_options_parse(options, "bridge=lab"), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
	assert_int_equal(memtun_uplink_add_fd(memtun, "u", options, -1, -1), -1);
	assert_int_equal(errno, EBADF);
	assert_string_equal(memtun_error(memtun),
			    "cannot hand in descriptor -1: Bad file descriptor");
	assert_int_equal(memtun_uplink_add_fd(memtun, "u", options, ends[0], pipe_ends[0]), 0);
	assert_int_equal(memtun_uplink_add_fd(memtun, "v", options, ends[0], -1), -1);
	assert_int_equal(errno, EEXIST);
	assert_string_equal(memtun_error(memtun), "the broker has this socket already");
	/* The copies here are open, and the broker's are closed with the uplink. */
	assert_int_equal(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	close(ends[0]);
	assert_int_equal(recv(ends[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(memtun_uplink_delete(memtun, "u"), 0);
	assert_int_equal(recv(ends[1], &byte, 1, 0), 0);
	close(ends[1]);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	/* Without options there is no bridge. */
	assert_int_equal(memtun_uplink_add_fd(memtun, "u", NULL, 0, -1), -1);
	assert_int_equal(errno, EINVAL);
	memtun_options_free(options);
}

struct address_seen {
	unsigned int count;
	char name[MEMTUN_NAME_SIZE], address[64];
	uint64_t vlan, age;
};

static void note_address(const struct memtun_record *record, void *context)
{
	struct address_seen *seen = context;

	seen->count++;
	snprintf(seen->name, sizeof(seen->name), "%s", memtun_record_string(record, "name"));
	snprintf(seen->address, sizeof(seen->address), "%s",
		 memtun_record_string(record, "address"));
	assert_string_equal(memtun_record_string(record, "bridge"), "lab");
	assert_int_equal(memtun_record_number(record, "vlan", &seen->vlan), 0);
	assert_int_equal(memtun_record_number(record, "age", &seen->age), 0);
}

static void the_addresses_that_a_bridge_has_learned_are_told(void **state)
{
	static const unsigned char frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,    0,
						0,    0,    7,    0x81, 0,    0,    5, 0x88, 0xb5};
	struct other *other = *state;
	struct memtun_options *options = memtun_options_new();
	struct address_seen seen = {0};
	int fd, listener;

	assert_int_equal(memtun_options_parse(options, "bridge=lab"), 0);
	fd = memtun_open(other->memtun, "a", options);
	listener = memtun_open(other->memtun, "b", options);
	assert_true(fd >= 0 && listener >= 0);
	assert_int_equal(memtun_address_show(other->memtun, "lab", note_address, &seen), 0);
	assert_int_equal(seen.count, 0);
	assert_int_equal(write(fd, frame, sizeof(frame)), sizeof(frame));
	/* The frame has passed the bridge when it is read. */
	assert_int_equal(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 10000), 1);
	assert_int_equal(memtun_address_show(other->memtun, "lab", note_address, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.name, "a");
	assert_string_equal(seen.address, "02:00:00:00:00:07");
	assert_int_equal(seen.vlan, 5);
	assert_true(seen.age < UINT64_C(60000000000));
	assert_int_equal(memtun_address_show(other->memtun, "none", note_address, &seen), -1);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(memtun_error(other->memtun), "there is no bridge 'none'");
	close(fd);
	close(listener);
	memtun_options_free(options);
}

static void a_refusal_is_told_in_words(void **state)
{
	struct other *other = *state;
	int fd = memtun_open(other->memtun, "it", NULL);

	assert_true(fd >= 0);
	errno = 0;
	assert_int_equal(memtun_open(other->memtun, "it", NULL), -1);
	assert_int_equal(errno, EBUSY);
	assert_string_equal(memtun_error(other->memtun), "'it' is open, and not multi_queue");
	assert_int_equal(memtun_open(other->memtun, "a/b", NULL), -1);
	assert_int_equal(errno, EINVAL);
	/* A call that succeeds clears the text. */
	assert_int_equal(memtun_add(other->memtun, "new", NULL), 0);
	assert_string_equal(memtun_error(other->memtun), "");
	close(fd);
}

static void one_open_opens_one(void **state)
{
	struct other *other = *state;
	struct memtun_options *options = memtun_options_new();

	assert_int_equal(memtun_options_set(options, "count", "3"), 0);
	assert_int_equal(memtun_open(other->memtun, "tap%d", options), -1);
	assert_int_equal(errno, EINVAL);
	memtun_options_free(options);
}

/* ------------------------------------------------------------------------------ requests */

struct replies {
	unsigned int count;
	unsigned int ends;
	int order[400];
	int error;
	bool done;
	int last;
	int fds[20];
	unsigned int fd_count;
};

static struct replies replies;

static void reply_noted(struct memtun *memtun, const struct memtun_reply *reply, void *context)
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

static void answers_come_in_the_order_of_requests(void **state)
{
	struct other *other = *state;

	replies = (struct replies){.last = 99};
	for (intptr_t i = 0; i < 100; i++)
		assert_int_equal(
			memtun_request(other->memtun,
				       i & 1 ? MEMTUN_CMD_TUNNEL_ADD : MEMTUN_CMD_TUNNEL_SHOW,
				       "tap%d", NULL, reply_noted, (void *)i),
			0);
	assert_int_equal(replies.ends, 0); /* never from inside the request */
	run_until(other->memtun, &replies.done);
	assert_int_equal(replies.ends, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(replies.order[i], i);
}

static void a_batch_brings_its_descriptors_one_by_one(void **state)
{
	struct other *other = *state;
	struct memtun_options *options = memtun_options_new();

	replies = (struct replies){.last = 1};
	assert_int_equal(memtun_options_set_number(options, "count", 10), 0);
	assert_int_equal(memtun_request(other->memtun, MEMTUN_CMD_QUEUE_OPEN, "vm%d", options,
					reply_noted, (void *)1),
			 0);
	run_until(other->memtun, &replies.done);
	assert_int_equal(replies.count, 10);
	assert_int_equal(replies.fd_count, 10);
	for (int i = 0; i < 10; i++)
		close(replies.fds[i]);
	memtun_options_free(options);
}

static void a_request_without_a_function_leaves_no_descriptor(void **state)
{
	struct other *other = *state;

	assert_int_equal(
		memtun_request(other->memtun, MEMTUN_CMD_QUEUE_OPEN, "it", NULL, NULL, NULL), 0);
	/* The runner checks that no descriptor is left, and the tunnel is deleted. */
	assert_int_equal(memtun_add(other->memtun, "later", NULL), 0);
	while (memtun_show(other->memtun, "it", false, NULL, NULL) == 0)
		;
	assert_int_equal(errno, ENOENT);
}

static void a_blocking_call_waits_behind_requests(void **state)
{
	struct other *other = *state;

	replies = (struct replies){.last = 1};
	assert_int_equal(memtun_request(other->memtun, MEMTUN_CMD_TUNNEL_ADD, "it", NULL,
					reply_noted, (void *)1),
			 0);
	assert_int_equal(memtun_delete(other->memtun, "it"), 0);
	assert_true(replies.done);
	assert_int_equal(replies.error, 0);
}

static int inner_result, inner_errno;

static void reply_calls(struct memtun *memtun, const struct memtun_reply *reply, void *context)
{
	if (reply->record)
		return;
	inner_result = memtun_add(memtun, "inner", NULL);
	inner_errno = errno;
	/* A function may make a request. */
	assert_int_equal(
		memtun_request(memtun, MEMTUN_CMD_TUNNEL_ADD, "next", NULL, reply_noted, context),
		0);
}

static void a_blocking_call_from_inside_a_callback_is_refused(void **state)
{
	struct other *other = *state;

	replies = (struct replies){.last = 1};
	assert_int_equal(memtun_request(other->memtun, MEMTUN_CMD_TUNNEL_ADD, "it", NULL,
					reply_calls, (void *)1),
			 0);
	run_until(other->memtun, &replies.done);
	assert_int_equal(inner_result, -1);
	assert_int_equal(inner_errno, EDEADLK);
	assert_int_equal(memtun_delete(other->memtun, "next"), 0);
}

static void requests_beyond_a_full_queue_are_to_be_tried_again(void **state)
{
	struct other *other = *state;
	int made = 0;

	replies = (struct replies){.last = -1};
	/* The broker is stopped and doesn't read its socket. */
	assert_int_equal(kill(other->child, SIGSTOP), 0);
	while (memtun_request(other->memtun, MEMTUN_CMD_TUNNEL_SHOW, "nobody", NULL, NULL, NULL) ==
	       0) {
		memtun_dispatch(other->memtun);
		assert_true(++made < 100000);
	}
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(kill(other->child, SIGCONT), 0);
	/* A blocking call waits for room. */
	assert_int_equal(memtun_add(other->memtun, "it", NULL), 0);
}

/* ------------------------------------------------------------------------------ events */

static void events_come_by_dispatch(void **state)
{
	struct other *other = *state;
	struct seen seen = {0};

	assert_int_equal(memtun_subscribe(other->memtun, note, &seen), 0);
	assert_int_equal(memtun_add(other->memtun, "it", NULL), 0);
	assert_int_equal(memtun_delete(other->memtun, "it"), 0);
	/* Queued while the calls blocked. */
	assert_int_equal(seen.count, 0);
	assert_int_equal(memtun_deadline(other->memtun), 0);
	while (seen.count < 2)
		assert_int_equal(memtun_wait(other->memtun, 10000), 1);
	assert_string_equal(seen.event[0], "added");
	assert_string_equal(seen.event[1], "deleted");
	assert_string_equal(seen.name[1], "it");
	assert_int_equal(memtun_deadline(other->memtun), -1);
	assert_int_equal(memtun_wait(other->memtun, 0), 0);
	assert_int_equal(seen.count, 2);
}

/* ------------------------------------------------------------------------------ bad brokers */

static int accept_one(struct control_socket *socket)
{
	struct pollfd poll_fd = {.fd = socket->fd, .events = POLLIN};

	poll(&poll_fd, 1, -1);
	return accept(socket->fd, NULL, NULL);
}

/* Read one request. Return its sequence number. */
static uint32_t take_request(int fd)
{
	_Alignas(8) char bytes[4096];

	if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
		_exit(0);
	return ((struct nlmsghdr *)bytes)->nlmsg_seq;
}

static void answer_hello(int fd)
{
	struct message_builder builder;

	message_begin(&builder, MEMTUN_CMD_HELLO, 0, take_request(fd));
	message_put_number(&builder, MEMTUN_A_VERSION, MEMTUN_PROTOCOL_VERSION);
	if (send(fd, builder.bytes, message_end(&builder), 0) < 0)
		_exit(1);
}

static void play_dying(struct control_socket *socket)
{
	int fd = accept_one(socket);

	answer_hello(fd);
	take_request(fd);
	_exit(0);
}

/* List one tunnel twice: first with, then without a change during the list. */
static void play_changing(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;

	answer_hello(fd);
	for (int i = 0; i < 2; i++) {
		uint16_t flags = i == 0 ? NLM_F_MULTI | NLM_F_DUMP_INTR : NLM_F_MULTI;
		uint32_t sequence = take_request(fd);

		message_begin(&builder, MEMTUN_CMD_TUNNEL_SHOW, NLM_F_MULTI, sequence);
		message_put_string(&builder, MEMTUN_A_NAME, "it");
		(void)!send(fd, builder.bytes, message_end(&builder), 0);
		message_begin(&builder, NLMSG_DONE, flags, sequence);
		(void)!send(fd, builder.bytes, message_end(&builder), 0);
	}
	take_request(fd);
}

static void play_dying_at_once(struct control_socket *socket)
{
	accept_one(socket);
	_exit(0);
}

static void play_liar(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;

	answer_hello(fd);
	message_begin(&builder, MEMTUN_CMD_TUNNEL_ADD, 0, take_request(fd) + 7);
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	take_request(fd);
}

static void play_garbler(struct control_socket *socket)
{
	int fd = accept_one(socket);

	answer_hello(fd);
	take_request(fd);
	(void)!send(fd, "garbage", 7, 0);
	take_request(fd);
}

/* Answer a request with a descriptor, whether it asked for one or not. */
static void answer_with_fd(int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct message_builder builder;
	struct iovec bytes = {.iov_base = builder.bytes};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	message_begin(&builder, MEMTUN_CMD_TUNNEL_SHOW, 0, take_request(fd));
	message_put_number(&builder, MEMTUN_A_FDS, 1);
	bytes.iov_len = message_end(&builder);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	(void)!sendmsg(fd, &message, 0);
}

static void play_generous(struct control_socket *socket)
{
	int fd = accept_one(socket);

	answer_with_fd(fd); /* to hello */
	answer_with_fd(fd);
	take_request(fd);
}

static void play_miser(struct control_socket *socket)
{
	int fd = accept_one(socket);

	answer_hello(fd);
	for (;;) {
		struct message_builder builder;
		struct message request = {.sequence = take_request(fd)};

		message_build_error(&builder, &request, NULL);
		(void)!send(fd, builder.bytes, message_end(&builder), 0);
	}
}

static void play_painter(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;
	struct message request = {0};
	struct fault fault;

	answer_hello(fd);
	request.sequence = take_request(fd);
	fault_set(&fault, EINVAL, "%s", "red: \x1b[31m\x7f\n");
	message_build_error(&builder, &request, &fault);
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	take_request(fd);
}

static void play_other_version(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;
	struct message request = {.type = MEMTUN_CMD_HELLO, .sequence = take_request(fd)};
	struct fault fault;

	fault_set(&fault, EPROTONOSUPPORT, "this broker speaks version 2, not 1");
	message_build_error(&builder, &request, &fault);
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	take_request(fd);
}

static void play_refuser(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;
	struct message request = {.type = MEMTUN_CMD_HELLO};
	struct fault fault;

	fault_set(&fault, EPERM, "this broker serves user 5 only");
	message_build_error(&builder, &request, &fault);
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	_exit(0);
}

static void play_announcer(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;

	answer_hello(fd);
	message_begin(&builder, MEMTUN_CMD_EVENT, 0, 0);
	message_put_number(&builder, MEMTUN_A_EVENT, MEMTUN_EVENT_ADDED);
	message_put_string(&builder, MEMTUN_A_NAME, "it");
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	take_request(fd);
}

static void play_loser(struct control_socket *socket)
{
	int fd = accept_one(socket);
	struct message_builder builder;
	struct message request = {.type = MEMTUN_CMD_EVENT};
	struct fault fault;

	answer_hello(fd);
	fault_set(&fault, ENOBUFS, "events were lost");
	message_build_error(&builder, &request, &fault);
	(void)!send(fd, builder.bytes, message_end(&builder), 0);
	take_request(fd);
}

static void a_broker_that_dies_during_a_call_ends_it(void **state)
{
	struct other other;

	(void)state;
	other_start(&other, play_dying);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_int_equal(memtun_add(other.memtun, "it", NULL), -1);
	assert_int_equal(errno, EPIPE);
	assert_string_not_equal(memtun_error(other.memtun), "");
	assert_int_equal(memtun_fd(other.memtun), -1);
	assert_int_equal(memtun_events(other.memtun), 0);
	assert_int_equal(memtun_dispatch(other.memtun), -1);
	assert_int_equal(memtun_open(other.memtun, "it", NULL), -1);
	assert_int_equal(errno, EPIPE);
	other_end(&other);
}

static void a_broker_that_is_killed_answers_every_request(void **state)
{
	struct other other;

	(void)state;
	replies = (struct replies){.last = 9};
	other_start(&other, play_broker);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_int_equal(kill(other.child, SIGSTOP), 0);
	for (intptr_t i = 0; i < 10; i++)
		assert_int_equal(memtun_request(other.memtun, MEMTUN_CMD_QUEUE_OPEN, "it", NULL,
						reply_noted, (void *)i),
				 0);
	assert_int_equal(kill(other.child, SIGKILL), 0);
	while (!replies.done)
		memtun_wait(other.memtun, 10000);
	assert_int_equal(replies.ends, 10);
	assert_int_not_equal(replies.error, 0);
	assert_int_equal(replies.fd_count, 0);
	other_end(&other);
}

static void freeing_a_connection_answers_every_request(void **state)
{
	struct other other;

	(void)state;
	replies = (struct replies){.last = 9};
	other_start(&other, play_broker);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	for (intptr_t i = 0; i < 10; i++)
		assert_int_equal(memtun_request(other.memtun, MEMTUN_CMD_QUEUE_OPEN, "it", NULL,
						reply_noted, (void *)i),
				 0);
	other_end(&other);
	assert_true(replies.done);
	assert_int_equal(replies.error, EPIPE);
}

static void connecting_fails_with_what_is_wrong(void **state)
{
	static const struct {
		void (*play)(struct control_socket *socket);
		int error;
		const char *word;
	} cases[] = {
		{play_dying_at_once, 0, "connection"},
		{play_other_version, EPROTONOSUPPORT, "speaks version 2"},
		{play_refuser, EPERM, "serves user 5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct other other;

		other_start(&other, cases[i].play);
		errno = 0;
		assert_int_equal(memtun_connect(other.memtun, other.address), -1);
		if (cases[i].error)
			assert_int_equal(errno, cases[i].error);
		else /* ECONNRESET where the hello was never read */
			assert_true(errno == EPIPE || errno == ECONNRESET);
		if (!strstr(memtun_error(other.memtun), cases[i].word))
			fail_msg("%s", memtun_error(other.memtun));
		/* It isn't connected, and can be connected again. */
		assert_int_equal(memtun_add(other.memtun, "it", NULL), -1);
		assert_int_equal(errno, ENOTCONN);
		other_end(&other);
	}
}

static void connecting_again_is_possible_after_a_failure_only(void **state)
{
	struct other bad, good;

	(void)state;
	other_start(&bad, play_refuser);
	other_start(&good, play_broker);
	assert_int_equal(memtun_connect(good.memtun, bad.address), -1);
	assert_int_equal(memtun_connect(good.memtun, "@nobody-listens-here"), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(memtun_connect(good.memtun, "/nowhere/at/all"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(memtun_connect(good.memtun, good.address), 0);
	assert_int_equal(memtun_add(good.memtun, "it", NULL), 0);
	assert_int_equal(memtun_connect(good.memtun, good.address), -1);
	assert_int_equal(errno, EISCONN);
	assert_int_equal(memtun_delete(good.memtun, "it"), 0);
	other_end(&bad);
	other_end(&good);
}

static void a_connection_that_has_ended_can_be_connected_again(void **state)
{
	struct other ending, good;

	(void)state;
	other_start(&ending, play_garbler);
	other_start(&good, play_broker);
	assert_int_equal(memtun_connect(good.memtun, ending.address), 0);
	assert_int_equal(memtun_add(good.memtun, "it", NULL), -1);
	assert_int_equal(memtun_fd(good.memtun), -1);
	assert_int_equal(memtun_connect(good.memtun, "/nowhere/at/all"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(memtun_connect(good.memtun, good.address), 0);
	assert_int_equal(memtun_add(good.memtun, "it", NULL), 0);
	assert_int_equal(memtun_delete(good.memtun, "it"), 0);
	other_end(&ending);
	other_end(&good);
}

static void a_broker_that_breaks_the_protocol_is_left(void **state)
{
	static void (*const plays[])(struct control_socket * socket) = {play_liar, play_garbler};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct other other;

		other_start(&other, plays[i]);
		assert_int_equal(memtun_connect(other.memtun, other.address), 0);
		assert_int_equal(memtun_add(other.memtun, "it", NULL), -1);
		assert_int_equal(errno, EPROTO);
		other_end(&other);
	}
}

/* The runner fails the test if the descriptor is left open. */
static void a_descriptor_that_was_not_asked_for_is_closed(void **state)
{
	struct seen seen = {0};
	struct other other;

	(void)state;
	other_start(&other, play_generous);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_int_equal(memtun_show(other.memtun, "it", false, note, &seen), 0);
	assert_int_equal(seen.count, 1);
	other_end(&other);
}

static void a_list_that_changed_while_it_was_made_is_known(void **state)
{
	struct seen seen = {0};
	struct other other;

	(void)state;
	other_start(&other, play_changing);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_false(memtun_interrupted(other.memtun));
	assert_int_equal(memtun_show(other.memtun, NULL, false, note, &seen), 0);
	assert_true(memtun_interrupted(other.memtun));
	assert_int_equal(memtun_show(other.memtun, NULL, false, note, &seen), 0);
	assert_false(memtun_interrupted(other.memtun));
	assert_int_equal(seen.count, 2);
	other_end(&other);
}

static void a_success_without_the_descriptor_is_none(void **state)
{
	struct other other;

	(void)state;
	other_start(&other, play_miser);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_int_equal(memtun_open(other.memtun, "it", NULL), -1);
	assert_int_equal(errno, EPROTO);
	assert_string_not_equal(memtun_error(other.memtun), "");
	errno = 0;
	assert_int_equal(memtun_capture(other.memtun, "it", false, 0, true), -1);
	assert_int_equal(errno, EPROTO);
	errno = 0;
	assert_int_equal(memtun_inject(other.memtun, "it", MEMTUN_TO_CLIENT), -1);
	assert_int_equal(errno, EPROTO);
	other_end(&other);
}

static void the_broker_s_words_have_no_control_characters(void **state)
{
	struct other other;

	(void)state;
	other_start(&other, play_painter);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	assert_int_equal(memtun_add(other.memtun, "it", NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(memtun_error(other.memtun), "red: ?[31m??");
	other_end(&other);
}

static void a_queued_event_is_not_due_while_a_call_blocks(void **state)
{
	struct seen seen = {0};
	struct other other;

	(void)state;
	other_start(&other, play_announcer);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	other.memtun->subscriber = note;
	other.memtun->subscriber_context = &seen;
	/* As in a blocking call whose answer is slow. */
	other.memtun->blocking = true;
	while (other.memtun->event_count == 0)
		assert_int_equal(memtun_wait(other.memtun, 10000), 1);
	assert_int_equal(memtun_deadline(other.memtun), -1);
	assert_int_equal(memtun_wait(other.memtun, 0), 0);
	assert_int_equal(seen.count, 0);
	other.memtun->blocking = false;
	assert_int_equal(memtun_deadline(other.memtun), 0);
	assert_int_equal(memtun_wait(other.memtun, -1), 1);
	assert_int_equal(seen.count, 1);
	other_end(&other);
}

static void lost_events_are_an_event(void **state)
{
	struct seen seen = {0};
	struct other other;

	(void)state;
	other_start(&other, play_loser);
	assert_int_equal(memtun_connect(other.memtun, other.address), 0);
	other.memtun->subscriber = note;
	other.memtun->subscriber_context = &seen;
	while (seen.count == 0)
		assert_int_equal(memtun_wait(other.memtun, 10000), 1);
	assert_string_equal(seen.event[0], "lost");
	other_end(&other);
}

/* ------------------------------------------------------------------------------ options */

static void options_that_are_none_are_told(void **state)
{
	struct memtun_options *options = memtun_options_new();

	(void)state;
	assert_string_equal(memtun_options_error(options), "");
	assert_int_equal(memtun_options_set(options, "nothing", "x"), -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(memtun_options_error(options), "there is no option 'nothing' here");
	assert_int_equal(memtun_options_set(options, "mtu", "x"), -1);
	assert_string_equal(memtun_options_error(options), "mtu takes a number, not 'x'");
	assert_int_equal(memtun_options_set(options, "owner", "0"), -1);
	assert_int_equal(memtun_options_set_number(options, "mtu", 1), -1);
	assert_int_equal(memtun_options_set_number(options, "bridge", 1), -1);
	assert_int_equal(memtun_options_set_number(options, "nothing", 1), -1);
	assert_int_equal(memtun_options_parse(options, "pi,,mtu=100"), -1);
	assert_int_equal(memtun_options_parse(options, "mtu=100,nothing"), -1);
	/* A text with an error sets nothing. */
	assert_int_equal(attribute_set_next(&options->set, MEMTUN_A_UNSPEC), MEMTUN_A_END);
	assert_int_equal(memtun_options_parse(options, ""), 0);
	assert_string_equal(memtun_options_error(options), "");
	memtun_options_free(options);
	memtun_options_free(NULL);
}

static void options_are_the_callers_no_more_once_set(void **state)
{
	struct other *other = *state;
	struct memtun_options *options = memtun_options_new();
	char value[] = "lab";
	struct seen seen = {0};

	assert_int_equal(memtun_options_set(options, "bridge", value), 0);
	memset(value, 'x', 3);
	assert_int_equal(memtun_options_set(options, "pi", NULL), 0);
	/* The last value is used. */
	assert_int_equal(memtun_options_set(options, "mtu", "100"), 0);
	assert_int_equal(memtun_options_set_number(options, "mtu", 200), 0);
	assert_int_equal(memtun_add(other->memtun, "it", options), 0);
	assert_int_equal(memtun_bridge_show(other->memtun, "lab", NULL, NULL), 0);
	assert_int_equal(memtun_show(other->memtun, "it", false, note, &seen), 0);
	assert_int_equal(seen.mtu, 200);
	memtun_options_free(options);
}

/* ------------------------------------------------------------------------------ records */

static void inspect(const struct memtun_record *record, void *context)
{
	const char *key = NULL;
	unsigned int keys = 0;
	uint64_t number;

	assert_string_equal(memtun_record_string(record, "name"), "it");
	assert_string_equal(memtun_record_string(record, "mode"), "tap");
	assert_string_equal(memtun_record_string(record, "mtu"), "1500");
	assert_string_equal(memtun_record_string(record, "pi"), "off");
	/* Each text stays valid as long as the record. */
	assert_string_equal(memtun_record_string(record, "mode"), "tap");
	assert_null(memtun_record_string(record, "bridge"));
	assert_null(memtun_record_string(record, "nothing"));
	assert_int_equal(memtun_record_number(record, "mtu", &number), 0);
	assert_int_equal(number, 1500);
	assert_int_equal(memtun_record_number(record, "name", &number), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(memtun_record_number(record, "bridge", &number), -1);
	assert_int_equal(errno, ENOENT);
	while ((key = memtun_record_next(record, key))) {
		assert_non_null(memtun_record_string(record, key));
		assert_true(++keys < MEMTUN_A_END);
	}
	assert_null(memtun_record_next(record, "nothing"));
	*(unsigned int *)context = keys;
}

static void a_record_is_read_by_its_keys(void **state)
{
	struct other *other = *state;
	unsigned int keys = 0, with_counters = 0;

	assert_int_equal(memtun_add(other->memtun, "it", NULL), 0);
	assert_int_equal(memtun_show(other->memtun, "it", false, inspect, &keys), 0);
	assert_true(keys > 10);
	assert_int_equal(memtun_show(other->memtun, "it", true, inspect, &with_counters), 0);
	assert_true(with_counters >= keys + PORT_COUNTERS);
}

#define WITH_OTHER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_OTHER(a_tunnel_is_opened_and_passes_frames),
		WITH_OTHER(without_a_name_the_mode_gives_one),
		WITH_OTHER(no_descriptor_is_a_standard_one),
		WITH_OTHER(every_call_does_what_it_says),
		WITH_OTHER(bridges_are_made_with_their_options),
		WITH_OTHER(an_uplink_is_made_shown_and_deleted),
		WITH_OTHER(a_descriptor_is_handed_in_and_stays_the_callers),
		WITH_OTHER(the_addresses_that_a_bridge_has_learned_are_told),
		WITH_OTHER(a_refusal_is_told_in_words),
		WITH_OTHER(one_open_opens_one),
		WITH_OTHER(answers_come_in_the_order_of_requests),
		WITH_OTHER(a_batch_brings_its_descriptors_one_by_one),
		WITH_OTHER(a_request_without_a_function_leaves_no_descriptor),
		WITH_OTHER(a_blocking_call_waits_behind_requests),
		WITH_OTHER(a_blocking_call_from_inside_a_callback_is_refused),
		WITH_OTHER(requests_beyond_a_full_queue_are_to_be_tried_again),
		WITH_OTHER(events_come_by_dispatch),
		cmocka_unit_test(a_broker_that_dies_during_a_call_ends_it),
		cmocka_unit_test(a_broker_that_is_killed_answers_every_request),
		cmocka_unit_test(freeing_a_connection_answers_every_request),
		cmocka_unit_test(connecting_fails_with_what_is_wrong),
		cmocka_unit_test(connecting_again_is_possible_after_a_failure_only),
		cmocka_unit_test(a_connection_that_has_ended_can_be_connected_again),
		cmocka_unit_test(a_broker_that_breaks_the_protocol_is_left),
		cmocka_unit_test(a_descriptor_that_was_not_asked_for_is_closed),
		cmocka_unit_test(a_list_that_changed_while_it_was_made_is_known),
		cmocka_unit_test(a_success_without_the_descriptor_is_none),
		cmocka_unit_test(the_broker_s_words_have_no_control_characters),
		cmocka_unit_test(a_queued_event_is_not_due_while_a_call_blocks),
		cmocka_unit_test(lost_events_are_an_event),
		cmocka_unit_test(options_that_are_none_are_told),
		WITH_OTHER(options_are_the_callers_no_more_once_set),
		WITH_OTHER(a_record_is_read_by_its_keys),
	};

	return RUN_TESTS(tests);
}
