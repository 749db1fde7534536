/* SPDX-License-Identifier: MIT */
/*
 * Each cut beside the kernel's segmentation of the same frame, byte by byte. In a network namespace
 * of the test's own a bridge joins two TAPs: the frame is written to one with its vnet header, and
 * the other, which has no offloads, yields the kernel's pieces.
 */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/descriptor.h"
#include "common/frame/frame_segment.h"
#include "tests/unit/common/frame/gso_frame.h"

#define PATIENCE 10000 /* milliseconds */
#define ECN VIRTIO_NET_HDR_GSO_ECN
#define TCPV4 VIRTIO_NET_HDR_GSO_TCPV4
#define TCPV6 VIRTIO_NET_HDR_GSO_TCPV6
#define UFO VIRTIO_NET_HDR_GSO_UDP
#define UDP_L4 VIRTIO_NET_HDR_GSO_UDP_L4

struct kernel {
	int in, out; /* the TAP with a vnet header, and the one without */
};

/* ------------------------------------------------------------------------------ the kernel */

static bool write_setting(const char *path, const char *text)
{
	descriptor_owned fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Enter a network namespace. An ordinary user has the capabilities in a user namespace. */
static bool enter_namespace(void)
{
	static int entered; /* 1: yes; -1: not possible */

	if (!entered)
		entered = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0
				  ? 1
				  : -1;
	return entered > 0;
}

static int tap_open(const char *name, int flags)
{
	struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags)};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	strcpy(request.ifr_name, name);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0)
		descriptor_close(&fd);
	return fd;
}

static void set_up(int socket, const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_UP};

	strcpy(request.ifr_name, name);
	assert_int_equal(ioctl(socket, SIOCSIFFLAGS, &request), 0);
}

static void join(int socket, const char *name)
{
	struct ifreq request = {0};

	strcpy(request.ifr_name, "br");
	request.ifr_ifindex = (int)if_nametoindex(name);
	assert_int_equal(ioctl(socket, SIOCBRADDIF, &request), 0);
	set_up(socket, name);
}

