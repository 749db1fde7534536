# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2086 # lists of options and packages are split on purpose
# A function that gets Debian's libraries of any architecture without changing this machine's packages
# and without root: apt has indexes and an archive of its own in a directory. bash sources this file.

# libraries_unpack ARCHITECTURE ROOT PACKAGE...: Unpack Debian's libraries, and all that they depend on,
# below ROOT, except the C library, which the compiler has. Where the mirror cannot deliver one of the
# indexes, such as one that it is just replacing, apt chooses from the others.
libraries_unpack() {
	local architecture=$1 root=$2 apt=$2.apt options package
	shift 2

	mkdir -p "$apt/state/lists/partial" "$apt/archives/partial" "$root" || return 1
	: >"$apt/status"
	options="-o APT::Architecture=$architecture -o APT::Architectures=$architecture
		-o APT::Sandbox::User= -o Dir::State=$apt/state -o Dir::State::status=$apt/status
		-o Dir::Cache=$apt -o Dir::Cache::archives=$apt/archives -o Debug::NoLocking=1"
	apt-get $options update
	apt-get $options install -y --download-only --no-install-recommends "$@" || return 1
	rm -f "$apt"/archives/libc6*.deb
	for package in "$apt"/archives/*.deb; do
		dpkg-deb -x "$package" "$root" || return 1
	done
	# Linker scripts, such as libbsd.so, have absolute paths.
	grep -rlIZ --include='*.so' /usr/lib "$root" | xargs -r0 sed -i "s,/usr/lib/,$root&,g"
	rm -rf "$apt"
	chmod -R go=u-w "$root"
}
