/* SPDX-License-Identifier: MIT */
/* An I/O system in memory as the state of a test, and the first calls of a program on it. */
#ifndef MEMTUN_IO_MEMORY_FIXTURE_H
#define MEMTUN_IO_MEMORY_FIXTURE_H

#include "tests/unit/runner.h"

#include "memtun/io.h"

#define TUN MEMTUN_IO_TUN

/* Packets that are only a header. */
extern const unsigned char packet4[20], packet6[40], ethernet[60];

/* Give the test such a system as its state. */
#define IN_MEMORY(test) cmocka_unit_test_setup_teardown(test, io_memory_set_up, io_memory_tear_down)
int io_memory_set_up(void **state);
int io_memory_tear_down(void **state);

/* Attach the descriptor. -1 with errno. */
int tun_try_attach(struct memtun_io *io, int fd, const char *name, int flags);

/* Open the device and attach it, which succeeds. */
int tun_attach(struct memtun_io *io, const char *name, int flags, int open_flags);

/* Take one written frame, and compare it with all headers. */
void assert_written(struct memtun_io *io, int fd, const void *bytes, size_t length);

#endif
