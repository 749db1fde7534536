/* SPDX-License-Identifier: MIT */
/*
 * libmemtun: asks a memtund for tunnels. A tunnel is a TUN or TAP endpoint; opening one gives a
 * descriptor that reads and writes one frame per call. See memtun(3).
 *
 * A connection belongs to one thread at a time. The library starts no threads, touches no signals
 * and writes nothing to standard error. Strings that it returns are its own.
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
struct memtun_options; /* what a tunnel or an uplink is to be */
struct memtun_record;  /* what a tunnel, bridge, uplink, address or event is */

/* --- options: the keys and values of memtun(1), `mode tap` and so on --- */

/* Empty options, the caller's to free. NULL with ENOMEM. */
struct memtun_options *memtun_options_new(void);
void memtun_options_free(struct memtun_options *options);

/*
 * Sets one: value is as on the command line, NULL for a flag that is on. -1 with EINVAL (unknown
 * key, value out of its bounds) or ENOMEM; memtun_options_error() then says it in words.
 */
int memtun_options_set(struct memtun_options *options, const char *key, const char *value);
int memtun_options_set_number(struct memtun_options *options, const char *key, uint64_t number);

/* Sets those of a text `key=value,flag,…`; an empty text sets none. Fails as above. */
int memtun_options_parse(struct memtun_options *options, const char *text);

/* What was wrong with the last one set, in words; "" if nothing was. */
const char *memtun_options_error(const struct memtun_options *options);

/* --- records: the same keys, as `memtun -j show` prints them --- */

/* The value as text, or NULL if the record has no such key. Valid as long as the record. */
const char *memtun_record_string(const struct memtun_record *record, const char *key);

/* The value as a number into *number; -1 with ENOENT (no such key) or EINVAL (a name). */
int memtun_record_number(const struct memtun_record *record, const char *key, uint64_t *number);

/* The key after `key`, in the order of memtun/protocol.h; NULL asks for the first, and ends. */
const char *memtun_record_next(const struct memtun_record *record, const char *key);

/* --- the connection --- */

/* A connection to nothing yet, the caller's to free. NULL with ENOMEM. */
struct memtun *memtun_new(void);

/* Closes the connection. Descriptors that were opened stay open. Not from inside a callback. */
void memtun_free(struct memtun *memtun);

/*
 * Connects, blocking, and says hello. address is a path, or @NAME for the abstract namespace; NULL
 * tries $MEMTUN_SOCKET alone if it is set, else $XDG_RUNTIME_DIR/memtun/control,
 * /tmp/memtun-UID/control and /run/memtun/control in turn. -1 with errno: ENOENT or ECONNREFUSED
 * (no broker), EPERM (the broker is neither this user's nor root's), EPROTONOSUPPORT (another
 * major version), EPROTO, ENAMETOOLONG, EISCONN, ENOMEM.
 */
int memtun_connect(struct memtun *memtun, const char *address);

/* What the last failed call on this connection was about, in words; "" if none has failed. */
const char *memtun_error(const struct memtun *memtun);

/*
 * Blocking requests. -1 with errno and memtun_error() on failure: what the broker answered, or
 * EPIPE if the connection has ended, ENOTCONN if there is none yet. Options may be NULL. Events
 * that arrive meanwhile are kept for memtun_dispatch().
 *
 * The broker's answers: EINVAL (a value, or options that differ from the existing tunnel's), EBUSY
 * (the name is taken, or its queue is), EPERM (another user's), ENOENT (no such name), ENFILE or
 * EMFILE (no more descriptors), ENOMEM, E2BIG (256 queues).
 */

/*
 * Opens a tunnel, a fresh queue of it, and returns its descriptor: the caller's, close-on-exec,
 * blocking. A name that doesn't exist is made, and goes with its last descriptor. In the name one
 * %d stands for the lowest free number; NULL is "tun%d" or "tap%d". EMFILE also if this process
 * can have no more descriptors.
 */
int memtun_open(struct memtun *memtun, const char *name, const struct memtun_options *options);

/* As memtun_open(), and writes the tunnel's name, at most MEMTUN_NAME_SIZE bytes with its NUL. */
int memtun_open_named(struct memtun *memtun, const char *name, const struct memtun_options *options,
		      char opened[MEMTUN_NAME_SIZE]);

/* Makes a tunnel that stays until it is deleted. */
int memtun_add(struct memtun *memtun, const char *name, const struct memtun_options *options);

/* Changes an existing tunnel: bridge, mtu, queue, overflow, persistent. */
int memtun_set(struct memtun *memtun, const char *name, const struct memtun_options *options);

/* Deletes a tunnel, and with it what is wired to it as its peer. Its descriptors see the end. */
int memtun_delete(struct memtun *memtun, const char *name);

/* What is called for each record; it must not call into the connection. Where things are shown it
 * may be NULL: then it is only asked whether they are there. */
typedef void memtun_record_function(const struct memtun_record *record, void *context);

/* Calls function for that tunnel, or for all (name NULL); with counters if statistics. */
int memtun_show(struct memtun *memtun, const char *name, bool statistics,
		memtun_record_function *function, void *context);

