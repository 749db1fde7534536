/* SPDX-License-Identifier: MIT */
/*
 * The identity of the broker at the other end of a connection, from which MAC addresses are derived
 * that stay the same.
 */
#ifndef MEMTUN_BROKER_IDENTITY_H
#define MEMTUN_BROKER_IDENTITY_H

#include <stdint.h>

#include "memtun.h"

/* Return the identity_hash() of the broker's control socket. */
uint64_t broker_identity(const struct memtun *memtun);

#endif
