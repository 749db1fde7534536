/* SPDX-License-Identifier: MIT */
/*
 * The same calls to the kernel's /dev/net/tun, in a network namespace of this program's own, and to
 * a tunnel in memory. Results, errno and data that is written back must be the same, except for the
 * differences in the tables below, which are those of memtun_io(3). A difference that no longer
 * exists is an error too.
 */
#include "tests/unit/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "memtun/io.h"

/* A TAP or a TUN, before and after TUNSETIFF. */
static const struct state {
	const char *name;
	int flags; /* TUNSETIFF's; -1: not attached */
	bool disabled;
} states[] = {
	{"unattached", -1},
	{"tun with packet information", IFF_TUN},
	{"tun", IFF_TUN | IFF_NO_PI},
	{"tap with packet information", IFF_TAP},
	{"tap", IFF_TAP | IFF_NO_PI},
	{"tap with vnet header", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR},
	{"tap with queues", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE},
	{"tap, queue disabled", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE, true},
	{"tun without carrier", IFF_TUN | IFF_NO_PI | IFF_NO_CARRIER},
};

enum argument {
	NUMBER,  /* the argument is `value` */
	INTEGER, /* a pointer to value */
	REQUEST, /* a struct ifreq, value in its flags, text its name */
	ADDRESS, /* a struct ifreq, value the family, text the six bytes */
	FILTER,  /* a struct tun_filter, value its count, text its first address, then multicast */
	NOWHERE, /* a pointer to unmapped memory */
};

struct call {
	const char *name;
	unsigned long request;
	enum argument argument;
	long value;
	const char *text;
	/* The manual's row if memory differs from the kernel; NULL if it does not. */
	const char *difference;
};

#define EACH(request) #request, request

