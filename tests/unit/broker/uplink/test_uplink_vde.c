/* SPDX-License-Identifier: MIT */
/*
 * Uplinks to VDE switches, good and bad, which the test plays. vde_joiner.c is compiled into this
 * test with a short VDE_TIMEOUT, and with a close_range() that can be slow.
 */
#include "tests/unit/broker/uplink/uplink_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG 10.

/* The request that libvdeplug sends to a switch, as vde_switch defines it. */
#define MAGIC 0xfeedface
struct __attribute__((packed)) request {
	uint32_t magic;
	uint32_t version;
	uint32_t type;
	struct sockaddr_un address;
	char description[128];
};

/* How a switch answers a connection. */
enum manners {
	GOOD,
	REFUSES,     /* ends the connection instead of answering */
	CLOSES,      /* closes before it reads the request */
	GARBAGE,     /* answers without an address */
	SHORT,       /* answers with a part of an address */
	EMPTY,       /* answers with zeros */
	SILENT,      /* never answers */
	BAD_MANNERS, /* the number of the kinds above */
};

struct fake_switch {
	struct broker_fixture *fixture;
	enum manners manners;
	char directory[40];
	int listener; /* DIRECTORY/ctl */
	int control;
	int data; /* bound to DIRECTORY/data, connected to the uplink's */
	struct request request;
};

static void switch_name(const struct fake_switch *fake, struct sockaddr_un *name, const char *last)
{
	*name = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(name->sun_path, sizeof(name->sun_path), "%s/%s", fake->directory, last);
}

static void switch_open(struct fake_switch *fake, struct broker_fixture *fixture)
{
	struct sockaddr_un name;

	*fake = (struct fake_switch){
		.fixture = fixture,
		.directory = "/tmp/memtun-vde-XXXXXX",
		.control = -1,
		.data = -1,
	};
	assert_non_null(mkdtemp(fake->directory));
	switch_name(fake, &name, "ctl");
	fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(fake->listener, 5), 0);
}

/* End a client's connection. */
static void switch_drop(struct fake_switch *fake)
{
	struct sockaddr_un name;

	switch_name(fake, &name, "data");
	unlink(name.sun_path);
	if (fake->data >= 0)
		close(fake->data);
	if (fake->control >= 0)
		close(fake->control);
	fake->data = -1;
	fake->control = -1;
}

/* Close the switch. Fail if a file is left in its directory. */
static void switch_close(struct fake_switch *fake)
{
	struct sockaddr_un name;

	switch_drop(fake);
	switch_name(fake, &name, "ctl");
	close(fake->listener);
	unlink(name.sun_path);
	assert_int_equal(rmdir(fake->directory), 0);
}

/* Accept a connection, or serve the accepted one. True: it has answered. */
static bool switch_serve(struct fake_switch *fake)
{
	struct sockaddr_un name;
	ssize_t length;

	if (fake->control < 0) {
		fake->control = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fake->control < 0)
			return false;
		if (fake->manners == CLOSES) {
			switch_drop(fake);
			return true;
		}
	}
	length = recv(fake->control, &fake->request, sizeof(fake->request), 0);
	/* The child has ended before it has sent the request. */
	if (length == 0)
		switch_drop(fake);
	if (length < (ssize_t)offsetof(struct request, description))
		return false;
	assert_int_equal(fake->request.magic, MAGIC);
	memset(&name, 0, sizeof(name));
	switch (fake->manners) {
	case GOOD:
		switch_name(fake, &name, "data");
		fake->data = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert_int_equal(bind(fake->data, (struct sockaddr *)&name, sizeof(name)), 0);
		assert_int_equal(connect(fake->data, (struct sockaddr *)&fake->request.address,
					 sizeof(name)),
				 0);
		break;
	case REFUSES:
		switch_drop(fake);
		return true;
	case GARBAGE:
		memset(&name, 0xff, sizeof(name));
		break;
	case SHORT:
		assert_int_equal(send(fake->control, "\1\0/tm", 5, MSG_NOSIGNAL), 5);
		return true;
	case SILENT:
		return true;
	default:
		break;
	}
	assert_int_equal(send(fake->control, &name, sizeof(name), MSG_NOSIGNAL), sizeof(name));
	return true;
}

