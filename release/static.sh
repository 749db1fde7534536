#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Make release archives with static programs, memtun-VERSION-linux-ARCHITECTURE.tar.xz, on Debian amd64:
#
#	release/static.sh DIRECTORY [x86_64|aarch64]...
#
# DIRECTORY gets the archives, and a folder for each architecture: its root/ has Debian's libraries, which
# are linked, and its build/ is the build. The packages in EXTRA_PACKAGES are unpacked in root/, too, and
# JOBS is the number of jobs of make. Two runs give the same bytes: the time of the files is
# SOURCE_DATE_EPOCH, or that of the last commit.
# shellcheck disable=SC2086 # lists of packages are split on purpose
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
. "$source/release/debian.sh"

# Each has a static library except libmnl-dev, of which compat/libmnl.c needs the headers.
packages="libev-dev libbsd-dev libmnl-dev libcap-ng-dev libseccomp-dev linux-libc-dev"
# What is linked, of which the archive has the licences.
linked="libev4 libbsd0 libmd0 libcap-ng0 libseccomp2"

directory=$(mkdir -p "$1" && cd "$1" && pwd)
shift
jobs=${JOBS:-$(nproc)}
version=$(sed -n 's/^AC_INIT(\[memtun\], \[\(.*\)\])$/\1/p' "$source/configure.ac")
if [ -z "${SOURCE_DATE_EPOCH-}" ]; then
	SOURCE_DATE_EPOCH=$(git -C "$source" log -1 --format=%ct 2>/dev/null || stat -c %Y "$source/NEWS")
fi
export SOURCE_DATE_EPOCH

# programs_build ARCHITECTURE HOST DEBIAN-ARCHITECTURE
programs_build() {
	local place=$directory/$1 root=$directory/$1/root libraries=/usr/lib/$2 compiler=gcc

	[ "$1" = "$(uname -m)" ] || compiler=$2-gcc
	rm -rf "$root"
	libraries_unpack "$3" "$root" $packages ${EXTRA_PACKAGES-}
	mkdir -p "$place/build"
	cd "$place/build"
	# Without -g and with another name for the source, no path of this machine is in the programs.
	PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root$libraries/pkgconfig \
		"$source/configure" -q --host="$2" --prefix=/usr/local --enable-static-programs \
		CC="$compiler" CFLAGS="-O2 -ffile-prefix-map=$source=. -ffile-prefix-map=$root=" \
		CPPFLAGS="-isystem $root/usr/include -isystem $root/usr/include/$2" \
		LDFLAGS="-L$root$libraries -Wl,-rpath-link,$root$libraries:$root/lib/$2" \
		NM="${compiler%gcc}nm" STRIP="${compiler%gcc}strip"
	make -j"$jobs" memtund memtun
}

# archive_make ARCHITECTURE HOST
archive_make() {
	local place=$directory/$1 name=memtun-$version-linux-$1 strip=strip package

	[ "$1" = "$(uname -m)" ] || strip=$2-strip
	rm -rf "${place:?}/$name"
	mkdir -p "$place/$name/licences"
	install -m 755 "$place/build/memtund" "$place/build/memtun" "$place/$name"
	$strip "$place/$name/memtund" "$place/$name/memtun"
	install -m 644 "$source/LICENSE" "$source/release/README" "$place/$name"
	# The compiler has the C library, and the package libc6 its licences.
	install -m 644 /usr/share/doc/libc6/copyright "$place/$name/licences/libc6"
	for package in $linked; do
		install -m 644 "$place/root/usr/share/doc/$package/copyright" \
			"$place/$name/licences/$package"
	done
	tar -C "$place" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
		--mode=u=rwX,go=rX --format=gnu -c "$name" | xz -T1 -6 >"$directory/$name.tar.xz"
	echo "$directory/$name.tar.xz"
}

[ $# -gt 0 ] || set -- x86_64 aarch64
for architecture; do
	case $architecture in
	x86_64) debian=amd64 ;;
	aarch64) debian=arm64 ;;
	*) echo "${0##*/}: there is no $architecture" >&2 && exit 2 ;;
	esac
	(programs_build "$architecture" "$architecture-linux-gnu" $debian)
	archive_make "$architecture" "$architecture-linux-gnu"
done
