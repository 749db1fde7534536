/* SPDX-License-Identifier: MIT */
#include "client/command/capture_filter.h"

#include <string.h>

/* More than any frame has, as in pcap_open_live(3PCAP). */
#define SNAPSHOT_LENGTH 65535

int capture_filter_compile(struct capture_filter *filter, enum memtun_mode mode)
{
	pcap_t *dead;
	int status;

	filter->mode = mode;
	if (!filter->text)
		return 0;
	capture_filter_free(filter);
	dead = pcap_open_dead(mode == MEMTUN_TAP ? DLT_EN10MB : DLT_RAW, SNAPSHOT_LENGTH);
	if (!dead) {
		strlcpy(filter->fault, "out of memory", sizeof(filter->fault));
		return -1;
	}
	status = pcap_compile(dead, &filter->program, filter->text, 1, PCAP_NETMASK_UNKNOWN);
	if (status < 0)
		strlcpy(filter->fault, pcap_geterr(dead), sizeof(filter->fault));
	pcap_close(dead);
	return status < 0 ? -1 : 0;
}

bool capture_filter_matches(const struct capture_filter *filter, const void *frame, uint32_t length)
{
	return !filter->text || bpf_filter(filter->program.bf_insns, frame, length, length) != 0;
}

void capture_filter_free(struct capture_filter *filter)
{
	pcap_freecode(&filter->program);
}
