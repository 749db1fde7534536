/* SPDX-License-Identifier: MIT */
/*
 * An uplink by UNIX datagrams, as QEMU, vfkit and libkrun have them: both sides bind a path, and
 * each is joined to the other's by connect(), so that nobody else can send from then on; what
 * others sent before is told by their names. Which path is the other's is said (`remote`), or is
 * that of whoever sends first.
 *
 * Its own path is bound for as long as the uplink is there, so that the other side may come, go and
 * come again: the socket is the lane's while they are joined, and else waits for the other side.
 * The kernel doesn't tell that that one is gone; it is asked once a second.
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
#include "common/failed.h"
#include "broker/uplink/uplink.h"
#include "broker/uplink/uplink_path.h"

/* What the others of this kind take: as with uplink_local.c's. */
#define DGRAM_MTU (65535 - 18)

/* Seconds between two looks whether the other side is there. */
#define LOOK_INTERVAL 1.

struct dgram {
	struct uplink uplink; /* first */
	struct sockaddr_un local;
	socklen_t local_size;
	struct sockaddr_un remote;
	socklen_t remote_size;        /* 0: whoever sends first */
	struct sockaddr_storage peer; /* whom it is joined to, by the name that one has bound */
	socklen_t peer_size;
	int fd;        /* bound; -1: not yet, or the lane has it */
	dev_t device;  /* of the file that it is bound to */
	ino_t file;    /* 0: none, as its name is abstract */
	ev_io waiting; /* for frames of who may be the other side */
	ev_timer look;
};

static const char *dgram_path(const struct dgram *dgram, enum memtun_attribute which)
{
	return attribute_set_string(&dgram->uplink.options, which);
}

/* ------------------------------------------------------------------------------ its own path */

/* Only its user may send to it, from its first moment on. */
static int dgram_bind(struct dgram *dgram)
{
	bool abstract = dgram->local.sun_path[0] == '\0';
	descriptor_owned fd = -1;
	struct stat status;

	if (!abstract && control_socket_clear(&dgram->local, dgram->local_size, SOCK_DGRAM) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || fchmod(fd, 0600) < 0 || fstat(fd, &status) < 0 ||
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

/* Lets go of its path, whose file is removed unless somebody has put another one there. */
static void dgram_end(struct uplink *uplink)
{
	struct dgram *dgram = container_of(uplink, struct dgram, uplink);
	struct stat status;

	if (dgram->fd < 0)
		return;
	if (dgram->file && lstat(dgram->local.sun_path, &status) == 0 &&
	    status.st_ino == dgram->file && status.st_dev == dgram->device)
		unlink(dgram->local.sun_path);
	descriptor_close(&dgram->fd);
}

/* ------------------------------------------------------------------------------ the other side */

/* A name of 108 bytes comes with one more, for the end that its binder left out. */
static bool name_is(const struct sockaddr_storage *one, socklen_t one_size,
		    const struct sockaddr_storage *other, socklen_t other_size)
{
	return one_size == other_size && memcmp(one, other, one_size) == 0;
}

/* What has come before they were joined may be anybody's. */
static enum memtun_attribute dgram_check(struct lane *lane, const struct sockaddr_storage *from,
					 socklen_t from_length, const unsigned char *header)
{
	const struct dgram *dgram = container_of(lane->port, struct dgram, uplink.port);

	(void)header;
	return name_is(from, from_length, &dgram->peer, dgram->peer_size)
		       ? MEMTUN_A_UNSPEC
		       : MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN;
}

static const struct lane_envelope dgram_envelope = {.check = dgram_check};

/* Asks the socket whom it has been joined to. -1 with errno: nobody, or (EINVAL) itself, by another
 * name of its path. */
static int dgram_know_peer(struct dgram *dgram)
{
	struct sockaddr_storage own;
	socklen_t own_size = sizeof(own);

	dgram->peer_size = sizeof(dgram->peer);
	if (getpeername(dgram->fd, (struct sockaddr *)&dgram->peer, &dgram->peer_size) < 0 ||
	    getsockname(dgram->fd, (struct sockaddr *)&own, &own_size) < 0)
		return -1;
	if (!name_is(&dgram->peer, dgram->peer_size, &own, own_size))
		return 0;
	return failed(EINVAL);
}

/* What waits there to be read is lost. */
static void dgram_part(const struct dgram *dgram)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	connect(dgram->fd, &nobody, sizeof(nobody));
}

/* Joins the socket to the other side's. -1 with errno. */
static int dgram_connect(struct dgram *dgram, const void *peer, socklen_t size)
{
	int error;

	if (connect(dgram->fd, peer, size) < 0)
		return -1;
	if (dgram_know_peer(dgram) < 0) {
		error = errno;
		dgram_part(dgram);
		return failed(error);
	}
	return 0;
}

/* Makes the socket, which is joined, the lane's. -1 with errno. */
static int dgram_begin(struct dgram *dgram)
{
	struct ev_loop *loop = dgram->uplink.port.engine->loop;

	ev_io_stop(loop, &dgram->waiting);
	if (lane_open(&dgram->uplink.lane, &lane_packet_link, dgram->fd) < 0)
		return -1;
	dgram->fd = -1;
	ev_timer_stop(loop, &dgram->look);
	return 0;
}

/* It isn't there, or (EPERM) is still joined to somebody else, as to the uplink before this. */
static bool error_is_absence(int error)
{
	return error == ENOENT || error == ECONNREFUSED || error == EPERM;
}

/* Joins them if the other side is there; false: it isn't, or whoever has sent can't be it. */
static bool dgram_meet(struct dgram *dgram, const void *peer, socklen_t size)
{
	bool joined = dgram_connect(dgram, peer, size) == 0;

	if (!joined && (!dgram->remote_size || error_is_absence(errno)))
		return false;
	if (joined && dgram_begin(dgram) == 0)
		uplink_opened(&dgram->uplink);
	else
		uplink_lost(&dgram->uplink, strerror(errno));
	return true;
}

/* Something has come. It is left there for the lane, if it makes the other side known. */
static void dgram_heard(struct ev_loop *loop, ev_io *io, int events)
{
	struct dgram *dgram = io->data;
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	bool meets;
	char byte;

	(void)loop;
	(void)events;
	if (recvfrom(dgram->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT,
		     (struct sockaddr *)&from, &size) < 0)
		return;
	if (dgram->remote_size)
		meets = dgram_meet(dgram, &dgram->remote, dgram->remote_size);
	else
		meets = size > offsetof(struct sockaddr_un, sun_path) &&
			dgram_meet(dgram, &from, size);
	if (meets)
		return;
	recv(dgram->fd, &byte, sizeof(byte), MSG_DONTWAIT);
	port_count(&dgram->uplink.port, MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN, 1);
}

static void dgram_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct dgram *dgram = timer->data;

	(void)loop;
	(void)events;
	dgram_meet(dgram, &dgram->remote, dgram->remote_size);
}

