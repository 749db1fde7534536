/* SPDX-License-Identifier: MIT */
/*
 * The echo services of RFC 862: what comes to port 7 goes back, by UDP and by TCP, IPv4 and IPv6.
 */
#ifndef MEMTUN_HOST_ECHO_H
#define MEMTUN_HOST_ECHO_H

/* Listens. With lwIP's core lock. -1: lwIP has no memory. */
int host_echo_start(void);

/*
 * Keeps TCP's connections within their number, after lwIP has taken a frame. With the core lock.
 */
void host_echo_bound(void);

#endif
