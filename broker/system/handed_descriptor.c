/* SPDX-License-Identifier: MIT */
#include "broker/system/handed_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/system/handed_parts.h"
#include "broker/system/socket_diag.h"
#include "common/descriptor.h"

int handed_status_ask(int fd, struct statx *status)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, status);
}

const char *handed_file_word(const struct statx *status)
{
	switch (status->stx_mode & S_IFMT) {
	case S_IFREG:
		return "a regular file";
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a pipe";
	case S_IFBLK:
		return "a block device";
	case S_IFCHR:
		return "a character device";
	default:
		return "a file of a kind without a name";
	}
}

int handed_own_search(own_descriptor_match *match, const void *context, struct fault *fault)
{
	int result = own_descriptors_search(match, context);

	if (result >= 0)
		return result;
	return fault_set(fault, errno,
			 "cannot compare it with the broker's own descriptors: /proc/self/fd: %s",
			 strerror(errno));
}

struct socket_search {
	const struct handed_pair *except;
	ino_t own;  /* the socket; 0: don't search for it */
	ino_t peer; /* 0: unknown */
	ino_t *found;
};

static bool socket_matches(int fd, const void *context)
{
	const struct socket_search *search = context;
	struct stat status;

	if (fd == search->except->fd || fd == search->except->life || fstat(fd, &status) < 0 ||
	    !S_ISSOCK(status.st_mode))
		return false;
	*search->found = status.st_ino;
	return (search->own && status.st_ino == search->own) ||
	       (search->peer && status.st_ino == search->peer);
}

int handed_socket_ask_peer(ino_t inode, struct socket_diag *diag, ino_t *peer, struct fault *fault)
{
	if (socket_diag_peer_inode(diag, inode, peer) == SOCKET_PEER_GONE &&
	    socket_diag_there(diag, inode) == SOCKET_PEER_THERE)
		return fault_set(fault, EPIPE, "the other side of the socket has closed it");
	return 0;
}

/* Return whether the socket's peer was made by this process, where sock_diag(7) doesn't tell. */
static bool peer_is_of_this_process(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid();
}

int handed_socket_check_own(const struct handed_pair *handed, int fd, ino_t inode, ino_t peer,
			    bool also_own, struct fault *fault)
{
	ino_t found = 0;
	struct socket_search search = {
		.except = handed,
		.own = also_own ? inode : 0,
		.peer = peer,
		.found = &found,
	};
	int result;

	if (!peer && peer_is_of_this_process(fd))
		return fault_set(fault, ELOOP, "the other end of the socket is the broker's own");
	result = handed_own_search(socket_matches, &search, fault);
	if (result < 0)
		return -1;
	if (result && found == inode)
		return fault_set(fault, EEXIST, "the broker has this socket already");
	if (result)
		return fault_set(fault, ELOOP, "the other end of the socket is the broker's own");
	return 0;
}

static int socket_option(int fd, int option, int *value)
{
	socklen_t size = sizeof(*value);

	return getsockopt(fd, SOL_SOCKET, option, value, &size);
}

int handed_socket_check(int fd, int *type, const char *what, struct fault *fault)
{
	struct sockaddr_un peer;
	socklen_t size = sizeof(peer);
	int domain = 0, listens = 0;

	if (socket_option(fd, SO_DOMAIN, &domain) < 0 || socket_option(fd, SO_TYPE, type) < 0 ||
	    socket_option(fd, SO_ACCEPTCONN, &listens) < 0)
		return fault_set(fault, errno, "cannot ask what the socket is: %s",
				 strerror(errno));
	if (domain != AF_UNIX)
		return fault_set(fault, EINVAL, "a socket of %s can't be %s: a UNIX socket can",
				 domain == AF_INET    ? "IPv4"
				 : domain == AF_INET6 ? "IPv6"
						      : "another family",
				 what);
	if (listens)
		return fault_set(fault, EINVAL,
				 "a listening socket can't be %s: a connected one can", what);
	if (getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
		return fault_set(fault, ENOTCONN, "the socket is not connected");
	if (descriptor_hung_up(fd))
		return fault_set(fault, EPIPE, "the other side of the socket has closed it");
	return 0;
}
