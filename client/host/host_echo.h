/* SPDX-License-Identifier: MIT */
/*
 * The echo services of RFC 862, which send back what they receive on port 7 by UDP and by TCP, over
 * IPv4 and IPv6.
 */
#ifndef MEMTUN_HOST_ECHO_H
#define MEMTUN_HOST_ECHO_H

/* Start to listen. The caller has locked lwIP's core. -1: out of memory. */
int host_echo_start(void);

/*
 * Drop the oldest half-open TCP connection if there are too many. The caller has locked lwIP's
 * core, and calls this after each frame.
 */
void host_echo_bound(void);

#endif
