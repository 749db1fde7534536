/* SPDX-License-Identifier: MIT */
/*
 * Find out whether frames of a port wait to be read, by the broker or by a program. Frames that a
 * rule holds back or that are not due do not count, nor do those behind them. The kernel tells of
 * UNIX sockets only (SIOCOUTQ): frames that were sent by UDP or to an interface count as read.
 */
#ifndef MEMTUN_QUIET_H
#define MEMTUN_QUIET_H

#include <stdbool.h>
#include <stdint.h>

struct lane;
struct port;
struct source;

/* What to look for, or'ed. */
enum quiet_part {
	QUIET_FROM_CLIENT = 1 << 0, /* frames of the clients that are unread */
	QUIET_TO_CLIENT = 1 << 1,   /* frames for the clients that are unread */
	QUIET_INJECTED = 1 << 2,    /* injected frames that the broker has not read */
};

struct quiet {
	unsigned int parts;
	bool is_broken;    /* a frame waits, or an error has occurred: text says which */
	int error;         /* the errno of an error */
	bool is_sent_only; /* a port was among them where frames count as read once they are sent */
	uint64_t activity; /* a number that changes with each frame of the ports */
	char text[160];
};

/* Note that a frame waits, and what for. Only the first is noted. */
void quiet_break(struct quiet *quiet, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Look at a port, unless a frame was found already. */
void quiet_look(struct quiet *quiet, struct port *port);

/* For the ports: look at one of the port's lanes. */
void quiet_look_lane(struct quiet *quiet, const struct lane *lane);

#endif
