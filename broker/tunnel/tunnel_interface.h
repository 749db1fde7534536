/* SPDX-License-Identifier: MIT */
/*
 * The interface that programs see in place of a tunnel: what they have set of it, which is here
 * because several programs may see it. A tunnel has none until a client sets something of it, and
 * it goes with the tunnel. The broker uses only what interface_config.h understands.
 */
#ifndef MEMTUN_TUNNEL_INTERFACE_H
#define MEMTUN_TUNNEL_INTERFACE_H

#include <stddef.h>

#include "common/attribute_set.h"

struct adapter_config;
struct tunnel;

/* The bytes of the lists of all interfaces together, and of those of one user's tunnels, so that one
 * user leaves some to the others. A test has a smaller share. */
#define TUNNEL_INTERFACE_BYTES_MAX (64 * 1024 * 1024)
#ifndef TUNNEL_INTERFACE_BYTES_OF_USER
#define TUNNEL_INTERFACE_BYTES_OF_USER (48 * 1024 * 1024)
#endif

/*
 * Change what the options of OPTION_INTERFACE have, or make an interface as the kernel makes a new
 * one: all of it, or nothing. With a revision, only an interface that still has it is changed, so
 * that a client does not undo what another one has set meanwhile. -1 with the fault filled: EINVAL,
 * ESTALE (another revision), ENOSPC, EOVERFLOW (the id is too large for a number), ENOMEM.
 */
int tunnel_interface_set(struct tunnel *tunnel, const struct attribute_set *options,
			 struct fault *fault);

/*
 * Make an interface with the flags of the options, if they have some and the tunnel has none yet. It
 * is told with the tunnel's next event. -1 with the fault filled as above.
 */
int tunnel_interface_begin(struct tunnel *tunnel, const struct attribute_set *options,
			   struct fault *fault);

/* Put what is known of the interface, if there is one, into the set. */
void tunnel_interface_describe(const struct tunnel *tunnel, struct attribute_set *set);

/*
 * Make the configuration that the tunnel's adapter is to use: what the user has configured, and for
 * what that lacks, the interface's addresses and gateways. *config is the caller's; NULL: the
 * interface has nothing to add. -1 with the fault filled: ENOMEM; then *config is NULL.
 */
int tunnel_interface_config(const struct tunnel *tunnel, const struct adapter_config *configured,
			    struct adapter_config **config, struct fault *fault);

/* Free the tunnel's interface, if there is one. */
void tunnel_interface_free(struct tunnel *tunnel);

#endif
