/* SPDX-License-Identifier: MIT */
/*
 * Frames per second through a learning bridge of two ports that knows both addresses. The baselines
 * are what people use instead: vde_switch with libvdeplug at both ends, and two TAPs of the kernel
 * on a bridge of the kernel.
 *
 * Both lose frames without an error, so the figure is delivery: frames that arrive, over the time
 * from the first one sent to the last one received, while the sender sends as fast as it can. Our
 * broker and its ends use batches. libvdeplug and a TAP have only one frame per call, so our figure
 * with one frame per call is printed for information. Ours is printed twice: with default tunnels,
 * and with stream tunnels, its fastest, where a call carries many frames. A process that moves
 * frames has a CPU to itself, and both ends share the other. The kernel moves them in the sender's
 * write, so there each end has a CPU.
 *
 * Our receiving tunnels block, so the bridge pauses the sender instead of dropping frames. The
 * figure with the default, drop-tail, is printed for information. After each run the broker's
 * counters must know every frame: each that was sent was accepted, each that was offered is
 * delivered, queued or dropped, and each that was delivered was received. Otherwise the benchmark
 * ends.
 */
#include <err.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/bench/account.h"
#include "config.h"
#include "tests/bench/delivery.h"
#include "tests/bench/figures.h"
#include "tests/bench/kernel_bridge.h"
#include "tests/bench/measure.h"
#include "memtun.h"
#include "tests/bench/process.h"
#include "tests/bench/stream_end.h"
#ifdef HAVE_VDEPLUG
#include "tests/bench/vde_forwarder.h"
#endif

#define FRAMES 60000

/* A wire through a bridge of its own, and its two tunnels. */
struct ours_wire {
	const char *in, *out;
	struct wire wire;
};

struct ours {
	struct broker_process broker;
	struct memtun *memtun;
	struct ours_wire batches;
	struct ours_wire single; /* the same, with one frame per call */
	struct ours_wire stream;
	struct stream_end stream_in, stream_out;
};

static void ours_start(struct ours *ours)
{
	int in, out;

	broker_start(&ours->broker);
	ours->memtun = broker_connect(&ours->broker);
	in = broker_open(ours->memtun, "in", "bridge=bench");
	out = broker_open(ours->memtun, "out", "bridge=bench,overflow=block");
	ours->batches = (struct ours_wire){
		"in", "out", {wire_end_socket(in), wire_end_socket(out), .is_moved = true}};
	ours->single = (struct ours_wire){
		"in", "out", {wire_end_single(in), wire_end_single(out), .is_moved = true}};
	in = broker_open(ours->memtun, "stream-in", "bridge=stream,socket=stream");
	out = broker_open(ours->memtun, "stream-out", "bridge=stream,socket=stream,overflow=block");
	ours->stream =
		(struct ours_wire){"stream-in",
				   "stream-out",
				   {wire_end_stream(in, &ours->stream_in),
				    wire_end_stream(out, &ours->stream_out), .is_moved = true}};
	wire_learn(&ours->batches.wire);
	wire_learn(&ours->stream.wire);
	process_pin(ours->broker.pid, 1);
}

static void ours_set_overflow(struct ours *ours, const char *overflow)
{
	struct memtun_options *options = memtun_options_new();

	if (!options || memtun_options_set(options, "overflow", overflow) < 0 ||
	    memtun_set(ours->memtun, ours->batches.out, options) < 0)
		errx(1, "cannot set overflow %s: %s", overflow, memtun_error(ours->memtun));
	memtun_options_free(options);
}

static void ours_wire_close(struct ours_wire *wire)
{
	close(wire->wire.in.fd);
	close(wire->wire.out.fd);
}

static void ours_end(struct ours *ours)
{
	ours_wire_close(&ours->batches);
	ours_wire_close(&ours->stream);
	memtun_free(ours->memtun);
	process_end(ours->broker.pid);
}