/* Bridges: hub makes one that floods. One made here stays until it is deleted. */
int memtun_bridge_add(struct memtun *memtun, const char *name, bool hub);
int memtun_bridge_delete(struct memtun *memtun, const char *name);
int memtun_bridge_show(struct memtun *memtun, const char *name, memtun_record_function *function,
		       void *context);

/*
 * Makes an uplink, which joins a bridge to something outside of the broker. The options say the
 * bridge, the type and what that needs: the keys of memtun(1). function, which may be NULL, is
 * called with what was made: if its `state` is `down` the other side isn't there yet, `reason` says
 * more, and the broker goes on trying. Errors besides: EOPNOTSUPP (the broker was built without
 * that type), and why it could not be opened, as EADDRNOTAVAIL, ENODEV, EPERM.
 */
int memtun_uplink_add(struct memtun *memtun, const char *name, const struct memtun_options *options,
		      memtun_record_function *function, void *context);

int memtun_uplink_delete(struct memtun *memtun, const char *name);

/* Calls function for that uplink, or for all (name NULL); with counters if statistics. */
int memtun_uplink_show(struct memtun *memtun, const char *name, bool statistics,
		       memtun_record_function *function, void *context);

/*
 * Calls function for each address that the bridge has learned: `address`, the `name` of the port
 * that it is behind, `age` in nanoseconds, and on Ethernet `vlan`, 0 for none. ENOENT: no such
 * bridge, or not any more.
 */
int memtun_address_show(struct memtun *memtun, const char *bridge, memtun_record_function *function,
			void *context);

/* Did what the last blocking call listed change while it was listed? Then ask once more. */
bool memtun_interrupted(const struct memtun *memtun);

/*
 * Copies of the frames of a tunnel or an uplink, or (is_bridge) of those of each on a bridge, as a
 * descriptor to read: the caller's, one record a read, the end as for a tunnel. direction: 0 for
 * both. plain: a record is just a frame; else there is struct memtun_capture_header before it. A
 * slow reader slows nobody: it misses frames, and the header says how many. EINVAL too: the tunnel
 * has a peer.
 */
int memtun_capture(struct memtun *memtun, const char *name, bool is_bridge,
		   enum memtun_direction direction, bool plain);

/*
 * A descriptor to write frames to, one a write, that go to the tunnel's client (MEMTUN_TO_CLIENT)
 * or are taken as if the client had sent them (MEMTUN_FROM_CLIENT). The caller's; a write waits
 * until there is room. EINVAL too: the tunnel has a peer.
 */
int memtun_inject(struct memtun *memtun, const char *name, enum memtun_direction direction);

/*
 * Asks for events: from now on memtun_dispatch() calls function for each, with the key `event`. An
 * event `lost` says that this connection was too slow and that some are missing.
 */
int memtun_subscribe(struct memtun *memtun, memtun_record_function *function, void *context);

/* --- the same without blocking, for programs with a loop of their own --- */

/* An answer, or a part of one. */
struct memtun_reply {
	/* One object of the answer; NULL: the answer is complete, and error says how it ended. */
	const struct memtun_record *record;
	int fd; /* with a record of QUEUE_OPEN, CAPTURE or INJECT: the descriptor, now the callee's;
		   else -1 */
	int error;        /* 0 or errno; with a record, EMFILE: its descriptor was lost */
	const char *text; /* the error in words */
	bool interrupted; /* at the end of a list: it changed while it was made */
};

/* May make requests; may not free the connection. */
typedef void memtun_reply_function(struct memtun *memtun, const struct memtun_reply *reply,
				   void *context);

/*
 * Sends a request: command is of enum memtun_command (HELLO and EVENT aside), name as the blocking
 * calls take it (NULL: all, or none). function, which may be NULL, is called from
 * memtun_dispatch() for each part of the answer and, once, with record NULL at its end; if the
 * connection ends first, with its errno. Answers come in the order of requests. -1 with errno and
 * nothing sent: EAGAIN (the queue is full: try again after memtun_dispatch()), EPIPE, ENOTCONN,
 * ENOMEM, EINVAL.
 */
int memtun_request(struct memtun *memtun, enum memtun_command command, const char *name,
		   const struct memtun_options *options, memtun_reply_function *function,
		   void *context);

/* The socket to wait on, and what for: POLLIN, POLLOUT or both. -1 and 0 once it has ended. */
int memtun_fd(const struct memtun *memtun);
short memtun_events(const struct memtun *memtun);

/* When to call memtun_dispatch() at the latest: CLOCK_MONOTONIC nanoseconds, -1: never. */
int64_t memtun_deadline(const struct memtun *memtun);

/* Reads and writes what can be, and calls back. -1 with EPIPE or another errno once it has ended.
 */
int memtun_dispatch(struct memtun *memtun);

/*
 * Waits until something can be done or the timeout (milliseconds, -1: none) is over, then
 * dispatches. 1: dispatched, 0: timeout, -1 with errno: ended, or EINTR.
 */
int memtun_wait(struct memtun *memtun, int timeout);

#ifdef __cplusplus
}
#endif

#endif
