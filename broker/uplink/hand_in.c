/* SPDX-License-Identifier: MIT */
#include "broker/uplink/hand_in.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/engine/account.h"
#include "broker/engine/engine.h"
#include "broker/system/socketpair.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/fault.h"

/* Descriptors of a record: what becomes the port, and its life. There is room for one too many, so
 * that a surplus is told from a lack of room for descriptors. */
#define FDS_MAX 2
#define FDS_ROOM (FDS_MAX + 1)

#define NOTHING "nothing has come through the hand-in"

struct hand_in {
	struct account_object of_account;
	struct engine *engine;
	uint32_t id;
	ev_io io;
	ev_timer timer;
};

static void hand_in_free(struct hand_in *hand_in)
{
	ev_io_stop(hand_in->engine->loop, &hand_in->io);
	ev_timer_stop(hand_in->engine->loop, &hand_in->timer);
	/* The kernel closes the descriptors that are still in the socket. */
	close(hand_in->io.fd);
	account_remove(&hand_in->of_account);
	free(hand_in);
}

static void hand_in_end(struct account_object *object)
{
	hand_in_free(container_of(object, struct hand_in, of_account));
}

static void hand_in_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	hand_in_free(timer->data);
}

/* Close the hand-in if the client has closed its end and sent nothing. A record is left for the
 * request that uses the hand-in. */
static void hand_in_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct hand_in *hand_in = io->data;

	(void)events;
	if (descriptor_at_end(io->fd))
		hand_in_free(hand_in);
	else
		ev_io_stop(loop, io);
}

int hand_in_new(struct engine *engine, struct account *account, uint32_t *id, int *client_fd)
{
	struct hand_in *hand_in = calloc(1, sizeof(*hand_in));
	int ends[2];
	ino_t inode;

	if (!hand_in)
		return -1;
	/* The kernel refuses descriptors that are sent to ends[0], so ends[0] is the client's. */
	if (socketpair_open(MEMTUN_SEQPACKET, engine->default_buffer_fits, ends, &inode) < 0) {
		free(hand_in);
		return -1;
	}
	hand_in->engine = engine;
	hand_in->id = engine_next_id(engine);
	ev_io_init(&hand_in->io, hand_in_ready, ends[1], EV_READ);
	hand_in->io.data = hand_in;
	ev_io_start(engine->loop, &hand_in->io);
	ev_timer_init(&hand_in->timer, hand_in_due, HAND_IN_SECONDS, 0.);
	hand_in->timer.data = hand_in;
	ev_timer_start(engine->loop, &hand_in->timer);
	account_add(account, &hand_in->of_account, ACCOUNT_HAND_INS, hand_in_end);
	*id = hand_in->id;
	*client_fd = ends[0];
	return 0;
}

static struct hand_in *hand_in_find(struct account *account, uint32_t id)
{
	struct account_object *object;

	LIST_FOREACH(object, &account->objects, in_account) {
		struct hand_in *hand_in = container_of(object, struct hand_in, of_account);

		if (object->item == ACCOUNT_HAND_INS && hand_in->id == id)
			return hand_in;
	}
	return NULL;
}

/* ------------------------------------------------------------------------------ what has come */

/* What one record has brought. */
struct received {
	unsigned char bytes[2]; /* one more than a valid record has */
	ssize_t length;
	int flags;
	int fds[FDS_ROOM];
	size_t count;
};

static void received_close(struct received *received)
{
	while (received->count)
		descriptor_close(&received->fds[--received->count]);
}

/* Move the descriptors out of the message. */
static void received_take(struct received *received, struct msghdr *message)
{
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(received->fds, CMSG_DATA(header), count * sizeof(int));
		received->count = count;
	}
}

/* Receive one record without waiting. -1 with errno. */
static int received_read(struct received *received, int fd)
{
	union {
		char room[CMSG_LEN(FDS_ROOM * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec bytes = {received->bytes, sizeof(received->bytes)};
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = CMSG_LEN(FDS_ROOM * sizeof(int)),
	};

	received->count = 0;
	do {
		received->length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (received->length < 0 && errno == EINTR);
	if (received->length < 0)
		return -1;
	received->flags = message.msg_flags;
	received_take(received, &message);
	return 0;
}

/* Check that the record has as many descriptors as its byte says. */
static int received_check(const struct received *received, struct fault *fault)
{
	unsigned int promised = received->bytes[0];

	if (received->length == 0 && received->count == 0 && !(received->flags & MSG_CTRUNC))
		return fault_set(fault, ENODATA, NOTHING);
	if (received->count > FDS_MAX)
		return fault_set(fault, EINVAL, "more than %d descriptors have come", FDS_MAX);
	/* The kernel sets MSG_CTRUNC whether it has delivered some of the descriptors or none. */
	if (received->flags & MSG_CTRUNC)
		return fault_set(
			fault, EMFILE,
			"descriptors that were sent have not come: the broker has too many open");
	if (received->length != 1 || promised < 1 || promised > FDS_MAX)
		return fault_set(fault, EINVAL,
				 "the record of a hand-in is one byte: 1 or %d, the number of "
				 "descriptors",
				 FDS_MAX);
	if (received->count != promised)
		return fault_set(fault, EINVAL, "%zu descriptors have come, not %u",
				 received->count, promised);
	return 0;
}

/*
 * Return whether one more record has come. An empty one looks like the end of the socket, so where
 * the client has closed its end, an empty record without descriptors is not noticed.
 */
static bool hand_in_has_more(int fd)
{
	struct received more;
	bool has_more =
		received_read(&more, fd) == 0 &&
		(more.length || more.count || more.flags & MSG_CTRUNC || !descriptor_hung_up(fd));

	received_close(&more);
	return has_more;
}

/* Receive and check the record, which must be the only one. */
static int hand_in_receive(int fd, struct received *received, struct fault *fault)
{
	if (received_read(received, fd) < 0 && errno == EAGAIN)
		return fault_set(fault, ENODATA, NOTHING);
	if (received->length < 0)
		return fault_set(fault, errno, "cannot receive the descriptors: %s",
				 strerror(errno));
	if (received_check(received, fault) < 0)
		return -1;
	if (hand_in_has_more(fd))
		return fault_set(fault, EINVAL, "more than one record has come");
	return 0;
}

int hand_in_take(struct account *account, uint32_t id, struct uplink_handed *handed,
		 struct fault *fault)
{
	struct hand_in *hand_in = hand_in_find(account, id);
	struct received received;
	int result;

	if (!hand_in)
		return fault_set(fault, ENOENT,
				 "this session has no hand-in %u: it is used once, and within %d "
				 "seconds",
				 id, HAND_IN_SECONDS);
	result = hand_in_receive(hand_in->io.fd, &received, fault);
	hand_in_free(hand_in);
	if (result < 0) {
		received_close(&received);
		return -1;
	}
	handed->fd = received.fds[0];
	handed->life = received.count > 1 ? received.fds[1] : -1;
	return 0;
}
