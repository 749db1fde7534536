/* SPDX-License-Identifier: MIT */
/*
 * The assertions of memtun/cmocka.h. An assertion that must fail does so in a child process, whose
 * output is checked.
 */
#include "tests/unit/runner.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memtun/cmocka.h"

/* A datagram "hello memtun" from 10.0.0.1 port 5000 to 10.0.0.2 port 6000. */
static const char datagram[] = "\x45\0\0\x28\0\0\x40\0\x40\x11\x26\xc3\x0a\0\0\1\x0a\0\0\2"
			       "\x13\x88\x17\x70\0\x14\x2c\x91hello memtun";
#define LENGTH (sizeof(datagram) - 1)

static void write_datagram(const struct memtun_fixture *fixture)
{
	assert_int_equal(memtun_io_write(fixture->io, fixture->fd, datagram, LENGTH), LENGTH);
}

/* ------------------------------------------------------------------------------ failures */

static void expects_a_frame_where_none_is(void **state)
{
	const struct memtun_fixture *fixture = *state;

	assert_frame_received(fixture->tunnel, datagram, LENGTH);
}

static void expects_another_frame(void **state)
{
	const struct memtun_fixture *fixture = *state;
	char other[LENGTH];

	write_datagram(fixture);
	memcpy(other, datagram, LENGTH);
	other[0x1d] = 'u';
	assert_frame_received(fixture->tunnel, other, LENGTH);
}

static void expects_a_shorter_frame(void **state)
{
	const struct memtun_fixture *fixture = *state;

	write_datagram(fixture);
	assert_frame_received(fixture->tunnel, datagram, LENGTH - 1);
}

static void expects_a_datagram_to_another_port(void **state)
{
	const struct memtun_fixture *fixture = *state;
	char damaged[LENGTH];

	write_datagram(fixture);
	memcpy(damaged, datagram, LENGTH);
	damaged[LENGTH - 1]++;
	assert_int_equal(memtun_io_write(fixture->io, fixture->fd, damaged, LENGTH), LENGTH);
	assert_udp_received(fixture->tunnel, "10.0.0.2", 6001, "hello memtun", 12);
}

static void expects_another_payload(void **state)
{
	const struct memtun_fixture *fixture = *state;

	write_datagram(fixture);
	assert_udp_received(fixture->tunnel, "10.0.0.2", 6000, "hello melvin", 12);
}

static void expects_a_datagram_to_no_address(void **state)
{
	const struct memtun_fixture *fixture = *state;

	assert_udp_received(fixture->tunnel, "somewhere", 6000, "", 0);
}

static void expects_no_frame_of_no_tunnel(void **state)
{
	(void)state;
	assert_no_frame((struct memtun_testing_tunnel *)NULL);
}

static void expects_no_frame_where_many_are(void **state)
{
	const struct memtun_fixture *fixture = *state;

	for (int i = 0; i < 10; i++)
		write_datagram(fixture);
	assert_no_frame(fixture->tunnel);
}

static void expects_no_long_frame(void **state)
{
	const struct memtun_fixture *fixture = *state;
	char frame[3000] = "no packet";

	assert_int_equal(memtun_io_write(fixture->io, fixture->fd, frame, sizeof(frame)),
			 sizeof(frame));
	assert_no_frame(fixture->tunnel);
}

static char output[65536];

/* Run one test in a child, and check that it fails at a line of this file. */
static void run_failing(struct CMUnitTest test)
{
	const struct CMUnitTest inner[] = {test};
	int printed = memfd_create("output", MFD_CLOEXEC);
	ssize_t length;
	pid_t child;
	int status;

	assert_true(printed >= 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(printed, STDOUT_FILENO);
		dup2(printed, STDERR_FILENO);
		status = cmocka_run_group_tests(inner, NULL, NULL);
		fflush(NULL);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	length = pread(printed, output, sizeof(output) - 1, 0);
	assert_true(length >= 0);
	output[length] = '\0';
	close(printed);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(output, "test_cmocka_helpers.c:"));
	assert_null(strstr(output, "cmocka.h:"));
}

#define RUN_FAILING(test, set_up)                                                    \
	run_failing((struct CMUnitTest)cmocka_unit_test_setup_teardown(test, set_up, \
								       memtun_tear_down))

static void assert_printed(const char *text)
{
	if (!strstr(output, text))
		fail_msg("'%s' is not in what was printed:\n%s", text, output);
}

/* ------------------------------------------------------------------------------ the tests */

static void a_missing_frame_is_shown(void **state)
{
	(void)state;
	RUN_FAILING(expects_a_frame_where_none_is, memtun_set_up_tun);
	assert_printed("no frame was received; expected was:\n"
		       "  IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 6000 length 12\n");
	assert_printed("  0000  45 00 00 28 00 00 40 00 40 11 26 c3 0a 00 00 01  E..(..@.@.&.....\n"
		       "  0010  0a 00 00 02 13 88 17 70 00 14 2c 91 68 65 6c 6c  .......p..,.hell\n"
		       "  0020  6f 20 6d 65 6d 74 75 6e                          o memtun\n");
}

