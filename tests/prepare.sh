# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2086 # lists of packages are split on purpose
# Functions that ./check, ./demo and .ci/run share: Debian's packages, steps with a log, and the build
# in build/. bash sources this file in the source directory.
. tests/environment.sh || exit 1

# Needed to build everything and run the tests. gcc only recommends libc6-dev.
library_packages="libc6-dev libev-dev libbsd-dev libmnl-dev libsmartcols-dev libcap-ng-dev libpcap-dev
	libcmocka-dev libseccomp-dev liblwip-dev libslirp-dev libvdeplug-dev libncurses-dev"
build_packages="gcc make autoconf automake libtool pkg-config mandoc python3 $library_packages"

# Peers of some tests, which are skipped where these packages are missing.
peer_packages="python3-twisted python3-pytest python3-scapy python3-pip python3-setuptools python3-wheel mypy qemu-system-x86 ipxe-qemu
	slirp4netns passt vde2 vdeplug user-mode-linux iproute2 util-linux tshark
	curl iputils-ping iperf3 bind9-dnsutils dnsmasq-base openssh-server openssh-client
	openvpn socat golang-go bubblewrap golang-github-docker-docker-dev
	wireguard-go wireguard-tools tinc n2n iodine ocserv openconnect openssl
	python3-pyroute2 busybox-static net-tools ruby nodejs tcl libio-fdpass-perl shellcheck python3-yaml lowdown
	cargo rustc rust-clippy librust-libc-dev"

builddir=$PWD/build

fail() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# --- steps: a label, the progress (on a terminal), and the seconds that it took ---

step_label() {
	printf '  %-14s ' "$1"
}

# Prints each line of its input in the place of the last one.
show_progress() {
	local line width=$((${COLUMNS:-$(tput cols 2>/dev/null || echo 80)} - 18))

	while IFS= read -r line; do
		printf '\r\033[K  %-14s %s' "$1" "${line:0:width}"
	done
	printf '\r\033[K'
	step_label "$1"
}

step_log() {
	echo "$builddir/${1// /-}.log"
}

# step_run LABEL COMMAND...: runs it with its output in the step's log. Returns its status.
step_run() {
	local label=$1 log start=$SECONDS status
	shift
	log=$(step_log "$label")
	mkdir -p "$builddir"
	step_label "$label"
	if [ -t 1 ]; then
		"$@" 2>&1 </dev/null | tee "$log" | show_progress "$label"
		status=${PIPESTATUS[0]}
	else
		"$@" >"$log" 2>&1 </dev/null
		status=$?
	fi
	if [ "$status" -eq 0 ]; then
		echo "done, $((SECONDS - start)) s"
	else
		echo "FAILED after $((SECONDS - start)) s"
	fi
	return "$status"
}

show_log_end() {
	echo
	tail -n 40 "$1" | sed 's/^/    /'
	echo
	echo "  All of it: $1"
}

# step LABEL COMMAND...: the same, and shows the end of the log if the command fails.
step() {
	step_run "$@" && return
	show_log_end "$(step_log "$1")"
	return 1
}

# --- packages ---

# packages_lacking PACKAGE...: prints those that are not installed. A PACKAGE may name its
# architecture, as in libev-dev:i386.
packages_lacking() {
	local package native

	native=$(dpkg --print-architecture)
	for package in "$@"; do
		dpkg-query -W -f='${db:Status-Status} ${Architecture}\n' "$package" 2>/dev/null |
			grep -qE "^installed (all|${package##*:}|$native)\$" || printf ' %s' "$package"
	done
}

packages_fetch() {
	"$@" apt-get update &&
		"$@" env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y --no-install-recommends $lacking
}

# packages_install PACKAGE...: installs those that are missing. Where it cannot, it prints the command
# to run, and exits.
packages_install() {
	local lacking as_root=

	step_label packages
	if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
		echo "not Debian; the build needs what Debian calls: $*"
		return 0
	fi
	lacking=$(packages_lacking "$@")
	if [ -z "$lacking" ]; then
		echo "all $# installed"
		return 0
	fi
	echo "lacking:$lacking"
	if [ "$(id -u)" -ne 0 ]; then
		as_root=sudo
		# sudo may ask for a password on a terminal. Elsewhere it would wait for ever.
		if ! command -v sudo >/dev/null || { ! [ -t 0 ] && ! sudo -n true 2>/dev/null; } ||
			! sudo -v; then
			echo
			echo "  Installing them takes root. Run this as root, then ${0##*/} again:"
			echo
			echo "    apt-get update && apt-get install -y --no-install-recommends$lacking"
			exit 1
		fi
	fi
	step install packages_fetch $as_root && [ -z "$(packages_lacking "$@")" ] || {
		echo "  Install them by hand, then run ${0##*/} again:"
		echo
		echo "    apt-get update && apt-get install -y --no-install-recommends$lacking"
		exit 1
	}
}

# --- the build ---

# Tells whether a file from which autoreconf makes configure and Makefile.in is newer than they are.
# Only the folders that Makefile.am includes are searched, as a build directory may have copies.
autoreconf_is_due() {
	local source made folders

	folders=$(sed -n 's,^include \(.*\)/Makefile\.inc$,\1,p' Makefile.am)
	for made in configure Makefile.in; do
		[ -e $made ] || return 0
		for source in configure.ac Makefile.am $(find $folders -name Makefile.inc); do
			[ "$source" -nt $made ] && return 0
		done
	done
	return 1
}

# configure_in DIRECTORY [ARGUMENT...]: makes the directory and configures a build in it.
configure_in() {
	local source=$PWD

	mkdir -p "$1" && cd "$1" && shift && "$source/configure" "$@"
}

build() {
	if autoreconf_is_due; then
		step autoreconf autoreconf -fi || exit 1
	fi
	if [ ! -e "$builddir/config.status" ] || [ configure -nt "$builddir/config.status" ]; then
		(step configure configure_in "$builddir") || exit 1
	fi
	step build make -C "$builddir" -j"$(nproc)" || exit 1
}
