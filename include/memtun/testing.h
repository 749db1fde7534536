/* SPDX-License-Identifier: MIT */
/*
 * Drives the tunnels of an I/O system in memory from a test: frames for the program, frames that
 * it wrote, datagrams both ways, and faults on demand. See memtun_testing(3).
 *
 * There is no thread and no loop here: things happen in the calls, these and memtun_io_*(). They
 * may be made while another thread is in the program's calls; each tunnel's, by one thread at a
 * time.
 */
#ifndef MEMTUN_TESTING_H
#define MEMTUN_TESTING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <memtun/io.h>
#include <memtun/protocol.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One open of /dev/net/tun, of a system in memory: the network's side of it. */
struct memtun_testing_tunnel;

/* A frame that the program wrote. */
struct memtun_testing_frame;

/*
 * The tunnel behind a descriptor of the program's; -1: of those that TUNSETIFF attached, the one
 * that was opened first. It is there until memtun_io_free(): when the program has closed it, what
 * it wrote can still be taken. NULL with errno: EBADF, ENOTTY (the descriptor is another device's),
 * ENODEV (none is attached), EOPNOTSUPP (the system is a broker's or the kernel's).
 *
 * The functions below fail with ENODEV if tunnel is NULL, as if it were not attached; those that
 * count say 0.
 */
struct memtun_testing_tunnel *memtun_testing_tunnel(struct memtun_io *io, int fd);

/* MEMTUN_TUN or MEMTUN_TAP; -1 with ENODEV before TUNSETIFF. */
int memtun_testing_mode(const struct memtun_testing_tunnel *tunnel);

/* --- to the program --- */

/*
 * Gives the program an IP packet to read. A TAP's comes in Ethernet, between these MACs of 6 bytes;
 * NULL: from 00:00:00:00:00:00, to ff:ff:ff:ff:ff:ff. A TUN has none, and they don't matter. What
 * there is no room for waits, and is read in its turn.
 *
 * 1: it will be read. 0: not, for the filter of TUNSETTXFILTER keeps it away. -1 with errno: EINVAL
 * (neither IPv4 nor IPv6), ENODEV (not attached, or its queue is disabled), ENETDOWN (no carrier),
 * EMSGSIZE (more than 69656 bytes with its headers), EPIPE (the program has closed it), ENOMEM.
 */
int memtun_testing_add_to_read_buffer(struct memtun_testing_tunnel *tunnel, const void *packet,
				      size_t length, const uint8_t *from_mac,
				      const uint8_t *to_mac);

/* The same of a whole frame; EINVAL: it is empty, or a TAP's and under 14 bytes. */
int memtun_testing_add_frame(struct memtun_testing_tunnel *tunnel, const void *frame,
			     size_t length);

/* How many frames wait for the program to read them. */
unsigned int memtun_testing_count_unread(struct memtun_testing_tunnel *tunnel);

/* --- from the program --- */

/* The oldest frame that it wrote, from now on the caller's. NULL with EAGAIN, ENODEV or ENOMEM. */
struct memtun_testing_frame *memtun_testing_take_frame(struct memtun_testing_tunnel *tunnel);

/* How many it wrote that no one took. */
unsigned int memtun_testing_count_written(struct memtun_testing_tunnel *tunnel);

/* From its Ethernet header on if it is a TAP's, else from its IP header on. */
const void *memtun_testing_frame_bytes(const struct memtun_testing_frame *frame, size_t *length);

/* What was written before that: packet information and vnet header, as the tunnel has them. */
const void *memtun_testing_frame_headers(const struct memtun_testing_frame *frame, size_t *length);

/* When it was written: nanoseconds of CLOCK_MONOTONIC. */
int64_t memtun_testing_frame_time(const struct memtun_testing_frame *frame);

/* NULL is allowed. */
void memtun_testing_frame_free(struct memtun_testing_frame *frame);

/* --- datagrams --- */

/*
 * Gives the program a UDP datagram to read, in IPv4 or IPv6 as the address `to` is; the checksums
 * are right. from, of the same family, is where it comes from; if it is NULL or its family
 * AF_UNSPEC, that is 10.1.2.3 or fd00::1:2:3, port 21345, and is written into it. Results as of
 * memtun_testing_add_to_read_buffer(); EINVAL: the families are not the same, or neither of these;
 * EMSGSIZE: more than a datagram can be.
 */
int memtun_testing_send_udp(struct memtun_testing_tunnel *tunnel, const void *payload,
			    size_t length, const struct sockaddr *to,
			    struct sockaddr_storage *from);

/*
 * A descriptor that yields the payloads of what the program sends to that address, a number, and
 * port, each read(2) one; the caller's to close. All other frames stay to be taken, and so do
 * datagrams that aren't whole and right: fragments, those with a wrong checksum, cut ones. What was
 * written before counts, too. Non-blocking if flags has O_NONBLOCK, close-on-exec always; it ends
 * with the tunnel. -1 with errno: EINVAL (no address, or unknown flags), ENODEV, EMFILE, ENFILE,
 * ENOMEM.
 */
int memtun_testing_receive_udp(struct memtun_testing_tunnel *tunnel, const char *host,
			       uint16_t port, int flags);

/*
 * The oldest frame with such a datagram, the caller's; its payload is in it. NULL with EAGAIN,
 * EINVAL (no address), ENODEV or ENOMEM.
 */
struct memtun_testing_frame *memtun_testing_take_udp(struct memtun_testing_tunnel *tunnel,
						     const char *host, uint16_t port,
						     const void **payload, size_t *length);

/* --- faults --- */

/*
 * The next `count` of these calls (of enum memtun_io_call), of each, fail with that errno; 0 ends
 * it. A read that fails leaves its frame, a write that fails has written none, an ioctl that fails
 * has changed nothing.
 */
void memtun_testing_fail_next(struct memtun_io *io, unsigned int calls, unsigned int count,
			      int error);

/* Besides, every `count`th of each, from now on: 1 is all. 0 ends it. */
void memtun_testing_fail_every(struct memtun_io *io, unsigned int calls, unsigned int count,
			       int error);

/*
 * From now on longer writes, counted with their headers, fail with ENOBUFS. At first that is 69656
 * bytes: the largest frame, and the longest headers. -1 with ENODEV.
 */
int memtun_testing_set_send_buffer(struct memtun_testing_tunnel *tunnel, size_t size);

/* What a non-blocking read with nothing there fails with; at first EAGAIN. -1 with ENODEV. */
int memtun_testing_set_error_when_empty(struct memtun_testing_tunnel *tunnel, int error);

/* --- for messages --- */

/* Enough for any line of memtun_testing_describe(). */
#define MEMTUN_TESTING_DESCRIPTION 256

/*
 * A frame's headers in one line, without a newline, cut to size and ended as snprintf() does;
 * returns its uncut length. A line about a wrong frame ends in "malformed", "cut" or "bad
 * checksum". -1 with EINVAL if mode is neither MEMTUN_TUN nor MEMTUN_TAP.
 */
int memtun_testing_describe(char *text, size_t size, enum memtun_mode mode, const void *frame,
			    size_t length);

#ifdef __cplusplus
}
#endif

#endif
