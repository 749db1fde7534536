/* SPDX-License-Identifier: MIT */
/*
 * An uplink on a descriptor that a client has handed in: a TUN or TAP device, for example of
 * another network namespace, or a connected UNIX socket. It cannot be opened again, so the uplink
 * is deleted when the other side closes, or when the life that was handed in with it has ended.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "broker/engine/engine.h"
#include "broker/system/handed_descriptor.h"
#include "broker/system/kernel_device.h"
#include "broker/uplink/life.h"
#include "broker/uplink/uplink.h"
#include "common/container_of.h"
#include "common/descriptor.h"

/*
 * The client's copies of the descriptor refer to the same open file, so its flags stay as they are:
 * the lanes do not depend on O_NONBLOCK.
 */

/* The kernel's maximum for an interface. */
#define FD_MTU 65535

struct fd_uplink {
	struct uplink uplink; /* first */
	struct life life;
	struct handed_port port;
	struct handed_life handed_life; /* if uplink.handed has one */
};

static void fd_life_ended(struct life *life)
{
	struct fd_uplink *fd_uplink = container_of(life, struct fd_uplink, life);
	const char *reason = fd_uplink->handed_life.kind == MEMTUN_LIFE_PROCESS
				     ? "the process has ended"
				     : "the life descriptor has hung up";

	/* Forward what was sent before the end. */
	lane_drain(&fd_uplink->uplink.lane);
	uplink_delete_ended(&fd_uplink->uplink, reason);
}

static bool fd_delete_if_dead(struct uplink *uplink)
{
	struct life *life = &container_of(uplink, struct fd_uplink, uplink)->life;

	if (!life_has_ended(life))
		return lane_close_dead(&uplink->lane);
	fd_life_ended(life);
	return true;
}

/* Put what the kernel has told into the options, from which records of the uplink are made. */
static int fd_note(struct fd_uplink *fd_uplink, struct fault *fault)
{
	struct attribute_set *options = &fd_uplink->uplink.options;
	char *device;

	attribute_set_remove(options, MEMTUN_A_HAND_IN);
	if (fd_uplink->handed_life.kind)
		attribute_set_put_number(options, MEMTUN_A_LIFE, fd_uplink->handed_life.kind);
	if (fd_uplink->handed_life.pid)
		attribute_set_put_number(options, MEMTUN_A_PID,
					 (uint64_t)fd_uplink->handed_life.pid);
	if (!fd_uplink->port.is_device) {
		attribute_set_put_number(options, MEMTUN_A_SOCKET, fd_uplink->port.socket);
		return 0;
	}
	device = strdup(fd_uplink->port.device);
	if (!device)
		return fault_set(fault, ENOMEM, "out of memory");
	attribute_set_put_string(options, MEMTUN_A_DEVICE, device);
	return 0;
}

/* Check that the descriptor is what the type and the mode of the options say. */
static int fd_check(struct fd_uplink *fd_uplink, const struct attribute_set *options,
		    struct fault *fault)
{
	const struct handed_port *port = &fd_uplink->port;
	enum memtun_mode mode = (enum memtun_mode)attribute_set_number(options, MEMTUN_A_MODE);
	bool of_command = attribute_set_number(options, MEMTUN_A_TYPE) == MEMTUN_UPLINK_DEVICE;

	if (of_command && !port->is_device)
		return fault_set(fault, EINVAL, "the descriptor is a socket, not a device");
	if (of_command && attribute_set_number(options, MEMTUN_A_PI))
		return fault_set(fault, EINVAL,
				 "an uplink of type device has no packet information");
	if (mode && port->is_device && mode != port->mode)
		return fault_set(fault, EINVAL, "'%s' is a %s interface", port->device,
				 port->mode == MEMTUN_TUN ? "TUN" : "TAP");
	if (port->is_device)
		mode = port->mode;
	if (mode)
		fd_uplink->uplink.port.mode = mode;
	return 0;
}

static int fd_prepare(struct uplink *uplink, const struct attribute_set *options,
		      struct fault *fault)
{
	struct fd_uplink *fd_uplink = container_of(uplink, struct fd_uplink, uplink);
	struct socket_diag *diag = &uplink->port.engine->diag;
	const struct handed_pair handed = {uplink->handed->fd, uplink->handed->life};