static const struct call calls[] = {
	{EACH(TUNGETFEATURES), INTEGER},
	{EACH(TUNGETFEATURES), NOWHERE},
	{EACH(TUNGETIFF), REQUEST, 0, "left over"},
	{EACH(TUNGETIFF), NOWHERE},
	{EACH(TUNSETNOCSUM), NUMBER, 1},
	{EACH(TUNSETDEBUG), NUMBER, 0},
	{EACH(TUNSETPERSIST), NUMBER, 0},
	{EACH(TUNSETPERSIST), NUMBER, 1},
	{EACH(TUNSETPERSIST), NUMBER, 7},
	{EACH(TUNGETIFF), REQUEST},
	{EACH(TUNSETPERSIST), NUMBER, 0},
	{EACH(TUNSETOWNER), NUMBER, 0},
	{EACH(TUNSETOWNER), NUMBER, 1000},
	{EACH(TUNSETOWNER), NUMBER, -1},
	{EACH(TUNSETGROUP), NUMBER, 0},
	{EACH(TUNSETGROUP), NUMBER, -1},
	{EACH(TUNGETSNDBUF), INTEGER},
	{EACH(TUNGETSNDBUF), NOWHERE},
	{EACH(TUNSETSNDBUF), INTEGER, 0},
	{EACH(TUNSETSNDBUF), INTEGER, -1},
	{EACH(TUNSETSNDBUF), INTEGER, 100000},
	{EACH(TUNSETSNDBUF), NOWHERE},
	{EACH(TUNGETSNDBUF), INTEGER},
	{EACH(TUNGETVNETHDRSZ), INTEGER},
	{EACH(TUNGETVNETHDRSZ), NOWHERE},
	{EACH(TUNSETVNETHDRSZ), INTEGER, 9},
	{EACH(TUNSETVNETHDRSZ), INTEGER, -1},
	{EACH(TUNSETVNETHDRSZ), INTEGER, 10},
	{EACH(TUNSETVNETHDRSZ), INTEGER, 11},
	{EACH(TUNSETVNETHDRSZ), INTEGER, 12},
	{EACH(TUNSETVNETHDRSZ), INTEGER, 20},
	{EACH(TUNSETVNETHDRSZ), INTEGER, 252},
	{EACH(TUNSETVNETHDRSZ), NOWHERE},
	{EACH(TUNGETVNETHDRSZ), INTEGER},
	{EACH(TUNSETVNETHDRSZ), INTEGER, 253, NULL, "TUNSETVNETHDRSZ above 252"},
	{EACH(TUNGETVNETLE), INTEGER, 5},
	{EACH(TUNSETVNETLE), INTEGER, 1},
	{EACH(TUNGETVNETLE), INTEGER, 5},
	{EACH(TUNSETVNETLE), INTEGER, 0},
	{EACH(TUNSETVNETLE), NOWHERE},
	{EACH(TUNGETVNETLE), INTEGER, 5},
	{EACH(TUNGETVNETBE), INTEGER, 5},
	{EACH(TUNSETVNETBE), INTEGER, 1},
	{EACH(TUNSETOFFLOAD), NUMBER, 0},
	{EACH(TUNSETOFFLOAD), NUMBER, TUN_F_CSUM},
	{EACH(TUNSETOFFLOAD), NUMBER, TUN_F_TSO4},
	{EACH(TUNSETOFFLOAD), NUMBER, TUN_F_UFO},
	{EACH(TUNSETOFFLOAD), NUMBER, TUN_F_CSUM | TUN_F_UFO},
	{EACH(TUNSETOFFLOAD), NUMBER, TUN_F_CSUM | TUN_F_TSO4},
	{EACH(TUNSETOFFLOAD), NUMBER, TUN_F_CSUM | TUN_F_TSO6 | TUN_F_TSO_ECN},
	{EACH(TUNSETOFFLOAD), NUMBER, TUN_F_CSUM | TUN_F_TSO_ECN},
	{EACH(TUNSETOFFLOAD), NUMBER, TUN_F_CSUM | 0x20},
	{EACH(TUNSETOFFLOAD), NUMBER, TUN_F_CSUM | 0x60},
	{EACH(TUNSETOFFLOAD), NUMBER, 0x60},
	{EACH(TUNSETOFFLOAD), NUMBER, 0x1000},
	{EACH(TUNSETLINK), NUMBER, ARPHRD_ETHER},
	{EACH(TUNSETTXFILTER), FILTER, 0, "\x02\0\0\0\0\1"},
	{EACH(TUNSETTXFILTER), FILTER, 1, "\x02\0\0\0\0\1"},
	{EACH(TUNSETTXFILTER), FILTER, 8, "\x02\0\0\0\0\1"},
	{EACH(TUNSETTXFILTER), FILTER, 12, "\x02\0\0\0\0\1"},
	{EACH(TUNSETTXFILTER), NOWHERE},
	{EACH(TUNSETCARRIER), INTEGER, 0},
	{EACH(TUNSETCARRIER), INTEGER, 1},
	{EACH(TUNSETCARRIER), NOWHERE},
	{EACH(TUNSETIFINDEX), INTEGER, -1},
	{EACH(TUNSETIFINDEX), INTEGER, 4000},
	{EACH(TUNSETIFINDEX), NOWHERE},
	{EACH(TUNSETQUEUE), REQUEST, 0},
	{EACH(TUNSETQUEUE), REQUEST, IFF_ATTACH_QUEUE},
	{EACH(TUNSETQUEUE), REQUEST, IFF_DETACH_QUEUE},
	{EACH(TUNGETIFF), REQUEST},
	{EACH(TUNSETCARRIER), INTEGER, 1},
	{EACH(TUNSETQUEUE), REQUEST, IFF_DETACH_QUEUE},
	{EACH(TUNSETQUEUE), REQUEST, IFF_ATTACH_QUEUE},
	{EACH(TUNSETQUEUE), REQUEST, IFF_ATTACH_QUEUE},
	{EACH(TUNSETQUEUE), NOWHERE},
	{EACH(SIOCSIFHWADDR), ADDRESS, ARPHRD_ETHER, "\x02\0\0\0\0\7"},
	{EACH(SIOCGIFHWADDR), ADDRESS, 0, "\1\1\1\1\1\1"},
	{EACH(SIOCSIFHWADDR), ADDRESS, ARPHRD_ETHER, "\x03\0\0\0\0\7"},
	{EACH(SIOCSIFHWADDR), ADDRESS, ARPHRD_ETHER, "\0\0\0\0\0\0"},
	{EACH(SIOCSIFHWADDR), ADDRESS, ARPHRD_NONE, "\x02\0\0\0\0\7"},
	{EACH(SIOCSIFHWADDR), NOWHERE},
	{EACH(TUNSETLINK), NUMBER, ARPHRD_NONE},
	{EACH(SIOCGIFHWADDR), ADDRESS, 0, "\1\1\1\1\1\1"},
	{EACH(SIOCGIFHWADDR), NOWHERE},
	{EACH(SIOCGIFINDEX), REQUEST},
	{EACH(SIOCGIFFLAGS), REQUEST},
	{EACH(SIOCGIFMTU), REQUEST},
	{EACH(SIOCGIFMTU), NOWHERE},
	{EACH(TUNATTACHFILTER), NOWHERE, 0, NULL, "TUNATTACHFILTER"},
	{EACH(TUNDETACHFILTER), NUMBER, 0, NULL, "TUNDETACHFILTER"},
	{EACH(TUNGETFILTER), NOWHERE, 0, NULL, "TUNGETFILTER"},
	{EACH(TUNSETSTEERINGEBPF), NOWHERE, 0, NULL, "TUNSETSTEERINGEBPF"},
	{EACH(TUNSETFILTEREBPF), NOWHERE, 0, NULL, "TUNSETFILTEREBPF"},
	{EACH(TUNGETDEVNETNS), NUMBER, 0, NULL, "TUNGETDEVNETNS"},
	{EACH(SIOCGSKNS), NUMBER, 0, NULL, "SIOCGSKNS"},
	{EACH(FIONREAD), INTEGER},
	{EACH(TCGETS), NOWHERE},
	{"a number that no one knows", _IOW('T', 250, int), NUMBER, 0},
	{"the same of another type", _IOW('x', 202, int), NUMBER, 0},
	{EACH(TUNSETIFF), NOWHERE},
	{EACH(TUNSETIFF), REQUEST, IFF_TAP | IFF_NO_PI, "second%d"},
	{EACH(TUNSETIFF), REQUEST, IFF_TAP | IFF_NO_PI, "third"},
	{EACH(TUNGETIFF), REQUEST},
};

