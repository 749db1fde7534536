/* SPDX-License-Identifier: MIT */
/*
 * Maps a draw to a jitter: uniform, normal or pareto. The arithmetic is of whole numbers only, so
 * that each machine and each language gets the same nanoseconds.
 */
#ifndef MEMTUN_DISTRIBUTION_H
#define MEMTUN_DISTRIBUTION_H

#include <stdint.h>

#include "memtun/protocol.h"

/* The quantiles of the upper half of the normal distribution, in units of 1/65536. */
extern const int32_t distribution_normal[513];

/*
 * Return the offset from the mean, in nanoseconds, rounded towards zero except that uniform is
 * rounded down. `spread` is the standard deviation of normal and pareto; of uniform, the largest
 * offset. It is at most 2^46.
 */
int64_t distribution_offset(enum memtun_distribution distribution, uint64_t draw, uint64_t spread);

#endif
