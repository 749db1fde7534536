/* SPDX-License-Identifier: MIT */
/*
 * libmemtun: asks a memtund for tunnels. A tunnel is a TUN or TAP endpoint; opening one returns a
 * descriptor that reads and writes one frame per call. See memtun(3).
 *
 * A connection belongs to one thread at a time. The library starts no threads, touches no signals
 * and writes nothing to standard error. The library owns the strings that it returns.
 */
#ifndef MEMTUN_H
#define MEMTUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memtun/protocol.h>

#ifdef __cplusplus
extern "C" {
#endif

struct memtun;         /* a connection to a broker */
struct memtun_options; /* the options of a tunnel or an uplink */
struct memtun_record;  /* a tunnel, bridge, uplink, learned address or event, as keys and values */

/* --- options: the keys and values of memtun(1), such as `mode tap` --- */

/* Make empty options. The caller frees them. NULL with ENOMEM. */
struct memtun_options *memtun_options_new(void);

/* Free the options, which may be NULL. */
void memtun_options_free(struct memtun_options *options);

/*
 * Set one option. value is the text of the command line; NULL switches a flag on. Return 0; -1 with
 * EINVAL (unknown key, or a value out of bounds) or ENOMEM, and memtun_options_error() has the
 * text.
 */
int memtun_options_set(struct memtun_options *options, const char *key, const char *value);
int memtun_options_set_number(struct memtun_options *options, const char *key, uint64_t number);

/*
 * Set the options in a text `key=value,flag,...`, which may be empty. The results are those of
 * memtun_options_set(). A text that fails sets no option.
 */
int memtun_options_parse(struct memtun_options *options, const char *text);

/*
 * Return a text about the last option that could not be set; "" if there was none. The options own
 * the text, which is valid until the next call that sets an option.
 */
const char *memtun_options_error(const struct memtun_options *options);

/* --- records: the keys and values that `memtun -j show` prints --- */

/* Return the key's value as text; NULL if the record has no such key. The record owns the text. */
const char *memtun_record_string(const struct memtun_record *record, const char *key);

/*
 * Store the key's value in *number. Return 0; -1 with ENOENT (the record has no such key) or EINVAL
 * (the value is not a number).
 */
int memtun_record_number(const struct memtun_record *record, const char *key, uint64_t *number);

/*
 * Return the key after `key`, in the order of memtun/protocol.h: the first key if `key` is NULL,
 * NULL after the last key. The library owns the text.
 */
const char *memtun_record_next(const struct memtun_record *record, const char *key);

/* --- the connection --- */

/* Make a connection that is not connected yet. The caller frees it. NULL with ENOMEM. */
struct memtun *memtun_new(void);

/*
 * Close the connection and free it. Descriptors that it has opened stay open. Must not be called
 * from a callback. memtun may be NULL.
 */
void memtun_free(struct memtun *memtun);

/*
 * Connect to a broker, waiting for its hello. address is a path, or @NAME for the abstract
 * namespace. With NULL, $MEMTUN_SOCKET is the only address if it is set; else the first of these at
 * which a broker listens is used: $XDG_RUNTIME_DIR/memtun/control, /run/user/UID/memtun/control,
 * /tmp/memtun-UID/control, /run/memtun/control. Return 0; -1 with errno: ENOENT or ECONNREFUSED (no
 * broker), EPERM (the broker is neither this user's nor root's), EPROTONOSUPPORT (the broker has
 * another major version), EPROTO, ENAMETOOLONG, EISCONN, ETIMEDOUT, ENOMEM.
 */
int memtun_connect(struct memtun *memtun, const char *address);

/*
 * Limit how long the broker may take for each part of an answer, and to accept the connection. A
 * connection whose broker takes longer ends with ETIMEDOUT. milliseconds is -1 for no limit, which
 * is the default. Call it before memtun_connect(), or later to change the limit.
 */
void memtun_set_timeout(struct memtun *memtun, int milliseconds);

/*
 * Return a text about the last call on this connection that failed; "" if none has. The connection
 * owns the text, which is valid until the next call.
 */
const char *memtun_error(const struct memtun *memtun);

/*
 * Blocking requests. Each returns 0, or the descriptor that it opened. On failure it returns -1
 * with errno and the text of memtun_error(): the broker's answer, EPIPE if the connection has
 * ended, ENOTCONN if it is not connected. `options` may be NULL, and stays the caller's. Events
 * that arrive meanwhile are kept for memtun_dispatch().
 *
 * The broker answers with EINVAL (a value is wrong, or the options differ from those of the
 * existing tunnel), EBUSY (the name or its queue is taken), EPERM (the tunnel is another user's),
 * ENOENT (no such name), ENFILE or EMFILE (no more descriptors), ENOMEM, or E2BIG (the tunnel has
 * 256 queues).
 */

/*
 * Open a new queue of a tunnel, and return its descriptor, which the caller owns. The descriptor is
 * close-on-exec and blocking. A name that does not exist makes a tunnel that is deleted with its
 * last descriptor. One %d in the name stands for the lowest free number; NULL is "tun%d" or
 * "tap%d". EMFILE also if this process has no free descriptor.
 */
int memtun_open(struct memtun *memtun, const char *name, const struct memtun_options *options);

/* Do the same, and write the tunnel's name with its NUL into `opened`. */
int memtun_open_named(struct memtun *memtun, const char *name, const struct memtun_options *options,
		      char opened[MEMTUN_NAME_SIZE]);

/* Make a tunnel that stays until it is deleted. */
int memtun_add(struct memtun *memtun, const char *name, const struct memtun_options *options);

/* Change an existing tunnel's options bridge, mtu, queue, overflow, persistent, address, gateway,
 * offload or vnet_hdr_size. */
int memtun_set(struct memtun *memtun, const char *name, const struct memtun_options *options);

/* Delete a tunnel and its peer, if it has one. Their descriptors are at their end. */
int memtun_delete(struct memtun *memtun, const char *name);

/*
 * A function that is called for each record; `record` is valid during the call. The function must
 * not call into the connection. Where a call below shows objects, the function may be NULL: the
 * call then only checks that they exist.
 */
typedef void memtun_record_function(const struct memtun_record *record, void *context);

/* Call function for the tunnel, or for each if name is NULL; with counters if `statistics`. */
int memtun_show(struct memtun *memtun, const char *name, bool statistics,
		memtun_record_function *function, void *context);

/*
 * Make a bridge that stays until it is deleted. Its options are hub and loop-guard. If options is
 * NULL, the bridge learns addresses and has no loop guard.
 */
int memtun_bridge_add(struct memtun *memtun, const char *name,
		      const struct memtun_options *options);

/* Delete a bridge. */
int memtun_bridge_delete(struct memtun *memtun, const char *name);

/* Call function for the bridge, or for each if name is NULL. */
int memtun_bridge_show(struct memtun *memtun, const char *name, memtun_record_function *function,
		       void *context);

/*
 * Make an uplink, which connects a bridge to something outside of the broker. The options have the
 * bridge, the type, and the keys of memtun(1) for that type. function, which may be NULL, is called
 * with the new uplink. If its `state` is `down`, the other side is not there yet: `reason` has a
 * text, and the broker goes on trying. Further errors: EOPNOTSUPP (the broker was built without
 * that type), and the errno of the system call that failed, such as EADDRNOTAVAIL, ENODEV or EPERM.
 */
int memtun_uplink_add(struct memtun *memtun, const char *name, const struct memtun_options *options,
		      memtun_record_function *function, void *context);

/*
 * Make an uplink of type fd, which has a copy of the descriptor `fd`: a TUN or TAP device, or a
 * connected UNIX socket. The options must have bridge, and may have the other keys of these types
 * in memtun(1); type is fd or, if `fd` must be a device, device. The broker deletes the uplink
 * when the other side closes it, and when `life` hangs up: a pidfd, or an end of a pipe or of a
 * UNIX socket; -1: none. The caller still owns both descriptors. Further errors: EINVAL (the
 * broker cannot use such a descriptor), EBADF, EBADFD (a device without an interface), ENOTCONN,
 * EEXIST (the broker has the descriptor already), ELOOP (the broker has its other end), EPIPE and
 * ESRCH (the other side or the life has ended).
 */
int memtun_uplink_add_fd(struct memtun *memtun, const char *name,
			 const struct memtun_options *options, int fd, int life);

/* Change an uplink's options bridge, mtu, queue, overflow, address or gateway. */
int memtun_uplink_set(struct memtun *memtun, const char *name,
		      const struct memtun_options *options);

/* Delete an uplink. */
int memtun_uplink_delete(struct memtun *memtun, const char *name);

/* Call function for the uplink, or for each if name is NULL; with counters if `statistics`. */
int memtun_uplink_show(struct memtun *memtun, const char *name, bool statistics,
		       memtun_record_function *function, void *context);

/*
 * Call function for each address that the bridge has learned. A record has the `address`, the
 * `name` of its port, `age` in nanoseconds and, on Ethernet, `vlan`, which is 0 without a tag.
 * ENOENT also if the bridge was deleted meanwhile.
 */
int memtun_address_show(struct memtun *memtun, const char *bridge, memtun_record_function *function,
			void *context);

/*
 * Call function for the session with that id, or for each if `id` is 0. A session is a client of
 * the broker. It stays in the list with the `state` `closed` after the client has disconnected, as
 * long as a capture or an injector that it asked for is in use.
 */
int memtun_session_show(struct memtun *memtun, uint32_t id, memtun_record_function *function,
			void *context);

/*
 * Disconnect the session's client and end the session's captures and injectors. EINVAL also if it is
 * this connection's session.
 */
int memtun_session_delete(struct memtun *memtun, uint32_t id);

/*
 * Call function with a record of the broker's logical clock: `clock`, real or manual; `clock-time`,
 * in nanoseconds; `due`, the number of events to come, such as timers of adapters; and `clock-next`,
 * the time of the first of them, if there is one.
 */
int memtun_clock_show(struct memtun *memtun, memtun_record_function *function, void *context);

/*
 * Move the manual clock, and run what is due until then, each event at its time. The broker first
 * reads the frames that clients have sent before. function, which may be NULL, is called with the
 * record of memtun_clock_show() after that, and with `move`, by how much the clock has moved.
 * EINVAL: the broker has no manual clock. ERANGE: the clock cannot show that time.
 */
int memtun_clock_advance(struct memtun *memtun, uint64_t nanoseconds,
			 memtun_record_function *function, void *context);

/*
 * Wait until the whole broker is quiet, as memtun_wait_quiet() does, and move the manual clock to the
 * next event. Further errors: ENODATA (nothing is due), ETIMEDOUT.
 */
int memtun_clock_next(struct memtun *memtun, int timeout, memtun_record_function *function,
		      void *context);

/*
 * Wait until the ports are quiet. Then their programs have read each frame that was not dropped and
 * does not wait for the logical clock, and no frame has come for `idle` nanoseconds of real time.
 * `names` has tunnels, uplinks and bridges, with commas between them; NULL is the whole broker.
 * timeout is in milliseconds, -1 for no limit; a time of memtun_set_timeout() has to be longer.
 * function, which may be NULL, is called for each uplink where frames count as read once they are
 * sent, because the kernel does not tell more. ETIMEDOUT: memtun_error() says what the broker still
 * waits for. ENODEV: an object was deleted meanwhile.
 */
int memtun_wait_quiet(struct memtun *memtun, const char *names, uint64_t idle, int timeout,
		      memtun_record_function *function, void *context);

/*
 * Add a rule that impairs the frames of the tunnel or uplink: see memtun-impair(7). The options
 * have the keys of that page, and a direction if the rule is for one only. A filter needs both
 * `match`, its text, and `match-code`, its program as `tcpdump -ddd` prints it, with + for
 * newlines. function, which may be NULL, is called with the new rule, whose `rule` is its number
 * and whose `seed` repeats the run. EINVAL also if keys contradict each other, or the tunnel has a
 * peer or backend kernel; E2BIG: it has 64 rules.
 */
int memtun_impair_add(struct memtun *memtun, const char *name, const struct memtun_options *options,
		      memtun_record_function *function, void *context);

/* Change keys of a rule. The options have its number as `rule`. */
int memtun_impair_set(struct memtun *memtun, const char *name,
		      const struct memtun_options *options);

/* Delete the rule of that number, or all rules of the tunnel or uplink if it is 0. Frames that it
 * holds go on. */
int memtun_impair_delete(struct memtun *memtun, const char *name, uint32_t rule);

/*
 * Release the oldest frame that a rule with `hold` keeps. The options, which may be NULL, choose other
 * frames: `frame` is a frame's number, or 0 for all frames, and `direction` is one direction. With
 * `discard` the frames are dropped. ENOENT also if there is no such frame.
 */
int memtun_impair_release(struct memtun *memtun, const char *name,
			  const struct memtun_options *options);

/* Call function for each rule of the tunnel or uplink, or of all if name is NULL. */
int memtun_impair_show(struct memtun *memtun, const char *name, memtun_record_function *function,
		       void *context);

/*
 * Return whether the list of the last blocking call changed while it was sent. If so, it may lack
 * objects: ask again.
 */
bool memtun_interrupted(const struct memtun *memtun);

/*
 * Return a descriptor that yields copies of the frames of a tunnel or an uplink or, if `is_bridge`,
 * of all ports of a bridge. The caller owns it. Each read returns one record: struct
 * memtun_capture_header and the frame, or the frame alone if `plain`. A direction of 0 means both.
 * A reader that is too slow delays no traffic: it misses frames, and the header counts them. The
 * descriptor ends as a tunnel's does. EINVAL also if the tunnel has a peer.
 */
int memtun_capture(struct memtun *memtun, const char *name, bool is_bridge,
		   enum memtun_direction direction, bool plain);

/*
 * Do the same, but struct memtun_capture_details precedes each frame. Its `size` is the number of bytes
 * before the frame. With `faults` there is also a record, with the reasons, of each frame that was
 * dropped or impaired.
 */
int memtun_capture_detailed(struct memtun *memtun, const char *name, bool is_bridge,
			    enum memtun_direction direction, bool faults);

/*
 * Return a descriptor to which each write gives one frame. The caller owns it. The frames go to the
 * tunnel's client (MEMTUN_TO_CLIENT), or enter as if the client had sent them (MEMTUN_FROM_CLIENT).
 * A write waits until there is room. After shutdown(SHUT_WR) a read gives a struct
 * memtun_inject_result. EINVAL also if the tunnel has a peer.
 */
int memtun_inject(struct memtun *memtun, const char *name, enum memtun_direction direction);

/* Do the same for frames whose checksum or segmentation may be left to the receiver: each write
 * has a struct virtio_net_hdr, 10 bytes in host byte order, and then the frame. */
int memtun_inject_vnet(struct memtun *memtun, const char *name, enum memtun_direction direction);

/*
 * Subscribe to events: memtun_dispatch() then calls function for each event, a record with the key
 * `event`. An event `lost` means that this connection was too slow and events are missing.
 */
int memtun_subscribe(struct memtun *memtun, memtun_record_function *function, void *context);

/* --- the same without blocking, for programs with an event loop --- */

/* An answer, or a part of one. */
struct memtun_reply {
	/* One object of the answer. NULL: the answer is complete, and error is its result. */
	const struct memtun_record *record;
	/* With a record of QUEUE_OPEN, CAPTURE or INJECT, the descriptor, which the called function
	 * owns; else -1. */
	int fd;
	int error;        /* 0 or an errno; with a record, EMFILE: its descriptor was lost */
	const char *text; /* about the error; valid during the call */
	bool interrupted; /* at the end of a list: it changed while it was sent */
};

/* A function that is called with answers. It may make requests, but not free the connection. */
typedef void memtun_reply_function(struct memtun *memtun, const struct memtun_reply *reply,
				   void *context);

/*
 * Send a request. command is of enum memtun_command, but neither HELLO nor EVENT; name is that of
 * the blocking call, or NULL. memtun_dispatch() calls function, which may be NULL, for each part of
 * the answer, and once with a NULL record at its end. If the connection ends first, that call has
 * the connection's errno. Answers come in the order of requests. Return 0; -1 with errno, and
 * nothing was sent: EAGAIN (the send queue is full; try again after memtun_dispatch()), EPIPE,
 * ETIMEDOUT (the connection has ended so), ENOTCONN, ENOMEM, EINVAL.
 */
int memtun_request(struct memtun *memtun, enum memtun_command command, const char *name,
		   const struct memtun_options *options, memtun_reply_function *function,
		   void *context);

/* Return the socket to poll, which the connection owns; -1 after the connection has ended. */
int memtun_fd(const struct memtun *memtun);

/* Return the events to poll for: POLLIN, POLLOUT or both; 0 after the connection has ended. */
short memtun_events(const struct memtun *memtun);

/*
 * Return when to call memtun_dispatch() at the latest: CLOCK_MONOTONIC, nanoseconds; -1: never.
 */
int64_t memtun_deadline(const struct memtun *memtun);

/*
 * Send and receive what is possible now, and call the callbacks. Return 0; -1 with EPIPE or another
 * errno after the connection has ended.
 */
int memtun_dispatch(struct memtun *memtun);

/*
 * Wait until the connection is ready or `timeout` milliseconds are over (-1: no timeout), then
 * dispatch. Return 1 after dispatching, 0 at the timeout; -1 with EINTR, or the errno with which
 * the connection has ended.
 */
int memtun_wait(struct memtun *memtun, int timeout);

#ifdef __cplusplus
}
#endif

#endif
