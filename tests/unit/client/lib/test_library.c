/* SPDX-License-Identifier: MIT */
/* The blocking calls of the client library, its options and its records, with a broker. */
#include "tests/unit/client/lib/library_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memtun.h"
#include "memtun/io.h"
#include "client/lib/options.h"
#include "broker/switch/port.h"

/* ------------------------------------------------------------------------------ blocking */

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
	assert_int_equal(memtun_show(memtun, "it", true, seen_note, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.mtu, 9000);
	seen.count = 0;
	assert_int_equal(memtun_show(memtun, NULL, false, seen_note, &seen), 0);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.name[1], "other");
	assert_int_equal(memtun_delete(memtun, "it"), 0);
	assert_int_equal(memtun_show(memtun, "it", false, seen_note, &seen), -1);
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
	assert_int_equal(memtun_show(other->memtun, "it", false, seen_note, &seen), 0);
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
		cmocka_unit_test(options_that_are_none_are_told),
		WITH_OTHER(options_are_the_callers_no_more_once_set),
		WITH_OTHER(a_record_is_read_by_its_keys),
	};

	return RUN_TESTS(tests);
}