/* Measure one run, after which every frame must be accounted for. */
static struct delivery ours_run(struct ours *ours, const struct ours_wire *wire)
{
	struct account in = account_read(ours->memtun, wire->in);
	struct account out = account_read(ours->memtun, wire->out);
	struct delivery delivery = delivery_run(&wire->wire, FRAMES);
	struct account out_now = account_quiesce(ours->memtun, wire->out, &out, FRAMES);
	struct account in_now = account_read(ours->memtun, wire->in);

	if (in_now.sent - in.sent != FRAMES || out_now.offered - out.offered != FRAMES ||
	    out_now.delivered - out.delivered != (uint64_t)delivery.received)
		errx(1,
		     "of %d frames the broker took %ju, offered %ju and delivered %ju; %d arrived",
		     FRAMES, (uintmax_t)(in_now.sent - in.sent),
		     (uintmax_t)(out_now.offered - out.offered),
		     (uintmax_t)(out_now.delivered - out.delivered), delivery.received);
	return delivery;
}

static double ours_rate(struct ours *ours, const struct ours_wire *wire)
{
	struct delivery delivery = ours_run(ours, wire);

	return delivery.received / delivery.seconds;
}

static void compare(struct ours *ours, const struct wire *other, const char *name, double required)
{
	struct series batches = {0}, stream = {0}, single = {0};
	char stream_name[60];
	struct figure figure = {.name = name, .unit = "1/s", .required = required};
	int received = 0;

	wire_learn(other);
	ours_run(ours, &ours->batches);
	ours_run(ours, &ours->stream);
	delivery_run(other, FRAMES);
	for (int i = 0; i < MEASURE_SHORT_PAIRS; i++) {
		double rate = ours_rate(ours, &ours->batches);
		struct delivery delivery = delivery_run(other, FRAMES);
		double other_rate = delivery.received / delivery.seconds;

		series_add(&batches, rate, other_rate);
		series_add(&stream, ours_rate(ours, &ours->stream), other_rate);
		series_add(&single, ours_rate(ours, &ours->single), other_rate);
		received += delivery.received;
	}
	series_report(&batches, &figure);
	printf("info %s: with one frame a call ours is %.0f, ratio %.3f; of the other's frames "
	       "%.1f %% were lost\n",
	       name, series_ours(&single), series_ratio(&single, &figure),
	       100 - received * 100.0 / FRAMES / MEASURE_SHORT_PAIRS);
	snprintf(stream_name, sizeof(stream_name), "%s-stream", name);
	figure.name = stream_name;
	series_report(&stream, &figure);
}

static void tell_skipped(const char *name, const char *reason)
{
	printf("bench %s skipped: %s\n", name, reason);
}

static void compare_vde(struct ours *ours)
{
	static const char name[] = "delivered-per-second-vde";
#ifdef HAVE_VDEPLUG
	struct vde_forwarder forwarder;
	const char *reason = vde_forwarder_start(&forwarder);

	if (reason) {
		tell_skipped(name, reason);
		return;
	}
	process_pin(forwarder.pid, 1);
	compare(ours, &forwarder.wire, name, 1.5);
	vde_forwarder_end(&forwarder);
#else
	(void)ours;
	tell_skipped(name, "built without libvdeplug");
#endif
}

static void compare_kernel(struct ours *ours)
{
	static const char name[] = "delivered-per-second-kernel";
	struct kernel_bridge bridge;
	const char *reason = kernel_bridge_start(&bridge);

	if (reason) {
		tell_skipped(name, reason);
		return;
	}
	compare(ours, &bridge.wire, name, 0.85);
	kernel_bridge_end(&bridge);
}

static void tell_drop_tail(struct ours *ours)
{
	struct delivery delivery;

	ours_set_overflow(ours, "drop-tail");
	delivery = ours_run(ours, &ours->batches);
	printf("info delivered-per-second-drop-tail %.0f 1/s, %.1f %% were lost, each counted\n",
	       delivery.received / delivery.seconds, 100 - delivery.received * 100.0 / FRAMES);
}

void figures_bridge(void)
{
	static struct ours ours;

	ours_start(&ours);
	compare_vde(&ours);
	compare_kernel(&ours);
	tell_drop_tail(&ours);
	ours_end(&ours);
}
