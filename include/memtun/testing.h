/* SPDX-License-Identifier: MIT */
/*
 * Drives the tunnels of an I/O system in memory from a test: frames to the program, frames that the
 * program wrote, UDP datagrams both ways, and faults on demand. See memtun_testing(3).
 *
 * The library has no thread and no event loop: frames move only in calls of these functions and of
 * memtun_io_*(). A test may call these functions while another thread is in the program's calls;
 * those for one tunnel belong to one thread at a time.
 */
#ifndef MEMTUN_TESTING_H
#define MEMTUN_TESTING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <memtun/io.h>
#include <memtun/protocol.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The network's side of one open of /dev/net/tun. */
struct memtun_testing_tunnel;

/* A frame that the program wrote. */
struct memtun_testing_frame;

/*
 * Return the tunnel behind the program's descriptor `fd`; with fd -1, the first opened of the
 * tunnels that TUNSETIFF has attached. The system owns the tunnel, which is valid until
 * memtun_io_free(): after the program has closed it, the frames that it wrote can still be taken.
 * NULL with errno: EBADF, ENOTTY (the descriptor is another device's), ENODEV (no tunnel is
 * attached), EOPNOTSUPP (the system is a broker's or the kernel's).
 *
 * The functions below treat tunnel NULL like a tunnel that is not attached: they fail with ENODEV,
 * and those that count return 0.
 */
#if defined(__cplusplus) && defined(__GNUC__)
/* As with stat(2), the function and the structure have one name, of which g++ -Wshadow warns. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
struct memtun_testing_tunnel *memtun_testing_tunnel(struct memtun_io *io, int fd);
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* Return MEMTUN_TUN or MEMTUN_TAP; -1 with ENODEV before TUNSETIFF. */
int memtun_testing_mode(const struct memtun_testing_tunnel *tunnel);

/*
 * Return the name of the tunnel's interface, and the name that the program asked for with TUNSETIFF,
 * which may be a template such as tun%d, or empty. The tunnel owns both. NULL with ENODEV before
 * TUNSETIFF.
 */
const char *memtun_testing_name(const struct memtun_testing_tunnel *tunnel);
const char *memtun_testing_requested_name(const struct memtun_testing_tunnel *tunnel);

/* Return the flags, such as IFF_TUN | IFF_NO_PI, of TUNSETIFF; -1 with ENODEV before TUNSETIFF. */
int memtun_testing_flags(const struct memtun_testing_tunnel *tunnel);

/* Return the flags, such as O_RDWR | O_NONBLOCK, of the tunnel's memtun_io_open(); -1 with ENODEV. */
int memtun_testing_open_flags(const struct memtun_testing_tunnel *tunnel);

/* --- to the program --- */

/*
 * Give the program an IP packet of `length` bytes to read. On a TAP an Ethernet header goes before
 * it. Its MACs, of 6 bytes, are from_mac (NULL: 00:00:00:00:00:00) and to_mac (NULL:
 * ff:ff:ff:ff:ff:ff); on a TUN they are ignored. A packet for which the socket has no room waits in
 * the library, and is read in its turn.
 *
 * Return 1 if the program will read the packet; 0 if the filter of TUNSETTXFILTER drops it. -1 with
 * errno: EINVAL (neither IPv4 nor IPv6), ENODEV (the tunnel is not attached, or its queue is
 * disabled), ENETDOWN (no carrier), EMSGSIZE (more than 69,656 bytes with headers), EPIPE (the
 * program has closed the tunnel), ENOMEM.
 */
int memtun_testing_add_to_read_buffer(struct memtun_testing_tunnel *tunnel, const void *packet,
				      size_t length, const uint8_t *from_mac,
				      const uint8_t *to_mac);

/*
 * Give the program a whole frame to read: IP on a TUN, Ethernet on a TAP. The results are those of
 * memtun_testing_add_to_read_buffer(); EINVAL: the frame is empty, or under 14 bytes on a TAP.
 */
int memtun_testing_add_frame(struct memtun_testing_tunnel *tunnel, const void *frame,
			     size_t length);

/* Return how many frames the program has yet to read. */
unsigned int memtun_testing_count_unread(struct memtun_testing_tunnel *tunnel);