/* ------------------------------------------------------------------------------ waiting */

static struct uplink *the_uplink(const struct fake_switch *fake)
{
	return uplink_find(fake->fixture->broker->uplinks, "up");
}

static bool is_up(void *context)
{
	switch_serve(context);
	return the_uplink(context)->up;
}

static bool has_failed(void *context)
{
	switch_serve(context);
	return strstr(the_uplink(context)->reason, "cannot join") != NULL;
}

static bool has_ended(void *context)
{
	return has_failed(context) || is_up(context);
}

static bool has_asked(void *context)
{
	struct fake_switch *fake = context;

	switch_serve(fake);
	return fake->request.magic == MAGIC;
}

static bool was_closed(void *context)
{
	const struct uplink *uplink = the_uplink(context);

	return !uplink->up && strcmp(uplink->reason, "the other side has closed it") == 0;
}

/* Turn the broker's loop even without an event of its own: other processes change the condition. */
static void tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
}

/* Turn the loop until the condition is true, and not once more: the uplink may try again then. */
static void wait_only_until(struct fake_switch *fake, bool (*condition)(void *context))
{
	struct ev_loop *loop = fake->fixture->broker->engine->loop;
	ev_timer timer;
	bool in_time;

	ev_timer_init(&timer, tick, 0.002, 0.002);
	ev_timer_start(loop, &timer);
	in_time = broker_wait(fake->fixture, condition, fake, LONG);
	ev_timer_stop(loop, &timer);
	assert_true(in_time);
}

static void wait_until(struct fake_switch *fake, bool (*condition)(void *context))
{
	wait_only_until(fake, condition);
	broker_quiesce(fake->fixture);
}

/* An uplink `up` that has joined the switch, and a tunnel on its bridge. */
static int joined(struct fake_switch *fake, struct broker_fixture *fixture)
{
	int tunnel = tunnel_opened(fixture, "name=t,bridge=b");

	switch_open(fake, fixture);
	uplink_added(fixture, "name=up,bridge=b,type=vde,path=%s", fake->directory);
	assert_int_equal(uplink_shown(fixture, "up", "state"), MEMTUN_DOWN);
	assert_non_null(strstr(uplink_text(fixture, "up", "reason"), "joining the VDE switch"));
	wait_until(fake, is_up);
	return tunnel;
}

/* Wait for the children that were told to end. */
static void children_wait(void)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void assert_no_child_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* ------------------------------------------------------------------------------ tests */

static void frames_go_to_a_switch_and_come_from_it(void **state)
{
	struct fake_switch fake;
	int tunnel = joined(&fake, *state);

	assert_no_child_is_left();
	assert_int_equal(uplink_shown(*state, "up", "mtu"), 1500);
	assert_non_null(strstr(fake.request.description, "memtun up"));
	for (uint32_t i = 0; i < 50; i++) {
		assert_true(frame_send(tunnel, 1, 0xff, i));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(fake.data), i);
		assert_true(frame_send(fake.data, 2, 0xff, i));
		broker_quiesce(*state);
		assert_int_equal(frame_receive(tunnel), i);
	}
	uplink_accounted(*state, "up");
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	assert_true(fd_ended(fake.control));
	switch_close(&fake);
	close(tunnel);
}

static void rules_impair_both_ways(void **state)
{
	struct fake_switch fake;
	int tunnel = joined(&fake, *state);

	done(*state, MEMTUN_CMD_IMPAIR_ADD, "name=up,drop=2,duplicate=100%,seed=1");
	for (uint32_t number = 1; number <= 3; number++) {
		assert_true(frame_send(tunnel, 1, 0xff, number));
		assert_true(frame_send(fake.data, 2, 0xff, number));
		broker_quiesce(*state);
		for (int copy = 0; copy < 2 && number != 2; copy++) {
			assert_int_equal(frame_receive(fake.data), number);
			assert_int_equal(frame_receive(tunnel), number);
		}
		assert_int_equal(frame_receive(fake.data), -1);
		assert_int_equal(frame_receive(tunnel), -1);
	}
	uplink_accounted(*state, "up");
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	switch_close(&fake);
	close(tunnel);
}

