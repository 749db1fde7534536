/* SPDX-License-Identifier: MIT */
/*
 * A transport is a connected UNIX socket (SOCK_SEQPACKET or SOCK_STREAM) that carries bytes and
 * descriptors, with a bounded send queue that pauses its producer. A transport has no event loop:
 * it tells the program what to poll for and until when, and calls the program back. See
 * memtun_transport(3). This interface is unstable until 1.0.
 */
#ifndef MEMTUN_TRANSPORT_H
#define MEMTUN_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Max descriptors in one message: the kernel's SCM_MAX_FD. */
#define MEMTUN_TRANSPORT_FDS_MAX 253

/* Max bytes in one call of data_received(). A longer SEQPACKET record arrives cut. */
#define MEMTUN_TRANSPORT_READ_MAX 65536

struct memtun_transport;

/* What was wrong with received data, as bits. */
enum memtun_transport_flag {
	/* Some descriptors that came with the data could not be received, mostly because the
	 * process has no free descriptor. The transport has closed the others. */
	MEMTUN_TRANSPORT_FDS_LOST = 1 << 0,
	/* Descriptors came with the data, and fd_received is NULL. The transport closed them. */
	MEMTUN_TRANSPORT_FDS_SURPLUS = 1 << 1,
	/* The SEQPACKET record was longer than MEMTUN_TRANSPORT_READ_MAX. The rest is lost. */
	MEMTUN_TRANSPORT_DATA_CUT = 1 << 2,
};

enum memtun_transport_notice_kind {
	MEMTUN_TRANSPORT_NOTICE_FDS_LOST,
	MEMTUN_TRANSPORT_NOTICE_FDS_SURPLUS,
	/* Ancillary data other than descriptors came, and was ignored. */
	MEMTUN_TRANSPORT_NOTICE_ANCILLARY,
	/* A transient error, such as ENOBUFS or EMFILE: the transport retries by itself. */
	MEMTUN_TRANSPORT_NOTICE_RETRY,
};

/* An event to log. The program need do nothing else about it. */
struct memtun_transport_notice {
	enum memtun_transport_notice_kind kind;
	size_t fds; /* FDS_LOST and FDS_SURPLUS: how many descriptors the transport closed */
	int level;  /* ANCILLARY: cmsg_level */
	int type;   /* ANCILLARY: cmsg_type */
	int error;  /* RETRY: errno */
};

/*
 * The program's functions. memtun_transport_dispatch() calls them; memtun_transport_send() and
 * memtun_transport_send_copies() call pause and notice too. Each member may be NULL. Each function
 * but pause and notice may free the transport.
 */
struct memtun_transport_handlers {
	/* One descriptor was received. It is close-on-exec, and the program owns it. The
	 * descriptors of a message come in their order, before its data. NULL: the transport closes
	 * received descriptors and sets MEMTUN_TRANSPORT_FDS_SURPLUS. */
	void (*fd_received)(struct memtun_transport *transport, int fd, void *context);

	/* Data was received: with SEQPACKET one record, with STREAM 1 to MEMTUN_TRANSPORT_READ_MAX
	 * bytes. With STREAM, the descriptors received before this call were sent with the last
	 * message in the data, because the kernel may put bytes that were sent earlier before it.
	 * `flags` has bits of enum memtun_transport_flag. `data` is valid during the call. */
	void (*data_received)(struct memtun_transport *transport, const void *data, size_t length,
			      unsigned int flags, void *context);

	/* The send queue is full: stop sending what can wait. */
	void (*pause)(struct memtun_transport *transport, void *context);

	/* The send queue has fallen to half of its pause bounds: send again. */
	void (*resume)(struct memtun_transport *transport, void *context);

	/* The connection has ended; called once. error: 0 after an orderly end, which means that
	 * the kernel had accepted all that was sent; ECONNRESET if the peer closed with data
	 * unread; EPIPE if the peer no longer reads; or another errno. All that the peer had sent
	 * was received first, unless reading was off and data was queued, or the program called
	 * memtun_transport_close(). */
	void (*closed)(struct memtun_transport *transport, int error, void *context);

	void (*notice)(struct memtun_transport *transport,
		       const struct memtun_transport_notice *notice, void *context);

	/* The send queue has become empty: the kernel has accepted all that waited in it. Called
	 * only if something had waited. */
	void (*drained)(struct memtun_transport *transport, void *context);

	/* The peer has shut down its sending side and still reads; called at most once. All that it
	 * had sent was received first. The program may go on sending, and ends the connection with
	 * memtun_transport_close() or memtun_transport_shutdown(). NULL: the transport closes by
	 * itself once the queue is sent. */
	void (*half_closed)(struct memtun_transport *transport, void *context);
};

