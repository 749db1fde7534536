/* SPDX-License-Identifier: MIT */
/*
 * A hand-in: a socket through which a client gives the broker descriptors. The control socket takes
 * none, so that no request can bring descriptors that nothing closes.
 */
#ifndef MEMTUN_HAND_IN_H
#define MEMTUN_HAND_IN_H

#include <stdint.h>

#include "broker/uplink/uplink.h"

struct account;
struct engine;
struct fault;

/*
 * The client asks for a hand-in, sends one record with its descriptors to the socket that it gets,
 * and then sends the request that names the hand-in. The broker does not wait for a record, because
 * the client has sent it before.
 *
 * A hand-in is used once. It is closed, with all descriptors that were sent to it, when a request
 * uses it, when the client closes its end without having sent a record, when the session ends, and
 * after HAND_IN_SECONDS.
 */

/* Seconds until an unused hand-in is closed. */
#ifndef HAND_IN_SECONDS
#define HAND_IN_SECONDS 10
#endif

/*
 * Make a hand-in on the account, which has room for it. Store its id, and the descriptor for the
 * client, which is the caller's. -1 with errno: ENOMEM, EMFILE, ENFILE.
 */
int hand_in_new(struct engine *engine, struct account *account, uint32_t *id, int *client_fd);

/*
 * Use the account's hand-in of that id: store the descriptors that have come through it, which are
 * the caller's, and close it. -1 with the fault filled, and then no descriptor is left: ENOENT
 * (there is none), ENODATA (nothing has come), EINVAL (it is not one record with one descriptor or
 * two), EMFILE (the broker has no room for descriptors).
 */
int hand_in_take(struct account *account, uint32_t id, struct uplink_handed *handed,
		 struct fault *fault);

#endif
