/* SPDX-License-Identifier: MIT */
/*
 * FNV-1a with 64 bits: a hash that is the same on each machine and in each run. It does not resist
 * a sender who looks for collisions.
 */
#ifndef MEMTUN_HASH_H
#define MEMTUN_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The offset basis, with which a hash begins. */
#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)

/* Return the hash continued with these bytes. */
static inline uint64_t hash_add(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
