/* SPDX-License-Identifier: MIT */
/*
 * A tunnel that is an interface of the kernel: `backend kernel`. Its clients get real descriptors,
 * from a broker that may make them, and the broker keeps no copy: it sees none of the frames, and
 * asks the kernel, once a second and when it describes the tunnel, whether the interface is there
 * and open. The tunnel goes with its interface, and the interface with its tunnel.
 */
#ifndef MEMTUN_KERNEL_TUNNEL_H
#define MEMTUN_KERNEL_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/attribute.h"

struct broker;
struct tunnel;

struct kernel_tunnel {
	LIST_ENTRY(kernel_tunnel) in_broker;
	struct tunnel *tunnel;
	uint32_t index; /* of the interface */
	int held;  /* of one that isn't persistent, until the request that makes it takes it; -1 */
	bool open; /* when it was last looked at */
};

/* May such a tunnel be made, with these options? -1 with the fault filled: EPERM, EINVAL. */
int kernel_tunnel_check(const struct broker *broker, const struct attribute_set *options,
			struct fault *fault);

/* Writes the template's lowest name that no tunnel, uplink or interface has. -1 with ENFILE. */
int kernel_tunnel_expand(struct broker *broker, const char *template, char name[MEMTUN_NAME_SIZE]);

/*
 * Makes a tunnel's interface; a persistent one is its owner's, as TUNSETOWNER says. -1 with the
 * fault filled: as kernel_device_open(), ENOMEM.
 */
int kernel_tunnel_new(struct tunnel *tunnel, struct fault *fault);

/* Deletes the interface, if it is there, and frees this. */
void kernel_tunnel_free(struct kernel_tunnel *kernel);

/* Opens it for a client. -1 with the fault filled: as kernel_device_open(), ENODEV. */
int kernel_tunnel_take(struct tunnel *tunnel, int *client_fd, struct fault *fault);

/* Is its interface gone? Then the tunnel is deleted, and true returned. */
bool kernel_tunnel_delete_dead(struct tunnel *tunnel);

/* Looks at it, tells those who watch what has changed, and deletes it if its interface is gone. */
void kernel_tunnel_look(struct kernel_tunnel *kernel);

/* Describes what of a tunnel the kernel knows, and takes out what such a tunnel hasn't. */
void kernel_tunnel_describe(const struct kernel_tunnel *kernel, struct attribute_set *set);

#endif
