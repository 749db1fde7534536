/* SPDX-License-Identifier: MIT */
/*
 * The datagram socket of a peer, which the peer names by a path. The peer could name a socket of
 * another program, or replace its own by a link at any moment, so the broker opens the file without
 * following a link, checks whose it is, and connects to the file that it has open.
 */
#ifndef MEMTUN_PEER_SOCKET_H
#define MEMTUN_PEER_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/*
 * Connect the datagram socket fd to the socket of that name in the directory, a descriptor or
 * AT_FDCWD, if the user owns that socket. -1 with errno: ENOTSOCK, EPERM (another user owns it), or
 * one of openat(2) or connect(2).
 */
int peer_socket_connect(int fd, int directory, const char *name, uid_t uid);

/* Return whether both names are equal. Compare the sizes too, because an abstract name can be the
 * beginning of another. The storage is larger than a struct sockaddr_un, because the kernel adds a
 * NUL to a path of 108 bytes. */
bool socket_name_is(const struct sockaddr_storage *one, socklen_t one_size,
		    const struct sockaddr_storage *other, socklen_t other_size);

#endif
