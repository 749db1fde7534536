/* SPDX-License-Identifier: MIT */
/*
 * An uplink over UNIX datagrams, as QEMU, vfkit and libkrun use them. Each side binds a path and
 * connects to the path of the other side: the option `remote`, or else the path of the first
 * sender. From then on the kernel lets no other process send to the socket.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "broker/engine/engine.h"
#include "common/container_of.h"
#include "common/control_socket.h"
#include "common/descriptor.h"
#include "common/descriptor_reserve.h"
#include "common/failed.h"
#include "broker/uplink/peer_socket.h"
#include "broker/uplink/uplink.h"
#include "broker/uplink/uplink_path.h"

/*
 * Frames that other processes sent before the socket was connected are recognised by their sender's
 * address and dropped.
 *
 * The uplink's own path stays bound until the uplink is deleted, so that the peer can leave and
 * come back. While the two sides are connected, the lane owns the socket. Otherwise struct dgram
 * owns it and waits for the peer. The kernel does not report that the peer has closed its socket,
 * so the lane polls for that once a second.
 */

/* The largest packet in bytes, as in uplink_local.c: passt takes frames of up to 65535 bytes with
 * their Ethernet header and VLAN tag. */
#define DGRAM_MTU (65535 - 18)

/* Seconds between two tries to connect to a peer that isn't there. */
#define CONNECT_INTERVAL 1.

struct dgram {
	struct uplink uplink; /* first */
	struct sockaddr_un local;
	socklen_t local_size;
	struct sockaddr_un remote;
	socklen_t remote_size;        /* 0: the peer is the first sender */
	struct sockaddr_storage peer; /* the name that the connected peer has bound */
	socklen_t peer_size;
	int fd;        /* bound; -1: not yet, or the lane owns it */
	dev_t device;  /* of the bound file */
	ino_t file;    /* 0: the name is abstract and has no file */
	ev_io waiting; /* for the first frame of a peer */
	ev_timer connect_timer;
};

static const char *dgram_path(const struct dgram *dgram, enum memtun_attribute which)
{
	return attribute_set_string(&dgram->uplink.options, which);
}

/* ------------------------------------------------------------------------------ the bound path */

