/* SPDX-License-Identifier: MIT */
#include "broker/uplink/life.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/descriptor.h"
#include "common/descriptor_reserve.h"

static void life_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct life *life = io->data;

	(void)loop;
	(void)events;
	life->ended(life);
}

void life_init(struct life *life, struct ev_loop *loop, void (*ended)(struct life *life))
{
	life->fd = -1;
	life->loop = loop;
	life->ended = ended;
	ev_init(&life->io, life_ready);
	life->io.data = life;
}

int life_open(struct life *life, enum memtun_life kind, int fd)
{
	/* pidfd_open(2): it is readable once the process has ended. epoll_ctl(2) reports EPOLLHUP
	 * and EPOLLERR always. */
	struct epoll_event event = {.events = kind == MEMTUN_LIFE_PROCESS ? EPOLLIN : EPOLLRDHUP};
	descriptor_owned epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || descriptor_check_reserve(epoll) < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return -1;
	life->fd = fd;
	ev_io_set(&life->io, descriptor_take(&epoll), EV_READ);
	ev_io_start(life->loop, &life->io);
	return 0;
}

bool life_has_ended(const struct life *life)
{
	struct pollfd polled = {.fd = life->fd < 0 ? -1 : life->io.fd, .events = POLLIN};

	return poll(&polled, 1, 0) > 0;
}

void life_close(struct life *life)
{
	if (life->fd < 0)
		return;
	ev_io_stop(life->loop, &life->io);
	/* Close the epoll instance first: it would still watch the file, which the client's copies
	 * keep open. */
	close(life->io.fd);
	descriptor_close(&life->fd);
}
