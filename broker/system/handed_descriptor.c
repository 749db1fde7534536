/* SPDX-License-Identifier: MIT */
#include "broker/system/handed_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/system/own_descriptors.h"
#include "broker/system/socket_diag.h"
#include "common/descriptor.h"

/* Linux 5.2 has it; older headers do not. */
#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

/* Not in every header: the queue was detached with TUNSETQUEUE. */
#ifndef IFF_DETACH_QUEUE
#define IFF_DETACH_QUEUE 0x0400
#endif

/*
 * Get the status of a file. AT_STATX_DONT_SYNC keeps the kernel from asking a file system about it,
 * which in the case of FUSE could be a program that never answers.
 */
static int status_ask(int fd, struct statx *status)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, status);
}

/* Return the words for a descriptor that can be neither a port nor a life. */
static const char *file_word(const struct statx *status)
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

/* ------------------------------------------------------------------------------ own descriptors */

/* Search the broker's descriptors. Return 1 if one matches, 0 if none does, -1 with the fault
 * filled. */
static int own_search(own_descriptor_match *match, const void *context, struct fault *fault)
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

/*
 * Ask sock_diag(7) for the inode of the socket's peer. The kernel tells it about the sockets of
 * this process's network namespace only: for others *peer is 0. -1 with the fault filled if the
 * peer is gone.
 */
static int socket_ask_peer(ino_t inode, struct socket_diag *diag, ino_t *peer, struct fault *fault)
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

/* Refuse a socket if this process has its other end, and, if `also_own`, if this process has the
 * socket itself. */
static int socket_check_own(const struct handed_pair *handed, int fd, ino_t inode, ino_t peer,
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
	result = own_search(socket_matches, &search, fault);
	if (result < 0)
		return -1;
	if (result && found == inode)
		return fault_set(fault, EEXIST, "the broker has this socket already");
	if (result)
		return fault_set(fault, ELOOP, "the other end of the socket is the broker's own");
	return 0;
}

/* Return whether the descriptor is another one of the same open file of the device. */
static bool device_matches(int fd, const void *context)
{
	const int *device = context;
	struct stat status;

	return fd != *device && fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) &&
	       own_descriptors_same(*device, fd);
}

/* ------------------------------------------------------------------------------ ports */

/* Get the inode of the network namespace of the device's interface; 0 if the kernel doesn't tell
 * this process. */
static ino_t device_netns(int fd)
{
	descriptor_owned netns = ioctl(fd, TUNGETDEVNETNS);
	struct stat status;

	return netns >= 0 && fstat(netns, &status) == 0 ? status.st_ino : 0;
}

static int device_ask_format(int fd, unsigned int flags, struct handed_port *port,
			     struct fault *fault)
{
	int size = 0;

	/*
	 * TUNGETIFF sets the bit of IFF_NO_PI also if no filter is attached, as IFF_NOFILTER. So
	 * the device has packet information if the bit is not set. If it is set, the client has to
	 * say.
	 */
	port->format.packet_information = !(flags & IFF_NO_PI);
	if (!(flags & IFF_VNET_HDR))
		return 0;
	if (ioctl(fd, TUNGETVNETHDRSZ, &size) < 0)
		return fault_set(fault, errno, "cannot ask for the size of the vnet header: %s",
				 strerror(errno));
	if (size != 10 && size != 12 && size != 20)
		return fault_set(fault, EINVAL,
				 "the vnet header of '%s' has %d bytes, and not 10, 12 or 20",
				 port->device, size);
	port->format.vnet_size = (uint8_t)size;
	return 0;
}

static int device_ask(const struct handed_pair *handed, const struct statx *status,
		      struct handed_port *port, struct fault *fault)
{
	struct ifreq request = {0};
	unsigned int flags;
	int result, mode = fcntl(handed->fd, F_GETFL);

	if (ioctl(handed->fd, TUNGETIFF, &request) < 0) {
		if (errno == EBADFD)
			return fault_set(fault, EBADFD,
					 "the device has no interface: TUNSETIFF comes first");
		return fault_set(fault, EINVAL,
				 "%s can't be a port: a TUN or TAP device and a connected UNIX "
				 "socket can",
				 file_word(status));
	}
	/* TUNGETIFF has the flags as 16 bits without a sign. */
	flags = (unsigned short)request.ifr_flags;
	port->is_device = true;
	port->mode = flags & IFF_TUN ? MEMTUN_TUN : MEMTUN_TAP;
	memcpy(port->device, request.ifr_name, sizeof(port->device) - 1);
	if (mode < 0 || (mode & O_ACCMODE) != O_RDWR)
		return fault_set(fault, EINVAL, "the device is not open for reading and writing");
	if (flags & IFF_DETACH_QUEUE)
		return fault_set(fault, EINVAL, "the queue is detached from '%s': see TUNSETQUEUE",
				 port->device);
	result = own_search(device_matches, &handed->fd, fault);
	if (result < 0)
		return -1;
	if (result)
		return fault_set(fault, EEXIST, "the broker has this open of '%s' already",
				 port->device);
	port->netns = device_netns(handed->fd);
	return device_ask_format(handed->fd, flags, port, fault);
}

static int socket_option(int fd, int option, int *value)
{
	socklen_t size = sizeof(*value);

	return getsockopt(fd, SOL_SOCKET, option, value, &size);
}

