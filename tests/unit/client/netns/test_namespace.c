/* SPDX-License-Identifier: MIT */
/* How a process enters the namespaces, and how a step fails. No namespace is made. */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "client/netns/namespace.h"

static struct {
	int refused_flag; /* of unshare(2) */
	const char *refused_path;
	int error;
	int flags; /* that were unshared */
	char opened[256];
} world;

int __wrap_unshare(int flags);
int __wrap_unshare(int flags)
{
	if (flags & world.refused_flag) {
		errno = world.error;
		return -1;
	}
	world.flags |= flags;
	return 0;
}

/* Files that are written are /dev/null; those that are read are not there. */
static int world_open(const char *path, int flags)
{
	if (!(flags & O_WRONLY)) {
		errno = ENOENT;
		return -1;
	}
	if (world.refused_path && strcmp(path, world.refused_path) == 0) {
		errno = world.error;
		return -1;
	}
	strlcat(world.opened, path, sizeof(world.opened));
	strlcat(world.opened, " ", sizeof(world.opened));
	return dup(STDERR_FILENO);
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	return world_open(path, flags);
}

int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	return world_open(path, flags);
}

ssize_t __real_write(int fd, const void *bytes, size_t length);
ssize_t __wrap_write(int fd, const void *bytes, size_t length);
ssize_t __wrap_write(int fd, const void *bytes, size_t length)
{
	/* Descriptors from 3 up are those of world_open(). */
	return fd > STDERR_FILENO ? (ssize_t)length : __real_write(fd, bytes, length);
}

static int world_reset(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	return 0;
}

static void the_maps_are_written_in_their_order(void **state)
{
	struct namespaces namespaces = {.has_mounts = true};
	struct obstacle obstacle;

	(void)state;
	assert_int_equal(namespaces_enter(&namespaces, &obstacle), 0);
	assert_true(namespaces.has_users);
	assert_int_equal(world.flags, CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS);
	assert_string_equal(world.opened,
			    "/proc/self/uid_map /proc/self/setgroups /proc/self/gid_map ");
}

static void a_step_that_fails_is_told(void **state)
{
	static const struct {
		int flag;
		const char *path;
		const char *text;
	} steps[] = {
		{CLONE_NEWNET, NULL, "cannot make a network namespace: Operation not permitted ("},
		{CLONE_NEWNS, NULL, "cannot make a mount namespace: Operation not permitted ("},
		{0, "/proc/self/uid_map", "cannot write /proc/self/uid_map: Operation not perm"},
		{0, "/proc/self/setgroups", "cannot write /proc/self/setgroups: Operation not "},
		{0, "/proc/self/gid_map", "cannot write /proc/self/gid_map: Operation not perm"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct namespaces namespaces = {.has_mounts = true};
		struct obstacle obstacle;

		world.refused_flag = steps[i].flag;
		world.refused_path = steps[i].path;
		world.error = EPERM;
		assert_int_equal(namespaces_enter(&namespaces, &obstacle), -1);
		if (strncmp(obstacle.text, steps[i].text, strlen(steps[i].text)) != 0)
			fail_msg("'%s' does not begin with '%s'", obstacle.text, steps[i].text);
	}
}

static void a_kernel_without_setgroups_needs_no_denial(void **state)
{
	struct namespaces namespaces = {0};
	struct obstacle obstacle;

	(void)state;
	world.refused_path = "/proc/self/setgroups";
	world.error = ENOENT;
	assert_int_equal(namespaces_enter(&namespaces, &obstacle), 0);
	assert_string_equal(world.opened, "/proc/self/uid_map /proc/self/gid_map ");
}

static void without_a_user_namespace_no_user_is_mapped(void **state)
{
	struct namespaces namespaces = {0};
	struct obstacle obstacle;

	(void)state;
	world.refused_flag = CLONE_NEWUSER;
	world.error = EINVAL;
	assert_int_equal(namespaces_enter(&namespaces, &obstacle), 0);
	assert_false(namespaces.has_users);
	assert_string_equal(world.opened, "");
	/* Without a user namespace only root can be root. */
	namespaces.maps_root = true;
	assert_int_equal(namespaces_enter(&namespaces, &obstacle), geteuid() == 0 ? 0 : -1);
}

static void a_ping_group_that_cannot_be_set_is_no_failure(void **state)
{
	struct namespaces namespaces = {.has_users = false};
	struct obstacle obstacle;

	(void)state;
	assert_int_equal(namespaces_grant(&namespaces, &obstacle), 0);
	assert_string_equal(world.opened, "/proc/sys/net/ipv4/ping_group_range ");
	world.refused_path = "/proc/sys/net/ipv4/ping_group_range";
	world.error = EROFS;
	assert_int_equal(namespaces_grant(&namespaces, &obstacle), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_maps_are_written_in_their_order, world_reset),
		cmocka_unit_test_setup(a_step_that_fails_is_told, world_reset),
		cmocka_unit_test_setup(a_kernel_without_setgroups_needs_no_denial, world_reset),
		cmocka_unit_test_setup(without_a_user_namespace_no_user_is_mapped, world_reset),
		cmocka_unit_test_setup(a_ping_group_that_cannot_be_set_is_no_failure, world_reset),
	};

	return RUN_TESTS(tests);
}