static void a_url_of_the_switch_will_do_and_others_are_refused(void **state)
{
	struct fake_switch fake;

	switch_open(&fake, *state);
	uplink_added(*state, "name=up,bridge=b,type=vde,path=vde://%s", fake.directory);
	wait_until(&fake, is_up);
	uplink_refused(*state, EEXIST, "joins bridge 'b' to the same place",
		       "name=again,bridge=b,type=vde,path=%s/", fake.directory);
	uplink_refused(*state, EEXIST, "joins bridge 'b' to the same place",
		       "name=again,bridge=b,type=vde,path=%s/[3]", fake.directory);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	switch_drop(&fake);
	uplink_added(*state, "name=up,bridge=b,type=vde,path=%s[3]", fake.directory);
	wait_until(&fake, is_up);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	uplink_refused(*state, EINVAL, "VDE switch's directory",
		       "name=up,bridge=b,type=vde,path=vxvde://239.1.2.3");
	uplink_refused(*state, EINVAL, "VDE switch's directory",
		       "name=up,bridge=b,type=vde,path=vde://");
	uplink_refused(*state, EINVAL, "1500", "name=up,bridge=b,type=vde,path=%s,mtu=1501",
		       fake.directory);
	switch_close(&fake);
}

static void a_frame_that_the_switch_would_cut_is_dropped_and_counted(void **state)
{
	unsigned char frame[1515];
	struct fake_switch fake;
	int tunnel = joined(&fake, *state);

	frame_make(frame, sizeof(frame), 1, 0xff, 1);
	assert_int_equal(send(tunnel, frame, sizeof(frame), 0), sizeof(frame));
	broker_quiesce(*state);
	assert_int_equal(frame_receive(fake.data), -1);
	assert_int_equal(uplink_shown(*state, "up", "to-client-dropped-mtu"), 1);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	switch_close(&fake);
	close(tunnel);
}

static void a_switch_that_ends_is_joined_again_when_it_is_back(void **state)
{
	struct fake_switch fake;
	int tunnel = joined(&fake, *state);

	/* Frames that the switch sent before its end still arrive. */
	assert_true(frame_send(fake.data, 2, 0xff, 1));
	close(fake.control);
	fake.control = -1;
	wait_until(&fake, was_closed);
	assert_int_equal(frame_receive(tunnel), 1);
	switch_drop(&fake);
	wait_until(&fake, is_up);
	assert_int_equal(uplink_shown(*state, "up", "connects"), 2);
	/* If only its data socket is closed, the next frame takes the uplink down. */
	close(fake.data);
	fake.data = -1;
	assert_true(frame_send(tunnel, 1, 0xff, 2));
	broker_quiesce(*state);
	assert_int_equal(uplink_shown(*state, "up", "state"), MEMTUN_DOWN);
	assert_true(fd_ended(fake.control));
	uplink_accounted(*state, "up");
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	children_wait(); /* it may have tried again */
	switch_close(&fake);
	close(tunnel);
}

static void a_switch_that_does_not_let_it_in_is_tried_again(void **state)
{
	for (enum manners manners = GOOD + 1; manners < BAD_MANNERS; manners++) {
		struct fake_switch fake;

		switch_open(&fake, *state);
		fake.manners = manners;
		uplink_added(*state, "name=up,bridge=b,type=vde,path=%s", fake.directory);
		wait_only_until(&fake, has_failed);
		assert_no_child_is_left();
		assert_non_null(strstr(the_uplink(&fake)->reason, manners == SILENT
									  ? "Connection timed out"
									  : "Connection refused"));
		assert_int_equal(uplink_shown(*state, "up", "connects"), 0);
		switch_drop(&fake);
		fake.manners = GOOD;
		wait_until(&fake, is_up);
		done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
		switch_close(&fake);
	}
}

static void a_switch_that_is_not_there_is_waited_for(void **state)
{
	struct fake_switch fake;
	struct sockaddr_un name;

	switch_open(&fake, *state);
	switch_name(&fake, &name, "ctl");
	close(fake.listener);
	/* First without a listener, then without a socket. */
	uplink_added(*state, "name=up,bridge=b,type=vde,path=%s", fake.directory);
	wait_only_until(&fake, has_failed);
	assert_non_null(strstr(the_uplink(&fake)->reason, "Connection refused"));
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	children_wait();
	unlink(name.sun_path);
	uplink_added(*state, "name=up,bridge=b,type=vde,path=%s", fake.directory);
	assert_non_null(strstr(uplink_text(*state, "up", "reason"), "No such file or directory"));
	assert_no_child_is_left();
	rmdir(fake.directory);
	switch_open(&fake, *state);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	switch_close(&fake);
	uplink_refused(*state, ENOTDIR, "cannot join the VDE switch",
		       "name=up,bridge=b,type=vde,path=/dev/null");
}

