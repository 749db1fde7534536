/* SPDX-License-Identifier: MIT */
/*
 * Tells the broker what programs have set of interfaces, so that it tells its other clients. Only values
 * that the broker does not have yet are sent.
 */
#ifndef MEMTUN_INTERFACE_PUBLISH_H
#define MEMTUN_INTERFACE_PUBLISH_H

struct interfaces;

/*
 * Tell the broker of all interfaces that have changed here. A broker that refuses it changes nothing
 * for the program.
 */
void interface_publish(struct interfaces *interfaces);

/* How often a request is carried out again because another client was faster. */
#define INTERFACE_PUBLISH_TRIES 256

/*
 * Do the same for the request that has changed them, unless another client has changed one
 * meanwhile. Return 0 or a negative errno: -ESTALE (carry the request out again); -ENOBUFS (a list is
 * too long) and the broker's errors. Then the interface is as the broker has it.
 */
int interface_publish_request(struct interfaces *interfaces);

#endif
