/* SPDX-License-Identifier: MIT */
/*
 * Connectors: opening, closing, reading and writing. A connector owns its descriptors and every
 * frame that it has read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "client/connector/connector_parts.h"
#include "common/descriptor.h"
#include "common/failed.h"

/*
 * A connector does not change O_NONBLOCK, which other owners of the same open file share. Calls on
 * a socket have MSG_DONTWAIT instead, and a device is polled before it is read.
 */

/* --- opening and closing --- */

static struct memtun_connector *connector_new(enum connector_kind kind, enum memtun_mode mode)
{
	struct memtun_connector *connector = calloc(1, sizeof(*connector));

	if (!connector)
		return NULL;
	connector->kind = kind;
	connector->mode = mode;
	connector->fd = -1;
	connector->multicast.receiver = -1;
	connector->multicast.sender = -1;
	TAILQ_INIT(&connector->waiting);
	return connector;
}

/* Return the kind of connector for the descriptor; -1 with errno if there is none. */
static int descriptor_kind(int fd)
{
	socklen_t size = sizeof(int);
	struct stat status;
	int domain;
	int type;

	if (fstat(fd, &status) < 0)
		return -1;
	if (S_ISCHR(status.st_mode))
		return CONNECTOR_DEVICE;
	if (S_ISSOCK(status.st_mode)) {
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
		    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
			return -1;
		if (domain == AF_UNIX && (type == SOCK_SEQPACKET || type == SOCK_DGRAM))
			return CONNECTOR_SOCKET;
	}
	return failed(EPROTOTYPE);
}

struct memtun_connector *memtun_connector_open_fd(int fd, enum memtun_mode mode, unsigned int flags)
{
	struct memtun_connector *connector;
	int kind;

	if ((mode != MEMTUN_TUN && mode != MEMTUN_TAP) || flags & ~MEMTUN_CONNECTOR_PI) {
		errno = EINVAL;
		return NULL;
	}
	kind = descriptor_kind(fd);
	if (kind < 0)
		return NULL;
	connector = connector_new(kind, mode);
	if (!connector)
		return NULL;
	connector->fd = fd;
	connector->format.packet_information = flags & MEMTUN_CONNECTOR_PI;
	return connector;
}

struct memtun_connector *memtun_connector_open_multicast(const char *group, uint16_t port,
							 const char *ifaddr, int ttl,
							 unsigned int flags)
{
	struct multicast_options options = {
		.port = htons(port),
		.interface.s_addr = htonl(INADDR_LOOPBACK),
		.ttl = ttl,
		.loop = flags & MEMTUN_CONNECTOR_LOOP,
	};
	struct memtun_connector *connector;

	if (flags & ~MEMTUN_CONNECTOR_LOOP || inet_pton(AF_INET, group, &options.group) != 1 ||
	    (ifaddr && inet_pton(AF_INET, ifaddr, &options.interface) != 1)) {
		errno = EINVAL;
		return NULL;
	}
	connector = connector_new(CONNECTOR_MULTICAST, MEMTUN_TAP);
	if (!connector)
		return NULL;
	if (multicast_open(&connector->multicast, &options) < 0) {
		memtun_connector_close(connector);
		return NULL;
	}
	return connector;
}

void memtun_connector_close(struct memtun_connector *connector)
{
	struct connector_frame *frame;
	int saved = errno;

	if (!connector)
		return;
	connector_release(connector);
	while ((frame = TAILQ_FIRST(&connector->waiting))) {
		TAILQ_REMOVE(&connector->waiting, frame, entry);
		free(frame);
	}
	free(connector->spare);
	free(connector->given);
	descriptor_close(&connector->fd);
	multicast_close(&connector->multicast);
	free(connector);
	errno = saved;
}

int memtun_connector_fd(const struct memtun_connector *connector)
{
	return connector->kind == CONNECTOR_MULTICAST ? connector->multicast.receiver
						      : connector->fd;
}

int memtun_connector_write_fd(const struct memtun_connector *connector)
{
	return connector->kind == CONNECTOR_MULTICAST ? connector->multicast.sender : connector->fd;
}

static int address_get(const struct memtun_connector *connector, const struct sockaddr_in *from,
		       struct sockaddr_in *address)
{
	if (connector->kind != CONNECTOR_MULTICAST)
		return failed(EOPNOTSUPP);
	*address = *from;
	return 0;
}

int memtun_connector_group_address(const struct memtun_connector *connector,
				   struct sockaddr_in *address)
{
	return address_get(connector, &connector->multicast.group, address);
}

int memtun_connector_own_address(const struct memtun_connector *connector,
				 struct sockaddr_in *address)
{
	return address_get(connector, &connector->multicast.own, address);
}

/* --- reading --- */

int memtun_connector_poll_read(struct memtun_connector *connector, int timeout)
{
	struct connector_frame *frame;

	connector_release(connector);
	if (!TAILQ_EMPTY(&connector->waiting))
		return 1;
	frame = connector_next(connector, connector_deadline(timeout));
	if (!frame)
		return errno == ETIMEDOUT ? 0 : -1;
	connector_keep_waiting(connector, frame);
	return 1;
}

static const struct memtun_packet *packet_read(struct memtun_connector *connector, int timeout)
{
	struct connector_frame *frame;

	connector_release(connector);
	frame = connector_next(connector, connector_deadline(timeout));
	if (!frame || connector_give(connector, frame) < 0)
		return NULL;
	return &frame->packet;
}

const struct memtun_packet *memtun_connector_read_packet(struct memtun_connector *connector)
{
	const struct memtun_packet *packet = packet_read(connector, 0);

	if (!packet && errno == ETIMEDOUT)
		errno = EAGAIN;
	return packet;
}

const struct memtun_packet *memtun_connector_blocking_read(struct memtun_connector *connector)
{
	return packet_read(connector, -1);
}

/* --- writing --- */

static ssize_t tunnel_write(struct memtun_connector *connector, const void *frame, size_t length)
{
	static const struct virtio_net_hdr no_offload;
	struct tun_pi information;
	struct iovec parts[] = {
		{&information, frame_format_size(&connector->format)},
		{(void *)frame, length},
	};
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	frame_format_encode(&connector->format, connector->mode, frame, length, &no_offload,
			    &information);
	if (connector->kind == CONNECTOR_SOCKET)
		return sendmsg(connector->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (connector_poll(connector->fd, POLLOUT, 0) == 0)
		return failed(EAGAIN);
	return writev(connector->fd, parts, 2);
}

/* Set errno to EPIPE if the write failed because the tunnel's peer has closed. */
static void write_failed(struct memtun_connector *connector)
{
	if (connector->kind == CONNECTOR_SOCKET && errno == ECONNREFUSED)
		connector->ended = true;
	if (connector->ended || errno == EBADFD || errno == ECONNRESET)
		errno = EPIPE;
}

ssize_t memtun_connector_write(struct memtun_connector *connector, const void *frame, size_t length,
			       int flags)
{
	ssize_t written;

	if (length == 0 || flags & ~MSG_DONTWAIT)
		return failed(EINVAL);
	for (;;) {
		written = connector->kind == CONNECTOR_MULTICAST
				  ? multicast_send(&connector->multicast, frame, length)
				  : tunnel_write(connector, frame, length);
		if (written >= 0)
			return (ssize_t)length;
		if (errno == EAGAIN && !(flags & MSG_DONTWAIT)) {
			if (connector_poll(memtun_connector_write_fd(connector), POLLOUT, -1) < 0 &&
			    errno != EINTR)
				return -1;
		} else if (errno != EINTR) {
			write_failed(connector);
			return -1;
		}
	}
}
