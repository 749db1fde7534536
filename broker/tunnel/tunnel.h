/* SPDX-License-Identifier: MIT */
/*
 * A tunnel: a TUN or TAP endpoint with a name, and a port of its bridge. Its kind says what carries
 * its frames: queues of the broker (memory_tunnel.c), a socket pair that it shares with a peer
 * (pair.c), or an interface of the kernel (kernel_tunnel.c).
 */
#ifndef MEMTUN_TUNNEL_H
#define MEMTUN_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "broker/engine/program.h"
#include "broker/switch/port.h"
#include "broker/switch/port_names.h"
#include "common/attribute_set.h"
#include "common/frame/frame_format.h"

struct bridges;
struct injector;
struct kernel_tunnel;
struct pair;
struct queue;
struct tunnel;
struct tunnel_interface;

RB_HEAD(queue_tree, queue);

/* The register of all tunnels and queues. */
struct tunnels {
	struct bridges *bridges;
	struct port_names *names;
	struct port_id_tree by_id;
	struct queue_tree queues;
	size_t list_bytes;   /* of the lists of all interfaces */
	bool kernel_allowed; /* clients may make tunnels with backend kernel */
};

/* The maximum number of queues of a tunnel: MAX_TAP_QUEUES of the kernel's tun.c. */
#define TUNNEL_QUEUES_MAX 256

/* The default mtu of a tunnel, in bytes of packet: the MTU of Ethernet. */
#define TUNNEL_MTU 1500

/* What differs between the kinds of tunnel. A function that is NULL has nothing to do. */
struct tunnel_kind {
	/* Check that the options suit a new tunnel of this kind, and that clients may make one.
	 * -1 with the fault filled. */
	int (*check)(const struct tunnels *tunnels, const struct attribute_set *options,
		     struct fault *fault);

	/* Write the name that the template makes with the lowest free number. -1 with ENFILE. NULL:
	 * port_names_expand() does this. */
	int (*expand)(struct tunnels *tunnels, const char *template, char name[MEMTUN_NAME_SIZE]);

	/* Make what carries the frames of a new tunnel. -1 with the fault filled. */
	int (*create)(struct tunnel *tunnel, const struct attribute_set *options,
		      struct fault *fault);

	/* Check that one more client may open the tunnel. -1 with the fault filled. */
	int (*check_room)(const struct tunnel *tunnel, struct fault *fault);

	/* Open the tunnel. The caller owns *client_fd. *queue stays NULL if the frames do not pass
	 * through the broker. -1 with the fault filled. */
	int (*open)(struct tunnel *tunnel, struct queue **queue, int *client_fd,
		    struct fault *fault);

	/*
	 * Check that these options of an existing tunnel may be changed. -1 with the fault filled.
	 */
	int (*check_change)(const struct tunnel *tunnel, const struct attribute_set *options,
			    struct fault *fault);

	/*
	 * Return whether the tunnel is to be deleted because no queue is left. NULL: it never is.
	 */
	bool (*is_unused)(const struct tunnel *tunnel);

	/* Close the queues whose clients have gone. Return whether the tunnel was deleted, because
	 * it is unused now or its interface has gone. */
	bool (*delete_if_dead)(struct tunnel *tunnel);

	/* Called before the tunnel is described. Return whether the tunnel was deleted, because its
	 * interface has gone. */
	bool (*refresh)(struct tunnel *tunnel);

	/* Return how many clients have the tunnel open. NULL: describe() puts the number. */
	unsigned int (*open_count)(const struct tunnel *tunnel);

	/* Put the kind's own attributes into the set, and remove those that a tunnel of this kind
	 * does not have. */
	void (*describe)(const struct tunnel *tunnel, struct attribute_set *set);

	/* Look for frames that wait to be read, besides those in queues. NULL: there are none. */
	void (*look)(const struct tunnel *tunnel, struct quiet *quiet);

	/* Return the other tunnel that is deleted with this one, or NULL. */
	struct tunnel *(*companion)(const struct tunnel *tunnel);

	/* Free what create() has made. */
	void (*destroy)(struct tunnel *tunnel);

	/* What messages say of a tunnel whose frames bypass the broker: "go to the kernel". NULL:
	 * they pass through it. */
	const char *frames_bypass;

	/*
	 * Why no queue can be attached to such a tunnel, for messages: "has a peer". NULL: one can.
	 */
	const char *only_opened_as;
};

extern const struct tunnel_kind memory_tunnel_kind, pair_tunnel_kind, kernel_tunnel_kind;

