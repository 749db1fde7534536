/* SPDX-License-Identifier: MIT */
/*
 * The I/O system in memory. The program's side of a tunnel, memtun_io_write() and memtun_io_read(),
 * beside write(2) and read(2) of a bare socketpair of the same type and size; the time of the other
 * side is left out of both. The set-up time of a tunnel in a test has a limit instead of a
 * baseline.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/figures.h"
#include "tests/bench/measure.h"
#include "memtun/testing.h"

#define FRAME 64
#define BATCH 128 /* frames that fit into both sockets */
#define BATCHES 200

#define SET_UPS 1000
#define MICROSECONDS_MAX 50

/* The part of an IPv4 packet that is looked at. */
static const char frame[FRAME] = {0x45};

struct io_tunnel_side {
	struct memtun_io *io;
	int fd;
	struct memtun_testing_tunnel *tunnel;
};

static void side_open(struct io_tunnel_side *side)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};

	side->io = memtun_io_memory_new();
	if (!side->io)
		err(1, "cannot make an I/O system");
	side->fd = memtun_io_open(side->io, MEMTUN_IO_TUN, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (side->fd < 0 || memtun_io_ioctl(side->io, side->fd, TUNSETIFF, &request) < 0)
		err(1, "cannot make a tunnel in memory");
	side->tunnel = memtun_testing_tunnel(side->io, side->fd);
}

static void side_close(struct io_tunnel_side *side)
{
	memtun_io_close(side->io, side->fd);
	memtun_io_free(side->io);
}

/* --------------------------------------------------------------------------------- frames */

/* End the benchmark if a call fails. */
static void must(ssize_t moved)
{
	if (moved != FRAME)
		err(1, "a frame was not moved");
}

/* Return the frames per second, each written and read. */
static double measure_ours(void)
{
	struct io_tunnel_side side;
	char buffer[2048];
	double spent = 0;

	side_open(&side);
	for (int batch = 0; batch < BATCHES; batch++) {
		double from = measure_time();

		for (int i = 0; i < BATCH; i++)
			must(memtun_io_write(side.io, side.fd, frame, FRAME));
		spent += measure_time() - from;
		for (int i = 0; i < BATCH; i++) {
			memtun_testing_frame_free(memtun_testing_take_frame(side.tunnel));
			memtun_testing_add_frame(side.tunnel, frame, FRAME);
		}
		from = measure_time();
		for (int i = 0; i < BATCH; i++)
			must(memtun_io_read(side.io, side.fd, buffer, sizeof(buffer)));
		spent += measure_time() - from;
	}
	side_close(&side);
	return BATCH * BATCHES / spent;
}

static double measure_bare(void)
{
	char buffer[2048];
	double spent = 0;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		err(1, "socketpair");
	for (int batch = 0; batch < BATCHES; batch++) {
		double from = measure_time();

		for (int i = 0; i < BATCH; i++)
			must(write(ends[0], frame, FRAME));
		spent += measure_time() - from;
		for (int i = 0; i < BATCH; i++) {
			must(read(ends[1], buffer, sizeof(buffer)));
			must(write(ends[1], frame, FRAME));
		}
		from = measure_time();
		for (int i = 0; i < BATCH; i++)
			must(read(ends[0], buffer, sizeof(buffer)));
		spent += measure_time() - from;
	}
	close(ends[0]);
	close(ends[1]);
	return BATCH * BATCHES / spent;
}

/* --------------------------------------------------------------------------------- set-up */

static double measure_set_up(void)
{
	double from = measure_time();

	for (int i = 0; i < SET_UPS; i++) {
		struct io_tunnel_side side;

		side_open(&side);
		side_close(&side);
	}
	return (measure_time() - from) / SET_UPS * 1e6;
}

void figures_io(void)
{
	static const struct figure moved = {
		.name = "io-memory-write-read-64",
		.unit = "frames/s",
		.required = 0.87,
	};
	static const struct figure set_up = {
		.name = "test-tunnel-setup",
		.unit = "us",
		.is_cost = true,
		.required = 1,
	};
	struct series series = {0};

	for (int i = 0; i < MEASURE_SHORT_PAIRS; i++) {
		double ours = measure_ours();

		series_add(&series, ours, measure_bare());
	}
	series_report(&series, &moved);
	memset(&series, 0, sizeof(series));
	for (int i = 0; i < MEASURE_SHORT_PAIRS; i++)
		series_add(&series, measure_set_up(), MICROSECONDS_MAX);
	series_report(&series, &set_up);
}
