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

#endif
