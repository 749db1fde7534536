/* SPDX-License-Identifier: MIT */
/*
 * The port of one peer of a listening uplink, which has made its connected socket. The port is
 * deleted when the peer closes the connection. The kernel does not report the end of a datagram
 * socket, so the lane polls for that, or a peer of type vde ends its control connection.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/engine/engine.h"
#include "broker/uplink/life.h"
#include "broker/uplink/listening.h"
#include "broker/uplink/peer_socket.h"
#include "common/container_of.h"
#include "common/descriptor.h"

/* passt and QEMU take frames of up to 65,535 bytes: this, an Ethernet header and a VLAN tag. */
#define ACCEPTED_MTU (65535 - 18)

static struct accepted *accepted_of(struct uplink *uplink)
{
	return container_of(uplink, struct accepted, uplink);
}

static void accepted_life_ended(struct life *life)
{
	struct accepted *accepted = container_of(life, struct accepted, life);

	/* Forward the frames that the peer sent before it closed the connection. */
	lane_drain(&accepted->uplink.lane);
	uplink_delete_ended(&accepted->uplink, "the other side has closed it");
}

static int accepted_prepare(struct uplink *uplink, const struct attribute_set *options,
			    struct fault *fault)
{
	(void)options;
	(void)fault;
	life_init(&accepted_of(uplink)->life, uplink->port.engine->loop, accepted_life_ended);
	return 0;
}

/* Accept the peer's datagrams only. Those that came before the sockets were connected may be from
 * any process. */
static enum memtun_attribute accepted_check(struct lane *lane, const struct sockaddr_storage *from,
					    socklen_t from_length, const unsigned char *header)
{
	const struct accepted *accepted =
		container_of(lane->port, const struct accepted, uplink.port);

	(void)header;
	return socket_name_is(from, from_length, &accepted->peer, accepted->peer_size)
		       ? MEMTUN_A_UNSPEC
		       : MEMTUN_A_FROM_CLIENT_DROPPED_FOREIGN;
}

static const struct lane_envelope accepted_envelope = {.check = accepted_check};

/* Prepare the lane for a datagram socket. -1 with errno. */
static int accepted_set_datagrams(struct accepted *accepted, int fd)
{
	struct stat status;

	accepted->peer_size = sizeof(accepted->peer);
	if (fstat(fd, &status) < 0 ||
	    getpeername(fd, (struct sockaddr *)&accepted->peer, &accepted->peer_size) < 0)
		return -1;
	accepted->uplink.lane.inode = status.st_ino;
	accepted->uplink.lane.envelope = &accepted_envelope;
	return 0;
}

static int accepted_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct accepted *accepted = accepted_of(uplink);
	struct uplink_handed *handed = uplink->handed;
	uint64_t type = attribute_set_number(&uplink->options, MEMTUN_A_TYPE);
	bool datagrams = type == MEMTUN_UPLINK_DGRAM || type == MEMTUN_UPLINK_VDE;

	strlcpy(text, "cannot use the connection", UPLINK_TEXT_SIZE);
	if (datagrams && accepted_set_datagrams(accepted, handed->fd) < 0)
		return -1;
	if (handed->life >= 0 && life_open(&accepted->life, MEMTUN_LIFE_SOCKET, handed->life) < 0)
		return -1;
	descriptor_take(&handed->life);
	if (lane_open(&uplink->lane,
		      type == MEMTUN_UPLINK_STREAM ? &lane_stream_link : &lane_packet_link,
		      handed->fd) < 0)
		return -1;
	descriptor_take(&handed->fd);
	return 0;
}

static bool accepted_delete_if_dead(struct uplink *uplink)
{
	struct life *life = &accepted_of(uplink)->life;

	if (!life_has_ended(life))
		return lane_close_dead(&uplink->lane);
	accepted_life_ended(life);
	return true;
}

static void accepted_end(struct uplink *uplink)
{
	struct accepted *accepted = accepted_of(uplink);

	life_close(&accepted->life);
	if (!accepted->listening)
		return;
	if (accepted->file[0])
		unlinkat(accepted->listening->directory, accepted->file, 0);
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
