/* SPDX-License-Identifier: MIT */
/*
 * The devices of wrapped programs, with calls of this process and a broker of its own: what no
 * program can show, because it takes an older kernel or a look into the supervisor.
 */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/wrap/call.h"
#include "client/wrap/device.h"
#include "client/wrap/tunnel_choice.h"
#include "tests/unit/client/io/io_world.h"

static bool is_waiting(const struct call *call)
{
	return call->channel == 0;
}

static const struct call_operations operations = {.is_waiting = is_waiting};
static const char *const no_specs[] = {NULL};
static const struct tunnel_choice no_choice = {.specs = no_specs};

struct fixture {
	struct io_world *world;
	struct devices devices;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture.world = io_world_new(IO_BROKER);
	devices_init(&fixture.devices, fixture.world->memtun, NULL, &no_choice);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	devices_free(&fixture->devices);
	io_world_free(fixture->world);
	return 0;
}

/* Open a device, and find it by the inode of its descriptor, as the supervisor does. */
static struct device *opened(struct fixture *fixture, int *fd)
{
	struct device *device;
	struct stat status;

	*fd = device_make(&fixture->devices, O_RDWR | O_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(fstat(*fd, &status), 0);
	device = device_find(&fixture->devices, status.st_ino);
	assert_non_null(device);
	return device;
}

static long request(struct device *device, unsigned int number, void *argument)
{
	struct call call = {
		.operations = &operations,
		.kind = CALL_IOCTL,
		.thread = getpid(),
		.request = number,
		.argument = (unsigned long)argument,
	};

	return device_ioctl(device, &call);
}

static long attach(struct device *device, const char *name)
{
	struct ifreq ifreq = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	long result;

	strcpy(ifreq.ifr_name, name);
	result = request(device, TUNSETIFF, &ifreq);
	if (result == 0)
		assert_string_equal(ifreq.ifr_name, device->tun.interface->name);
	return result;
}

/* Before Linux 5.19 a signal interrupts TUNSETIFF, and the kernel makes the call again. */
static void a_repeated_TUNSETIFF_gets_the_first_result(void **state)
{
	int fd;
	struct device *device = opened(*state, &fd);

	assert_int_equal(attach(device, "again%d"), 0);
	device_not_answered(device, getpid());
	assert_int_equal(attach(device, "again%d"), 0);
	assert_int_equal(attach(device, "again%d"), -EEXIST);
	close(fd);
}

static void another_TUNSETIFF_is_no_repetition(void **state)
{
	int fd;
	struct device *device = opened(*state, &fd);

	assert_int_equal(attach(device, "again%d"), 0);
	device_not_answered(device, getpid());
	assert_int_equal(attach(device, "other"), -EEXIST);
	device_not_answered(device, getpid() + 1);
	assert_int_equal(attach(device, "again%d"), -EEXIST);
	close(fd);
}

static void closed_devices_are_removed(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	for (int i = 0; i < 1000; i++) {
		struct device *device = opened(fixture, &fd);

		if (i % 2)
			assert_int_equal(attach(device, "gone%d"), 0);
		close(fd);
	}
	assert_true(fixture->devices.count <= 128);
}

static void open_devices_stay(void **state)
{
	struct fixture *fixture = *state;
	int fds[100], fd;

	for (int i = 0; i < 100; i++) {
		struct device *device = opened(fixture, &fds[i]);

		if (i % 2)
			assert_int_equal(attach(device, "stay%d"), 0);
	}
	for (int i = 0; i < 300; i++) {
		opened(fixture, &fd);
		close(fd);
	}
	for (int i = 0; i < 100; i++) {
		struct stat status;

		assert_int_equal(fstat(fds[i], &status), 0);
		assert_non_null(device_find(&fixture->devices, status.st_ino));
		close(fds[i]);
	}
}

static void an_interface_ends_with_its_last_descriptor(void **state)
{
	struct fixture *fixture = *state;
	int fd;
	struct device *device = opened(fixture, &fd);
	struct interfaces *interfaces = &fixture->devices.interfaces;
	int index;

	assert_int_equal(attach(device, "last"), 0);
	assert_non_null(interface_find(interfaces, "last"));
	index = interface_index(interface_find(interfaces, "last"));
	assert_true(index >= INTERFACE_INDEX_MIN);
	assert_non_null(interface_find_index(interfaces, index));
	close(fd);
	assert_null(interface_find(interfaces, "last"));
	assert_null(interface_find_index(interfaces, index));
	assert_null(device->tun.interface);
}

static void a_MAC_address_is_the_same_for_a_name(void **state)
{
	unsigned char address[2][6];
	int fd;

	for (int i = 0; i < 2; i++) {
		struct device *device = opened(*state, &fd);

		assert_int_equal(attach(device, "mac"), 0);
		memcpy(address[i], device->tun.interface->address, sizeof(address[i]));
		close(fd);
	}
	assert_memory_equal(address[0], address[1], sizeof(address[0]));
	assert_int_equal(address[0][0] & 3, 2);
}

static void a_thread_that_no_longer_waits_is_not_written_to(void **state)
{
	int fd;
	struct device *device = opened(*state, &fd);
	unsigned int features = 7;
	struct call call = {
		.operations = &operations,
		.channel = -1,
		.thread = getpid(),
		.request = TUNGETFEATURES,
		.argument = (unsigned long)&features,
	};

	assert_int_equal(device_ioctl(device, &call), -ESRCH);
	assert_int_equal(features, 7);
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_repeated_TUNSETIFF_gets_the_first_result, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(another_TUNSETIFF_is_no_repetition, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(closed_devices_are_removed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(open_devices_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_interface_ends_with_its_last_descriptor, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_MAC_address_is_the_same_for_a_name, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_thread_that_no_longer_waits_is_not_written_to,
						set_up, tear_down),
	};

	return RUN_TESTS(tests);
}
