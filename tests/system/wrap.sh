# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2086,SC2154 # words are meant; check.sh has the variables
# What the tests of memtun wrap share. check.sh is sourced before.

cp "$top_builddir/.libs/libmemtun-preload.so" "$scratch/bin" || fail "no library to preload"
for program in wrap-calls wrap-program; do
	cp "$top_builddir/tests/system/$program" "$scratch/bin" || fail "$program is not built"
done

# A sanitizer in the test's programs would refuse a library that is preloaded before it.
ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0
export ASAN_OPTIONS

# user_broker_start: starts a memtund of the ordinary user, as $broker.
user_broker_start() {
	memtund_start "$scratch/home" $as_user memtund
}

# built NAME FLAG PROGRAM: compiles the test's program with the flag as $scratch/bin/NAME, or says why
# it could not.
built() {
	${CC:-cc} -D_GNU_SOURCE $2 -o "$scratch/bin/$1" "$top_srcdir/tests/system/$3.c" -lpthread \
		2>"$scratch/errors" && return
	echo "skipped a part: ${CC:-cc} $2 does not work here"
	return 1
}

# word_size PROGRAM: prints byte 4 of an ELF file, its class: 01 for 32 bits, 02 for 64.
word_size() {
	od -An -tx1 -j4 -N1 "$1" | tr -d ' '
}

# word_size_or_skip: skips where memtun was built for another word size than this system's programs,
# which a 32-bit memtun does not wrap.
word_size_or_skip() {
	[ "$(word_size "$scratch/bin/wrap-program")" = "$(word_size /bin/sh)" ] ||
		skip "memtun is built for another word size than /bin/sh"
}

# rtnetlink_or_skip: skips where memtun was built for 32 bits, which leaves rtnetlink to the kernel.
rtnetlink_or_skip() {
	[ "$(word_size "$scratch/bin/wrap-program")" = 02 ] ||
		skip "memtun is built for 32 bits, and leaves rtnetlink to the kernel"
}

# container_enter [CAPABILITY...]: from now on, $container is the prefix of a command that runs in a
# container with Docker's default profile and these capabilities, without namespaces of its own, and
# without /dev/net/tun. $container_options has more options of bwrap.
container=
container_options=
container_enter() {
	profile=/usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json
	command -v bwrap >/dev/null || skip "no bwrap here (Debian: bubblewrap)"
	[ -e "$profile" ] || skip "no Docker profile here (Debian: golang-github-docker-docker-dev)"
	have_python || skip "no Python here to translate Docker's profile with"
	run "${PYTHON:-python3}" "$top_srcdir/tests/system/docker_filter.py" "$profile" "$@"
	[ "$status" != 77 ] || skip "$errors (Debian: libseccomp2)"
	is "$status" 0 "the status of docker_filter.py"
	cp "$scratch/output" "$scratch/filter"
	granted=
	for capability in "$@"; do
		granted="$granted --cap-add $capability"
	done
	cat >"$scratch/bin/in-container" <<-END
		#!/bin/sh
		exec bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp $container_options \\
			--bind "$scratch" "$scratch" --die-with-parent --cap-drop ALL $granted \\
			--seccomp 9 -- "\$@" 9<"$scratch/filter"
	END
	chmod 755 "$scratch/bin/in-container"
	chmod 644 "$scratch/filter"
	container=in-container
	run $as_user $container true
	[ "$status" = 0 ] || skip "no containers here: $errors"
	# Without root, bwrap makes a user namespace, where this id also stands for all other users.
	[ -n "$as_user" ] || [ "$(id -u)" != "$(cat /proc/sys/kernel/overflowuid)" ] ||
		skip "memtun trusts no broker of user $(id -u) in the user namespace of bwrap"
	run $as_user $container unshare -Ur true
	[ "$status" != 0 ] || fail "the container allows user namespaces"
	run $as_user $container ls /dev/net/tun
	[ "$status" != 0 ] || fail "the container has /dev/net/tun"
}

# container_variant: what the name of the test says: in a container, as an ordinary user or as root.
container_variant() {
	case ${0##*/} in
	*_container.sh)
		container_enter
		;;
	*_container_root.sh)
		[ "$(id -u)" = 0 ] || skip "not root"
		as_user=
		# What Docker gives a container.
		container_enter CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD \
			CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_SETFCAP CAP_SETPCAP \
			CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL CAP_AUDIT_WRITE
		;;
	esac
}

# wrapped WORD...: runs memtun wrap as the ordinary user, in a directory of the user's own.
wrapped() {
	(cd "$scratch/home" && exec $as_user $container memtun wrap "$@")
}

# notify_or_skip: skips the test where the kernel's notifications are not to be had.
notify_or_skip() {
	run wrapped --notify --explain
	[ "$status" = 0 ] || skip "no seccomp notifications here: $(tail -n 1 "$scratch/errors")"
}

# host_start NAME WORD...: starts a memtun host as $host, and returns when it answers.
host_start() {
	[ -x "$scratch/bin/memtun-host" ] || skip "memtun-host is not built (Debian: liblwip-dev)"
	[ -p "$scratch/host-ready" ] || mkfifo "$scratch/host-ready"
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 $as_user memtun host "$@" --ready-fd 3 \
		3>"$scratch/host-ready" 2>"$scratch/host-errors" &
	host=$!
	started="$started $host"
	read -r _ <"$scratch/host-ready" || fail "no host: $(cat "$scratch/host-errors")"
}

# answers SPEC MODE: a host with the address 10.0.0.1 behind the tunnel answers ping, UDP and TCP.
answers() {
	cp "$top_srcdir/tests/system/host_peer.py" "$scratch"
	run timeout 30 $as_user memtun exec -t "$1" -- "${PYTHON:-python3}" "$scratch/host_peer.py" \
		3 "$2" ping udp tcp
	[ "$status" = 0 ] || fail "no answers through $1: status $status, $output"
}
