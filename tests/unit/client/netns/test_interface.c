/* SPDX-License-Identifier: MIT */
/*
 * How an interface is set up: the requests to the kernel, and what is told where it refuses one.
 * The kernel is one end of a socket pair, whose answers are written before they are asked for. The
 * interface is lo, so that it has an index; nothing changes it.
 */
#include "tests/unit/runner.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/netns/interface.h"
#include "common/descriptor.h"

/* The requests that setting up the interface of interface_new() takes: no link-local address of the
 * kernel's, MAC, mtu, up, the link-local address, two addresses, a gateway. */
#define REQUESTS 8

struct kernel {
	struct rtnetlink rtnetlink;
	int fd; /* the kernel's end */
	uint32_t answered;
};

static void kernel_start(struct kernel *kernel)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	*kernel = (struct kernel){.rtnetlink.fd = ends[0], .fd = ends[1]};
}

static void kernel_stop(struct kernel *kernel)
{
	rtnetlink_close(&kernel->rtnetlink);
	descriptor_close(&kernel->fd);
}

/* Answer the next request with an error, or 0. */
static void kernel_answers(struct kernel *kernel, int error)
{
	_Alignas(8) char bytes[256];
	struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
	struct nlmsgerr *answer = mnl_nlmsg_put_extra_header(header, sizeof(*answer));

	header->nlmsg_type = NLMSG_ERROR;
	header->nlmsg_seq = ++kernel->answered;
	answer->error = -error;
	assert_int_equal(send(kernel->fd, header, header->nlmsg_len, 0), header->nlmsg_len);
}

