/* SPDX-License-Identifier: MIT */
/*
 * An uplink: a port that joins its bridge to something outside of the broker. It has one lane while
 * it is up. When that ends it is down, what is sent to it is counted as dropped, and it tries
 * again, ever more rarely. What it is joined to, and how, is its kind's: uplink_KIND.c.
 */
#ifndef MEMTUN_UPLINK_H
#define MEMTUN_UPLINK_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attribute_set.h"
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

/* Room for what was tried, in words. */
#define UPLINK_TEXT_SIZE 160

/* What an uplink of some kind is, does and takes. */
struct uplink_kind {
	size_t size; /* of its structure, whose first member is a struct uplink */
	struct attribute_choice takes;
	uint32_t mtu; /* the most bytes of packet that it carries, and what it has by default */
	const struct lane_envelope *envelope; /* of its lanes */

	/*
	 * The other side may yet have to come: an uplink is made even if it isn't there. Else one
	 * is made only if it can be opened.
	 */
	bool awaits_peer;

	/* Reads its options, whose strings stay good. -1 with the fault filled: EINVAL. */
	int (*prepare)(struct uplink *uplink, const struct attribute_set *options,
		       struct fault *fault);

	/* Are two of this kind joined to the same place? NULL: the system lets only one be. */
	bool (*same)(const struct uplink *one, const struct uplink *other);

	/*
	 * Opens what it is joined by. 0: its lane is open. 1: that is under way, and ends with
	 * uplink_opened() or uplink_lost(); what it waits for is in words in text. -1 with errno,
	 * nothing left open but what `end` gives back, and what was tried in words in text.
	 */
	int (*open)(struct uplink *uplink, char text[UPLINK_TEXT_SIZE]);

	/* Closes what it has open besides the lane, which may be open still and is closed next.
	 * NULL: nothing. May be called twice. */
	void (*close)(struct uplink *uplink);

	/* Gives back what it keeps while it is down, as it is deleted. NULL: nothing. */
	void (*end)(struct uplink *uplink);
};

struct uplink {
	struct port port;
	struct uplinks *uplinks;
	const struct uplink_kind *kind;
	struct lane lane;
	struct lane second;           /* only read, where one descriptor doesn't hear all */
	struct attribute_set options; /* as it was made with; its strings are its own */
	ev_timer timer;               /* until it tries again */
	double delay;                 /* until it does so the next time, seconds */
	int64_t since;                /* when it came up */
	bool up;
	uint64_t connects;             /* how often it came up */
	char reason[MEMTUN_TEXT_SIZE]; /* why it is down */
};

extern const struct uplink_kind uplink_dgram, uplink_kernel, uplink_local, uplink_mcast, uplink_udp,
	uplink_vde, uplink_vxlan;

/* Return the uplink of that name, or NULL; and the one with the lowest id above `id`, or NULL. */
struct uplink *uplink_find(const struct uplinks *uplinks, const char *name);
struct uplink *uplink_next(const struct uplinks *uplinks, uint32_t id);

/*
 * Makes an uplink and opens it. NULL with the fault filled: EINVAL, EBUSY (the name is taken),
 * ENOMEM, or why it can't be opened.
 */
struct uplink *uplink_add(struct uplinks *uplinks, const struct attribute_set *options, uid_t uid,
			  struct fault *fault);
void uplink_delete(struct uplink *uplink);

/* For kinds: what was under way has ended well, its lane is open; or it, or the lane, is lost. */
void uplink_opened(struct uplink *uplink);
void uplink_lost(struct uplink *uplink, const char *reason);

/* What is said of an uplink, its counters included if they are wanted. */
void uplink_describe(struct uplink *uplink, bool statistics, struct attribute_set *set);

#endif