static void an_uplink_that_is_joining_can_be_deleted(void **state)
{
	struct fake_switch fake;

	switch_open(&fake, *state);
	fake.manners = SILENT;
	/* Delete the uplink at once, */
	uplink_added(*state, "name=up,bridge=b,type=vde,path=%s", fake.directory);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	children_wait();
	switch_drop(&fake);
	while (switch_serve(&fake))
		switch_drop(&fake);
	switch_drop(&fake);
	fake.request.magic = 0;
	/* and while the child waits for the answer. switch_close() checks that no file is left. */
	uplink_added(*state, "name=up,bridge=b,type=vde,path=%s", fake.directory);
	wait_until(&fake, has_asked);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	children_wait();
	switch_close(&fake);
}

int __real_close_range(unsigned int first, unsigned int last, int flags);
int __wrap_close_range(unsigned int first, unsigned int last, int flags);

static bool closing_is_slow, closing_is_stopped;

int __wrap_close_range(unsigned int first, unsigned int last, int flags)
{
	const struct timespec a_while = {.tv_nsec = 50000000};

	if (closing_is_slow)
		nanosleep(&a_while, NULL);
	if (closing_is_stopped)
		raise(SIGSTOP);
	return __real_close_range(first, last, flags);
}

/* An address that the broker closes is free at once, even while a child starts. */
static void the_child_takes_no_descriptor_of_the_brokers_along(void **state)
{
	uint16_t port = udp_port_find("127.0.0.1");
	struct fake_switch fake;
	int fd;

	switch_open(&fake, *state);
	fake.manners = SILENT;
	uplink_added(*state, "name=u,bridge=b,type=udp,local=127.0.0.1:%u,remote=127.0.0.1:9",
		     port);
	closing_is_slow = true;
	uplink_added(*state, "name=up,bridge=b,type=vde,path=%s", fake.directory);
	closing_is_slow = false;
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=u");
	fd = udp_open("127.0.0.1", &port);
	assert_true(fd >= 0);
	close(fd);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	children_wait();
	switch_close(&fake);
}

static void a_stopped_child_does_not_stop_the_broker(void **state)
{
	struct fake_switch fake;

	switch_open(&fake, *state);
	closing_is_stopped = true;
	uplink_added(*state, "name=up,bridge=b,type=vde,path=%s", fake.directory);
	closing_is_stopped = false;
	assert_no_child_is_left();
	assert_non_null(strstr(uplink_text(*state, "up", "reason"), "Connection timed out"));
	wait_until(&fake, is_up);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	switch_close(&fake);
}

static void the_child_has_no_descriptor_of_the_brokers(void **state)
{
	struct fake_switch fake;
	int ends[2];

	switch_open(&fake, *state);
	fake.manners = SILENT;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	uplink_added(*state, "name=up,bridge=b,type=vde,path=%s", fake.directory);
	wait_until(&fake, has_asked);
	close(ends[1]);
	/* The pipe is at its end: the child has no copy of ends[1], or this would be EAGAIN. */
	assert_int_equal(read(ends[0], ends, sizeof(ends)), 0);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	children_wait();
	close(ends[0]);
	switch_close(&fake);
}

/* Serve as soon as the descriptor is readable, without turning the broker's loop. */
static bool switch_serve_when(struct fake_switch *fake, int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&poll_fd, 1, (int)(LONG * 1000)), 1);
	return switch_serve(fake);
}