/*
 * Return a copy of the frame that the program will read after `index` others. The frame stays to be
 * read. The caller frees the copy with memtun_testing_frame_free(). NULL with EAGAIN (there are not so
 * many), ENODEV or ENOMEM.
 */
struct memtun_testing_frame *memtun_testing_peek_unread(struct memtun_testing_tunnel *tunnel,
							unsigned int index);

/* Drop the frames that the program has yet to read. */
void memtun_testing_clear_unread(struct memtun_testing_tunnel *tunnel);

/* --- from the program --- */

/*
 * Take the oldest frame that the program wrote. The caller frees it with
 * memtun_testing_frame_free(). NULL with EAGAIN (there is none), ENODEV or ENOMEM.
 */
struct memtun_testing_frame *memtun_testing_take_frame(struct memtun_testing_tunnel *tunnel);

/*
 * Take the oldest frame, with its headers before it, into `bytes`, which has room for `size` bytes.
 * Return the length of both; *header_length becomes the length of the headers. -1 with errno: EMSGSIZE
 * (the room is too small, and the frame stays), EAGAIN, ENODEV or ENOMEM.
 */
ssize_t memtun_testing_take(struct memtun_testing_tunnel *tunnel, void *bytes, size_t size,
			    size_t *header_length);

/* Return how many frames the program wrote that were not taken yet. */
unsigned int memtun_testing_count_written(struct memtun_testing_tunnel *tunnel);

/*
 * Return a copy of a frame that the program wrote, after `index` older ones. The frame stays to be
 * taken. The caller frees the copy with memtun_testing_frame_free(). NULL with EAGAIN (there are not so
 * many), ENODEV or ENOMEM.
 */
struct memtun_testing_frame *memtun_testing_peek_written(struct memtun_testing_tunnel *tunnel,
							 unsigned int index);

/* Drop the frames that the program wrote and that were not taken yet. */
void memtun_testing_clear_written(struct memtun_testing_tunnel *tunnel);

/*
 * Return the frame from its Ethernet header on a TAP, from its IP header on a TUN. *length becomes
 * its length in bytes. The bytes are valid until the frame is freed.
 */
const void *memtun_testing_frame_bytes(const struct memtun_testing_frame *frame, size_t *length);

/*
 * Return the packet information and the vnet header that the program wrote before the frame, as the
 * tunnel has them. *length becomes their length in bytes, 0 if there are none. The bytes are valid
 * until the frame is freed.
 */
const void *memtun_testing_frame_headers(const struct memtun_testing_frame *frame, size_t *length);

/* Return when the program wrote the frame: CLOCK_MONOTONIC, nanoseconds. */
int64_t memtun_testing_frame_time(const struct memtun_testing_frame *frame);

/* Free the frame, which may be NULL. */
void memtun_testing_frame_free(struct memtun_testing_frame *frame);

/* --- UDP datagrams --- */

/*
 * Give the program a UDP datagram to read, with correct checksums, in IPv4 or IPv6 as the address
 * `to` is. `from` is the sender's address, of the same family. If it is NULL or its family is
 * AF_UNSPEC, the sender is 10.1.2.3 or fd00::1:2:3, port 21345; it is then written into *from. The
 * results are those of memtun_testing_add_to_read_buffer(); EINVAL: the families differ or are
 * neither IPv4 nor IPv6; EMSGSIZE: also if the payload is longer than a UDP datagram's.
 */
int memtun_testing_send_udp(struct memtun_testing_tunnel *tunnel, const void *payload,
			    size_t length, const struct sockaddr *to,
			    struct sockaddr_storage *from);

/*
 * Do the same with numeric addresses and ports in host byte order, as the functions below take them.
 * from_host NULL: the sender is 10.1.2.3 or fd00::1:2:3, port 21345. EINVAL also: a host is not an
 * address.
 */
int memtun_testing_send_udp_to(struct memtun_testing_tunnel *tunnel, const void *payload,
			       size_t length, const char *from_host, uint16_t from_port,
			       const char *to_host, uint16_t to_port);