/* Bind the socket. Its mode is set before that, so that no other user can ever send to it. */
static int dgram_bind(struct dgram *dgram)
{
	bool abstract = dgram->local.sun_path[0] == '\0';
	descriptor_owned fd = -1;
	struct stat status;

	if (!abstract && control_socket_clear(&dgram->local, dgram->local_size, SOCK_DGRAM) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		descriptor_refuse_others(fd);
	if (fd < 0 || descriptor_check_reserve(fd) < 0 || fchmod(fd, 0600) < 0 ||
	    fstat(fd, &status) < 0 ||
	    bind(fd, (const struct sockaddr *)&dgram->local, dgram->local_size) < 0)
		return -1;
	dgram->uplink.lane.inode = status.st_ino;
	dgram->file = 0;
	if (!abstract && lstat(dgram->local.sun_path, &status) == 0) {
		dgram->device = status.st_dev;
		dgram->file = status.st_ino;
	}
	dgram->fd = descriptor_take(&fd);
	return 0;
}

/* Close the socket, and remove its file unless another file is at the path now. */
static void dgram_end(struct uplink *uplink)
{
	struct dgram *dgram = container_of(uplink, struct dgram, uplink);

	if (dgram->fd < 0)
		return;
	/* First, because the removal needs a descriptor. */
	descriptor_close(&dgram->fd);
	if (dgram->file)
		control_socket_remove(dgram->local.sun_path, dgram->device, dgram->file);
}

/* ------------------------------------------------------------------------------ the peer */

/* Accept the peer's datagrams only. Those that came before the sockets were connected may be from
 * any process. */
static enum memtun_attribute dgram_check(struct lane *lane, const struct sockaddr_storage *from,
					 socklen_t from_length, const unsigned char *header)
{
	const struct dgram *dgram = container_of(lane->port, struct dgram, uplink.port);

	(void)header;
	return socket_name_is(from, from_length, &dgram->peer, dgram->peer_size)
		       ? MEMTUN_A_UNSPEC
		       : MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN;
}

static const struct lane_envelope dgram_envelope = {.check = dgram_check};

/* Store the address of the connected peer. -1 with errno, which is EINVAL if the socket is
 * connected to itself by another path to its file. */
static int dgram_note_peer(struct dgram *dgram)
{
	struct sockaddr_storage own;
	socklen_t own_size = sizeof(own);

	dgram->peer_size = sizeof(dgram->peer);
	if (getpeername(dgram->fd, (struct sockaddr *)&dgram->peer, &dgram->peer_size) < 0 ||
	    getsockname(dgram->fd, (struct sockaddr *)&own, &own_size) < 0)
		return -1;
	if (!socket_name_is(&dgram->peer, dgram->peer_size, &own, own_size))
		return 0;
	return failed(EINVAL);
}

/* Disconnect the socket. The kernel then discards the frames that were not read. */
static void dgram_disconnect(const struct dgram *dgram)
{
	const struct sockaddr none = {.sa_family = AF_UNSPEC};

	connect(dgram->fd, &none, sizeof(none));
}

/* Connect the socket to the peer's. -1 with errno. */
static int dgram_connect(struct dgram *dgram, const void *peer, socklen_t size)
{
	int error;

	if (connect(dgram->fd, peer, size) < 0)
		return -1;
	if (dgram_note_peer(dgram) < 0) {
		error = errno;
		dgram_disconnect(dgram);
		return failed(error);
	}
	return 0;
}

/* Give the connected socket to the lane. -1 with errno. */
static int dgram_start_lane(struct dgram *dgram)
{
	struct ev_loop *loop = dgram->uplink.port.engine->loop;

	ev_io_stop(loop, &dgram->waiting);
	if (lane_open(&dgram->uplink.lane, &lane_packet_link, dgram->fd) < 0)
		return -1;
	dgram->fd = -1;
	ev_timer_stop(loop, &dgram->connect_timer);
	return 0;
}

/* Return whether the error means that the peer is absent. EPERM means that the peer is still
 * connected to another socket, for example that of a deleted uplink. */
static bool error_is_absence(int error)
{
	return error == ENOENT || error == ECONNREFUSED || error == EPERM;
}

/* Connect to the peer, and open the lane or report why it cannot be opened. Return false if the
 * peer is absent, or is a first sender that cannot be connected to. */
static bool dgram_try_peer(struct dgram *dgram, const void *peer, socklen_t size)
{
	bool connected = dgram_connect(dgram, peer, size) == 0;

	if (!connected && (!dgram->remote_size || error_is_absence(errno)))
		return false;
	if (connected && dgram_start_lane(dgram) == 0)
		uplink_opened(&dgram->uplink);
	else
		uplink_lost(&dgram->uplink, strerror(errno));
	return true;
}

/* A frame has come. Connect to the peer, and leave the frame in the socket for the lane, which
 * checks the sender. If the peer cannot be connected to, drop the frame. */
static void dgram_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct dgram *dgram = io->data;
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	bool connected;
	char byte;

	(void)loop;
	(void)events;
	if (recvfrom(dgram->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT,
		     (struct sockaddr *)&from, &size) < 0)
		return;
	if (dgram->remote_size)
		connected = dgram_try_peer(dgram, &dgram->remote, dgram->remote_size);
	else
		connected = size > offsetof(struct sockaddr_un, sun_path) &&
			    dgram_try_peer(dgram, &from, size);
	if (connected)
		return;
	recv(dgram->fd, &byte, sizeof(byte), MSG_DONTWAIT);
	port_count(&dgram->uplink.port, MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN, 1);
}