static void no_room_for_its_descriptors_is_a_transient_error(void **state)
{
	for (rlim_t room = 0; room < 2; room++) {
		struct fake_switch fake;
		struct rlimit limit, narrow;
		int next;

		switch_open(&fake, *state);
		uplink_added(*state, "name=up,bridge=b,type=vde,path=%s", fake.directory);
		if (!switch_serve_when(&fake, fake.listener))
			assert_true(switch_serve_when(&fake, fake.control));
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
		next = dup(fake.data);
		close(next);
		narrow = (struct rlimit){(rlim_t)next + room, limit.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &narrow), 0);
		wait_only_until(&fake, has_ended);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		if (is_up(&fake)) {
			done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
			switch_close(&fake);
			test_skip("this limit isn't the kernel's (valgrind)");
		}
		assert_non_null(strstr(the_uplink(&fake)->reason, "Too many open files"));
		switch_drop(&fake);
		wait_until(&fake, is_up);
		done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
		switch_close(&fake);
	}
}

static bool has_no_switch(void *context)
{
	struct broker_fixture *fixture = context;

	return strstr(uplink_find(fixture->broker->uplinks, "up")->reason, "No such file") != NULL;
}

/* libvdeplug reads a regular file at a path without a scheme, and runs the command in it. */
static void a_file_at_the_path_is_not_read(void **state)
{
	char directory[] = "/tmp/memtun-vde-XXXXXX";
	char path[64], ran[64];
	struct answer answer;
	char options[200];
	FILE *file;

	assert_non_null(mkdtemp(directory));
	snprintf(ran, sizeof(ran), "%s/ran", directory);
	/* With the number of a port, the broker does not look for the switch before it joins. */
	snprintf(path, sizeof(path), "%s/file[1]", directory);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "cmd://touch %s\n", ran);
	fclose(file);
	snprintf(options, sizeof(options), "name=up,bridge=b,type=vde,path=%s", path);
	client_ask(&((struct broker_fixture *)*state)->client, &answer, MEMTUN_CMD_UPLINK_ADD,
		   options);
	assert_true(broker_wait(*state, has_no_switch, *state, LONG));
	assert_int_equal(access(ran, F_OK), -1);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	children_wait();
	unlink(path);
	assert_int_equal(rmdir(directory), 0);
}

static void a_switch_that_reads_nothing_is_queued_for_and_dropped_for(void **state)
{
	struct fake_switch fake;
	int tunnel = joined(&fake, *state);
	int64_t received = 0;

	for (uint32_t i = 0; i < 3000; i++) {
		assert_true(frame_send(tunnel, 1, 0xff, i));
		broker_quiesce(*state);
	}
	assert_int_equal(uplink_shown(*state, "up", "to-client-queued"), 1000);
	assert_true(uplink_shown(*state, "up", "to-client-dropped-full") > 0);
	uplink_accounted(*state, "up");
	while (frame_receive(fake.data) == received) {
		received++;
		broker_quiesce(*state);
	}
	assert_int_equal(uplink_shown(*state, "up", "to-client-frames"), received);
	assert_int_equal(uplink_shown(*state, "up", "to-client-queued"), 0);
	done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=up");
	switch_close(&fake);
	close(tunnel);
}

static const struct CMUnitTest vde_tests[] = {
	WITH_BROKER(frames_go_to_a_switch_and_come_from_it),
	WITH_BROKER(rules_impair_both_ways),
	WITH_BROKER(a_url_of_the_switch_will_do_and_others_are_refused),
	WITH_BROKER(a_frame_that_the_switch_would_cut_is_dropped_and_counted),
	WITH_BROKER(a_switch_that_ends_is_joined_again_when_it_is_back),
	WITH_BROKER(a_switch_that_does_not_let_it_in_is_tried_again),
	WITH_BROKER(a_switch_that_is_not_there_is_waited_for),
	WITH_BROKER(an_uplink_that_is_joining_can_be_deleted),
	WITH_BROKER(the_child_takes_no_descriptor_of_the_brokers_along),
	WITH_BROKER(a_stopped_child_does_not_stop_the_broker),
	WITH_BROKER(the_child_has_no_descriptor_of_the_brokers),
	WITH_BROKER(no_room_for_its_descriptors_is_a_transient_error),
	WITH_BROKER(a_file_at_the_path_is_not_read),
	WITH_BROKER(a_switch_that_reads_nothing_is_queued_for_and_dropped_for),
};

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
	puts("skipped: libvdeplug loads its plugins in a way (RTLD_DEEPBIND) that AddressSanitizer "
	     "forbids");
	return 77;
#endif
	return RUN_TESTS(vde_tests);
}
