#!/bin/sh
# SPDX-License-Identifier: MIT
# Build with --disable-broker where configure finds only a C library, test, install, and use what was
# installed in a program, which is linked with the shared library and with the static one:
#
#	tests/libc_alone.sh DIRECTORY COMPILER
#
# COMPILER may be musl-gcc. .ci/run calls this, because it takes longer than the tests of make check.
set -eu

source=$(cd "$(dirname "$0")/.." && pwd)
directory=$1 compiler=$2

mkdir -p "$directory"
cd "$directory"
prefix=$PWD/installed
# No package has a .pc file there. --enable-static, because the default makes a shared library only.
PKG_CONFIG_LIBDIR=$directory/none "$source/configure" -q --disable-broker --enable-static \
	--prefix="$prefix" CC="$compiler"
# The other tests do not depend on the C library.
make check TESTS=tests/system/test_io_library.sh
make install

# Each header that was read is memtun's, the compiler's, the kernel's or the C library's.
foreign=$(find . -name '*.Plo' -exec cat {} + | tr -d '\\:' | tr ' ' '\n' | sort -u |
	grep -E '/(ev|cap-ng|cmocka|seccomp)\.h$|/(bsd|libmnl|libsmartcols|lwip|slirp|pcap)/') || :
if [ -n "$foreign" ]; then
	echo "FAILED: headers of other libraries were read: $foreign"
	exit 1
fi

# A program that reads a packet from a TUN and writes another.
cat >program.c <<'PROGRAM'
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <memtun/connector.h>
#include <memtun/testing.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Send a frame through a socketpair. A filter takes libpcap, which is not there. */
static int connector_works(void)
{
	static const unsigned char frame[60] = {2, 0, 0, 0, 0, 1};
	const struct memtun_pattern pattern = MEMTUN_FILTER("udp");
	struct memtun_connector *one, *other;
	const struct memtun_packet *packet;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
		return 0;
	one = memtun_connector_open_fd(ends[0], MEMTUN_TAP, 0);
	other = memtun_connector_open_fd(ends[1], MEMTUN_TAP, 0);
	if (memtun_connector_write(one, frame, sizeof(frame), 0) < 0)
		return 0;
	packet = memtun_connector_blocking_read(other);
	return packet && packet->length == sizeof(frame) &&
	       memtun_connector_expect(other, &pattern, 1, 0, 0) == -1 && errno == ENOSYS;
}

int main(void)
{
	static const unsigned char packet[20] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17};
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	struct memtun_io *io = memtun_io_memory_new();
	int fd = memtun_io_open_path(io, "/dev/net/tun", O_RDWR);
	struct memtun_testing_tunnel *tunnel;
	unsigned char bytes[64];
	size_t header_length;

	if (memtun_io_ioctl(io, fd, TUNSETIFF, &request) < 0)
		return 1;
	tunnel = memtun_testing_tunnel(io, fd);
	if (memtun_testing_add_to_read_buffer(tunnel, packet, sizeof(packet), NULL, NULL) != 1 ||
	    memtun_io_read(io, fd, bytes, sizeof(bytes)) != sizeof(packet) ||
	    memtun_io_write(io, fd, bytes, sizeof(packet)) != sizeof(packet) ||
	    memtun_testing_take(tunnel, bytes, sizeof(bytes), &header_length) != sizeof(packet) ||
	    memcmp(bytes, packet, sizeof(packet)) != 0)
		return 1;
	memtun_io_free(io);
	if (!connector_works())
		return 1;
	printf("%s\n", request.ifr_name);
}
PROGRAM

export PKG_CONFIG_LIBDIR="$prefix/lib/pkgconfig"
[ ! -d kernel-headers ] || compiler="$compiler -idirafter kernel-headers"
# shellcheck disable=SC2046,SC2086 # the compiler and pkg-config have several words
{
	$compiler program.c -o program-shared $(pkg-config --cflags --libs memtun-io memtun-connector) -Wl,-rpath,"$prefix/lib"
	$compiler -static program.c -o program-static $(pkg-config --static --cflags --libs memtun-io memtun-connector)
}
for program in program-shared program-static; do
	shown=$(./$program)
	if [ "$shown" != tun0 ]; then
		echo "FAILED: $program prints '$shown'"
		exit 1
	fi
done
if ! readelf -d program-shared | grep -q 'NEEDED.*libmemtun-io' || readelf -d program-static | grep -q NEEDED; then
	echo "FAILED: the programs are not linked as they should be"
	exit 1
fi
echo "libmemtun-io and libmemtun-connector work with $compiler, which finds the C library alone"