static struct memtun_io *memory, *kernel;

/* ------------------------------------------------------------------------------ results */

/* The results of calls, a line of text each. */
struct outcome {
	char text[256];
};

static void outcome_set(struct outcome *outcome, int result, const void *back, size_t size)
{
	const unsigned char *bytes = back;
	int length = result < 0 ? snprintf(outcome->text, sizeof(outcome->text), "-1 %s",
					   strerror(errno))
				: snprintf(outcome->text, sizeof(outcome->text), "%d", result);

	for (size_t i = 0; result >= 0 && i < size; i++)
		length += snprintf(outcome->text + length, sizeof(outcome->text) - (size_t)length,
				   "%s%02x", i ? "" : " ", bytes[i]);
}

static int set_interface(struct memtun_io *io, int fd, const char *name, int flags,
			 struct ifreq *request)
{
	memset(request, 0, sizeof(*request));
	strncpy(request->ifr_name, name, IFNAMSIZ);
	request->ifr_flags = (short)flags;
	return memtun_io_ioctl(io, fd, TUNSETIFF, request);
}

/* Skip the test if this user has no privilege for the kernel's device. */
static void need_kernel(void)
{
	int fd = memtun_io_open(kernel, "/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq request;
	int result = fd < 0 ? -1 : set_interface(kernel, fd, "", IFF_TUN, &request);

	if (fd >= 0)
		memtun_io_close(kernel, fd);
	if (result < 0)
		test_skip("this user has no right to the kernel's /dev/net/tun");
}

static void run_call(struct memtun_io *io, int fd, const struct call *call, struct outcome *outcome)
{
	struct ifreq request = {0};
	unsigned char filter[4 + 16 * 6] = {0};
	int number = (int)call->value;
	void *argument = NULL;
	size_t size = 0;
	int result;

	switch (call->argument) {
	case NUMBER:
		argument = (void *)call->value;
		break;
	case INTEGER:
		argument = &number;
		size = sizeof(number);
		break;
	case REQUEST:
		if (call->text)
			strncpy(request.ifr_name, call->text, IFNAMSIZ);
		request.ifr_flags = (short)call->value;
		argument = &request;
		size = sizeof(request);
		break;
	case ADDRESS:
		request.ifr_hwaddr.sa_family = (unsigned short)call->value;
		memcpy(request.ifr_hwaddr.sa_data, call->text, 6);
		argument = &request;
		size = sizeof(request);
		break;
	case FILTER:
		filter[2] = (unsigned char)call->value;
		for (int i = 0; i < 16; i++)
			memcpy(filter + 4 + 6 * i, i < 8 ? call->text : "\x01\0\x5e\0\0\1", 6);
		argument = filter;
		break;
	case NOWHERE:
		argument = (void *)8;
		break;
	}
	result = memtun_io_ioctl(io, fd, call->request, argument);
	outcome_set(outcome, result, argument, size);
	/* These requests open a descriptor. */
	if (result >= 0 && (call->request == TUNGETDEVNETNS || call->request == SIOCGSKNS))
		close(result);
}

/* ------------------------------------------------------------------------------ comparing */

static unsigned int differences_seen[sizeof(calls) / sizeof(calls[0])];

static int compare_calls(const struct state *state)
{
	int memory_fd = memtun_io_open(memory, "/dev/net/tun", O_RDWR | O_NONBLOCK);
	int kernel_fd = memtun_io_open(kernel, "/dev/net/tun", O_RDWR | O_NONBLOCK);
	struct ifreq request;
	int wrong = 0;

	assert_true(memory_fd >= 0);
	assert_true(kernel_fd >= 0);
	if (state->flags >= 0) {
		assert_int_equal(set_interface(memory, memory_fd, "", state->flags, &request), 0);
		assert_int_equal(set_interface(kernel, kernel_fd, "", state->flags, &request), 0);
	}
	if (state->disabled) {
		request.ifr_flags = IFF_DETACH_QUEUE;
		assert_int_equal(memtun_io_ioctl(memory, memory_fd, TUNSETQUEUE, &request), 0);
		assert_int_equal(memtun_io_ioctl(kernel, kernel_fd, TUNSETQUEUE, &request), 0);
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct outcome ours, theirs;

		run_call(memory, memory_fd, &calls[i], &ours);
		run_call(kernel, kernel_fd, &calls[i], &theirs);
		if (strcmp(ours.text, theirs.text) == 0)
			continue;
		differences_seen[i]++;
		if (calls[i].difference)
			continue;
		print_error("%s, %s %ld:\n  memory %s\n  kernel %s\n", state->name, calls[i].name,
			    calls[i].value, ours.text, theirs.text);
		wrong++;
	}
	memtun_io_close(memory, memory_fd);
	memtun_io_close(kernel, kernel_fd);
	return wrong;
}

/*
 * A 64-bit kernel does not know a 32-bit program's requests about filters, because the argument's
 * size is a part of their number. The memory system does not know them either.
 */
static bool is_filter_of_32_bits(unsigned long request)
{
	return sizeof(void *) == 4 && _IOC_SIZE(request) == sizeof(struct sock_fprog);
}

static void every_ioctl_answers_as_the_kernel_does(void **context)
{
	int wrong = 0;

	(void)context;
	need_kernel();
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		wrong += compare_calls(&states[i]);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (!calls[i].difference || differences_seen[i] ||
		    is_filter_of_32_bits(calls[i].request))
			continue;
		print_error("%s is no difference any more\n", calls[i].difference);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static const struct naming {
	const char *name;
	int flags;
	const char *difference;
} namings[] = {
	{"", 0},
	{"", IFF_NO_PI},
	{"", IFF_TUN},
	{"", IFF_TAP},
	{"", IFF_TUN | IFF_TAP},
	{"tap%d", IFF_TAP},
	{"tap%d", IFF_TUN},
	{"x%dy", IFF_TAP},
	{"x%d%d", IFF_TAP},
	{"x%s", IFF_TAP},
	{"x%", IFF_TAP},
	{"%d", IFF_TAP},
	{"fifteen_bytes__", IFF_TAP},
	{"sixteen_bytes___", IFF_TAP},
	{"fourteen_byt%d", IFF_TAP},
	{"thirteen_byt%d", IFF_TAP},
	{"a/b", IFF_TAP},
	{"a:b", IFF_TAP},
	{"a b", IFF_TAP},
	{"a\tb", IFF_TAP},
	{".", IFF_TAP},
	{"..", IFF_TAP},
	{"...", IFF_TAP},
	{"\xc3\xa4", IFF_TAP},
	{"a\001b", IFF_TAP},
	{"a\xa0"
	 "b",
	 IFF_TAP},
	{"lo", IFF_TAP, "names of the kernel's interfaces"},
	/* The first two stay open. */
	{"taken", IFF_TAP | IFF_NO_PI},
	{"shared", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE},
	{"taken", IFF_TAP | IFF_NO_PI},
	{"taken", IFF_TAP},
	{"taken", IFF_TUN},
	{"taken", IFF_TUN | IFF_TAP},
	{"taken", 0},
	{"taken", IFF_TAP | IFF_MULTI_QUEUE},
	{"taken", IFF_TAP | IFF_TUN_EXCL},
	{"taken", IFF_TUN | IFF_TUN_EXCL},
	{"shared", IFF_TAP | IFF_MULTI_QUEUE},
	{"shared", IFF_TAP},
	{"shared", IFF_TUN | IFF_MULTI_QUEUE},
	{"shared", IFF_TAP | IFF_MULTI_QUEUE | IFF_TUN_EXCL},
	{"new", IFF_TAP | IFF_TUN_EXCL},
	{"new", IFF_TAP | IFF_NAPI | IFF_NAPI_FRAGS},
	{"new", IFF_TAP | IFF_NAPI_FRAGS},
	{"new", IFF_TUN | IFF_NAPI | IFF_NAPI_FRAGS},
	{"new", IFF_TUN | IFF_NAPI},
	{"new", IFF_TAP | 0x2000}, /* IFF_ONE_QUEUE */
	{"new", IFF_TAP | 0x0400}, /* not a flag of TUNSETIFF */
};

static void run_naming(struct memtun_io *io, const struct naming *naming, int keep[2],
		       struct outcome *outcome)
{
	int fd = memtun_io_open(io, "/dev/net/tun", O_RDWR);
	struct ifreq request, answer = {0};
	int result = set_interface(io, fd, naming->name, naming->flags, &request);

	outcome_set(outcome, result, &request, sizeof(request));
	if (result == 0) {
		size_t length = strlen(outcome->text);

		memtun_io_ioctl(io, fd, TUNGETIFF, &answer);
		snprintf(outcome->text + length, sizeof(outcome->text) - length, " %s %#x",
			 answer.ifr_name, (unsigned int)answer.ifr_flags);
	}
	if (result == 0 && keep[0] < 0 && strcmp(naming->name, "taken") == 0)
		keep[0] = fd;
	else if (result == 0 && keep[1] < 0 && strcmp(naming->name, "shared") == 0)
		keep[1] = fd;
	else
		memtun_io_close(io, fd);
}

static void names_and_flags_are_taken_as_the_kernel_takes_them(void **context)
{
	int ours_kept[2] = {-1, -1}, theirs_kept[2] = {-1, -1}, wrong = 0;

	(void)context;
	need_kernel();
	for (size_t i = 0; i < sizeof(namings) / sizeof(namings[0]); i++) {
		struct outcome ours, theirs;
		bool same;

		run_naming(memory, &namings[i], ours_kept, &ours);
		run_naming(kernel, &namings[i], theirs_kept, &theirs);
		same = strcmp(ours.text, theirs.text) == 0;
		if (same != (bool)namings[i].difference)
			continue;
		print_error("'%s' %#x:\n  memory %s\n  kernel %s\n", namings[i].name,
			    (unsigned int)namings[i].flags, ours.text, theirs.text);
		wrong++;
	}
	for (int i = 0; i < 2; i++) {
		memtun_io_close(memory, ours_kept[i]);
		memtun_io_close(kernel, theirs_kept[i]);
	}
	assert_int_equal(wrong, 0);
}

/* ------------------------------------------------------------------------------ frames */

static void bring_up(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_flags = IFF_UP};

	strcpy(request.ifr_name, name);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

enum {
	TRANSFERS = 4
};
static const char *const transfers[TRANSFERS] = {"write", "writev", "read", "readv"};

/* Write the first bytes, then read as many, each also by parts. */
static void transfers_make(struct memtun_io *system, int fd, unsigned char bytes[200],
			   size_t length, struct outcome outcomes[TRANSFERS])
{
	const struct iovec parts[] = {
		{bytes, length / 3},
		{bytes + length / 3, 0},
		{bytes + length / 3, length - length / 3},
	};

	outcome_set(&outcomes[0], (int)memtun_io_write(system, fd, bytes, length), NULL, 0);
	outcome_set(&outcomes[1], (int)memtun_io_writev(system, fd, parts, 3), NULL, 0);
	outcome_set(&outcomes[2], (int)memtun_io_read(system, fd, bytes + 100, length), NULL, 0);
	outcome_set(&outcomes[3], (int)memtun_io_readv(system, fd, parts, length ? 3 : 0), NULL, 0);
}

/* The results of reads and writes while the network sends and takes no frame. */
static int compare_writes(const struct state *state)
{
	static const unsigned char fills[] = {0x00, 0x40, 0x45, 0x60, 0x70};
	int fds[2], wrong = 0;
	struct memtun_io *systems[2] = {memory, kernel};
	unsigned char bytes[200];
	struct ifreq request;

	for (int i = 0; i < 2; i++) {
		fds[i] = memtun_io_open(systems[i], "/dev/net/tun", O_RDWR | O_NONBLOCK);
		assert_true(fds[i] >= 0);
		if (state->flags >= 0)
			assert_int_equal(
				set_interface(systems[i], fds[i], "", state->flags, &request), 0);
	}
	if (state->flags >= 0)
		bring_up(request.ifr_name);
	for (size_t fill = 0; fill < sizeof(fills); fill++) {
		for (size_t length = 0; length <= 60; length++) {
			struct outcome outcomes[2][TRANSFERS];

			memset(bytes, fills[fill], sizeof(bytes));
			if (state->flags >= 0 && state->flags & IFF_VNET_HDR)
				memset(bytes, 0, 10);
			for (int i = 0; i < 2; i++)
				transfers_make(systems[i], fds[i], bytes, length, outcomes[i]);
			for (int i = 0; i < TRANSFERS; i++) {
				if (strcmp(outcomes[0][i].text, outcomes[1][i].text) == 0)
					continue;
				print_error("%s, %s of %zu bytes of %02x:\n"
					    "  memory %s\n  kernel %s\n",
					    state->name, transfers[i], length, fills[fill],
					    outcomes[0][i].text, outcomes[1][i].text);
				wrong++;
			}
		}
	}
	for (int i = 0; i < 2; i++)
		memtun_io_close(systems[i], fds[i]);
	return wrong;
}

static void writes_and_empty_reads_answer_as_the_kernel_does(void **context)
{
	int wrong = 0;

	(void)context;
	need_kernel();
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (!states[i].disabled)
			wrong += compare_writes(&states[i]);
	}
	assert_int_equal(wrong, 0);
}

/* Vnet headers with each field that the kernel reads, before 60 bytes. */
static const struct vnet {
	unsigned char flags, type;
	uint16_t header_length, segment, start, offset;
	const char *difference;
} headers[] = {
	{0, 0, 0, 0, 0, 0},         {0, 0, 13, 0, 0, 0},
	{0, 0, 14, 0, 0, 0},        {0, 0, 60, 0, 0, 0},
	{0, 0, 61, 0, 0, 0},        {1, 0, 0, 0, 34, 16},
	{1, 0, 0, 0, 42, 16},       {1, 0, 0, 0, 43, 16},
	{1, 0, 0, 0, 65535, 65535}, {1, 1, 54, 0, 34, 16},
	{1, 1, 54, 100, 34, 16},    {1, 4, 54, 100, 34, 16, "GSO types that contradict the packet"},
	{1, 7, 54, 100, 34, 16},
};

static void vnet_headers_are_refused_as_the_kernel_refuses_them(void **context)
{
	int fds[2], wrong = 0;
	struct memtun_io *systems[2] = {memory, kernel};
	struct ifreq request;

	(void)context;
	need_kernel();
	for (int i = 0; i < 2; i++) {
		fds[i] = memtun_io_open(systems[i], "/dev/net/tun", O_RDWR | O_NONBLOCK);
		assert_int_equal(set_interface(systems[i], fds[i], "",
					       IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, &request),
				 0);
	}
	bring_up(request.ifr_name);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct outcome outcomes[2];
		unsigned char bytes[70] = {headers[i].flags, headers[i].type};

		memcpy(bytes + 2, &headers[i].header_length, 2);
		memcpy(bytes + 4, &headers[i].segment, 2);
		memcpy(bytes + 6, &headers[i].start, 2);
		memcpy(bytes + 8, &headers[i].offset, 2);
		memcpy(bytes + 22, "\x08\0\x45", 3);
		bytes[33] = 6;
		for (int j = 0; j < 2; j++)
			outcome_set(&outcomes[j],
				    (int)memtun_io_write(systems[j], fds[j], bytes, sizeof(bytes)),
				    NULL, 0);
		if ((strcmp(outcomes[0].text, outcomes[1].text) == 0) !=
		    (bool)headers[i].difference)
			continue;
		print_error("header %zu:\n  memory %s\n  kernel %s\n", i, outcomes[0].text,
			    outcomes[1].text);
		wrong++;
	}
	for (int i = 0; i < 2; i++)
		memtun_io_close(systems[i], fds[i]);
	assert_int_equal(wrong, 0);
}

