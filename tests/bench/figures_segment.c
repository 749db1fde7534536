/* SPDX-License-Identifier: MIT */
/*
 * The cut of a TCP frame of 64 KiB into segments of 1448 bytes, beside memcpy() and the checksum of
 * the same bytes. The baseline goes through them in the same steps, so that both find the bytes of
 * a step in the nearest cache. The checksum is the product's own in both.
 */
#include <err.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

#include "common/frame/checksum.h"
#include "common/frame/frame_build.h"
#include "common/frame/frame_segment.h"
#include "tests/bench/figures.h"
#include "tests/bench/measure.h"

#define SEGMENT 1448
#define SEGMENTS 45 /* 65160 bytes: as many whole segments as IPv4 can carry */
#define PAYLOAD ((size_t)SEGMENT * SEGMENTS)
#define HEADERS (ETH_HLEN + sizeof(struct ip) + sizeof(struct tcphdr) + 12)
#define ROUNDS 2000

static unsigned char frame[HEADERS + PAYLOAD];
static unsigned char pieces[SEGMENTS * (HEADERS + SEGMENT)];

/* Keeps the compiler from leaving out what has no other use. */
static volatile uint16_t result;

static void frame_fill(struct virtio_net_hdr *offload)
{
	static const uint8_t from_mac[ETH_ALEN] = {2, 0, 0, 0, 0, 1}, to_mac[ETH_ALEN] = {2};
	struct in_addr from = {htonl(0x0a000001)}, to = {htonl(0x0a000002)};
	struct tcphdr tcp = {.th_off = 8, .th_flags = TH_ACK};
	size_t transport = sizeof(tcp) + 12 + PAYLOAD;

	if (frame_build_ethernet(frame, sizeof(frame), from_mac, to_mac, -1, ETHERTYPE_IP) < 0 ||
	    frame_build_ipv4(frame + ETH_HLEN, sizeof(frame) - ETH_HLEN, from, to, IPPROTO_TCP, 64,
			     transport) < 0)
		errx(1, "cannot build the frame");
	memcpy(frame + ETH_HLEN + sizeof(struct ip), &tcp, sizeof(tcp));
	for (size_t i = 0; i < PAYLOAD; i++)
		frame[HEADERS + i] = (unsigned char)(i * 7 + (i >> 8));
	*offload = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = SEGMENT,
		.csum_start = ETH_HLEN + sizeof(struct ip),
		.csum_offset = offsetof(struct tcphdr, th_sum),
	};
}

static double cut_time(const struct virtio_net_hdr *offload)
{
	double from = measure_time();

	for (int i = 0; i < ROUNDS; i++) {
		struct frame_segment segment;
		unsigned char *at = pieces;
		size_t length;

		if (frame_segment_begin(&segment, MEMTUN_TAP, frame, sizeof(frame), offload, 0) < 0)
			errx(1, "the frame cannot be cut");
		while ((length = frame_segment_next(&segment, at)) > 0)
			at += length;
		if (at != pieces + sizeof(pieces))
			errx(1, "the pieces have another length");
		result = pieces[sizeof(pieces) - 1];
	}
	return measure_time() - from;
}

static double copy_time(void)
{
	double from = measure_time();

	for (int i = 0; i < ROUNDS; i++) {
		for (size_t at = 0; at < PAYLOAD; at += SEGMENT) {
			memcpy(pieces + at, frame + HEADERS + at, SEGMENT);
			result = checksum_fold(checksum_add(0, pieces + at, SEGMENT));
		}
	}
	return measure_time() - from;
}

void figures_segment(void)
{
	static const struct figure figure = {
		.name = "cut-64k-tcp",
		.unit = "bytes/ns",
		.required = 0.5,
	};
	struct virtio_net_hdr offload;
	struct series series = {0};
	const double bytes = (double)PAYLOAD * ROUNDS;

	frame_fill(&offload);
	cut_time(&offload);
	copy_time();
	for (int i = 0; i < MEASURE_SHORT_PAIRS; i++) {
		double ours = cut_time(&offload);

		series_add(&series, bytes / ours * 1e-9, bytes / copy_time() * 1e-9);
	}
	series_report(&series, &figure);
}