/*
 * Return a new descriptor that yields the payloads of the datagrams that the program sends to that
 * address and port, also of those that it has sent before, one payload per read(2). host is a
 * numeric address, port is in host byte order. All other frames can still be taken, and so can
 * datagrams that are fragments, are cut, or have a wrong checksum. The caller owns the descriptor,
 * which is close-on-exec, non-blocking if `flags` is O_NONBLOCK, and at its end when the tunnel is.
 * -1 with errno: EINVAL (host is not an address, or an unknown flag), ENODEV, EMFILE, ENFILE,
 * ENOMEM.
 */
int memtun_testing_receive_udp(struct memtun_testing_tunnel *tunnel, const char *host,
			       uint16_t port, int flags);

/*
 * Take the oldest frame with such a datagram. The caller frees it with memtun_testing_frame_free(),
 * and until then *payload points to *length bytes in it. NULL with EAGAIN (there is none), EINVAL
 * (host is not an address), ENODEV or ENOMEM.
 */
struct memtun_testing_frame *memtun_testing_take_udp(struct memtun_testing_tunnel *tunnel,
						     const char *host, uint16_t port,
						     const void **payload, size_t *length);

/* --- faults of one tunnel --- */

/*
 * Make `count` more calls of each kind in `calls`, bits of enum memtun_io_call, fail on this tunnel
 * with the errno `error`, after those that are to fail already. A failing read leaves its frame to be
 * read, a failing write has written no frame, and a failing ioctl has changed nothing. Return 0; -1
 * with ENODEV, ENOMEM, or EINVAL (MEMTUN_IO_OPEN, which is of the system).
 */
int memtun_testing_add_fault(struct memtun_testing_tunnel *tunnel, unsigned int calls,
			     unsigned int count, int error);

/* Return how many calls of the kind, one bit, are still to fail on this tunnel. */
unsigned int memtun_testing_count_faults(struct memtun_testing_tunnel *tunnel,
					 enum memtun_io_call call);

/* End the faults of each kind in `calls` on this tunnel. */
void memtun_testing_clear_faults(struct memtun_testing_tunnel *tunnel, unsigned int calls);

/* --- faults of the system: of all its tunnels, and of its open; they come first --- */

/*
 * Make the next `count` calls of each kind in `calls`, bits of enum memtun_io_call, fail with the
 * errno `error`. A count of 0 ends the fault. A failing read leaves its frame to be read, a failing
 * write has written no frame, and a failing ioctl has changed nothing.
 */
void memtun_testing_fail_next(struct memtun_io *io, unsigned int calls, unsigned int count,
			      int error);

/*
 * Make every `count`th call of each kind fail from now on, besides those of
 * memtun_testing_fail_next(). A count of 1 fails all, 0 ends the fault.
 */
void memtun_testing_fail_every(struct memtun_io *io, unsigned int calls, unsigned int count,
			       int error);

/*
 * Make writes of more than `size` bytes, headers included, fail with ENOBUFS. A new tunnel takes
 * 69,656 bytes: the largest frame and the longest headers. Return 0; -1 with ENODEV.
 */
int memtun_testing_set_send_buffer(struct memtun_testing_tunnel *tunnel, size_t size);

/*
 * Set the errno of a non-blocking read that finds no frame; a new tunnel has EAGAIN. Return 0; -1
 * with ENODEV.
 */
int memtun_testing_set_error_when_empty(struct memtun_testing_tunnel *tunnel, int error);

/*
 * Set the same for the tunnels that are opened from now on. Return 0; -1 with EOPNOTSUPP if the system
 * is the kernel's.
 */
int memtun_testing_set_default_send_buffer(struct memtun_io *io, size_t size);
int memtun_testing_set_default_error_when_empty(struct memtun_io *io, int error);

/* --- for messages --- */

/* Bytes for any line of memtun_testing_describe(). */
#define MEMTUN_TESTING_DESCRIPTION 256

/*
 * Write one line about the frame's headers, without a newline, into `text`. As with snprintf(), the
 * line is cut to `size` bytes and ends in a null byte, and the result is its uncut length. A
 * defective frame's line ends in "malformed", "cut" or "bad checksum". -1 with EINVAL if mode is
 * neither MEMTUN_TUN nor MEMTUN_TAP.
 */
int memtun_testing_describe(char *text, size_t size, enum memtun_mode mode, const void *frame,
			    size_t length);

#ifdef __cplusplus
}
#endif

#endif
