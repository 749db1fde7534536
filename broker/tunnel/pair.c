/* SPDX-License-Identifier: MIT */
/*
 * Two tunnels that are peers, as veth devices are: their clients' ends are the two ends of one
 * socket pair, and no frame passes through the broker. The broker keeps an end only until its
 * client opens it; once both are open the broker has no descriptor of the pair.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/engine/engine.h"
#include "broker/switch/lane.h"
#include "broker/switch/quiet.h"
#include "broker/system/socketpair.h"
#include "broker/tunnel/tunnel.h"
#include "common/descriptor.h"
#include "common/tunnel_name.h"

struct pair {
	struct tunnel *tunnels[2];
	int kept[2];     /* the end that no client has opened yet, or -1 */
	ino_t inodes[2]; /* of the ends of the present socket pair; 0: there is none */
};

static int pair_end(const struct tunnel *tunnel)
{
	return tunnel->pair->tunnels[1] == tunnel;
}

static struct tunnel *pair_peer(const struct tunnel *tunnel)
{
	return tunnel->pair->tunnels[!pair_end(tunnel)];
}

/* ------------------------------------------------------------------------------ making */

static int pair_check_peer(const struct tunnel *tunnel, const char *name,
			   const struct attribute_set *options, struct fault *fault)
{
	if (tunnel_name_is_template(name))
		return fault_set(fault, EINVAL, "peer '%s' has a '%%'", name);
	if (attribute_set_has(options, MEMTUN_A_BRIDGE))
		return fault_set(fault, EINVAL, "a tunnel has a peer or a bridge, not both");
	if (attribute_set_has(options, MEMTUN_A_VLAN))
		return fault_set(fault, EINVAL, "a tunnel with a peer has no vlan");
	if (tunnel->multi_queue)
		return fault_set(fault, EINVAL, "a tunnel with a peer has one queue");
	if (strcmp(name, tunnel->port.name) == 0)
		return fault_set(fault, EINVAL, "a tunnel can't be its own peer");
	return port_names_check(tunnel->tunnels->names, name, tunnel->port.owner, fault);
}

/* Make the peer, and join both to a new pair. */
static int pair_create(struct tunnel *tunnel, const struct attribute_set *options,
		       struct fault *fault)
{
	const char *name = attribute_set_string(options, MEMTUN_A_PEER);
	struct tunnel *peer;
	struct pair *pair;

	if (pair_check_peer(tunnel, name, options, fault) < 0 ||
	    engine_check_room(tunnel->port.engine, fault) < 0)
		return -1;
	pair = malloc(sizeof(*pair));
	peer = pair ? tunnel_new(tunnel->tunnels, tunnel->kind, name, options, tunnel->port.owner)
		    : NULL;
	if (!peer) {
		free(pair);
		return fault_set(fault, ENOMEM, "cannot wire '%s' to '%s': out of memory",
				 tunnel->port.name, name);
	}
	*pair = (struct pair){.tunnels = {tunnel, peer}, .kept = {-1, -1}};
	tunnel->pair = pair;
	peer->pair = pair;
	tunnel->persistent = true;
	peer->persistent = true;
	tunnel_publish(peer, MEMTUN_EVENT_ADDED, 0);
	return 0;
}

/* Close the ends that are kept. */
static void pair_drop(struct pair *pair)
{
	descriptor_close(&pair->kept[0]);
	descriptor_close(&pair->kept[1]);
	pair->inodes[0] = 0;
	pair->inodes[1] = 0;
}

/* Free the pair with the first of its tunnels. */
static void pair_destroy(struct tunnel *tunnel)
{
	struct pair *pair = tunnel->pair;

	if (!pair)
		return;
	pair_drop(pair);
	pair->tunnels[0]->pair = NULL;
	pair->tunnels[1]->pair = NULL;
	free(pair);
}

/* ------------------------------------------------------------------------------ opening */

/* Return whether the client of the other end has closed it, or shut it down, as for any queue. */
static bool pair_is_dead(struct pair *pair, int end)
{
	struct tunnel *tunnel = pair->tunnels[end];

	if (descriptor_hung_up(pair->kept[end]))
		return true;
	return tunnel->socket == MEMTUN_DGRAM &&
	       socket_diag_peer(&tunnel->port.engine->diag, pair->inodes[end]) == SOCKET_PEER_GONE;
}

/* Make a new socket pair: one end for the client, the other is kept. */
static int pair_make(struct pair *pair, int end, int *client_fd)
{
	struct tunnel *tunnel = pair->tunnels[end];
	int ends[2];
	ino_t inode;

	if (socketpair_open(tunnel->socket, tunnel->port.engine->default_buffer_fits, ends,
			    &inode) < 0)
		return -1;
	if (socket_inode(ends[0], &pair->inodes[!end]) < 0) {
		descriptor_close(&ends[0]);
		descriptor_close(&ends[1]);
		return -1;
	}
	pair->kept[!end] = ends[0];
	pair->inodes[end] = inode;
	*client_fd = ends[1];
	return 0;
}

