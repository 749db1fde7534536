/* SPDX-License-Identifier: MIT */
/*
 * Each allocation and system call of the broker and the library fails once, in all that clients do.
 * fault_world.h says what must be true after each failure.
 */
#include "tests/unit/runner.h"

#include <errno.h>

#include "tests/unit/broker/fault_scenarios.h"

static const struct {
	const char *name;
	scenario_function *run;
} scenarios[] = {
	{"tunnels", tunnels},
	{"bridges", bridges},
	{"opens", opens},
	{"a batch", batch},
	{"attaching", attach},
	{"events", events},
	{"frames, seqpacket", frames_seqpacket},
	{"frames, dgram", frames_dgram},
	{"frames, stream", frames_stream},
	{"frames, blocked", frames_blocked},
	{"frames, blocked stream", frames_blocked_stream},
	{"multi-queue", multi_queue},
	{"a TUN among TAPs", tun_among_taps_seqpacket},
	{"a TUN among TAPs, stream", tun_among_taps_stream},
	{"TUNs before TAPs", tuns_before_taps},
	{"captured, injected", captured_and_injected},
	{"uplinks", uplinks},
	{"an uplink with a file", uplink_with_a_file},
	{"listening uplinks", listening_uplinks},
	{"a listening switch", listening_switch},
	{"handed in", handed_in_with_a_life},
	{"frames, uplink", frames_uplink},
	{"rules", rules},
	{"peers", peers},
	{"peers, dgram", peers_dgram},
	{"peers by opening", peers_by_opening},
	{"plain handoff", plain_handoff},
	{"interfaces", interfaces},
};

/* Walk every scenario and the broker's start. The function must be called in one of them. */
static void walk(enum faulty which, int error)
{
	unsigned int calls = world_walk_start("the start", which, error);

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		calls += world_walk(scenarios[i].name, scenarios[i].run, which, error);
	print_message("%s failed %u times\n", faulty_names[which], calls);
	assert_true(calls > 0);
}

#define WALK(test, which, error)       \
	static void test(void **state) \
	{                              \
		(void)state;           \
		walk(which, error);    \
	}

WALK(no_malloc_that_fails_does_harm, FAULTY_MALLOC, ENOMEM)
WALK(no_calloc_that_fails_does_harm, FAULTY_CALLOC, ENOMEM)
WALK(no_strdup_that_fails_does_harm, FAULTY_STRDUP, ENOMEM)
WALK(no_socketpair_that_fails_does_harm, FAULTY_SOCKETPAIR, EMFILE)
WALK(no_fcntl_that_fails_does_harm, FAULTY_FCNTL, EMFILE)
WALK(no_sendmsg_short_of_buffers_does_harm, FAULTY_SENDMSG, ENOBUFS)
WALK(no_sendmsg_short_of_memory_does_harm, FAULTY_SENDMSG, ENOMEM)
WALK(no_sendmsg_short_of_descriptors_does_harm, FAULTY_SENDMSG, EMFILE)
WALK(no_sendmsg_with_too_many_in_flight_does_harm, FAULTY_SENDMSG, ETOOMANYREFS)
WALK(no_sendmsg_to_nobody_does_harm, FAULTY_SENDMSG, EPIPE)
WALK(no_recvmsg_that_fails_does_harm, FAULTY_RECVMSG, ENOMEM)
WALK(no_sendmmsg_that_fails_does_harm, FAULTY_SENDMMSG, ENOBUFS)
WALK(no_recvmmsg_that_fails_does_harm, FAULTY_RECVMMSG, ENOMEM)
WALK(no_accept_that_fails_does_harm, FAULTY_ACCEPT4, EMFILE)
WALK(no_fstat_that_fails_does_harm, FAULTY_FSTAT, ENOMEM)
WALK(no_setsockopt_that_fails_does_harm, FAULTY_SETSOCKOPT, ENOMEM)
WALK(no_getsockopt_that_fails_does_harm, FAULTY_GETSOCKOPT, ENOMEM)

#define WALK_TEST(test) cmocka_unit_test_teardown(test, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WALK_TEST(no_malloc_that_fails_does_harm),
		WALK_TEST(no_calloc_that_fails_does_harm),
		WALK_TEST(no_strdup_that_fails_does_harm),
		WALK_TEST(no_socketpair_that_fails_does_harm),
		WALK_TEST(no_fcntl_that_fails_does_harm),
		WALK_TEST(no_sendmsg_short_of_buffers_does_harm),
		WALK_TEST(no_sendmsg_short_of_memory_does_harm),
		WALK_TEST(no_sendmsg_short_of_descriptors_does_harm),
		WALK_TEST(no_sendmsg_with_too_many_in_flight_does_harm),
		WALK_TEST(no_sendmsg_to_nobody_does_harm),
		WALK_TEST(no_recvmsg_that_fails_does_harm),
		WALK_TEST(no_sendmmsg_that_fails_does_harm),
		WALK_TEST(no_recvmmsg_that_fails_does_harm),
		WALK_TEST(no_accept_that_fails_does_harm),
		WALK_TEST(no_fstat_that_fails_does_harm),
		WALK_TEST(no_setsockopt_that_fails_does_harm),
		WALK_TEST(no_getsockopt_that_fails_does_harm),
	};

	return RUN_TESTS(tests);
}