/*
 * Bounds of the send queue. A queue with more than a pause bound is full; a send that would exceed
 * a hard bound fails.
 */
struct memtun_transport_bounds {
	size_t pause_fds;   /* descriptors; 64 in a new transport */
	size_t pause_bytes; /* 65,536 in a new transport */
	size_t hard_fds;    /* 1,024 in a new transport */
	size_t hard_bytes;  /* 1,048,576 in a new transport */
};

/*
 * Make a transport of a connected UNIX socket. The transport makes the socket non-blocking, owns it
 * and closes it. `handlers` is borrowed and must outlive the transport; `context` is passed to each
 * handler. On failure the caller still owns the socket. NULL with errno: ENOTSOCK, EPROTOTYPE (the
 * socket is not UNIX, or neither SEQPACKET nor STREAM), ENOMEM, EBADF.
 */
struct memtun_transport *
memtun_transport_new(int fd, const struct memtun_transport_handlers *handlers, void *context);

/*
 * Close the socket and all queued descriptors, and free the transport, which may be NULL. Queued
 * data is lost; memtun_transport_close() sends it first.
 */
void memtun_transport_free(struct memtun_transport *transport);

/* Set the bounds. Return 0; -1 with EINVAL if a hard bound is below its pause bound. */
int memtun_transport_set_bounds(struct memtun_transport *transport,
				const struct memtun_transport_bounds *bounds);

/*
 * Send `length` bytes, and with the first of them `count` descriptors; queue what cannot be sent at
 * once. Return 0, and the transport then owns the descriptors and closes each exactly once. On
 * failure nothing was sent or queued, and the caller still owns them. -1 with errno: EINVAL (no
 * bytes, or more than MEMTUN_TRANSPORT_FDS_MAX descriptors), EMSGSIZE (the record is longer than
 * the socket takes), ENOBUFS (a hard bound would be exceeded), ENOMEM, EBADF (a negative
 * descriptor), EPIPE (the connection has ended or was told to, or the peer no longer reads).
 */
int memtun_transport_send(struct memtun_transport *transport, const void *data, size_t length,
			  const int *fds, size_t count);

/*
 * Do the same with duplicates of the descriptors, which the caller goes on owning in any case. Also
 * fails with the errno of fcntl(F_DUPFD_CLOEXEC): EBADF, EMFILE.
 */
int memtun_transport_send_copies(struct memtun_transport *transport, const void *data,
				 size_t length, const int *fds, size_t count);

/*
 * Shut down the sending side once the queue is sent: the peer then reads the end of the data. The
 * transport receives until the peer ends its side too, which ends the connection. From this call on
 * sending fails with EPIPE.
 */
void memtun_transport_shutdown(struct memtun_transport *transport);

/*
 * End the connection once the queue is sent. A dispatch then calls closed with error 0; the program
 * frees the transport, which closes the socket. From this call on sending fails with EPIPE. Data is
 * received until then, unless reading is off. A peer that does not read delays the end without a
 * limit; memtun_transport_free() does not wait for it.
 */
void memtun_transport_close(struct memtun_transport *transport);

/*
 * Start or stop reading from the peer. A new transport reads. While reading is stopped, the peer's
 * sends fill the socket and then wait.
 */
void memtun_transport_set_reading(struct memtun_transport *transport, bool reading);

/* Return the socket to poll. The transport still owns it. */
int memtun_transport_fd(const struct memtun_transport *transport);

/*
 * Return the events to poll for: POLLIN, POLLOUT, both or 0. Each call into the transport can
 * change them. If they are 0, don't poll the socket: poll(2) would report a peer's hang-up again
 * and again while received data waits for reading to start.
 */
short memtun_transport_events(const struct memtun_transport *transport);

/*
 * Return when to call memtun_transport_dispatch() at the latest: CLOCK_MONOTONIC, nanoseconds; -1:
 * never.
 */
int64_t memtun_transport_deadline(const struct memtun_transport *transport);

/*
 * Send and receive what is possible now, and call the handlers. revents: the events from poll(2),
 * or 0 at the deadline.
 */
void memtun_transport_dispatch(struct memtun_transport *transport, short revents);

/* Return whether pause was called, and resume not since. */
bool memtun_transport_is_paused(const struct memtun_transport *transport);

/* Return how many bytes, and how many descriptors, are in the send queue. */
size_t memtun_transport_queued_bytes(const struct memtun_transport *transport);
size_t memtun_transport_queued_fds(const struct memtun_transport *transport);

/* Return how often sending or receiving met a transient error and had to be retried. */
uint64_t memtun_transport_retries(const struct memtun_transport *transport);

#ifdef __cplusplus
}
#endif

#endif
