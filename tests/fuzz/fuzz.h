/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target is one function that takes any bytes. It aborts, or a sanitizer does, when
 * something is wrong. libFuzzer calls it (--enable-fuzzer), or replay.c does with the corpus.
 */
#ifndef MEMTUN_FUZZ_H
#define MEMTUN_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
