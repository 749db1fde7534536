/* SPDX-License-Identifier: MIT */
/*
 * An uplink: a port that joins its bridge to something outside of the broker. While it is up it has
 * a lane; while it is down it drops and counts the frames that are sent to it. Its kind decides what
 * it is joined to, and how: uplink_KIND.c.
 */
#ifndef MEMTUN_UPLINK_H
#define MEMTUN_UPLINK_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attribute_set.h"
#include "broker/engine/program.h"
#include "broker/switch/lane.h"
#include "broker/switch/port.h"
#include "broker/switch/port_names.h"

struct bridges;
struct uplink;

/* The register of all uplinks. */
struct uplinks {
	struct bridges *bridges;
	struct port_names *names;
	struct port_id_tree by_id;
};

/* Room for a text that says what was tried. */
#define UPLINK_TEXT_SIZE 160

/* The descriptors of an uplink of type fd, or of a peer's port; -1 where there is none. */
struct uplink_handed {
	int fd;   /* what becomes the lane */
	int life; /* the uplink is deleted when this ends */
};

/* The options and the operations of one kind of uplink. */
struct uplink_kind {
	size_t size; /* of the kind's structure, whose first member is a struct uplink */
	struct attribute_choice takes;
	uint32_t mtu;                         /* the maximum and the default, bytes of packet */
	const struct lane_envelope *envelope; /* of the lanes */

	/*
	 * An uplink is made even if the peer isn't there yet. Without this flag an uplink is made
	 * only if it can be opened.
	 */
	bool awaits_peer;

	/*
	 * The uplink listens: each peer that connects becomes a port of its own, and the uplink
	 * itself carries no frames.
	 */
	bool listens;

	/* The uplink is deleted when its lane has ended, because it can't be opened again. */
	bool opens_once;

	/* Read the options, whose strings live as long as the uplink. -1 with the fault filled. */
	int (*prepare)(struct uplink *uplink, const struct attribute_set *options,
		       struct fault *fault);

	/* Delete the uplink and return true if its other side has ended and the event loop has not
	 * told yet. NULL: the kind has no such end. */
	bool (*delete_if_dead)(struct uplink *uplink);

	/* Return whether two uplinks of this kind lead to the same place. NULL: the system
	 * prevents that. */
	bool (*same)(const struct uplink *one, const struct uplink *other);

	/*
	 * Open the lane. Return 0 if it is open. Return 1 if that takes time: then the kind calls
	 * uplink_opened() or uplink_lost() later, and text says what it waits for. -1 with errno,
	 * and text says what was tried; only what `end` releases is left open.
	 */
	int (*open)(struct uplink *uplink, char text[UPLINK_TEXT_SIZE]);

	/* Close what is open besides the lane. The lane may still be open, and is closed next.
	 * NULL: there is nothing else. May be called twice. */
	void (*close)(struct uplink *uplink);

	/* Put the attributes that only this kind has into the set. NULL: there are none. */
	void (*describe)(const struct uplink *uplink, struct attribute_set *set);

	/* Release what the uplink keeps while it is down. It is being deleted. NULL: nothing. */
	void (*end)(struct uplink *uplink);
};

struct uplink {
	struct port port;
	struct uplinks *uplinks;
	const struct uplink_kind *kind;
	struct lane lane;
	struct lane second;           /* for a second descriptor that is only read */
	struct attribute_set options; /* a copy */
	struct uplink_handed *handed; /* during uplink_add(): the caller's descriptors */
	ev_timer timer;               /* until the next try to open */
	double delay;                 /* before the next try, seconds */
	int64_t since;                /* when it last came up */
	bool up;
	uint64_t connects;             /* how often it came up */
	char reason[MEMTUN_TEXT_SIZE]; /* why it is down */
	char program
		[PROGRAM_NAME_SIZE]; /* that of the process whose end deletes it, as found last */
};

extern const struct uplink_kind uplink_accepted, uplink_dgram, uplink_fd, uplink_kernel,
	uplink_listen, uplink_listen_dgram, uplink_listen_vde, uplink_local, uplink_mcast,
	uplink_udp, uplink_user, uplink_vde, uplink_vxlan;

/* Return the uplink of that name, or NULL; and the one with the lowest id above `id`, or NULL. */
struct uplink *uplink_find(const struct uplinks *uplinks, const char *name);
struct uplink *uplink_next(const struct uplinks *uplinks, uint32_t id);

/*
 * Make an uplink and open it. `handed` has the descriptors of the types fd and device. The uplink
 * sets those that it takes to -1. The other types do not use `handed`. Returns NULL with the fault
 * filled: EINVAL, EBUSY (the name is taken), ENOMEM, or why it can't be opened.
 */
struct uplink *uplink_add(struct uplinks *uplinks, const struct attribute_set *options,
			  struct uplink_handed *handed, uid_t uid, struct fault *fault);

/* Change the options of OPTION_UPLINK_SET: all of them, or none. -1 with the fault filled. */
int uplink_set(struct uplink *uplink, const struct attribute_set *options, struct fault *fault);

/* Check that frames pass through the uplink: it does not listen. -1 with the fault filled (EINVAL). */
int uplink_check_frames(const struct uplink *uplink, struct fault *fault);

/* Close the uplink, and free it. */
void uplink_delete(struct uplink *uplink);

/* For kinds that open once: delete the uplink for that reason, which its event has. */
void uplink_delete_ended(struct uplink *uplink, const char *reason);

/* Publish an event of the uplink. */
void uplink_publish(struct uplink *uplink, enum memtun_event event);

/* For kinds: the lane that took time is open; or it can't be opened, or has ended. */
void uplink_opened(struct uplink *uplink);
void uplink_lost(struct uplink *uplink, const char *reason);

/* Describe an uplink, with its counters if `statistics`. */
void uplink_describe(struct uplink *uplink, bool statistics, struct attribute_set *set);

#endif
