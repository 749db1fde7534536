/* SPDX-License-Identifier: MIT */
/*
 * Makes a list of calls to /dev/net/tun and to the interfaces that it makes, and prints the result
 * of each on one line. test_wrap_kernel.sh runs it under memtun wrap and with the kernel's own
 * device, and compares the lines.
 *
 * What differs by nature is not printed: the numbers of descriptors, the index of an interface
 * (only whether there is one), and a MAC address that the kernel chooses at random.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/openat2.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *state = "";
static void *nowhere;  /* unmapped */
static void *constant; /* mapped, not writable */

/* Print the line of a call. errno is from the call. */
static void report(const char *call, int result)
{
	if (result < 0)
		printf("%s: %s: -1 %s", state, call, strerrorname_np(errno));
	else
		printf("%s: %s: %d", state, call, result);
}

static int device_open(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		perror("/dev/net/tun");
		exit(1);
	}
	return fd;
}

static struct ifreq request_of(const char *name, int flags)
{
	struct ifreq request = {.ifr_flags = (short)flags};

	strncpy(request.ifr_name, name, IFNAMSIZ);
	return request;
}

/* TUNSETIFF: print the name that it makes of this one. */
static int attach(int fd, const char *name, int flags)
{
	struct ifreq request = request_of(name, flags);
	char call[128];
	int result = ioctl(fd, TUNSETIFF, &request);

	snprintf(call, sizeof(call), "TUNSETIFF '%s' 0x%x", name, (unsigned int)flags);
	report(call, result);
	if (result == 0)
		printf(" '%.*s' 0x%x", IFNAMSIZ, request.ifr_name,
		       (unsigned short)request.ifr_flags);
	puts("");
	return result;
}

/* --------------------------------------------------------------------------------- paths */

static void open_report(const char *call, int fd)
{
	report(call, fd < 0 ? fd : 0);
	if (fd >= 0) {
		unsigned int features = 0;

		printf(" cloexec %d nonblock %d features 0x%x", fcntl(fd, F_GETFD),
		       !!(fcntl(fd, F_GETFL) & O_NONBLOCK),
		       ioctl(fd, TUNGETFEATURES, &features) < 0 ? 0 : features);
		close(fd);
	}
	puts("");
}

static void paths(void)
{
	struct open_how how = {.flags = O_RDWR | O_NONBLOCK};
	int directory = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char here[4096];

	state = "open";
	open_report("plain", open("/dev/net/tun", O_RDWR));
	open_report("close-on-exec", open("/dev/net/tun", O_RDWR | O_CLOEXEC));
	open_report("non-blocking", open("/dev/net/tun", O_RDWR | O_NONBLOCK));
	open_report("unnormalised", open("/dev//net/../net/./tun", O_RDWR));
	open_report("above the root", open("/../dev/net/tun", O_RDWR));
	open_report("relative", openat(directory, "net/tun", O_RDWR));
	open_report("relative unnormalised", openat(directory, ".//net/../../dev/net/tun", O_RDWR));
	open_report("absolute with a directory", openat(directory, "/dev/net/tun", O_RDWR));
	open_report("absolute with a wrong directory", openat(-7, "/dev/net/tun", O_RDWR));
	open_report("relative to a wrong directory", openat(-7, "net/tun", O_RDWR));
	open_report("relative to a file", openat(0, "net/tun", O_RDWR));
	if (getcwd(here, sizeof(here)) && chdir("/dev") == 0) {
		open_report("relative to the working directory", open("net/tun", O_RDWR));
		open_report("not there", open("tun/net", O_RDWR));
		if (chdir(here) < 0)
			exit(1);
	}
	open_report("through a link to the root", open("/proc/self/root/dev/net/tun", O_RDWR));
	open_report("openat2", (int)syscall(SYS_openat2, directory, "net/tun", &how, sizeof(how)));
	open_report("openat2 with a bad size",
		    (int)syscall(SYS_openat2, directory, "net/tun", &how, 8));
	open_report("openat2 without flags",
		    (int)syscall(SYS_openat2, directory, "net/tun", nowhere, sizeof(how)));
	how.resolve = RESOLVE_BENEATH;
	open_report("openat2 beneath",
		    (int)syscall(SYS_openat2, directory, "/dev/net/tun", &how, sizeof(how)));
	open_report("no path", (int)syscall(SYS_openat, AT_FDCWD, nowhere, O_RDWR));
	open_report("as a directory", open("/dev/net/tun", O_RDONLY | O_DIRECTORY));
	open_report("another file", open("/dev/null", O_RDWR));
	close(directory);
}

