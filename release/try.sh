#!/bin/sh
# SPDX-License-Identifier: MIT
# Run README's first example, two OpenVPN daemons under memtun wrap, with the programs of a release
# archive in a folder as root directory that has nothing else than the programs of the example, as a
# user without privileges:
#
#	release/try.sh ARCHIVE BUILD
#
# BUILD has the example's lwip-http-server and -client. Root runs this, in a mount namespace of its own.
# The exit status is 77 where that is not possible.
set -eu

if [ "${TRY_IS_INSIDE-}" != yes ]; then
	for program in openvpn busybox; do
		PATH=$PATH:/usr/sbin command -v $program >/dev/null ||
			{ echo "skipped: no $program" && exit 77; }
	done
	[ -x "$2/examples/lwip-http-server" ] || { echo "skipped: no lwip-http-server" && exit 77; }
	unshare -m true 2>/dev/null || { echo "skipped: no mount namespace here" && exit 77; }
	TRY_IS_INSIDE=yes exec unshare -m "$0" "$@"
fi

readme=$(cd "$(dirname "$0")/.." && pwd)/README.md
root=$(mktemp -d /tmp/memtun-try.XXXXXX)
trap 'umount "$root/dev/null" "$root/proc" "$root/dev" 2>/dev/null; rm -rf --one-file-system "$root"' EXIT
chmod 755 "$root"
mkdir -p "$root/bin" "$root/proc" "$root/dev" "$root/tmp" "$root/work"
chmod 1777 "$root/tmp" "$root/work"
tar -xf "$1" -C "$root/bin" --strip-components=1 --wildcards '*/memtund' '*/memtun'
cp "$2/examples/lwip-http-server" "$2/examples/lwip-http-client" "$root/bin"
PATH=$PATH:/usr/sbin
cp "$(command -v openvpn)" "$root/bin"
busybox=$(command -v busybox)
cp "$busybox" "$root/bin/sh"
for program in "$root"/bin/*; do
	for library in $(ldd "$program" 2>/dev/null | grep -oE '/[^ ]+'); do
		mkdir -p "$root${library%/*}"
		cp -n "$library" "$root$library"
	done
done
# What each container has.
mount -t proc proc "$root/proc"
mount -t tmpfs -o size=1m tmpfs "$root/dev"
: >"$root/dev/null"
mount --bind /dev/null "$root/dev/null"

awk '/^\$ cat vpn\.sh/ { inside = 1; next } /^\$ / { if (inside) exit } inside' "$readme" >"$root/work/vpn.sh"
grep -q 'memtun wrap' "$root/work/vpn.sh"
chmod 644 "$root/work/vpn.sh"
status=0
timeout 60 chroot --userspec=65534:65534 --groups= "$root" /bin/sh -c '
	cd /work && [ ! -e /dev/net/tun ] && exec env -i PATH=/bin memtund -- sh vpn.sh' \
	>"$root/output" 2>&1 || status=$?
cat "$root/output"
if [ $status -ne 0 ] || ! grep -q '200 OK, 16777216 bytes' "$root/output"; then
	echo "FAILED: the example's status is $status"
	exit 1
fi
