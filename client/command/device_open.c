/* SPDX-License-Identifier: MIT */
#include "client/command/device_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

#include "client/command/command.h"
#include "common/descriptor.h"

#define DEVICE "/dev/net/tun"

static int interface_attach(int fd, const char *name, int flags)
{
	struct ifreq request = {.ifr_flags = (short)flags};

	strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
	return ioctl(fd, TUNSETIFF, &request);
}

/* Return a hint about the likely cause of the kernel's error. */
static const char *error_meaning(int error)
{
	switch (error) {
	case EPERM:
		return " (CAP_NET_ADMIN in this network namespace is needed: see nsenter -U)";
	case EBUSY:
		return " (another program has it open)";
	case EINVAL:
		return " (it is another kind of interface)";
	default:
		return "";
	}
}

int device_open(const char *name, enum memtun_mode mode)
{
	int flags = (mode == MEMTUN_TUN ? IFF_TUN : IFF_TAP) | IFF_NO_PI | IFF_VNET_HDR;
	descriptor_owned fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return command_fail(-1, "cannot open " DEVICE ": %s", strerror(errno));
	if (interface_attach(fd, name, flags) == 0)
		return descriptor_take(&fd);
	/* An interface with several queues has to be opened with IFF_MULTI_QUEUE. */
	if (errno == EINVAL && interface_attach(fd, name, flags | IFF_MULTI_QUEUE) == 0)
		return descriptor_take(&fd);
	return command_fail(-1, "cannot open the %s interface '%s': %s%s",
			    mode == MEMTUN_TUN ? "TUN" : "TAP", name, strerror(errno),
			    error_meaning(errno));
}