/* --------------------------------------------------------------------------------- the device */

/* A request whose argument points to a number. */
static void number(int fd, const char *name, unsigned long request, int value)
{
	char call[128];
	int given = value;
	int result = ioctl(fd, request, &given);

	snprintf(call, sizeof(call), "%s &%d", name, value);
	report(call, result);
	printf(" %d\n", given);
}

/* A request whose argument is a number. */
static void plain(int fd, const char *name, unsigned long request, unsigned long value)
{
	char call[128];

	snprintf(call, sizeof(call), "%s %ld", name, (long)value);
	report(call, ioctl(fd, request, value));
	puts("");
}

/* A request with a struct ifreq and flags. */
static void flags(int fd, const char *name, unsigned long request, int value)
{
	struct ifreq given = request_of("left over", value);
	char call[128];
	int result = ioctl(fd, request, &given);

	snprintf(call, sizeof(call), "%s 0x%x", name, (unsigned int)value);
	report(call, result);
	printf(" '%.*s' 0x%x\n", IFNAMSIZ, given.ifr_name, (unsigned short)given.ifr_flags);
}

static void bad_pointers(int fd, const char *name, unsigned long request)
{
	char call[128];

	snprintf(call, sizeof(call), "%s nowhere", name);
	report(call, ioctl(fd, request, nowhere));
	puts("");
	snprintf(call, sizeof(call), "%s constant", name);
	report(call, ioctl(fd, request, constant));
	puts("");
}

#define EACH(request) #request, request

static void hardware_address(int fd, const char *interface, int family, const char *address)
{
	struct ifreq given = request_of(interface, 0);
	char call[128];
	int result;

	given.ifr_hwaddr.sa_family = (sa_family_t)family;
	memcpy(given.ifr_hwaddr.sa_data, address, 6);
	result = ioctl(fd, SIOCSIFHWADDR, &given);
	snprintf(call, sizeof(call), "SIOCSIFHWADDR %d %02x:..:%02x", family,
		 (unsigned char)address[0], (unsigned char)address[5]);
	report(call, result);
	if (result == 0 && ioctl(fd, SIOCGIFHWADDR, &given) == 0)
		printf(" then %d %02x:..:%02x", given.ifr_hwaddr.sa_family,
		       (unsigned char)given.ifr_hwaddr.sa_data[0],
		       (unsigned char)given.ifr_hwaddr.sa_data[5]);
	puts("");
}

