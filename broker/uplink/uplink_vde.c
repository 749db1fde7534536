/* SPDX-License-Identifier: MIT */
/*
 * An uplink to a VDE switch. A child process joins the switch (vde_joiner.h); then the data socket
 * is the lane's, and the end of the control socket says that the switch is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/engine/engine.h"
#include "broker/uplink/uplink.h"
#include "broker/uplink/uplink_path.h"
#include "broker/uplink/vde_joiner.h"
#include "common/container_of.h"
#include "common/descriptor.h"

/* vde_switch cuts frames at 1518 bytes without a notice: this, an Ethernet header and a VLAN
 * tag. */
#define VDE_MTU 1500

struct vde {
	struct uplink uplink; /* first */
	struct vde_joiner joiner;
	ev_io answers; /* of the joiner, while there is a child */
	ev_io control; /* the joiner's control socket, while the uplink is up */
};

/* ------------------------------------------------------------------------------ connecting */

static void vde_describe_try(const struct vde *vde, char *text, size_t size)
{
	snprintf(text, size, "cannot join the VDE switch %.48s",
		 attribute_set_string(&vde->uplink.options, MEMTUN_A_PATH));
}

static void vde_failed(struct vde *vde, int error)
{
	char what[UPLINK_TEXT_SIZE], text[sizeof(what) + 64];

	vde_describe_try(vde, what, sizeof(what));
	snprintf(text, sizeof(text), "%s: %s", what, strerror(error));
	uplink_lost(&vde->uplink, text);
}

static void vde_control_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct vde *vde = io->data;
	char bytes[64];
	ssize_t length = recv(io->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	(void)events;
	if (length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	ev_io_stop(loop, io);
	lane_close_later(&vde->uplink.lane);
}

static void vde_answered(struct ev_loop *loop, ev_io *io, int events)
{
	struct vde *vde = io->data;
	struct vde_joiner *joiner = &vde->joiner;
	int error;

	(void)events;
	if (vde_joiner_read(joiner))
		return;
	ev_io_stop(loop, io);
	error = joiner->error;
	if (error == 0 && lane_open(&vde->uplink.lane, &lane_packet_link, joiner->data) < 0)
		error = errno;
	if (error) {
		vde_failed(vde, error);
		return;
	}
	joiner->data = -1;
	ev_io_set(&vde->control, joiner->control, EV_READ);
	ev_io_start(loop, &vde->control);
	uplink_opened(&vde->uplink);
}

/* ------------------------------------------------------------------------------ the uplink */

/* Return the switch's directory without the scheme. The number of a port may follow it: DIR[3]. */
static const char *vde_directory(const char *path)
{
	size_t length = strlen(VDE_SCHEME);

	return strncmp(path, VDE_SCHEME, length) == 0 ? path + length : path;
}

static int vde_prepare(struct uplink *uplink, const struct attribute_set *options,
		       struct fault *fault)
{
	struct vde *vde = container_of(uplink, struct vde, uplink);
	const char *path = attribute_set_string(options, MEMTUN_A_PATH);
	const char *directory = vde_directory(path);

	vde_joiner_init(&vde->joiner);
	ev_io_init(&vde->answers, vde_answered, -1, 0);
	ev_io_init(&vde->control, vde_control_ready, -1, 0);
	vde->answers.data = vde;
	vde->control.data = vde;
	/* The data descriptors of libvdeplug's other plugins don't carry one frame a datagram. */
	if (directory[0] && !strstr(directory, "://"))
		return 0;
	return fault_set(fault, EINVAL,
			 "path takes a VDE switch's directory, or vde://DIRECTORY, not '%.60s'",
			 path);
}

/* Copy the switch's directory without the scheme and without the number of a port. */
static void vde_copy_directory(const struct uplink *uplink, char directory[MEMTUN_TEXT_SIZE])
{
	const char *path = vde_directory(attribute_set_string(&uplink->options, MEMTUN_A_PATH));

	strlcpy(directory, path, MEMTUN_TEXT_SIZE);
	directory[strcspn(directory, "[")] = '\0';
}

static bool vde_same(const struct uplink *one, const struct uplink *other)
{
	char directory[MEMTUN_TEXT_SIZE], other_directory[MEMTUN_TEXT_SIZE];

	vde_copy_directory(one, directory);
	vde_copy_directory(other, other_directory);
	return uplink_path_same(directory, other_directory);
}

/* Check that the broker may connect to a switch there, so that most errors need no child. */
static int vde_check_access(const char *directory)
{
	char control[MEMTUN_TEXT_SIZE + sizeof("/ctl")];

	if (strchr(directory, '['))
		return 0; /* the number or the group of a port, which has another socket */
	snprintf(control, sizeof(control), "%s/ctl", directory);
	return faccessat(AT_FDCWD, control, W_OK, AT_EACCESS);
}

static int vde_open_later(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct vde *vde = container_of(uplink, struct vde, uplink);
	const char *path = attribute_set_string(&uplink->options, MEMTUN_A_PATH);
	const char *directory = vde_directory(path);

	vde_describe_try(vde, text, UPLINK_TEXT_SIZE);
	if (vde_check_access(directory) < 0 ||
	    vde_joiner_start(&vde->joiner, directory, uplink->port.name) < 0)
		return -1;
	ev_io_set(&vde->answers, vde->joiner.answers, EV_READ);
	ev_io_start(uplink->port.engine->loop, &vde->answers);
	snprintf(text, UPLINK_TEXT_SIZE, "joining the VDE switch %.48s", path);
	return 1;
}

static void vde_close_connection(struct uplink *uplink)
{
	struct vde *vde = container_of(uplink, struct vde, uplink);

	ev_io_stop(uplink->port.engine->loop, &vde->answers);
	ev_io_stop(uplink->port.engine->loop, &vde->control);
	vde_joiner_stop(&vde->joiner);
}

const struct uplink_kind uplink_vde = {
	.size = sizeof(struct vde),
	.takes = {.required = {MEMTUN_A_PATH}, .options = OPTION_UPLINK_ANY},
	.mtu = VDE_MTU,
	.awaits_peer = true,
	.prepare = vde_prepare,
	.same = vde_same,
	.open = vde_open_later,
	.close = vde_close_connection,
};
