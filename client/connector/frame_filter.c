/* SPDX-License-Identifier: MIT */
#include "client/connector/frame_filter.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than any frame has, as in pcap_open_live(3PCAP). */
#define SNAPSHOT_LENGTH 65535

struct frame_filter {
	struct bpf_program program;
};

struct frame_filter *frame_filter_new(const char *text, enum memtun_mode mode, char *fault)
{
	struct frame_filter *filter = calloc(1, sizeof(*filter));
	pcap_t *dead;
	int status;

	dead = filter ? pcap_open_dead(mode == MEMTUN_TAP ? DLT_EN10MB : DLT_RAW, SNAPSHOT_LENGTH)
		      : NULL;
	if (!dead) {
		free(filter);
		snprintf(fault, FRAME_FILTER_FAULT_SIZE, "%s", strerror(ENOMEM));
		errno = ENOMEM;
		return NULL;
	}
	status = pcap_compile(dead, &filter->program, text, 1, PCAP_NETMASK_UNKNOWN);
	if (status < 0)
		snprintf(fault, FRAME_FILTER_FAULT_SIZE, "%s", pcap_geterr(dead));
	pcap_close(dead);
	if (status == 0)
		return filter;
	free(filter);
	errno = EINVAL;
	return NULL;
}

void frame_filter_free(struct frame_filter *filter)
{
	if (!filter)
		return;
	pcap_freecode(&filter->program);
	free(filter);
}

bool frame_filter_matches(const struct frame_filter *filter, const void *frame, size_t length)
{
	return bpf_filter(filter->program.bf_insns, frame, (u_int)length, (u_int)length) != 0;
}

bool frame_filter_write(const struct frame_filter *filter, char *code, size_t size)
{
	const struct bpf_program *program = &filter->program;
	size_t used = (size_t)snprintf(code, size, "%u", program->bf_len);

	for (unsigned int i = 0; i < program->bf_len && used < size; i++) {
		const struct bpf_insn *instruction = &program->bf_insns[i];

		used += (size_t)snprintf(code + used, size - used, "+%u %u %u %u",
					 instruction->code, instruction->jt, instruction->jf,
					 instruction->k);
	}
	return used < size;
}
