/* SPDX-License-Identifier: MIT */
#include "broker/system/loop_reserve.h"

#include <ev.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/log.h"

/* More than libev's largest table takes when it doubles: 65,536 descriptors of some 16 bytes. */
#define RESERVE_SIZE (4 * 1024 * 1024)

static void *reserve = MAP_FAILED;

static void reserve_make(void)
{
	if (reserve == MAP_FAILED)
		reserve = mmap(NULL, RESERVE_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* What libev allocates with; size 0 frees. */
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
