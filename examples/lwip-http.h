/* SPDX-License-Identifier: MIT */
/*
 * What the lwIP server and client share beyond HTTP: the checksum of /data, and the header field
 * for it. Unlike TCP's checksum, this one also detects bytes that were lost, doubled or reordered
 * between TCP and the program. It does not protect against an attacker.
 */
#ifndef EXAMPLES_LWIP_HTTP_H
#define EXAMPLES_LWIP_HTTP_H

#include <stddef.h>
#include <stdint.h>

#define CHECKSUM_HEADER "X-FNV-1a-64"

/* FNV-1a, 64 bits; both numbers are from draft-eastlake-fnv. */
#define CHECKSUM_START UINT64_C(0xcbf29ce484222325)
#define CHECKSUM_PRIME UINT64_C(0x100000001b3)

static inline uint64_t checksum_add(uint64_t sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sum = (sum ^ bytes[i]) * CHECKSUM_PRIME;
	return sum;
}

#endif
