/* SPDX-License-Identifier: MIT */
#include "broker/system/loop_reserve.h"

#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"

/* The numbers of descriptors that the loop's table is enlarged for at the start. */
#define LOOP_DESCRIPTORS_MAX 65536

/* More than libev's largest table takes when it doubles: 65,536 descriptors of some 16 bytes. */
#define RESERVE_SIZE (4 * 1024 * 1024)

static void *reserve = MAP_FAILED;

static void reserve_make(void)
{
	if (reserve == MAP_FAILED)
		reserve = mmap(NULL, RESERVE_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Allocate for libev; size 0 frees. */
static void *loop_allocate(void *pointer, long size)
{
	void *result;

	if (size == 0) {
		free(pointer);
		return NULL;
	}
	result = realloc(pointer, (size_t)size);
	if (!result && reserve != MAP_FAILED) {
		munmap(reserve, RESERVE_SIZE);
		reserve = MAP_FAILED;
		log_line(LOG_LEVEL_ERROR, "memory is short: the loop uses its reserve");
		result = realloc(pointer, (size_t)size);
	} else if (result) {
		reserve_make();
	}
	return result;
}

void loop_reserve_prepare(void)
{
	reserve_make();
	ev_set_allocator(loop_allocate);
}

static void loop_ignore(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)io;
	(void)events;
}

void loop_reserve_descriptors(struct ev_loop *loop, unsigned long max)
{
	int last = (int)(max < LOOP_DESCRIPTORS_MAX ? max : LOOP_DESCRIPTORS_MAX) - 1;
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, last);
	ev_io io;

	if (fd < 0)
		return;
	/* The table grows to the highest number that was ever started. */
	ev_io_init(&io, loop_ignore, fd, EV_READ);
	ev_io_start(loop, &io);
	ev_io_stop(loop, &io);
	close(fd);
}
