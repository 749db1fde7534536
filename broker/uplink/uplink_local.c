/* SPDX-License-Identifier: MIT */
/*
 * Uplinks that connect to a UNIX socket on which a program listens. Type bess is SEQPACKET with one
 * frame a record (slirp4netns, User Mode Linux), type stream is STREAM with each frame after its
 * length (passt, QEMU). connect(2) on such a socket succeeds or fails at once.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/container_of.h"
#include "common/control_socket.h"
#include "common/descriptor.h"
#include "broker/uplink/uplink.h"
#include "broker/uplink/uplink_path.h"

/* passt takes frames of up to 65,535 bytes: this, an Ethernet header and a VLAN tag. */
#define LOCAL_MTU (65535 - 18)

struct local {
	struct uplink uplink; /* first */
	bool stream;          /* else bess */
	struct sockaddr_un address;
	socklen_t size;
};

static int local_prepare(struct uplink *uplink, const struct attribute_set *options,
			 struct fault *fault)
{
	struct local *local = container_of(uplink, struct local, uplink);

	local->stream = attribute_set_number(options, MEMTUN_A_TYPE) == MEMTUN_UPLINK_STREAM;
	return control_socket_parse(attribute_set_string(options, MEMTUN_A_PATH), &local->address,
				    &local->size, fault);
}

static bool local_same(const struct uplink *one, const struct uplink *other)
{
	const struct local *local = container_of(one, struct local, uplink);
	const struct local *others = container_of(other, struct local, uplink);

	/* Abstract names, which have no file, begin with a 0 byte. */
	if (local->address.sun_path[0] && others->address.sun_path[0])
		return uplink_path_same(local->address.sun_path, others->address.sun_path);
	return local->size == others->size &&
	       memcmp(&local->address, &others->address, local->size) == 0;
}

static int local_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	const struct local *local = container_of(uplink, struct local, uplink);
	descriptor_owned fd = -1;

	snprintf(text, UPLINK_TEXT_SIZE, "cannot connect to the %s socket %.48s",
		 local->stream ? "stream" : "seqpacket",
		 attribute_set_string(&uplink->options, MEMTUN_A_PATH));
	if (uplink_path_check(&local->address) < 0)
		return -1;
	fd = socket(AF_UNIX,
		    (local->stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd >= 0)
		descriptor_refuse_others(fd);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&local->address, local->size) < 0 ||
	    lane_open(&uplink->lane, local->stream ? &lane_stream_link : &lane_packet_link, fd) < 0)
		return -1;
	descriptor_take(&fd);
	return 0;
}

const struct uplink_kind uplink_local = {
	.size = sizeof(struct local),
	.takes = {.required = {MEMTUN_A_PATH}, .options = OPTION_UPLINK_ANY},
	.mtu = LOCAL_MTU,
	.awaits_peer = true,
	.prepare = local_prepare,
	.same = local_same,
	.open = local_open,
};