static int pair_open(struct tunnel *tunnel, struct queue **queue, int *client_fd,
		     struct fault *fault)
{
	struct pair *pair = tunnel->pair;
	int end = pair_end(tunnel);
	int kept = pair->kept[0] >= 0 ? 0 : 1;

	(void)queue;
	if (pair->kept[kept] >= 0 && pair_is_dead(pair, kept))
		pair_drop(pair);
	if (pair->kept[end] >= 0) {
		*client_fd = descriptor_take(&pair->kept[end]);
		return 0;
	}
	if (pair->kept[!end] >= 0)
		return fault_set(fault, EBUSY, "'%s' is open, and its peer '%s' is not yet",
				 tunnel->port.name, pair_peer(tunnel)->port.name);
	if (pair_make(pair, end, client_fd) < 0)
		return fault_set(fault, errno, "cannot open '%s': %s", tunnel->port.name,
				 strerror(errno));
	return 0;
}

/* 1 if a client has this tunnel's end open, or if the kernel can't tell. */
static unsigned int pair_open_count(const struct tunnel *tunnel)
{
	struct pair *pair = tunnel->pair;
	int end = pair_end(tunnel);

	if (!pair || !pair->inodes[end] || pair->kept[end] >= 0)
		return 0;
	if (pair->kept[!end] >= 0)
		return !pair_is_dead(pair, !end);
	return socket_diag_there(&tunnel->port.engine->diag, pair->inodes[end]) != SOCKET_PEER_GONE;
}

/* ------------------------------------------------------------------------------ the rest */

static int pair_check_change(const struct tunnel *tunnel, const struct attribute_set *options,
			     struct fault *fault)
{
	if (attribute_set_has(options, MEMTUN_A_BRIDGE))
		return fault_set(fault, EINVAL, "'%s' has a peer, so it has no bridge",
				 tunnel->port.name);
	if (attribute_set_has(options, MEMTUN_A_VLAN))
		return fault_set(fault, EINVAL, "'%s' has a peer, so it has no vlan",
				 tunnel->port.name);
	if (attribute_set_has(options, MEMTUN_A_PERSISTENT))
		return fault_set(fault, EINVAL, "'%s' has a peer, so it stays until deleted",
				 tunnel->port.name);
	return 0;
}

static void pair_describe(const struct tunnel *tunnel, struct attribute_set *set)
{
	if (tunnel->pair)
		attribute_set_put_string(set, MEMTUN_A_PEER, pair_peer(tunnel)->port.name);
}

/* Ask for the bytes that one end has to read, and for those of its that the other end has. An end
 * that is closed has none. */
static int pair_ask(const struct tunnel *tunnel, uint32_t *to_read, uint32_t *sent)
{
	ino_t inode = tunnel->pair->inodes[pair_end(tunnel)];

	*to_read = *sent = 0;
	if (inode && socket_diag_queues(&tunnel->port.engine->diag, inode, to_read, sent) ==
			     SOCKET_PEER_UNKNOWN)
		return -1;
	return 0;
}

static void pair_look(const struct tunnel *tunnel, struct quiet *quiet)
{
	const struct tunnel *peer = pair_peer(tunnel);
	const char *name = tunnel->port.name, *peer_name = peer->port.name;
	uint32_t to_read, sent, peer_to_read, peer_sent;

	if (!(quiet->parts & (QUIET_FROM_CLIENT | QUIET_TO_CLIENT)))
		return;
	if (pair_ask(tunnel, &to_read, &sent) < 0 ||
	    pair_ask(peer, &peer_to_read, &peer_sent) < 0) {
		quiet_break(
			quiet,
			"the kernel does not tell what '%s' and its peer have to read (sock_diag)",
			name);
		quiet->error = EOPNOTSUPP;
		return;
	}
	if ((quiet->parts & QUIET_TO_CLIENT) && (to_read || peer_sent))
		quiet_break(quiet, "'%s' has not read all frames of '%s'", name, peer_name);
	if ((quiet->parts & QUIET_FROM_CLIENT) && (peer_to_read || sent))
		quiet_break(quiet, "'%s' has not read all frames of '%s'", peer_name, name);
}

static struct tunnel *pair_companion(const struct tunnel *tunnel)
{
	return pair_peer(tunnel);
}

const struct tunnel_kind pair_tunnel_kind = {
	.create = pair_create,
	.open = pair_open,
	.check_change = pair_check_change,
	.open_count = pair_open_count,
	.look = pair_look,
	.describe = pair_describe,
	.companion = pair_companion,
	.destroy = pair_destroy,
	.frames_bypass = "go straight to its peer",
	.only_opened_as = "has a peer",
};
