/* SPDX-License-Identifier: MIT */
/* What a descriptor is that is to become a port: a TUN or TAP device, or a UNIX socket. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "broker/system/handed_descriptor.h"
#include "broker/system/handed_parts.h"
#include "common/descriptor.h"

/* Linux 5.2 has it; older headers do not. */
#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

/* Not in every header: the queue was detached with TUNSETQUEUE. */
#ifndef IFF_DETACH_QUEUE
#define IFF_DETACH_QUEUE 0x0400
#endif

/* Return whether the descriptor is another one of the same open file of the device. */
static bool device_matches(int fd, const void *context)
{
	const int *device = context;
	struct stat status;

	return fd != *device && fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) &&
	       own_descriptors_same(*device, fd);
}

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
				 handed_file_word(status));
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
	result = handed_own_search(device_matches, &handed->fd, fault);
	if (result < 0)
		return -1;
	if (result)
		return fault_set(fault, EEXIST, "the broker has this open of '%s' already",
				 port->device);
	port->netns = device_netns(handed->fd);
	return device_ask_format(handed->fd, flags, port, fault);
}

static int socket_ask(const struct handed_pair *handed, const struct statx *status,
		      struct socket_diag *diag, struct handed_port *port, struct fault *fault)
{
	ino_t inode, peer;
	int type;

	if (handed_socket_check(handed->fd, &type, "a port", fault) < 0)
		return -1;
	port->socket = type == SOCK_SEQPACKET ? MEMTUN_SEQPACKET
		       : type == SOCK_DGRAM   ? MEMTUN_DGRAM
					      : MEMTUN_STREAM;
	inode = (ino_t)status->stx_ino;
	if (handed_socket_ask_peer(inode, diag, &peer, fault) < 0)
		return -1;
	if (peer == inode)
		return fault_set(fault, ELOOP, "the socket is connected to itself");
	port->inode = peer ? inode : 0;
	return handed_socket_check_own(handed, handed->fd, inode, peer, true, fault);
}

int handed_port_ask(const struct handed_pair *handed, struct socket_diag *diag,
		    struct handed_port *port, struct fault *fault)
{
	struct statx status;

	*port = (struct handed_port){0};
	if (handed_status_ask(handed->fd, &status) < 0)
		return fault_set(fault, errno, "cannot ask what the descriptor is: %s",
				 strerror(errno));
	if (S_ISSOCK(status.stx_mode))
		return socket_ask(handed, &status, diag, port, fault);
	if (S_ISCHR(status.stx_mode))
		return device_ask(handed, &status, port, fault);
	return fault_set(fault, EINVAL,
			 "%s can't be a port: a TUN or TAP device and a connected UNIX socket can",
			 handed_file_word(&status));
}
