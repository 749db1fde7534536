/* SPDX-License-Identifier: MIT */
/*
 * Two network namespaces with iperf3 in them, and a way between them: by memtun netns, by the
 * kernel alone, or by slirp4netns. netns.sh makes them.
 */
#ifndef MEMTUN_BENCH_NETNS_PATH_H
#define MEMTUN_BENCH_NETNS_PATH_H

#include <stdio.h>
#include <sys/types.h>

struct netns_path {
	FILE *orders, *answers;
	pid_t pid;
	char reason[200];
};

/* Make the namespaces, of a kind of netns.sh. Return NULL, or why they cannot be made here. */
const char *netns_path_start(struct netns_path *path, const char *kind);
void netns_path_end(struct netns_path *path);

/* Measure a second of TCP: return bits per second. */
double netns_path_measure(struct netns_path *path);

#endif
