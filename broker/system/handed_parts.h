/* SPDX-License-Identifier: MIT */
/*
 * For handed_port.c and handed_life.c: what they ask the kernel about any descriptor that was
 * handed in.
 */
#ifndef MEMTUN_HANDED_PARTS_H
#define MEMTUN_HANDED_PARTS_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "broker/system/own_descriptors.h"
#include "common/fault.h"

struct handed_pair;
struct socket_diag;

/*
 * Get the status of a file. -1 with errno. AT_STATX_DONT_SYNC keeps the kernel from asking a file
 * system about it, which in the case of FUSE could be a program that never answers.
 */
int handed_status_ask(int fd, struct statx *status);

/* Return the words for a descriptor that can be neither a port nor a life. */
const char *handed_file_word(const struct statx *status);

/* Search the broker's descriptors. Return 1 if one matches, 0 if none does, -1 with the fault
 * filled. */
int handed_own_search(own_descriptor_match *match, const void *context, struct fault *fault);

/* Check that the socket is a connected UNIX socket, and store its type. `what` is what it would
 * become, for messages. -1 with the fault filled. */
int handed_socket_check(int fd, int *type, const char *what, struct fault *fault);

/*
 * Ask sock_diag(7) for the inode of the socket's peer. The kernel tells it about the sockets of
 * this process's network namespace only: for others *peer is 0. -1 with the fault filled if the
 * peer is gone.
 */
int handed_socket_ask_peer(ino_t inode, struct socket_diag *diag, ino_t *peer, struct fault *fault);

/* Refuse a socket if this process has its other end, and, if `also_own`, if this process has the
 * socket itself. -1 with the fault filled. */
int handed_socket_check_own(const struct handed_pair *handed, int fd, ino_t inode, ino_t peer,
			    bool also_own, struct fault *fault);

#endif