/* The size of the send buffer, and the headers before each frame. */
static void headers(int fd)
{
	number(fd, EACH(TUNGETSNDBUF), 0);
	number(fd, EACH(TUNSETSNDBUF), 0);
	number(fd, EACH(TUNSETSNDBUF), -1);
	number(fd, EACH(TUNSETSNDBUF), 100000);
	number(fd, EACH(TUNGETSNDBUF), 0);
	bad_pointers(fd, EACH(TUNSETSNDBUF));
	number(fd, EACH(TUNGETVNETHDRSZ), 0);
	number(fd, EACH(TUNSETVNETHDRSZ), 9);
	number(fd, EACH(TUNSETVNETHDRSZ), 10);
	number(fd, EACH(TUNSETVNETHDRSZ), 12);
	number(fd, EACH(TUNSETVNETHDRSZ), 20);
	number(fd, EACH(TUNSETVNETHDRSZ), 10);
	number(fd, EACH(TUNGETVNETLE), 5);
	number(fd, EACH(TUNSETVNETLE), 1);
	number(fd, EACH(TUNGETVNETLE), 5);
	number(fd, EACH(TUNSETVNETLE), 0);
	number(fd, EACH(TUNSETVNETBE), 1);
	plain(fd, EACH(TUNSETOFFLOAD), 0);
	plain(fd, EACH(TUNSETOFFLOAD), TUN_F_CSUM);
	plain(fd, EACH(TUNSETOFFLOAD), TUN_F_TSO4);
	plain(fd, EACH(TUNSETOFFLOAD), TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
	plain(fd, EACH(TUNSETOFFLOAD), 0x1000);
	plain(fd, EACH(TUNSETOFFLOAD), 0);
}

static void device(int fd)
{
	number(fd, EACH(TUNGETFEATURES), 0);
	bad_pointers(fd, EACH(TUNGETFEATURES));
	flags(fd, EACH(TUNGETIFF), 0);
	bad_pointers(fd, EACH(TUNGETIFF));
	plain(fd, EACH(TUNSETNOCSUM), 1);
	plain(fd, EACH(TUNSETDEBUG), 1);
	plain(fd, EACH(TUNSETPERSIST), 0);
	plain(fd, EACH(TUNSETPERSIST), 1);
	flags(fd, EACH(TUNGETIFF), 0);
	plain(fd, EACH(TUNSETPERSIST), 0);
	plain(fd, EACH(TUNSETOWNER), (unsigned long)-1);
	plain(fd, EACH(TUNSETGROUP), (unsigned long)-1);
	report("TUNSETOWNER of this user", ioctl(fd, TUNSETOWNER, getuid()));
	puts("");
	report("TUNSETGROUP of this group", ioctl(fd, TUNSETGROUP, getgid()));
	puts("");
	headers(fd);
	number(fd, EACH(TUNSETCARRIER), 0);
	number(fd, EACH(TUNSETCARRIER), 1);
	number(fd, EACH(TUNSETIFINDEX), -1);
	flags(fd, EACH(TUNSETQUEUE), 0);
	flags(fd, EACH(TUNSETQUEUE), IFF_ATTACH_QUEUE);
	flags(fd, EACH(TUNSETQUEUE), IFF_DETACH_QUEUE);
	flags(fd, EACH(TUNGETIFF), 0);
	flags(fd, EACH(TUNSETQUEUE), IFF_DETACH_QUEUE);
	flags(fd, EACH(TUNSETQUEUE), IFF_ATTACH_QUEUE);
	bad_pointers(fd, EACH(TUNSETQUEUE));
	hardware_address(fd, "", ARPHRD_ETHER, "\x02\0\0\0\0\7");
	hardware_address(fd, "", ARPHRD_ETHER, "\x03\0\0\0\0\7");
	hardware_address(fd, "", ARPHRD_ETHER, "\0\0\0\0\0\0");
	hardware_address(fd, "", ARPHRD_LOOPBACK, "\x02\0\0\0\0\7");
	bad_pointers(fd, EACH(SIOCGIFHWADDR));
	flags(fd, EACH(SIOCGIFFLAGS), 0);
	flags(fd, EACH(SIOCGIFINDEX), 0);
	plain(fd, "an unknown request", _IO('T', 250), 0);
	bad_pointers(fd, EACH(TUNSETIFF));
	attach(fd, "other", IFF_TAP | IFF_NO_PI);
}

static const struct {
	const char *name;
	int flags;
} modes[] = {
	{"tun", IFF_TUN},
	{"tun without pi", IFF_TUN | IFF_NO_PI},
	{"tap", IFF_TAP | IFF_NO_PI},
	{"tap with vnet", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR},
	{"tap with queues", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE},
	{"tun without carrier", IFF_TUN | IFF_NO_PI | IFF_NO_CARRIER},
};

static void devices(void)
{
	int fd;

	/* Attaching to "other" is the last call of the list. */
	state = "unattached";
	fd = device_open();
	device(fd);
	close(fd);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		state = modes[i].name;
		fd = device_open();
		if (attach(fd, modes[i].flags & IFF_TUN ? "wtun" : "wtap", modes[i].flags) == 0)
			device(fd);
		close(fd);
	}
}

/* --------------------------------------------------------------------------------- names */

static void names(void)
{
	static const char *const tried[] = {
		"",
		"w%d",
		"w%d",
		"w1",
		"a/b",
		"a b",
		".",
		"..",
		"a:b",
		"w%",
		"w%s",
		"w%d%d",
		"%d",
		"lo",
		"w\t",
		"w\x80",
		"123456789012345",
	};
	int fds[sizeof(tried) / sizeof(tried[0])];
	int second;

	state = "names";
	for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++) {
		fds[i] = device_open();
		attach(fds[i], tried[i], IFF_TAP | IFF_NO_PI);
	}
	second = device_open();
	attach(second, "w1", IFF_TAP | IFF_NO_PI);
	attach(second, "w1", IFF_TUN | IFF_NO_PI);
	attach(second, "w1", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE);
	attach(second, "w1", IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL);
	attach(second, "wx", IFF_NO_PI);
	attach(second, "wx", IFF_TUN | IFF_TAP | IFF_NO_PI);
	close(second);
	for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++)
		close(fds[i]);
}

static void queues(void)
{
	int fds[3];

	state = "queues";
	for (int i = 0; i < 3; i++) {
		fds[i] = device_open();
		attach(fds[i], "wq", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE);
	}
	flags(fds[1], EACH(TUNSETQUEUE), IFF_DETACH_QUEUE);
	flags(fds[1], EACH(TUNGETIFF), 0);
	flags(fds[0], EACH(TUNGETIFF), 0);
	flags(fds[1], EACH(TUNSETQUEUE), IFF_ATTACH_QUEUE);
	number(fds[2], EACH(TUNSETSNDBUF), 70000);
	number(fds[0], EACH(TUNGETSNDBUF), 0);
	close(fds[0]);
	flags(fds[1], EACH(TUNGETIFF), 0);
	close(fds[1]);
	close(fds[2]);
}