/* Make the bridge and its TAPs, or skip the test. */
static void kernel_open(struct kernel *kernel)
{
	descriptor_owned sock = -1;

	*kernel = (struct kernel){-1, -1};
	if (!enter_namespace())
		test_skip("no network namespace can be made");
	/* So that the kernel sends no frames of its own. */
	write_setting("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	kernel->in = tap_open("in", IFF_VNET_HDR);
	if (kernel->in < 0)
		test_skip("no TAP can be made");
	kernel->out = tap_open("out", 0);
	assert_true(kernel->out >= 0);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(sock >= 0);
	if (ioctl(sock, SIOCBRADDBR, "br") < 0) {
		descriptor_close(&kernel->in);
		descriptor_close(&kernel->out);
		descriptor_close(&sock);
		test_skip("this kernel has no bridge");
	}
	join(sock, "in");
	join(sock, "out");
	set_up(sock, "br");
}

static void kernel_close(struct kernel *kernel)
{
	descriptor_owned sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	close(kernel->in);
	close(kernel->out);
	strcpy(request.ifr_name, "br");
	ioctl(sock, SIOCSIFFLAGS, &request);
	assert_int_equal(ioctl(sock, SIOCBRDELBR, "br"), 0);
}

static void kernel_write(const struct kernel *kernel, const struct virtio_net_hdr *offload,
			 const unsigned char *frame, size_t length)
{
	struct virtio_net_hdr header = *offload;
	unsigned char *bytes = (unsigned char *)(uintptr_t)frame;
	struct iovec parts[2] = {{&header, sizeof(header)}, {bytes, length}};

	assert_int_equal(writev(kernel->in, parts, 2), sizeof(header) + length);
}

/* Read the next frame that came from the other TAP. Return 0 if there is none in time. */
static size_t kernel_read(const struct kernel *kernel, unsigned char *frame, size_t size,
			  int patience)
{
	static const unsigned char from[] = {2, 0, 0, 0, 0, 1};
	struct pollfd ready = {.fd = kernel->out, .events = POLLIN};
	ssize_t length;

	do {
		if (poll(&ready, 1, patience) <= 0)
			return 0;
		length = read(kernel->out, frame, size);
	} while (length < 12 || memcmp(frame + 6, from, sizeof(from)) != 0);
	return (size_t)length;
}

/* ------------------------------------------------------------------------------ the cuts */

static const struct gso_frame cuts[] = {
	{.name = "TCP in IPv4",
	 .ip_version = 4,
	 .gso_type = TCPV4,
	 .gso_size = 1448,
	 .tcp_options = 12,
	 .flags = TH_ACK | TH_PUSH | TH_FIN,
	 .id = 65530,
	 .dont_fragment = true,
	 .payload = 60000},
	{.name = "TCP in IPv4 that may be fragmented, in pieces of an odd length",
	 .ip_version = 4,
	 .gso_type = TCPV4,
	 .gso_size = 333,
	 .flags = TH_ACK | TH_URG,
	 .payload = 1000},
	{.name = "TCP in IPv4 whose last piece is full",
	 .ip_version = 4,
	 .gso_type = TCPV4,
	 .gso_size = 500,
	 .flags = TH_ACK | TH_PUSH,
	 .payload = 2000},
	{.name = "TCP in IPv4 with IP options",
	 .ip_version = 4,
	 .ip_options = 8,
	 .tcp_options = 40,
	 .gso_type = TCPV4,
	 .gso_size = 700,
	 .flags = TH_ACK,
	 .payload = 2222},
	{.name = "TCP in IPv4 with ECN",
	 .ip_version = 4,
	 .gso_type = TCPV4 | ECN,
	 .gso_size = 700,
	 .flags = TH_ACK | 0x80 | 0x40,
	 .payload = 2222},
	{.name = "TCP in IPv4 with CWR and without the ECN bit",
	 .ip_version = 4,
	 .gso_type = TCPV4,
	 .gso_size = 700,
	 .flags = TH_ACK | 0x80,
	 .payload = 2222},
	{.name = "TCP in IPv4 with a tag",
	 .tags = 1,
	 .ip_version = 4,
	 .gso_type = TCPV4,
	 .gso_size = 700,
	 .flags = TH_ACK,
	 .payload = 2222},
	{.name = "TCP in IPv4 with two tags",
	 .tags = 2,
	 .ip_version = 4,
	 .gso_type = TCPV4,
	 .gso_size = 700,
	 .flags = TH_ACK,
	 .payload = 2222},
	{.name = "TCP in IPv4 that fits one piece",
	 .ip_version = 4,
	 .gso_type = TCPV4,
	 .gso_size = 700,
	 .flags = TH_ACK | TH_PUSH | 0x80,
	 .payload = 700},
	{.name = "TCP in IPv6",
	 .ip_version = 6,
	 .gso_type = TCPV6,
	 .gso_size = 1428,
	 .tcp_options = 12,
	 .flags = TH_ACK | TH_PUSH | TH_FIN,
	 .payload = 60000},
	{.name = "TCP in IPv6 with ECN and a tag",
	 .tags = 1,
	 .ip_version = 6,
	 .gso_type = TCPV6 | ECN,
	 .gso_size = 1000,
	 .flags = TH_ACK | 0x80,
	 .payload = 3001},
	{.name = "TCP in IPv6 with extension headers",
	 .ip_version = 6,
	 .extensions = GSO_FRAME_HOP_BY_HOP | GSO_FRAME_ROUTING | GSO_FRAME_DESTINATION,
	 .gso_type = TCPV6,
	 .gso_size = 1000,
	 .flags = TH_ACK | TH_PUSH,
	 .payload = 3001},
	{.name = "UDP in IPv4",
	 .ip_version = 4,
	 .gso_type = UDP_L4,
	 .gso_size = 1200,
	 .payload = 5001},
	{.name = "UDP in IPv4 in as many pieces as the kernel makes",
	 .ip_version = 4,
	 .gso_type = UDP_L4,
	 .gso_size = 10,
	 .id = 7,
	 .payload = 1280},
	{.name = "UDP in IPv6 with extension headers and a tag",
	 .tags = 1,
	 .ip_version = 6,
	 .extensions = GSO_FRAME_HOP_BY_HOP | GSO_FRAME_DESTINATION,
	 .gso_type = UDP_L4,
	 .gso_size = 1200,
	 .payload = 5000},
	{.name = "UDP in IPv6 that fits one piece",
	 .ip_version = 6,
	 .gso_type = UDP_L4,
	 .gso_size = 1200,
	 .payload = 1000},
	{.name = "a UDP datagram in fragments of IPv4",
	 .ip_version = 4,
	 .gso_type = UFO,
	 .gso_size = 1480,
	 .id = 99,
	 .payload = 8001},
	{.name = "a UDP datagram in fragments of IPv4 with options",
	 .ip_version = 4,
	 .ip_options = 4,
	 .gso_type = UFO,
	 .gso_size = 800,
	 .payload = 4000},
	{.name = "a UDP datagram in fragments of IPv6",
	 .ip_version = 6,
	 .gso_type = UFO,
	 .gso_size = 1448,
	 .payload = 8001},
};

/* The identification of a fragment is any number that the kernel chooses. */
static void hide_fragment_id(const struct gso_frame *gso, unsigned char *piece)
{
	if (gso->ip_version == 6 && gso->gso_type == UFO)
		memset(piece + 14 + 40 + 4, 0, 4);
}

static void cut_compare(const struct kernel *kernel, const struct gso_frame *gso)
{
	static unsigned char frame[FRAME_MAX], piece[FRAME_MAX], kernels[FRAME_MAX];
	struct frame_segment segment;
	struct virtio_net_hdr offload;
	size_t length = gso_frame_make(gso, frame, &offload);
	unsigned int pieces = 0;
	size_t size, kernels_size;

	kernel_write(kernel, &offload, frame, length);
	assert_int_equal(frame_segment_begin(&segment, MEMTUN_TAP, frame, length, &offload, 1), 0);
	while ((size = frame_segment_next(&segment, piece)) > 0) {
		kernels_size = kernel_read(kernel, kernels, sizeof(kernels), PATIENCE);
		hide_fragment_id(gso, piece);
		hide_fragment_id(gso, kernels);
		if (size != kernels_size || memcmp(piece, kernels, size) != 0)
			print_message("%s: piece %u\n", gso->name, pieces);
		assert_int_equal(size, kernels_size);
		assert_memory_equal(piece, kernels, size);
		assert_true(size <= frame_segment_max(&segment));
		pieces++;
	}
	assert_int_equal(pieces, segment.count);
	if (kernel_read(kernel, kernels, sizeof(kernels), 0) > 0)
		fail_msg("%s: the kernel has more than %u pieces", gso->name, pieces);
}

static void each_piece_has_the_bytes_that_the_kernel_gives_it(void **state)
{
	struct kernel kernel;

	(void)state;
	kernel_open(&kernel);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
		cut_compare(&kernel, &cuts[i]);
	kernel_close(&kernel);
}

/* Every length of the last piece, with both parities of the payload's sum. */
static void each_length_is_cut_as_the_kernel_cuts_it(void **state)
{
	struct gso_frame gso = {
		.name = "a length",
		.ip_version = 4,
		.gso_type = TCPV4,
		.gso_size = 64,
		.flags = TH_ACK | TH_PUSH,
	};
	struct kernel kernel;

	(void)state;
	kernel_open(&kernel);
	for (gso.payload = 1; gso.payload < 200; gso.payload++)
		cut_compare(&kernel, &gso);
	kernel_close(&kernel);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_piece_has_the_bytes_that_the_kernel_gives_it),
		cmocka_unit_test(each_length_is_cut_as_the_kernel_cuts_it),
	};

	return RUN_TESTS(tests);
}
