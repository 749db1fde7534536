/* SPDX-License-Identifier: MIT */
/* Measure one group of figures each, with the processes that it needs. */
#ifndef MEMTUN_BENCH_FIGURES_H
#define MEMTUN_BENCH_FIGURES_H

void figures_open(void);     /* open and close: one by one, and pipelined */
void figures_frames(void);   /* through a bridge */
void figures_bridge(void);   /* through a bridge, beside other switches */
void figures_ports(void);    /* through a bridge of many ports */
void figures_latency(void);  /* of a pair, while others flood */
void figures_flood(void);    /* to many ports */
void figures_peers(void);    /* between peers */
void figures_impair(void);   /* of rules that impair a port */
void figures_segment(void);  /* the cut of a GSO frame */
void figures_io(void);       /* the I/O system in memory */
void figures_wrap(void);     /* of programs under memtun wrap */
void figures_memory(void);   /* of idle tunnels */
void figures_requests(void); /* of many clients */
void figures_netns(void);    /* TCP between two memtun netns */
void figures_objects(void);  /* of many tunnels */

/* The argument with which the benchmark runs itself under memtun wrap. */
#define BENCH_MEASURE "--measure"

/* Measure in this process, and print the seconds. Return the exit status. */
int wrap_measure(const char *name);

#endif