/* --------------------------------------------------------------------------------- interfaces */

static void address(int fd, const char *interface, const char *name, unsigned long request,
		    int family, const char *text)
{
	struct ifreq given = request_of(interface, 0);
	struct sockaddr_in *in = (struct sockaddr_in *)&given.ifr_addr;
	char call[128], out[INET_ADDRSTRLEN];

	in->sin_family = (sa_family_t)family;
	in->sin_addr.s_addr = inet_addr(text);
	snprintf(call, sizeof(call), "%s %d %s", name, family, text);
	report(call, ioctl(fd, request, &given));
	printf(" %d %s\n", in->sin_family, inet_ntop(AF_INET, &in->sin_addr, out, sizeof(out)));
}

static void show_addresses(int fd, const char *interface)
{
	address(fd, interface, EACH(SIOCGIFADDR), AF_INET, "0.0.0.0");
	address(fd, interface, EACH(SIOCGIFNETMASK), AF_INET, "0.0.0.0");
	address(fd, interface, EACH(SIOCGIFBRDADDR), AF_INET, "0.0.0.0");
	address(fd, interface, EACH(SIOCGIFDSTADDR), AF_INET, "0.0.0.0");
}

static void integer(int fd, const char *interface, const char *name, unsigned long request,
		    int value)
{
	struct ifreq given = request_of(interface, 0);
	char call[128];

	given.ifr_ifindex = value;
	snprintf(call, sizeof(call), "%s %d", name, value);
	report(call, ioctl(fd, request, &given));
	printf(" %d\n", given.ifr_ifindex);
}

/* The index, and the name of that index. */
static void index_of(int fd, const char *interface)
{
	struct ifreq given = request_of(interface, 0), back = {0};

	report("SIOCGIFINDEX", ioctl(fd, SIOCGIFINDEX, &given));
	printf(" %s\n", given.ifr_ifindex > 0 ? "there is one" : "none");
	back.ifr_ifindex = given.ifr_ifindex;
	report("SIOCGIFNAME", ioctl(fd, SIOCGIFNAME, &back));
	printf(" '%.*s'\n", IFNAMSIZ, back.ifr_name);
}

static void ethtool(int fd, const char *interface)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK, .data = 7};
	struct ifreq given = request_of(interface, 0);

	given.ifr_data = (void *)&driver;
	report("ETHTOOL_GDRVINFO", ioctl(fd, SIOCETHTOOL, &given));
	printf(" '%s' '%s' '%s'\n", driver.driver, driver.fw_version, driver.bus_info);
	given.ifr_data = (void *)&link;
	report("ETHTOOL_GLINK", ioctl(fd, SIOCETHTOOL, &given));
	printf(" %u\n", link.data);
	given.ifr_data = nowhere;
	report("SIOCETHTOOL nowhere", ioctl(fd, SIOCETHTOOL, &given));
	puts("");
}

/* SIOCSIFNAME, and back. */
static void rename_back(int fd, const char *name)
{
	struct ifreq given = request_of(name, 0);

	strcpy(given.ifr_newname, "wnew");
	report("SIOCSIFNAME", ioctl(fd, SIOCSIFNAME, &given));
	puts("");
	given = request_of("wnew", 0);
	strcpy(given.ifr_newname, name);
	ioctl(fd, SIOCSIFNAME, &given);
}

/* SIOCADDRT of a network behind the interface. */
static void route(int fd, const char *name)
{
	struct rtentry given = {.rt_flags = RTF_UP, .rt_dev = (char *)(uintptr_t)name};
	struct sockaddr_in address = {.sin_family = AF_INET};

	address.sin_addr.s_addr = inet_addr("10.77.0.0");
	memcpy(&given.rt_dst, &address, sizeof(address));
	address.sin_addr.s_addr = inet_addr("255.255.0.0");
	memcpy(&given.rt_genmask, &address, sizeof(address));
	report("SIOCADDRT", ioctl(fd, SIOCADDRT, &given));
	puts("");
}

