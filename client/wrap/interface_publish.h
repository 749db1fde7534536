/* SPDX-License-Identifier: MIT */
/*
 * What programs have set of interfaces, told to the broker, which tells all of its clients. Only
 * what the broker does not have yet is told.
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
