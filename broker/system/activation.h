/* SPDX-License-Identifier: MIT */
/*
 * The listening socket that a service manager, such as systemd(1), has made and passes to memtund in
 * the way of sd_listen_fds(3). The manager owns the socket's file: memtund neither locks nor removes it.
 */
#ifndef MEMTUN_ACTIVATION_H
#define MEMTUN_ACTIVATION_H

#include "common/control_socket.h"

/*
 * Take the socket, if LISTEN_PID says that one is passed to this process, and store its address.
 * Unset the variables in this case, so that no program that memtund starts takes them for its own.
 * Return 1 if the socket was taken, 0 if none is passed. -1 with the fault filled: EINVAL (there are
 * several, LISTEN_FDS is no number, or the descriptor is not a listening UNIX socket of type
 * SOCK_SEQPACKET with a name), EBADF.
 */
int activation_take(struct control_socket *control, char address[CONTROL_ADDRESS_SIZE],
		    struct fault *fault);

#endif