/* Check that the socket is a connected UNIX socket, and store its type. */
static int socket_check(int fd, int *type, const char *what, struct fault *fault)
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

static int socket_ask(const struct handed_pair *handed, const struct statx *status,
		      struct socket_diag *diag, struct handed_port *port, struct fault *fault)
{
	ino_t inode, peer;
	int type;

	if (socket_check(handed->fd, &type, "a port", fault) < 0)
		return -1;
	port->socket = type == SOCK_SEQPACKET ? MEMTUN_SEQPACKET
		       : type == SOCK_DGRAM   ? MEMTUN_DGRAM
					      : MEMTUN_STREAM;
	inode = (ino_t)status->stx_ino;
	if (socket_ask_peer(inode, diag, &peer, fault) < 0)
		return -1;
	if (peer == inode)
		return fault_set(fault, ELOOP, "the socket is connected to itself");
	port->inode = peer ? inode : 0;
	return socket_check_own(handed, handed->fd, inode, peer, true, fault);
}

int handed_port_ask(const struct handed_pair *handed, struct socket_diag *diag,
		    struct handed_port *port, struct fault *fault)
{
	struct statx status;

	*port = (struct handed_port){0};
	if (status_ask(handed->fd, &status) < 0)
		return fault_set(fault, errno, "cannot ask what the descriptor is: %s",
				 strerror(errno));
	if (S_ISSOCK(status.stx_mode))
		return socket_ask(handed, &status, diag, port, fault);
	if (S_ISCHR(status.stx_mode))
		return device_ask(handed, &status, port, fault);
	return fault_set(fault, EINVAL,
			 "%s can't be a port: a TUN or TAP device and a connected UNIX socket can",
			 file_word(&status));
}

/* ------------------------------------------------------------------------------ lives */

/* Read the pid of a pidfd: 0 if it is not visible here, -1 if the process has ended. Return false
 * if the descriptor is no pidfd. */
static bool pidfd_read(int fd, long *pid)
{
	char path[sizeof("/proc/self/fdinfo/") + 3 * sizeof(int)], line[80];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "Pid: %ld", pid) == 1;
	fclose(file);
	return found;
}

/* Return whether poll(2) reports the end of the pipe. */
static bool has_ended(int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLRDHUP};

	return poll(&polled, 1, 0) > 0;
}

struct pipe_search {
	const struct statx *status;
	int mode;
};

/* Return whether the descriptor is the other end of the pipe. */
static bool pipe_matches(int fd, const void *context)
{
	const struct pipe_search *search = context;
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
	       status.st_ino == search->status->stx_ino &&
	       (fcntl(fd, F_GETFL) & O_ACCMODE) != search->mode;
}

static int pipe_ask(const struct handed_pair *handed, const struct statx *status,
		    struct fault *fault)
{
	const struct pipe_search search = {
		.status = status,
		.mode = fcntl(handed->life, F_GETFL) & O_ACCMODE,
	};
	int result;

	if (search.mode == O_RDWR)
		return fault_set(fault, EINVAL,
				 "the pipe is open for reading and writing, so it never hangs up");
	result = own_search(pipe_matches, &search, fault);
	if (result < 0)
		return -1;
	if (result)
		return fault_set(fault, ELOOP, "the other end of the pipe is the broker's own");
	if (has_ended(handed->life))
		return fault_set(fault, EPIPE, "the other end of the pipe is closed");
	return 0;
}

static int life_socket_ask(const struct handed_pair *handed, const struct statx *status,
			   struct socket_diag *diag, struct fault *fault)
{
	ino_t inode, peer;
	int type;

	if (socket_check(handed->life, &type, "a life descriptor", fault) < 0)
		return -1;
	if (type == SOCK_DGRAM)
		return fault_set(fault, EINVAL, "a datagram socket does not hang up");
	inode = (ino_t)status->stx_ino;
	if (socket_ask_peer(inode, diag, &peer, fault) < 0)
		return -1;
	return socket_check_own(handed, handed->life, inode, peer, false, fault);
}

int handed_life_ask(const struct handed_pair *handed, struct socket_diag *diag,
		    struct handed_life *life, struct fault *fault)
{
	struct statx status;
	long pid;

	*life = (struct handed_life){0};
	if (status_ask(handed->life, &status) < 0)
		return fault_set(fault, errno, "cannot ask what the life descriptor is: %s",
				 strerror(errno));
	if (S_ISSOCK(status.stx_mode)) {
		life->kind = MEMTUN_LIFE_SOCKET;
		return life_socket_ask(handed, &status, diag, fault);
	}
	if (S_ISFIFO(status.stx_mode)) {
		life->kind = MEMTUN_LIFE_PIPE;
		return pipe_ask(handed, &status, fault);
	}
	if (!pidfd_read(handed->life, &pid))
		return fault_set(fault, EINVAL,
				 "%s can't be a life descriptor, because it does not hang up: a "
				 "pidfd, a pipe and a UNIX socket do",
				 file_word(&status));
	if (pid < 0)
		return fault_set(fault, ESRCH, "the process has ended");
	life->kind = MEMTUN_LIFE_PROCESS;
	life->pid = (pid_t)pid;
	return 0;
}
