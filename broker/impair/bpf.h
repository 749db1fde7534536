/* SPDX-License-Identifier: MIT */
/*
 * Programs of classic BPF, the machine of linux/filter.h and of bpf(4) in BSD: an accumulator A, an
 * index register X and 16 words of memory. The broker runs them itself, because libpcap would bring
 * nine more shared libraries into memtund, for these few instructions.
 */
#ifndef MEMTUN_BPF_H
#define MEMTUN_BPF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Return whether the program can be run: each instruction is known, jumps go forward to an
 * instruction, memory accesses are inside the memory, no constant divisor is 0, and the last
 * instruction returns. Such a program ends.
 */
bool bpf_is_safe(const struct sock_filter *program, unsigned int count);

/*
 * Run a safe program on a frame, and return the program's result. The result is 0 if the program reads
 * behind the frame or divides by 0.
 */
uint32_t bpf_run(const struct sock_filter *program, const unsigned char *data, uint32_t length);

#endif