static void a_different_frame_is_shown_with_the_one_expected(void **state)
{
	(void)state;
	RUN_FAILING(expects_another_frame, memtun_set_up_tun);
	assert_printed("the frame that was received differs at byte 0x001d: 65, not 75\n");
	assert_printed("received:\n  IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 6000 length 12\n");
	assert_printed("expected:\n"
		       "  IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 6000 length 12 bad checksum\n");
	RUN_FAILING(expects_a_shorter_frame, memtun_set_up_tun);
	assert_printed("the frame that was received has 40 bytes, not 39\n");
	assert_printed("length 11 cut\n");
}

static void a_missing_datagram_shows_what_is_there(void **state)
{
	(void)state;
	RUN_FAILING(expects_a_datagram_to_another_port, memtun_set_up_tun);
	assert_printed("no datagram to 10.0.0.2 port 6001 was received\n"
		       "2 frames were received:\n"
		       "  IPv4 10.0.0.1 > 10.0.0.2 UDP 5000 > 6000 length 12\n");
	assert_printed("UDP 5000 > 6000 length 12 bad checksum\n");
	RUN_FAILING(expects_a_datagram_to_no_address, memtun_set_up_tun);
	assert_printed("'somewhere' is no address\n");
	assert_printed("no frame was received\n");
}

static void a_different_payload_is_shown_with_the_one_expected(void **state)
{
	(void)state;
	RUN_FAILING(expects_another_payload, memtun_set_up_tun);
	assert_printed("the payload that was received differs at byte 0x0008: 6d, not 6c\n");
	assert_printed("expected payload:\n"
		       "  0000  68 65 6c 6c 6f 20 6d 65 6c 76 69 6e              hello melvin\n");
}

static void frames_that_should_not_be_are_shown(void **state)
{
	(void)state;
	RUN_FAILING(expects_no_frame_where_many_are, memtun_set_up_tun);
	assert_printed("no frame was expected\n10 frames were received:\n");
	assert_printed("and 2 more\n");
	RUN_FAILING(expects_no_long_frame, memtun_set_up_tap);
	assert_printed("1 frame was received:\n");
	assert_printed("  07f0  00");
	assert_printed("  and 952 bytes more\n");
	RUN_FAILING(expects_no_frame_of_no_tunnel, memtun_set_up_tun);
	assert_printed("there is no tunnel\n");
}

static void what_is_expected_passes(void **state)
{
	const struct memtun_fixture *fixture = *state;

	assert_no_frame(fixture->tunnel);
	write_datagram(fixture);
	write_datagram(fixture);
	assert_frame_received(fixture->tunnel, datagram, LENGTH);
	assert_udp_received(fixture->tunnel, "10.0.0.2", 6000, "hello memtun", 12);
	assert_no_frame(fixture->tunnel);
}

static void the_fixture_has_a_tunnel(void **state)
{
	const struct memtun_fixture *fixture = *state;

	assert_string_equal(fixture->name, "tap0");
	assert_int_equal(memtun_testing_mode(fixture->tunnel), MEMTUN_TAP);
	assert_int_equal(fcntl(fixture->fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl(fixture->fd, F_GETFD), FD_CLOEXEC);
	/* If the program closes its descriptor, the fixture does not. */
	assert_int_equal(memtun_io_close(fixture->io, fixture->fd), 0);
}

static void what_was_written_can_be_taken_after_the_close(void **state)
{
	static const unsigned char packet[20] = {0x45, 0, 0, 20};
	struct memtun_fixture *fixture = *state;

	assert_int_equal(memtun_io_write(fixture->io, fixture->fd, packet, 20), 20);
	assert_int_equal(memtun_io_close(fixture->io, fixture->fd), 0);
	assert_int_equal(memtun_testing_mode(fixture->tunnel), MEMTUN_TUN);
	assert_frame_received(fixture->tunnel, packet, 20);
	assert_no_frame(fixture->tunnel);
	assert_int_equal(memtun_testing_count_unread(fixture->tunnel), 0);
	assert_int_equal(memtun_testing_add_frame(fixture->tunnel, packet, 20), -1);
	assert_int_equal(errno, EPIPE);
	/* The name is free again. */
	fixture->fd = memtun_io_open(fixture->io, MEMTUN_IO_TUN, O_RDWR | O_CLOEXEC);
	{
		struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};

		memcpy(request.ifr_name, fixture->name, sizeof(request.ifr_name));
		assert_int_equal(memtun_io_ioctl(fixture->io, fixture->fd, TUNSETIFF, &request), 0);
	}
	assert_ptr_not_equal(memtun_testing_tunnel(fixture->io, fixture->fd), fixture->tunnel);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_written_can_be_taken_after_the_close,
						memtun_set_up_tun, memtun_tear_down),
		cmocka_unit_test(a_missing_frame_is_shown),
		cmocka_unit_test(a_different_frame_is_shown_with_the_one_expected),
		cmocka_unit_test(a_missing_datagram_shows_what_is_there),
		cmocka_unit_test(a_different_payload_is_shown_with_the_one_expected),
		cmocka_unit_test(frames_that_should_not_be_are_shown),
		cmocka_unit_test_setup_teardown(what_is_expected_passes, memtun_set_up_tun,
						memtun_tear_down),
		cmocka_unit_test_setup_teardown(the_fixture_has_a_tunnel, memtun_set_up_tap,
						memtun_tear_down),
	};

	return RUN_TESTS(tests);
}
