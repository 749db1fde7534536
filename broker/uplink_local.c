/* SPDX-License-Identifier: MIT */
/*
 * Uplinks that connect to a UNIX socket where somebody listens: bess, SEQPACKET with one frame a
 * record (slirp4netns, User Mode Linux), and stream, STREAM with each frame after its length
 * (passt, QEMU). A connect() on such a socket never takes time: it is done, or nobody is there, or
 * nobody has time (EAGAIN).
 */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control_socket.h"
#include "descriptor.h"
#include "uplink.h"

/* The most that passt takes is 65,535 bytes of frame: this, the Ethernet header and a VLAN tag. */
#define LOCAL_MTU (65535 - 18)

struct local {
	struct uplink uplink; /* first */
	struct sockaddr_un address;
	socklen_t size;
};

static int local_prepare(struct uplink *uplink, const struct attribute_set *options,
			 struct fault *fault)
{
	struct local *local = (struct local *)uplink;

	return control_socket_parse(attribute_set_string(options, MEMTUN_A_PATH), &local->address,
				    &local->size, fault);
}

static int local_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	const struct local *local = (struct local *)uplink;
	bool stream = uplink->kind == &uplink_stream;
	descriptor_owned fd = -1;

	snprintf(text, UPLINK_TEXT_SIZE, "cannot connect to the %s socket %.48s",
		 stream ? "stream" : "seqpacket",
		 attribute_set_string(&uplink->options, MEMTUN_A_PATH));
	if (control_socket_check(&local->address) < 0)
		return -1;
	fd = socket(AF_UNIX, (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&local->address, local->size) < 0 ||
	    lane_open(&uplink->lane, stream ? &lane_stream_link : &lane_packet_link, fd) < 0)
		return -1;
	descriptor_take(&fd);
	return 0;
}

const struct uplink_kind uplink_bess = {
	.size = sizeof(struct local),
	.required = ATTRIBUTE_BIT(MEMTUN_A_PATH),
	.mtu = LOCAL_MTU,
	.awaits_peer = true,
	.prepare = local_prepare,
	.open = local_open,
};

const struct uplink_kind uplink_stream = {
	.size = sizeof(struct local),
	.required = ATTRIBUTE_BIT(MEMTUN_A_PATH),
	.mtu = LOCAL_MTU,
	.awaits_peer = true,
	.prepare = local_prepare,
	.open = local_open,
};