static void dgram_connect_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct dgram *dgram = timer->data;

	(void)loop;
	(void)events;
	dgram_try_peer(dgram, &dgram->remote, dgram->remote_size);
}

/* ------------------------------------------------------------------------------ the uplink */

static int dgram_prepare(struct uplink *uplink, const struct attribute_set *options,
			 struct fault *fault)
{
	struct dgram *dgram = container_of(uplink, struct dgram, uplink);
	const char *local = attribute_set_string(options, MEMTUN_A_PATH);
	const char *remote = attribute_set_string(options, MEMTUN_A_REMOTE);

	dgram->fd = -1;
	ev_io_init(&dgram->waiting, dgram_readable, -1, 0);
	ev_timer_init(&dgram->connect_timer, dgram_connect_due, CONNECT_INTERVAL, CONNECT_INTERVAL);
	dgram->waiting.data = dgram;
	dgram->connect_timer.data = dgram;
	if (control_socket_parse(local, &dgram->local, &dgram->local_size, fault) < 0)
		return -1;
	if (!remote)
		return 0;
	if (strcmp(local, remote) == 0)
		return fault_set(fault, EINVAL,
				 "remote and path are the same: remote is the path of the peer");
	return control_socket_parse(remote, &dgram->remote, &dgram->remote_size, fault);
}

static int dgram_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct dgram *dgram = container_of(uplink, struct dgram, uplink);
	struct ev_loop *loop = uplink->port.engine->loop;
	int error;

	snprintf(text, UPLINK_TEXT_SIZE, "cannot bind %.60s", dgram_path(dgram, MEMTUN_A_PATH));
	if (dgram->fd < 0 && dgram_bind(dgram) < 0)
		return -1;
	if (dgram->remote_size) {
		snprintf(text, UPLINK_TEXT_SIZE, "cannot join %.60s",
			 dgram_path(dgram, MEMTUN_A_REMOTE));
		if (uplink_path_check(&dgram->remote) == 0 &&
		    dgram_connect(dgram, &dgram->remote, dgram->remote_size) == 0 &&
		    dgram_start_lane(dgram) == 0)
			return 0;
		error = errno;
		if (!error_is_absence(error)) {
			if (error == EINVAL)
				snprintf(text, UPLINK_TEXT_SIZE,
					 "remote %.60s is the same socket as path",
					 dgram_path(dgram, MEMTUN_A_REMOTE));
			return failed(error);
		}
		snprintf(text, UPLINK_TEXT_SIZE, "cannot join %.60s: %s",
			 dgram_path(dgram, MEMTUN_A_REMOTE), strerror(error));
		ev_timer_again(loop, &dgram->connect_timer);
	} else {
		snprintf(text, UPLINK_TEXT_SIZE, "no program has sent to %.60s yet",
			 dgram_path(dgram, MEMTUN_A_PATH));
	}
	ev_io_set(&dgram->waiting, dgram->fd, EV_READ);
	ev_io_start(loop, &dgram->waiting);
	return 1;
}

static void dgram_close(struct uplink *uplink)
{
	struct dgram *dgram = container_of(uplink, struct dgram, uplink);
	struct ev_loop *loop = uplink->port.engine->loop;

	ev_io_stop(loop, &dgram->waiting);
	ev_timer_stop(loop, &dgram->connect_timer);
	if (!lane_is_open(&uplink->lane))
		return;
	dgram->fd = lane_release(&uplink->lane);
	dgram_disconnect(dgram);
}

const struct uplink_kind uplink_dgram = {
	.size = sizeof(struct dgram),
	.takes = {.required = {MEMTUN_A_PATH},
		  .allowed = {MEMTUN_A_REMOTE},
		  .options = OPTION_UPLINK_ANY},
	.mtu = DGRAM_MTU,
	.envelope = &dgram_envelope,
	.prepare = dgram_prepare,
	.open = dgram_open,
	.close = dgram_close,
	.end = dgram_end,
};