/* ------------------------------------------------------------------------------ the uplink */

static int dgram_prepare(struct uplink *uplink, const struct attribute_set *options,
			 struct fault *fault)
{
	struct dgram *dgram = container_of(uplink, struct dgram, uplink);
	const char *local = attribute_set_string(options, MEMTUN_A_PATH);
	const char *remote = attribute_set_string(options, MEMTUN_A_REMOTE);

	dgram->fd = -1;
	ev_io_init(&dgram->waiting, dgram_heard, -1, 0);
	ev_timer_init(&dgram->look, dgram_look, LOOK_INTERVAL, LOOK_INTERVAL);
	dgram->waiting.data = dgram;
	dgram->look.data = dgram;
	if (control_socket_parse(local, &dgram->local, &dgram->local_size, fault) < 0)
		return -1;
	if (!remote)
		return 0;
	if (strcmp(local, remote) == 0)
		return fault_set(fault, EINVAL, "remote is the other side's path, not path's");
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
		    dgram_begin(dgram) == 0)
			return 0;
		error = errno;
		if (!error_is_absence(error)) {
			if (error == EINVAL)
				snprintf(text, UPLINK_TEXT_SIZE, "remote %.60s is path itself",
					 dgram_path(dgram, MEMTUN_A_REMOTE));
			return failed(error);
		}
		snprintf(text, UPLINK_TEXT_SIZE, "cannot join %.60s: %s",
			 dgram_path(dgram, MEMTUN_A_REMOTE), strerror(error));
		ev_timer_again(loop, &dgram->look);
	} else {
		snprintf(text, UPLINK_TEXT_SIZE, "nobody has sent to %.60s yet",
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
	ev_timer_stop(loop, &dgram->look);
	if (!lane_is_open(&uplink->lane))
		return;
	dgram->fd = lane_release(&uplink->lane);
	dgram_part(dgram);
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