struct tunnel {
	struct port port;
	struct tunnels *tunnels;
	const struct tunnel_kind *kind;
	struct pair *pair;            /* of pair_tunnel_kind */
	struct kernel_tunnel *kernel; /* of kernel_tunnel_kind */
	LIST_HEAD(, queue) queues;    /* of memory_tunnel_kind, as the next */
	LIST_HEAD(, queue) detached;  /* queues that keep the tunnel */
	LIST_HEAD(, injector) injectors;
	struct tunnel_interface *interface; /* NULL: no program has one */
	unsigned int queue_count;
	pid_t opener;                    /* the process that opened it last; 0: unknown */
	char program[PROGRAM_NAME_SIZE]; /* the opener's, as tunnel_describe() found it last */
	enum memtun_socket socket;
	struct frame_format format; /* of its queues */
	bool persistent;
	bool multi_queue;
};

/* What a tunnel does as a port. */
extern const struct port_operations tunnel_port_operations;

/* Return the tunnel of that name, or NULL. */
struct tunnel *tunnel_find(const struct tunnels *tunnels, const char *name);

/* Return the tunnel with the lowest id above `id`, or NULL. Lists have this order. */
struct tunnel *tunnel_next(const struct tunnels *tunnels, uint32_t id);

/* Allocate a tunnel of that kind and register it. NULL with ENOMEM. */
struct tunnel *tunnel_new(struct tunnels *tunnels, const struct tunnel_kind *kind, const char *name,
			  const struct attribute_set *options, uid_t owner);

/*
 * Make a tunnel, and its peer if the options have one. NULL with the fault filled: EBUSY (the name
 * is taken), EPERM (by another user), EINVAL, ENOMEM, ENFILE (the template has no free number); with
 * backend kernel also the errors of kernel_device_open().
 */
struct tunnel *tunnel_add(struct tunnels *tunnels, const struct attribute_set *options, uid_t uid,
			  bool persistent, struct fault *fault);

/*
 * Open a tunnel for a process, and make it if it doesn't exist. The client's end, *client_fd, is
 * the caller's. *queue is NULL where the frames don't pass through the broker. NULL with the fault
 * filled: as tunnel_add(), and EBUSY (open already), E2BIG, EMFILE.
 */
struct tunnel *tunnel_open(struct tunnels *tunnels, const struct attribute_set *options, uid_t uid,
			   pid_t pid, struct queue **queue, int *client_fd, struct fault *fault);

/* Attach a queue that has no tunnel yet, as tunnel_open() attaches a new one. */
struct tunnel *tunnel_attach(struct tunnels *tunnels, const struct attribute_set *options,
			     uid_t uid, struct queue *queue, struct fault *fault);

/* Change the options of OPTION_TUNNEL_SET: all of them, or none. -1 with the fault filled. */
int tunnel_set(struct tunnel *tunnel, const struct attribute_set *options, struct fault *fault);

/*
 * Check the options offload and vnet_hdr_size for a tunnel. -1 with the fault filled: EINVAL.
 * After that, tunnel_take_headers() changes the tunnel's vnet header by them, and first forwards
 * the frames that its clients have written.
 */
int tunnel_check_headers(const struct tunnel *tunnel, const struct attribute_set *options,
			 struct fault *fault);
void tunnel_take_headers(struct tunnel *tunnel, const struct attribute_set *options);

/*
 * Give the tunnel another name, with an event. A template becomes its lowest free name. -1 with the
 * fault filled: EBUSY (the name is taken), EPERM (by another user), ENFILE, EINVAL (an interface of
 * the kernel).
 */
int tunnel_rename(struct tunnel *tunnel, const char *name, struct fault *fault);

/* Close the queues whose clients have gone. Return whether the tunnel was deleted. */
bool tunnel_delete_if_dead(struct tunnel *tunnel);

/* Call this before tunnel_describe(). Return whether the tunnel was deleted, because its interface
 * has gone. */
bool tunnel_refresh(struct tunnel *tunnel);

/* Delete the tunnel with its queues, and its peer. */
void tunnel_delete(struct tunnel *tunnel);

/* Publish an event of the tunnel. queue_id is the id of the queue that the event is about, or 0. */
void tunnel_publish(struct tunnel *tunnel, enum memtun_event event, uint32_t queue_id);

/* Publish that the tunnel was changed, with the keys of those of the options that are such
 * (enum attribute_option, or'ed). */
void tunnel_publish_change(struct tunnel *tunnel, const struct attribute_set *options,
			   unsigned int which);

/* Delete the tunnel if it has no queue and is not persistent. */
void tunnel_delete_if_unused(struct tunnel *tunnel);

/* Publish that a queue was closed, and delete the tunnel if it is unused now. */
void tunnel_queue_closed(struct tunnel *tunnel, uint32_t queue_id);

/* Describe the tunnel in the set, which is cleared first; with its counters if `statistics`. */
void tunnel_describe(struct tunnel *tunnel, bool statistics, struct attribute_set *set);

#endif