/* Print the interfaces of SIOCGIFCONF that are of this program. */
static void list(int fd, int length)
{
	struct ifreq entries[16] = {0};
	struct ifconf given = {.ifc_len = length, .ifc_req = length ? entries : NULL};
	char call[64], text[INET_ADDRSTRLEN];
	int count;

	snprintf(call, sizeof(call), "SIOCGIFCONF %d", length / (int)sizeof(entries[0]));
	report(call, ioctl(fd, SIOCGIFCONF, &given));
	count = given.ifc_len / (int)sizeof(entries[0]);
	for (int i = 0; i < count && length; i++) {
		struct sockaddr_in *in = (struct sockaddr_in *)&entries[i].ifr_addr;

		if (entries[i].ifr_name[0] == 'w')
			printf(" %.*s %s", IFNAMSIZ, entries[i].ifr_name,
			       inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)));
	}
	puts("");
}

static void interface(int fd, const char *name)
{
	index_of(fd, name);
	flags(fd, "SIOCGIFFLAGS of a name that is not there", SIOCGIFFLAGS, 0);
	integer(fd, name, EACH(SIOCGIFFLAGS), 0);
	integer(fd, name, EACH(SIOCGIFMTU), 0);
	integer(fd, name, EACH(SIOCGIFMETRIC), 0);
	integer(fd, name, EACH(SIOCGIFTXQLEN), 0);
	integer(fd, name, EACH(SIOCGIFSLAVE), 0);
	integer(fd, name, EACH(SIOCSIFMTU), 67);
	integer(fd, name, EACH(SIOCSIFMTU), 65536);
	integer(fd, name, EACH(SIOCSIFMTU), 1400);
	integer(fd, name, EACH(SIOCGIFMTU), 0);
	integer(fd, name, EACH(SIOCSIFMETRIC), 1);
	show_addresses(fd, name);
	address(fd, name, EACH(SIOCSIFNETMASK), AF_INET, "255.255.255.0");
	address(fd, name, EACH(SIOCSIFADDR), AF_INET6, "10.1.2.3");
	address(fd, name, EACH(SIOCSIFADDR), AF_INET, "10.1.2.3");
	show_addresses(fd, name);
	address(fd, name, EACH(SIOCSIFNETMASK), AF_INET, "255.0.255.0");
	address(fd, name, EACH(SIOCSIFNETMASK), AF_INET, "255.255.255.0");
	show_addresses(fd, name);
	address(fd, name, EACH(SIOCSIFBRDADDR), AF_INET, "10.1.2.99");
	address(fd, name, EACH(SIOCSIFDSTADDR), AF_INET, "10.1.2.4");
	show_addresses(fd, name);
	integer(fd, name, EACH(SIOCSIFFLAGS), IFF_UP);
	integer(fd, name, EACH(SIOCGIFFLAGS), 0);
	route(fd, name);
	list(fd, 0);
	list(fd, 16 * (int)sizeof(struct ifreq));
	list(fd, (int)sizeof(struct ifreq) - 1);
	ethtool(fd, name);
	integer(fd, name, EACH(SIOCSIFFLAGS), IFF_UP | IFF_PROMISC | IFF_NOARP | IFF_RUNNING);
	integer(fd, name, EACH(SIOCGIFFLAGS), 0);
	integer(fd, name, EACH(SIOCSIFFLAGS), 0);
	integer(fd, name, EACH(SIOCGIFFLAGS), 0);
	address(fd, name, EACH(SIOCSIFADDR), AF_INET, "192.168.7.1");
	show_addresses(fd, name);
	address(fd, name, EACH(SIOCSIFADDR), AF_INET, "0.0.0.0");
	show_addresses(fd, name);
	hardware_address(fd, name, ARPHRD_ETHER, "\x02\0\0\0\0\x9");
	hardware_address(fd, name, ARPHRD_ETHER, "\x01\0\0\0\0\x9");
	rename_back(fd, name);
	bad_pointers(fd, EACH(SIOCGIFFLAGS));
	bad_pointers(fd, EACH(SIOCGIFCONF));
}

static void interfaces(void)
{
	int inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd;

	state = "interface before";
	index_of(inet, "wtun");
	integer(inet, "lo", EACH(SIOCGIFMTU), 0);
	fd = device_open();
	state = "interface wtun";
	attach(fd, "wtun", IFF_TUN | IFF_NO_PI);
	interface(inet, "wtun");
	close(fd);
	state = "interface wtap";
	fd = device_open();
	attach(fd, "wtap", IFF_TAP | IFF_NO_PI);
	interface(inet, "wtap");
	integer(0, "wtap", EACH(SIOCGIFINDEX), 0);
	close(fd);
	state = "interface after";
	index_of(inet, "wtap");
	close(inet);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	constant = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	paths();
	devices();
	names();
	queues();
	interfaces();
	return 0;
}