	life_init(&fd_uplink->life, uplink->port.engine->loop, fd_life_ended);
	if (handed_port_ask(&handed, diag, &fd_uplink->port, fault) < 0 ||
	    (handed.life >= 0 &&
	     handed_life_ask(&handed, diag, &fd_uplink->handed_life, fault) < 0) ||
	    fd_check(fd_uplink, options, fault) < 0)
		return -1;
	return fd_note(fd_uplink, fault);
}

/* Two queues of one interface on a bridge would send each other what the kernel has received. */
static bool fd_same(const struct uplink *one, const struct uplink *other)
{
	const struct handed_port *port = &container_of(one, struct fd_uplink, uplink)->port;
	const struct handed_port *others = &container_of(other, struct fd_uplink, uplink)->port;

	return port->is_device && others->is_device && port->netns &&
	       port->netns == others->netns && strcmp(port->device, others->device) == 0;
}

/*
 * Make the device ready for a lane: vnet headers in host byte order, and all offloads. Store the
 * offloads that the device takes.
 */
static int fd_set_device(int fd, const struct handed_port *port, struct frame_format *format)
{
	const int native = 0;
	int offload;

	if (port->format.vnet_size && ioctl(fd, TUNSETVNETLE, &native) < 0)
		return -1;
	offload = port->format.vnet_size ? kernel_device_set_offload(fd)
					 : ioctl(fd, TUNSETOFFLOAD, 0);
	if (offload < 0)
		return -1;
	format->offload = (uint8_t)offload;
	return 0;
}

static const struct lane_link *fd_link(const struct handed_port *port)
{
	if (port->is_device)
		return &lane_device_link;
	return port->socket == MEMTUN_STREAM ? &lane_stream_link : &lane_packet_link;
}

static int fd_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct fd_uplink *fd_uplink = container_of(uplink, struct fd_uplink, uplink);
	const struct handed_port *port = &fd_uplink->port;
	struct uplink_handed *handed = uplink->handed;

	snprintf(text, UPLINK_TEXT_SIZE, "cannot wait for the end of the life descriptor");
	if (handed->life >= 0 &&
	    life_open(&fd_uplink->life, fd_uplink->handed_life.kind, handed->life) < 0)
		return -1;
	descriptor_take(&handed->life);
	snprintf(text, UPLINK_TEXT_SIZE, "cannot use the descriptor");
	uplink->lane.format = port->format;
	uplink->lane.format.packet_information |=
		attribute_set_number(&uplink->options, MEMTUN_A_PI) != 0;
	/* The kernel reports no hang-up of a datagram socket. */
	uplink->lane.inode = port->socket == MEMTUN_DGRAM ? port->inode : 0;
	if (lane_open(&uplink->lane, fd_link(port), handed->fd) < 0) {
		life_close(&fd_uplink->life);
		return -1;
	}
	descriptor_take(&handed->fd);
	if (!port->is_device) {
		descriptor_refuse_others(uplink->lane.io.fd);
		return 0;
	}
	if (fd_set_device(uplink->lane.io.fd, port, &uplink->lane.format) == 0)
		return 0;
	life_close(&fd_uplink->life);
	lane_close(&uplink->lane);
	return -1;
}

static void fd_close(struct uplink *uplink)
{
	life_close(&container_of(uplink, struct fd_uplink, uplink)->life);
}

const struct uplink_kind uplink_fd = {
	.size = sizeof(struct fd_uplink),
	.takes = {.required = {MEMTUN_A_HAND_IN},
		  .allowed = {MEMTUN_A_ADDRESS, MEMTUN_A_GATEWAY, MEMTUN_A_MODE, MEMTUN_A_PI},
		  .options = OPTION_UPLINK_ANY},
	.mtu = FD_MTU,
	.opens_once = true,
	.prepare = fd_prepare,
	.delete_if_dead = fd_delete_if_dead,
	.same = fd_same,
	.open = fd_open,
	.close = fd_close,
};
