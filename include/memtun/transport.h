/* SPDX-License-Identifier: MIT */
/*
 * A transport is a connected UNIX socket (SOCK_SEQPACKET or SOCK_STREAM) that carries bytes and
 * descriptors, with a bounded send queue that pauses whoever fills it. It knows no event loop: it
 * says what it waits for and until when, and calls back. This interface is unstable until 1.0.
 */
#ifndef MEMTUN_TRANSPORT_H
#define MEMTUN_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most descriptors that one message carries: the kernel's SCM_MAX_FD. */
#define MEMTUN_TRANSPORT_FDS_MAX 253

/* The most bytes that one data_received() brings; a longer SEQPACKET record arrives cut. */
#define MEMTUN_TRANSPORT_READ_MAX 65536

struct memtun_transport;

/* What was wrong with a piece of data, as bits. */
enum memtun_transport_flag {
	/* Descriptors came with it and could not all be had (mostly for want of free numbers):
	 * those that could have been closed. */
	MEMTUN_TRANSPORT_FDS_LOST = 1 << 0,
	/* Descriptors came with it that nobody takes (no fd_received): closed. */
	MEMTUN_TRANSPORT_FDS_SURPLUS = 1 << 1,
	/* The SEQPACKET record was longer than MEMTUN_TRANSPORT_READ_MAX: the rest is gone. */
	MEMTUN_TRANSPORT_DATA_CUT = 1 << 2,
};

enum memtun_transport_notice_kind {
	MEMTUN_TRANSPORT_NOTICE_FDS_LOST,
	MEMTUN_TRANSPORT_NOTICE_FDS_SURPLUS,
	/* Ancillary data that is no descriptor: ignored. */
	MEMTUN_TRANSPORT_NOTICE_ANCILLARY,
	/* The system is short of something for now; the transport tries again by itself. */
	MEMTUN_TRANSPORT_NOTICE_RETRY,
};

/* Something to log. Nothing need be done about it. */
struct memtun_transport_notice {
	enum memtun_transport_notice_kind kind;
	size_t fds; /* FDS_LOST and FDS_SURPLUS: how many were closed here */
	int level;  /* ANCILLARY: cmsg_level */
	int type;   /* ANCILLARY: cmsg_type */
	int error;  /* WEATHER: errno */
};

/*
 * Called from memtun_transport_dispatch(); pause and notice from memtun_transport_send() as well.
 * Any may be NULL. Each may free the transport, except pause and notice.
 */
struct memtun_transport_handlers {
	/* One descriptor, close-on-exec, now the callee's to close. Those of one message come in
	 * their order, before its data. NULL: descriptors are closed, and data_received is told. */
	void (*fd_received)(struct memtun_transport *transport, int fd, void *context);

	/* SEQPACKET: one record. STREAM: what has come, at most MEMTUN_TRANSPORT_READ_MAX bytes;
	 * the descriptors before it came with its last part (the kernel joins earlier bytes to the
	 * front of a piece that has some). `flags` are of enum memtun_transport_flag. */
	void (*data_received)(struct memtun_transport *transport, const void *data, size_t length,
			      unsigned int flags, void *context);

	/* The queue is full: send no more than you must. */
	void (*pause)(struct memtun_transport *transport, void *context);

	/* The queue is down to half of what makes it full: send again. */
	void (*resume)(struct memtun_transport *transport, void *context);

	/* The connection has ended; called once. error is 0 for an orderly end, else errno:
	 * ECONNRESET if the peer left with data unread, EPIPE if it no longer reads. What it had
	 * sent before was received first, unless reading was off and something was to be sent. */
	void (*closed)(struct memtun_transport *transport, int error, void *context);

	void (*notice)(struct memtun_transport *transport,
		       const struct memtun_transport_notice *notice, void *context);
};

/* When the queue is full (more than this), and when it takes no more at all. */
struct memtun_transport_bounds {
	size_t pause_fds;   /* 64 */
	size_t pause_bytes; /* 65,536 */
	size_t hard_fds;    /* 1,024 */
	size_t hard_bytes;  /* 1,048,576 */
};

/*
 * Makes a transport of a connected UNIX socket, sets it non-blocking and owns it from then on. The
 * handlers are not copied and must outlive the transport. NULL with errno on failure, and then the
 * caller still owns the socket: ENOTSOCK, EPROTOTYPE (neither SEQPACKET nor STREAM, or not UNIX),
 * ENOMEM, EBADF.
 */
struct memtun_transport *
memtun_transport_new(int fd, const struct memtun_transport_handlers *handlers, void *context);

/* Closes the socket and all that is queued, and frees the transport. NULL is let pass. */
void memtun_transport_free(struct memtun_transport *transport);

/* EINVAL if a hard bound is below its pause bound. */
int memtun_transport_set_bounds(struct memtun_transport *transport,
				const struct memtun_transport_bounds *bounds);

/*
 * Sends `length` bytes, and with the first of them `count` descriptors. Sent at once if nothing
 * waits before it, else queued. On success the descriptors are the transport's, which closes each
 * one exactly once; on failure they are still the caller's and nothing was sent or queued: EINVAL
 * (no bytes, or more than MEMTUN_TRANSPORT_FDS_MAX), EMSGSIZE (a record the socket can't carry),
 * ENOBUFS (past the hard bound), ENOMEM, EBADF (a negative number), EPIPE (the connection has ended
 * or its peer reads no more).
 */
int memtun_transport_send(struct memtun_transport *transport, const void *data, size_t length,
			  const int *fds, size_t count);

/*
 * As memtun_transport_send(), but sends duplicates of the descriptors: the given ones stay the
 * caller's in any case. Fails also as fcntl(F_DUPFD_CLOEXEC) does: EBADF, EMFILE.
 */
int memtun_transport_send_copies(struct memtun_transport *transport, const void *data,
				 size_t length, const int *fds, size_t count);

/* Whether to read from the peer; it is so at first. A peer that isn't read is paused in turn. */
void memtun_transport_set_reading(struct memtun_transport *transport, bool reading);

/* The socket to wait on; still the transport's. */
int memtun_transport_fd(const struct memtun_transport *transport);

/*
 * What to wait for there: POLLIN, POLLOUT, both or 0. Changes with each call into the transport.
 * At 0 leave the socket out: poll(2) would report a peer's hang-up again and again, while what it
 * sent waits to be read.
 */
short memtun_transport_events(const struct memtun_transport *transport);

/* When to call memtun_transport_dispatch() at the latest: CLOCK_MONOTONIC nanoseconds, -1: never.
 */
int64_t memtun_transport_deadline(const struct memtun_transport *transport);

/* Does what can be done now. revents: what poll(2) said, 0 if the deadline has come. */
void memtun_transport_dispatch(struct memtun_transport *transport, short revents);

/* Between a pause and its resume. */
bool memtun_transport_is_paused(const struct memtun_transport *transport);

/* What waits to be sent. */
size_t memtun_transport_queued_bytes(const struct memtun_transport *transport);
size_t memtun_transport_queued_fds(const struct memtun_transport *transport);

/* How often sending or receiving had to wait for the system to have something again. */
uint64_t memtun_transport_retries(const struct memtun_transport *transport);

#ifdef __cplusplus
}
#endif

#endif
