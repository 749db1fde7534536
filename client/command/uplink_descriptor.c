/* SPDX-License-Identifier: MIT */
#include "client/command/uplink_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/command/device_open.h"
#include "client/lib/options.h"
#include "common/descriptor.h"

/* ------------------------------------------------------------------------------ words */

/* Parse the value of the key. Return 2, the number of words, or -1 after a message. */
static int number_take(int *number, long long min, int count, char **words)
{
	const char *why;

	if (*number >= 0)
		return command_fail(-1, "%s is given twice", words[0]);
	if (count < 2)
		return command_fail(-1, "%s needs a value", words[0]);
	*number = (int)strtonum(words[1], min, INT_MAX, &why);
	if (why)
		return command_fail(-1, "%s: '%s' is %s", words[0], words[1], why);
	return 2;
}

/* Do the same for an inherited descriptor. */
static int fd_take(int *fd, int count, char **words)
{
	int taken = number_take(fd, 0, count, words);

	if (taken > 0 && fcntl(*fd, F_GETFD) < 0)
		return command_fail(-1, "%s: descriptor %d is not open", words[0], *fd);
	return taken;
}

int uplink_descriptor_take(struct uplink_descriptor *descriptor, int count, char **words)
{
	if (strcmp(words[0], "fd") == 0)
		return fd_take(&descriptor->fd, count, words);
	if (strcmp(words[0], "until") == 0)
		return fd_take(&descriptor->until, count, words);
	if (strcmp(words[0], "pid") == 0)
		return number_take(&descriptor->pid, 1, count, words);
	return 0;
}

int uplink_descriptor_check(const struct uplink_descriptor *descriptor,
			    const struct memtun_options *options)
{
	uint64_t type = attribute_set_number(&options->set, MEMTUN_A_TYPE);
	bool is_fd = type == MEMTUN_UPLINK_FD, is_device = type == MEMTUN_UPLINK_DEVICE;

	if (!is_fd && !is_device &&
	    (descriptor->fd >= 0 || descriptor->pid >= 0 || descriptor->until >= 0))
		return command_fail(EXIT_USAGE,
				    "fd, pid and until are for the types fd and device");
	if (is_fd && descriptor->fd < 0)
		return command_fail(EXIT_USAGE, "an uplink of type fd needs fd");
	if (is_fd && attribute_set_has(&options->set, MEMTUN_A_DEVICE))
		return command_fail(EXIT_USAGE, "an uplink of type fd takes no device");
	if (is_device && descriptor->fd >= 0)
		return command_fail(EXIT_USAGE, "an uplink of type device takes no fd");
	if (is_device && attribute_set_number(&options->set, MEMTUN_A_PI))
		return command_fail(EXIT_USAGE, "an uplink of type device takes no pi");
	if (descriptor->pid >= 0 && descriptor->until >= 0)
		return command_fail(EXIT_USAGE, "pid or until, not both");
	return 0;
}

/* ------------------------------------------------------------------------------ handing in */

struct hand_in {
	const char *name;
	const struct memtun_options *options;
	int fd;
	int life;
};

static int hand_in_make(struct memtun *memtun, void *context)
{
	const struct hand_in *hand_in = context;

	return memtun_uplink_add_fd(memtun, hand_in->name, hand_in->options, hand_in->fd,
				    hand_in->life);
}

/* Open the interface that the options name, and remove its name from them: the broker asks the
 * kernel. Return the descriptor, or -1 after a message. */
static int interface_open(const char *uplink, struct memtun_options *options)
{
	const char *name = attribute_set_string(&options->set, MEMTUN_A_DEVICE);
	enum memtun_mode mode =
		(enum memtun_mode)attribute_set_number(&options->set, MEMTUN_A_MODE);

	attribute_set_remove(&options->set, MEMTUN_A_DEVICE);
	return device_open(name ? name : uplink, mode ? mode : MEMTUN_TAP);
}

int uplink_descriptor_run(const struct uplink_descriptor *descriptor,
			  const struct invocation *invocation, struct memtun_options *options)
{
	const char *name = invocation->words[0];
	descriptor_owned device = -1, process = -1;
	struct hand_in hand_in = {name, options, descriptor->fd, descriptor->until};

	if (descriptor->pid >= 0) {
		process = (int)syscall(SYS_pidfd_open, (pid_t)descriptor->pid, 0);
		if (process < 0)
			return command_fail(EXIT_REFUSED, "cannot watch process %d: %s",
					    descriptor->pid, strerror(errno));
		hand_in.life = process;
	}
	if (attribute_set_number(&options->set, MEMTUN_A_TYPE) == MEMTUN_UPLINK_DEVICE) {
		device = interface_open(name, options);
		if (device < 0)
			return EXIT_REFUSED;
		hand_in.fd = device;
	}
	return command_connected(invocation, hand_in_make, &hand_in);
}
