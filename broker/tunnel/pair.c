/* SPDX-License-Identifier: MIT */
#include "broker/tunnel/pair.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "broker/broker.h"
#include "common/descriptor.h"
#include "broker/tunnel/tunnel.h"

int pair_new(struct tunnel *one, struct tunnel *other)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return -1;
	pair->ends[0] = one;
	pair->ends[1] = other;
	pair->held[0] = -1;
	pair->held[1] = -1;
	one->pair = pair;
	other->pair = pair;
	return 0;
}

static void pair_drop(struct pair *pair)
{
	descriptor_close(&pair->held[0]);
	descriptor_close(&pair->held[1]);
	pair->inodes[0] = 0;
	pair->inodes[1] = 0;
}

void pair_free(struct pair *pair)
{
	pair_drop(pair);
	pair->ends[0]->pair = NULL;
	pair->ends[1]->pair = NULL;
	free(pair);
}

static int pair_end(const struct tunnel *tunnel)
{
	return tunnel->pair->ends[1] == tunnel;
}

struct tunnel *pair_other(const struct tunnel *tunnel)
{
	return tunnel->pair->ends[!pair_end(tunnel)];
}

/* Has whoever took the other end of a held one gone? A shutdown counts, as for any queue. */
static bool pair_is_dead(struct pair *pair, int held)
{
	struct tunnel *tunnel = pair->ends[held];
	struct pollfd poll_fd = {.fd = pair->held[held], .events = POLLRDHUP};

	if (poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP)))
		return true;
	return tunnel->socket == MEMTUN_DGRAM &&
	       socket_diag_peer(&tunnel->port.broker->diag, pair->inodes[held]) == SOCKET_PEER_GONE;
}

static int pair_make(struct pair *pair, int end, int *client_fd)
{
	struct tunnel *tunnel = pair->ends[end];
	struct stat status;
	int ends[2];
	ino_t inode;

	if (queue_socketpair(tunnel->port.broker, tunnel->socket, ends, &inode) < 0)
		return -1;
	if (fstat(ends[0], &status) < 0) {
		descriptor_close(&ends[0]);
		descriptor_close(&ends[1]);
		return -1;
	}
	pair->held[!end] = ends[0];
	pair->inodes[!end] = status.st_ino;
	pair->inodes[end] = inode;
	*client_fd = ends[1];
	return 0;
}

int pair_take(struct tunnel *tunnel, int *client_fd)
{
	struct pair *pair = tunnel->pair;
	int end = pair_end(tunnel);
	int waiting = pair->held[0] >= 0 ? 0 : 1;

	if (pair->held[waiting] >= 0 && pair_is_dead(pair, waiting))
		pair_drop(pair);
	if (pair->held[end] >= 0) {
		*client_fd = descriptor_take(&pair->held[end]);
		return 0;
	}
	if (pair->held[!end] >= 0) {
		errno = EBUSY;
		return -1;
	}
	return pair_make(pair, end, client_fd);
}

bool pair_is_open(const struct tunnel *tunnel)
{
	struct pair *pair = tunnel->pair;
	int end = pair_end(tunnel);

	if (!pair->inodes[end] || pair->held[end] >= 0)
		return false;
	if (pair->held[!end] >= 0)
		return !pair_is_dead(pair, !end);
	/* The end's own socket: if it is there, somebody has it. */
	return socket_diag_there(&tunnel->port.broker->diag, pair->inodes[end]) != SOCKET_PEER_GONE;
}
