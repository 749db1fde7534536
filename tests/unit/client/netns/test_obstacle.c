/* SPDX-License-Identifier: MIT */
/* The texts about errors. test_netns_refused.sh has those whose reason is a sysctl or a filter. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <string.h>

#include "client/netns/obstacle.h"

/* Check that the text has these words, that errno is still the error, and that the result is -1. */
static void told(const struct obstacle *obstacle, int result, int error, const char *words)
{
	assert_int_equal(result, -1);
	assert_int_equal(errno, error);
	if (!strstr(obstacle->text, words))
		fail_msg("'%s' does not say '%s'", obstacle->text, words);
}

static void device_told(int error, const char *device, const char *words)
{
	struct obstacle obstacle;

	errno = error;
	told(&obstacle, obstacle_set_device(&obstacle, device), error, words);
}

static void namespace_told(int error, bool is_first, const char *words)
{
	struct obstacle obstacle = {.zero_limit = NULL};

	errno = error;
	told(&obstacle, obstacle_set_namespace(&obstacle, "make a user namespace", is_first), error,
	     words);
}

static void a_device_that_is_refused_is_explained(void **state)
{
	(void)state;
	device_told(ENOENT, "/dev/net/tun",
		    "cannot open /dev/net/tun: No such file or directory "
		    "(it is missing; a container gets it by --device");
	device_told(ENODEV, "/dev/net/tun", "modprobe tun");
	device_told(ENXIO, "/dev/net/tun", "modprobe tun");
	/* A file that all users may write, and one that no user may. */
	device_told(EACCES, "/dev/null", "(the container may not use it;");
	device_told(EACCES, "/proc/self/status", "(it is not open to all users;");
	device_told(EPERM, "/proc/self/status", "(the container may not use it;");
	device_told(EMFILE, "/dev/net/tun", "cannot open /dev/net/tun: Too many open files");
}

static void a_limit_that_is_reached_is_told(void **state)
{
	(void)state;
	namespace_told(ENOSPC, true, "a limit of the sysctls user.max_*_namespaces is reached, or");
	namespace_told(EUSERS, true, "a limit of the sysctls user.max_*_namespaces is reached, or");
}

static void a_zero_limit_is_named(void **state)
{
	struct obstacle obstacle = {.zero_limit = "user.max_user_namespaces"};

	(void)state;
	errno = ENOSPC;
	told(&obstacle, obstacle_set_namespace(&obstacle, "make a user namespace", true), ENOSPC,
	     "cannot make a user namespace: No space left on device (user.max_user_namespaces is "
	     "0; as root, run: sysctl -w user.max_user_namespaces=10000; memtun wrap needs "
	     "no namespace and no device)");
}

static void any_other_error_is_told_as_it_is(void **state)
{
	struct obstacle obstacle;

	(void)state;
	errno = ENOMEM;
	told(&obstacle, obstacle_set_namespace(&obstacle, "make a user namespace", true), ENOMEM,
	     "cannot make a user namespace: ");
	assert_null(strchr(obstacle.text, '('));
}

static void a_long_text_is_cut(void **state)
{
	struct obstacle obstacle;
	char name[2 * OBSTACLE_SIZE];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	errno = EPERM;
	told(&obstacle, obstacle_set(&obstacle, "%s", name), EPERM, "xxx");
	assert_int_equal(strlen(obstacle.text), OBSTACLE_SIZE - 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_that_is_refused_is_explained),
		cmocka_unit_test(a_limit_that_is_reached_is_told),
		cmocka_unit_test(a_zero_limit_is_named),
		cmocka_unit_test(any_other_error_is_told_as_it_is),
		cmocka_unit_test(a_long_text_is_cut),
	};

	return RUN_TESTS(tests);
}
