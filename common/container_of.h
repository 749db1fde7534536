/* SPDX-License-Identifier: MIT */
/*
 * From a member to the structure that it is part of.
 */
#ifndef MEMTUN_CONTAINER_OF_H
#define MEMTUN_CONTAINER_OF_H

#include <stddef.h>

/* Return the `type` whose `member` the pointer points to. The compiler checks the pointer's type. */
#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(1 ? (pointer) : &((type *)0)->member) - offsetof(type, member)))

#endif