/* ------------------------------------------------------------------------------ the manual */

static void assert_in_manual(const char *page, const char *difference)
{
	if (difference && !strstr(page, difference))
		fail_msg("memtun_io(3) doesn't say '%s'", difference);
}

static void each_difference_is_in_the_manual(void **context)
{
	const char *source = getenv("top_srcdir");
	static char page[65536];
	char path[4096];
	ssize_t length;
	int fd;

	(void)context;
	snprintf(path, sizeof(path), "%s/man/memtun_io.3", source ? source : ".");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		test_skip("the manual is not here: top_srcdir has to say where");
	length = read(fd, page, sizeof(page) - 1);
	close(fd);
	assert_true(length > 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		assert_in_manual(page, calls[i].difference);
	for (size_t i = 0; i < sizeof(namings) / sizeof(namings[0]); i++)
		assert_in_manual(page, namings[i].difference);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		assert_in_manual(page, headers[i].difference);
}

/* ------------------------------------------------------------------------------ the program */

/* Enter a network namespace of its own, in which the kernel sends no packets. */
static int enter_namespace(void **context)
{
	int fd;

	(void)context;
	memory = memtun_io_memory_new();
	kernel = memtun_io_kernel_new();
	if (!memory || !kernel)
		return -1;
	if (unshare(CLONE_NEWNET) < 0)
		return 0;
	fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1", 1) < 0)
		print_message("IPv6 is on: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	return 0;
}

static int leave_namespace(void **context)
{
	(void)context;
	memtun_io_free(memory);
	memtun_io_free(kernel);
	return 0;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_ioctl_answers_as_the_kernel_does),
	cmocka_unit_test(names_and_flags_are_taken_as_the_kernel_takes_them),
	cmocka_unit_test(writes_and_empty_reads_answer_as_the_kernel_does),
	cmocka_unit_test(vnet_headers_are_refused_as_the_kernel_refuses_them),
	cmocka_unit_test(each_difference_is_in_the_manual),
};

int main(void)
{
	return RUN_TESTS_WITH(tests, enter_namespace, leave_namespace);
}
