/* SPDX-License-Identifier: MIT */
/*
 * The port of one peer of a listening uplink: a connected socket that the listening uplink has
 * accepted. The port is deleted when the peer closes the connection.
 */
#include "broker/uplink/listening.h"
#include "common/container_of.h"
#include "common/descriptor.h"

/* passt and QEMU take frames of up to 65,535 bytes: this, an Ethernet header and a VLAN tag. */
#define ACCEPTED_MTU (65535 - 18)

static int accepted_prepare(struct uplink *uplink, const struct attribute_set *options,
			    struct fault *fault)
{
	(void)uplink;
	(void)options;
	(void)fault;
	return 0;
}

static int accepted_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	const struct lane_link *link =
		attribute_set_number(&uplink->options, MEMTUN_A_TYPE) == MEMTUN_UPLINK_STREAM
			? &lane_stream_link
			: &lane_packet_link;

	strlcpy(text, "cannot use the connection", UPLINK_TEXT_SIZE);
	if (lane_open(&uplink->lane, link, uplink->handed->fd) < 0)
		return -1;
	descriptor_take(&uplink->handed->fd);
	return 0;
}

static bool accepted_delete_if_dead(struct uplink *uplink)
{
	return lane_close_dead(&uplink->lane);
}

static void accepted_end(struct uplink *uplink)
{
	struct accepted *accepted = container_of(uplink, struct accepted, uplink);

	if (!accepted->listening)
		return;
	LIST_REMOVE(accepted, in_listening);
	accepted->listening->connected--;
	accepted->listening = NULL;
}

const struct uplink_kind uplink_accepted = {
	.size = sizeof(struct accepted),
	.takes = {.required = {MEMTUN_A_LISTENER},
		  .allowed = {MEMTUN_A_UID, MEMTUN_A_PID, MEMTUN_A_REMOTE},
		  .options = OPTION_UPLINK_ANY},
	.mtu = ACCEPTED_MTU,
	.opens_once = true,
	.prepare = accepted_prepare,
	.delete_if_dead = accepted_delete_if_dead,
	.open = accepted_open,
	.end = accepted_end,
};
