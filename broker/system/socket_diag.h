/* SPDX-License-Identifier: MIT */
/*
 * Queries to the kernel about UNIX sockets by inode, and about TCP connections (sock_diag(7), which
 * needs no privileges). For DGRAM sockets only these queries tell that the other end was closed,
 * because the kernel reports no hang-up.
 */
#ifndef MEMTUN_SOCKET_DIAG_H
#define MEMTUN_SOCKET_DIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct socket_diag {
	int fd; /* -1: the kernel can't be asked */
	uint32_t sequence;
};

enum socket_peer {
	SOCKET_PEER_THERE,
	SOCKET_PEER_GONE,
	SOCKET_PEER_UNKNOWN, /* the kernel can't be asked, or didn't answer */
};

/* Open the socket. Cannot fail: where the kernel can't be asked, every answer is
 * SOCKET_PEER_UNKNOWN. */
void socket_diag_open(struct socket_diag *diag);
void socket_diag_close(struct socket_diag *diag);

/* Query whether the socket with that inode and its peer both exist. */
enum socket_peer socket_diag_peer(struct socket_diag *diag, ino_t inode);

/* Query the inode of the peer of the socket with that inode, which is stored if the answer is
 * SOCKET_PEER_THERE. */
enum socket_peer socket_diag_peer_inode(struct socket_diag *diag, ino_t inode, ino_t *peer);

/*
 * Query how many bytes the socket with that inode has to read, and how much memory the frames that it
 * has sent take until they are read. Both are 0 if the answer is not SOCKET_PEER_THERE.
 */
enum socket_peer socket_diag_queues(struct socket_diag *diag, ino_t inode, uint32_t *to_read,
				    uint32_t *sent);

/* Query whether the socket with that inode exists, whatever its peer. */
enum socket_peer socket_diag_there(struct socket_diag *diag, ino_t inode);

/*
 * Query the user of the socket at the other end of a TCP connection on this machine. -1 if the
 * kernel cannot be asked, or if no process has that socket open any more: then the kernel no longer
 * knows whose it was.
 */
int socket_diag_tcp_user(struct socket_diag *diag, int fd, uid_t *uid);

#endif
