#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What ./demo runs, and a model for other tests: a script that runs under its own memtund, which ends
# with it.
#
#	memtund -- examples/demo.sh
#
# memtun, lwip-http-server and lwip-http-client have to be in the PATH.

fail() {
	echo "demo: $*" >&2
	exit 1
}

say() {
	echo
	printf '%s\n' "$@"
}

# Print a command as a user would type it, and run it.
run() {
	echo
	echo "\$ $*"
	"$@" || fail "'$1' failed with exit status $?"
}

for command in memtun lwip-http-server lwip-http-client; do
	command -v $command >/dev/null ||
		fail "$command is not in the PATH: build it with ./check, or let ./demo do it all"
done
[ -n "$MEMTUN_SOCKET" ] || fail "no broker is running for this script: memtund -- $0"

server=
scratch=$(mktemp -d) || exit 1
trap 'kill $server 2>/dev/null; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
mkfifo "$scratch/said" || exit 1

# Start a server on a tunnel, and return when it listens.
server_start() {
	echo
	echo "\$ memtun exec -t $1 -- lwip-http-server once &"
	memtun exec -t "$1" -- lwip-http-server once >"$scratch/said" &
	server=$!
	exec 3<"$scratch/said"
	read -r line <&3 || fail "the server did not start"
	echo "$line"
}

server_end() {
	cat <&3
	exec 3<&-
	wait $server || fail "the server failed with exit status $?"
	server=
}

# Print the processor time, in clock ticks, of the broker, which is the parent of this script.
broker_time() {
	# The second field is a name in parentheses, which may have spaces: count from behind it.
	sed 's/.*) //' "/proc/$PPID/stat" | awk '{ print $12 + $13 }'
}

broker_time_since() {
	awk -v ticks=$(($(broker_time) - $1)) -v per_second="$(getconf CLK_TCK)" \
		'BEGIN { printf "%.2f seconds\n", ticks / per_second }'
}

say "This is user $(id -u), who has no right to make a network device." \
	"Its private broker is at $MEMTUN_SOCKET."

say "1. Two tunnels on a bridge inside the broker, and a web server with a TCP/IP stack of its own" \
	"   on one of them. The kernel has no interface and no address for any of this."
run memtun add web bridge lab
run memtun add user bridge lab
server_start web
run memtun show
say "A client, with a stack of its own too, fetches 16 MiB through the bridge and verifies them."
before=$(broker_time)
run memtun exec -t user -- lwip-http-client http://10.0.0.1/data
server_end
echo "The broker forwarded each frame, in $(broker_time_since "$before") of processor time."
run memtun -s show
run memtun del web
run memtun del user

say "2. The same over two tunnels that are wired to each other: both ends of one socket pair. The" \
	"   broker only hands them out, and never sees a frame."
run memtun add left peer right
server_start left
run memtun show
before=$(broker_time)
run memtun exec -t right -- lwip-http-client http://10.0.0.1/data
server_end
echo "The broker used $(broker_time_since "$before") of processor time."
run memtun del left
