/* SPDX-License-Identifier: MIT */
/*
 * Connectors without memory: each allocation that a connector makes fails once, in a run of its
 * own. The call that needed it fails with ENOMEM or works without it, the next call goes on, and no
 * frame is lost.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/client/connector/connector_fixture.h"

static int allocations_left = -1; /* until the one that fails; negative: none fails */

static bool allocation_fails(void)
{
	if (allocations_left < 0 || allocations_left-- > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__real_reallocarray(void *pointer, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);
void *__wrap_reallocarray(void *pointer, size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *pointer, size_t size)
{
	return allocation_fails() ? NULL : __real_realloc(pointer, size);
}

void *__wrap_reallocarray(void *pointer, size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_reallocarray(pointer, count, size);
}

/* Assert that the errno is ENOMEM; the caller tries again. */
static int once_more(int result)
{
	if (result < 0)
		assert_int_equal(errno, ENOMEM);
	return result < 0;
}

/* Send frames to ports 1 and 5, and find all of them, whichever allocation fails. */
static void frames_are_found(void)
{
	static const struct memtun_pattern port_5[] = {MEMTUN_FILTER("port 5")};
	const struct memtun_packet *packet;
	int frames[6] = {0};
	int result;

	SEND(5, 1, 5);
	do {
		result = memtun_connector_expect(ends.connector, port_5, 1, 0, 0);
	} while (once_more(result));
	for (size_t i = 0; (packet = memtun_connector_match(ends.connector, i)); i++)
		frames[packet_port(packet)]++;
	assert_in_range(frames[5], 1, 2);
	for (;;) {
		result = memtun_connector_poll_read(ends.connector, 0);
		if (result == 0)
			break;
		if (once_more(result))
			continue;
		do {
			packet = memtun_connector_read_packet(ends.connector);
		} while (once_more(packet ? 0 : -1));
		frames[packet_port(packet)]++;
	}
	assert_int_equal(frames[1], 1);
	assert_int_equal(frames[5], 2);
}

/* Run with the allocation of that number failing. Return whether the run reached it. */
static bool run_with_failure(int number)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	ends = (struct ends){.peer = fds[1]};
	allocations_left = number;
	while (!(ends.connector = memtun_connector_open_fd(fds[0], MEMTUN_TUN, 0)))
		assert_int_equal(errno, ENOMEM);
	frames_are_found();
	number = allocations_left;
	allocations_left = -1;
	ends_close();
	return number < 0;
}

static void no_frame_is_lost_for_want_of_memory(void **state)
{
	int number = 0;

	(void)state;
	while (run_with_failure(number))
		number++;
	/* The connector, the filters, two buffers, and the list of given frames. */
	assert_true(number >= 5);
}

static void a_lan_without_memory_leaves_nothing_open(void **state)
{
	(void)state;
	allocations_left = 0;
	assert_null(memtun_connector_open_multicast(LAN_GROUP, 5009, NULL, 1, 0));
	assert_int_equal(errno, ENOMEM);
	allocations_left = -1;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(no_frame_is_lost_for_want_of_memory),
	cmocka_unit_test(a_lan_without_memory_leaves_nothing_open),
};

int main(void)
{
	return RUN_TESTS(tests);
}
