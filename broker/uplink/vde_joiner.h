/* SPDX-License-Identifier: MIT */
/*
 * The child process that joins a VDE switch with libvdeplug, whose vde_open() waits for the
 * switch's answer without a limit. The child closes all of the broker's descriptors and drops its
 * capabilities.
 */
#ifndef MEMTUN_VDE_JOINER_H
#define MEMTUN_VDE_JOINER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * The child passes two descriptors to the broker: the data socket, which carries one frame a
 * datagram (for a switch vde_send() and vde_recv() are send(2) and recv(2)), and the control
 * socket, whose end says that the switch is gone. A copy of another descriptor in the child would
 * keep open what the broker has closed since: addresses would stay in use, and clients would wait.
 */

/* The scheme of a switch's URL, in libvdeplug and in the option `path`. */
#define VDE_SCHEME "vde://"

struct vde_joiner {
	pid_t pid;
	int answers;       /* the socket that the child answers on; -1: there is no child */
	int error;         /* why the child failed, an errno; 0: it has joined the switch */
	int data, control; /* the descriptors that the child has passed, owned; -1: none */
};

/* Make a joiner without a child and without descriptors. */
void vde_joiner_init(struct vde_joiner *joiner);

/*
 * Start the child for the switch in that directory, without a scheme, and the uplink of that name.
 * The child has closed the broker's descriptors when this returns. -1 with errno: ETIMEDOUT, the
 * child was stopped before.
 */
int vde_joiner_start(struct vde_joiner *joiner, const char *directory, const char *name);

/*
 * Read the child's answer from its socket, which is readable. Return false when the child has ended
 * or is about to: then it is reaped, and error, data and control are final.
 */
bool vde_joiner_read(struct vde_joiner *joiner);

/* Tell the child, if there is one, to clean up and end, and close the descriptors that are left. */
void vde_joiner_stop(struct vde_joiner *joiner);

#endif
