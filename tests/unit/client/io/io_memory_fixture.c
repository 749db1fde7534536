/* SPDX-License-Identifier: MIT */
#include "tests/unit/client/io/io_memory_fixture.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "client/io/io_memory_parts.h"

const unsigned char packet4[20] = {0x45, 0, 0, 20, 0, 1, 0, 0, 64, 17};
const unsigned char packet6[40] = {0x60, 0, 0, 0, 0, 0, 59, 64};
const unsigned char ethernet[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45};

int io_memory_set_up(void **state)
{
	*state = memtun_io_memory_new();
	return *state ? 0 : -1;
}

int io_memory_tear_down(void **state)
{
	memtun_io_free(*state);
	return 0;
}

int tun_try_attach(struct memtun_io *io, int fd, const char *name, int flags)
{
	struct ifreq request = {.ifr_flags = (short)flags};

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	return memtun_io_ioctl(io, fd, TUNSETIFF, &request);
}

int tun_attach(struct memtun_io *io, const char *name, int flags, int open_flags)
{
	int fd = memtun_io_open(io, TUN, open_flags);

	assert_true(fd >= 0);
	assert_int_equal(tun_try_attach(io, fd, name, flags), 0);
	return fd;
}

void assert_written(struct memtun_io *io, int fd, const void *bytes, size_t length)
{
	struct io_frame *frame = io_memory_take(io_memory_find(io, fd));

	assert_non_null(frame);
	assert_int_equal(frame->length, length);
	assert_memory_equal(frame->bytes, bytes, length);
	free(frame);
}
