/* SPDX-License-Identifier: MIT */
/*
 * VXLAN uplinks that share a local address and port. The kernel numbers the sockets there in the
 * order in which they were bound. When one is closed its number goes to the last one. A BPF program
 * returns the number for a datagram's VNI, and is replaced whenever a socket is opened or closed.
 */
#include "broker/uplink/uplink_vxlan.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>

#include "broker/engine/engine.h"
#include "common/address.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/failed.h"
#include "broker/uplink/uplink_socket.h"

/*
 * The first socket is bound without SO_REUSEPORT, so that an address that another program uses, or
 * another broker of the same user, is refused.
 */

/* The offset in a datagram of the word whose upper 3 bytes are the VNI: RFC 7348, 5. */
#define VNI_WORD 4

/* Return the uplink after `other` (NULL: the first) that is open on the same address. */
static struct vxlan *sharer_next(const struct vxlan *vxlan, struct vxlan *other)
{
	const struct uplinks *uplinks = vxlan->uplink.uplinks;
	struct uplink *uplink;

	for (uplink = uplink_next(uplinks, other ? other->uplink.port.id : 0); uplink;
	     uplink = uplink_next(uplinks, uplink->port.id)) {
		other = container_of(uplink, struct vxlan, uplink);
		if (uplink->kind == &uplink_vxlan && other != vxlan && other->place &&
		    socket_address_equal(&other->local, &vxlan->local))
			return other;
	}
	return NULL;
}

static unsigned int program_add(struct sock_filter *program, unsigned int length,
				const struct vxlan *vxlan)
{
	program[length++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, vxlan->vni, 0, 1);
	program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, vxlan->place - 1);
	return length;
}

/* Attach the program for the current numbers, by any of the sockets. -1 with errno. */
static int program_attach(const struct vxlan *vxlan, int fd)
{
	struct sock_filter program[2 * VXLAN_SHARERS_MAX + 3] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, VNI_WORD),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 8),
	};
	struct sock_fprog filter = {.filter = program};
	unsigned int length = 2;
	struct vxlan *other;

	for (other = sharer_next(vxlan, NULL); other; other = sharer_next(vxlan, other))
		length = program_add(program, length, other);
	if (vxlan->place)
		length = program_add(program, length, vxlan);
	/* No uplink has the VNI: the kernel chooses one of them, which counts a foreign frame. */
	program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	filter.len = (unsigned short)length;
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof(filter));
}

/* Return how many uplinks share the address already. -1 with errno: there can't be one more. */
static int sharers_admit(const struct vxlan *vxlan, char text[UPLINK_TEXT_SIZE])
{
	char address[SOCKET_ADDRESS_TEXT_SIZE];
	struct vxlan *other;
	int count = 0;

	for (other = sharer_next(vxlan, NULL); other; other = sharer_next(vxlan, other)) {
		count++;
		if (other->vni != vxlan->vni)
			continue;
		snprintf(text, UPLINK_TEXT_SIZE, "vni %u on %s is uplink '%s'", vxlan->vni,
			 socket_address_format(&vxlan->local, address), other->uplink.port.name);
		return failed(EADDRINUSE);
	}
	if (count < VXLAN_SHARERS_MAX)
		return count;
	snprintf(text, UPLINK_TEXT_SIZE, "%s has %d uplinks",
		 socket_address_format(&vxlan->local, address), count);
	return failed(EUSERS);
}

int vxlan_share_open(struct vxlan *vxlan, char text[UPLINK_TEXT_SIZE])
{
	int count = sharers_admit(vxlan, text);
	descriptor_owned fd = -1;
	const int on = 1;

	if (count < 0)
		return -1;
	fd = uplink_socket_open(&vxlan->local, count > 0, text);
	if (fd < 0)
		return -1;
	vxlan->place = (unsigned int)count + 1;
	if (count ? program_attach(vxlan, fd) == 0
		  : setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0)
		return descriptor_take(&fd);
	vxlan->place = 0; /* it was the last one, so no other socket's number changes */
	return -1;
}

void vxlan_share_close(struct vxlan *vxlan)
{
	struct vxlan *other, *last = NULL;
	unsigned int place = vxlan->place;

	vxlan->place = 0;
	for (other = sharer_next(vxlan, NULL); other; other = sharer_next(vxlan, other)) {
		if (!last || other->place > last->place)
			last = other;
	}
	if (!place || !last || last->place < place)
		return;
	last->place = place;
	/* The kernel would give one uplink's frames to another uplink. */
	if (program_attach(vxlan, last->uplink.lane.io.fd) < 0)
		uplink_lost(&last->uplink,
			    "the kernel cannot tell its frames from those of another uplink");
}
