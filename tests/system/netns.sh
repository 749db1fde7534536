# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2016,SC2034,SC2154,SC2086,SC3045 # shared with check.sh and the tests; words
# What the tests of memtun netns share: they are skipped where an ordinary user has no namespaces or
# no tun device. Sourced after check.sh.

# A command and not a function: a signal then goes to the program, and not to a shell around it.
in_netns="$as_user memtun netns"

# Runs the test again with a device node of its own, which all users may open.
with_own_node() {
	rm -rf "$scratch"
	trap - EXIT
	TEST_HAS_NODE=yes exec unshare -m sh -c '
		mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 || {
			echo "skipped: cannot make a /dev/net/tun for all users"
			exit 77
		}
		exec /bin/sh "$1"' sh "$0"
}

if ! $as_user sh -c ': <>/dev/net/tun' 2>/dev/null; then
	[ "$(id -u)" != 0 ] || [ -n "$TEST_HAS_NODE" ] || [ ! -d /dev/net ] || with_own_node
	skip "an ordinary user cannot open /dev/net/tun here: $(stat -c %A /dev/net/tun 2>&1)"
fi
$as_user unshare -Un true 2>/dev/null ||
	skip "no user and network namespaces for an ordinary user here (unshare -Un)"
command -v ip >/dev/null || skip "no ip here (Debian: iproute2)"

# netns_broker_start: a memtund of an ordinary user, as $broker.
netns_broker_start() {
	memtund_start "$scratch/home" $as_user memtund
}

# hears PATTERN COMMAND...: starts it in the background, as $server, and returns when it prints a line
# with the pattern. Of all that it prints, the last is left in descriptor 7.
hears() {
	heard_pattern=$1
	shift
	rm -f "$scratch/heard"
	mkfifo "$scratch/heard"
	"$@" </dev/null >"$scratch/heard" 2>&1 &
	server=$!
	started="$started $server"
	exec 7<"$scratch/heard"
	while read -r heard <&7; do
		echo "$heard" >>"$scratch/errors"
		# shellcheck disable=SC2254 # it is a pattern
		case $heard in
		*$heard_pattern*) return ;;
		esac
	done
	fail "it ended before it said '$heard_pattern': $*"
}

# Ends $server.
stops() {
	kill "$server" || fail "the server had ended by itself"
	wait "$server" 2>/dev/null
	exec 7<&-
}

# Are all ports gone?
no_port_is_left() {
	[ "$(memtun -j uplink show | tr -d ' \n')" = "[]" ]
}