/* Return the type of the next request that was sent, or 0. */
static int kernel_asked(struct kernel *kernel)
{
	_Alignas(8) char bytes[1024];
	ssize_t length = recv(kernel->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (length < 0)
		return 0;
	assert_true(mnl_nlmsg_ok((struct nlmsghdr *)bytes, (int)length));
	return ((struct nlmsghdr *)bytes)->nlmsg_type;
}

static struct interface interface_new(enum memtun_mode mode)
{
	struct interface interface = {.name = "lo", .mode = mode, .mtu = 1400, .mac = {2}};
	struct fault fault;

	assert_int_equal(address_config_parse(&interface.addresses, "10.0.0.2/24+fd00::2/64",
					      "10.0.0.1", &fault),
			 0);
	return interface;
}

static void a_tap_is_set_up_by_these_requests(void **state)
{
	static const int types[] = {RTM_NEWLINK, RTM_NEWLINK,  RTM_NEWLINK,
				    RTM_NEWLINK, RTM_NEWADDR,  RTM_NEWADDR,
				    RTM_NEWADDR, RTM_NEWROUTE, 0};
	const struct interface interface = interface_new(MEMTUN_TAP);
	struct obstacle obstacle;
	struct kernel kernel;

	(void)state;
	kernel_start(&kernel);
	for (int i = 0; i < REQUESTS; i++)
		kernel_answers(&kernel, 0);
	assert_int_equal(interface_set_up(&interface, &kernel.rtnetlink, &obstacle), 0);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(kernel_asked(&kernel), types[i]);
	kernel_stop(&kernel);
}

static void a_tun_has_no_mac_and_keeps_the_kernels_link_local_address(void **state)
{
	static const int types[] = {RTM_NEWLINK, RTM_NEWLINK,  RTM_NEWADDR,
				    RTM_NEWADDR, RTM_NEWROUTE, 0};
	const struct interface interface = interface_new(MEMTUN_TUN);
	struct obstacle obstacle;
	struct kernel kernel;

	(void)state;
	kernel_start(&kernel);
	for (int i = 0; i < 5; i++)
		kernel_answers(&kernel, 0);
	assert_int_equal(interface_set_up(&interface, &kernel.rtnetlink, &obstacle), 0);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(kernel_asked(&kernel), types[i]);
	kernel_stop(&kernel);
}

static void each_request_that_is_refused_is_told(void **state)
{
	static const char *const texts[REQUESTS] = {
		NULL, /* the kernel makes the address itself */
		"cannot set the MAC address of 'lo': Operation not permitted",
		"cannot set the mtu of 'lo' to 1400: Operation not permitted",
		"cannot bring the interface 'lo' up: Operation not permitted",
		"cannot add the link-local address of 'lo': Operation not permitted",
		"cannot add the address 10.0.0.2/24 to 'lo': Operation not permitted",
		"cannot add the address fd00::2/64 to 'lo': Operation not permitted",
		"cannot add the default route by 10.0.0.1 on 'lo': Operation not permitted",
	};
	const struct interface interface = interface_new(MEMTUN_TAP);

	(void)state;
	for (int refused = 1; refused < REQUESTS; refused++) {
		struct obstacle obstacle;
		struct kernel kernel;

		kernel_start(&kernel);
		for (int i = 0; i < REQUESTS; i++)
			kernel_answers(&kernel, i == refused ? EPERM : 0);
		assert_int_equal(interface_set_up(&interface, &kernel.rtnetlink, &obstacle), -1);
		assert_int_equal(errno, EPERM);
		assert_string_equal(obstacle.text, texts[refused]);
		kernel_stop(&kernel);
	}
}

/* Set an interface up, where the kernel answers the request of that index with the error. Return
 * how many requests it got. */
static int set_up_without(int index, int error)
{
	struct interface interface = interface_new(MEMTUN_TAP);
	struct obstacle obstacle;
	struct kernel kernel;
	int count = 0;

	interface.addresses.address_count = 1;
	kernel_start(&kernel);
	for (int i = 0; i < REQUESTS; i++)
		kernel_answers(&kernel, i == index ? error : 0);
	assert_int_equal(interface_set_up(&interface, &kernel.rtnetlink, &obstacle), 0);
	while (kernel_asked(&kernel))
		count++;
	kernel_stop(&kernel);
	return count;
}

static void where_ipv6_is_off_there_is_no_link_local_address(void **state)
{
	(void)state;
	/* A kernel without IPv6 does not know the first request. */
	assert_int_equal(set_up_without(0, EAFNOSUPPORT), REQUESTS - 2);
	/* disable_ipv6 */
	assert_int_equal(set_up_without(4, EACCES), REQUESTS - 1);
}

static void an_interface_that_has_gone_is_told(void **state)
{
	struct interface interface = interface_new(MEMTUN_TAP);
	struct obstacle obstacle;
	struct kernel kernel;

	(void)state;
	strlcpy(interface.name, "memtun-none", sizeof(interface.name));
	kernel_start(&kernel);
	assert_int_equal(interface_set_up(&interface, &kernel.rtnetlink, &obstacle), -1);
	assert_non_null(strstr(obstacle.text, "cannot find the interface 'memtun-none': No such"));
	assert_int_equal(interface_rename(&interface, &kernel.rtnetlink, "x", &obstacle), -1);
	assert_int_equal(kernel_asked(&kernel), 0);
	kernel_stop(&kernel);
}

static void a_name_is_the_interfaces_once_the_kernel_has_taken_it(void **state)
{
	struct interface interface = interface_new(MEMTUN_TAP);
	struct obstacle obstacle;
	struct kernel kernel;

	(void)state;
	kernel_start(&kernel);
	kernel_answers(&kernel, EEXIST);
	kernel_answers(&kernel, 0);
	assert_int_equal(interface_rename(&interface, &kernel.rtnetlink, "c1", &obstacle), -1);
	assert_string_equal(obstacle.text, "cannot rename the interface 'lo' to 'c1': File exists");
	assert_string_equal(interface.name, "lo");
	assert_int_equal(interface_rename(&interface, &kernel.rtnetlink, "c1", &obstacle), 0);
	assert_string_equal(interface.name, "c1");
	kernel_stop(&kernel);
}

static void a_loopback_that_is_refused_is_told(void **state)
{
	struct obstacle obstacle;
	struct kernel kernel;

	(void)state;
	kernel_start(&kernel);
	kernel_answers(&kernel, EPERM);
	assert_int_equal(interface_set_up_loopback(&kernel.rtnetlink, &obstacle), -1);
	assert_string_equal(obstacle.text,
			    "cannot bring the interface lo up: Operation not permitted");
	/* Nor does it wait for an answer to a request that can't be sent. */
	descriptor_close(&kernel.rtnetlink.fd);
	assert_int_equal(interface_set_up_loopback(&kernel.rtnetlink, &obstacle), -1);
	kernel_stop(&kernel);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tap_is_set_up_by_these_requests),
		cmocka_unit_test(a_tun_has_no_mac_and_keeps_the_kernels_link_local_address),
		cmocka_unit_test(each_request_that_is_refused_is_told),
		cmocka_unit_test(where_ipv6_is_off_there_is_no_link_local_address),
		cmocka_unit_test(an_interface_that_has_gone_is_told),
		cmocka_unit_test(a_name_is_the_interfaces_once_the_kernel_has_taken_it),
		cmocka_unit_test(a_loopback_that_is_refused_is_told),
	};

	return RUN_TESTS(tests);
}
