/* SPDX-License-Identifier: MIT */
/*
 * Whether an uplink is up. An uplink whose lane has ended is down, and tries to open again, with
 * growing delays. uplink.c calls these functions; the kinds call uplink_opened() and uplink_lost() of
 * uplink.h.
 */
#ifndef MEMTUN_UPLINK_STATE_H
#define MEMTUN_UPLINK_STATE_H

struct fault;
struct uplink;

/* Set up the lanes and the timer of a new uplink, which is down. */
void uplink_init_state(struct uplink *uplink);

/* Open the uplink, or begin to. -1 with the fault filled and the reason set. */
int uplink_try(struct uplink *uplink, struct fault *fault);

/* Arm the timer for the next try. After a long time up the delay is short again. */
void uplink_wait(struct uplink *uplink);

/* Set the reason why the uplink is down. It may end with a cut path, so make it UTF-8 again. */
void uplink_set_reason(struct uplink *uplink, const char *reason);

/* Close an uplink that is being deleted. */
void uplink_end(struct uplink *uplink);

#endif
