#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # the functions are called by their names in $path
# TCP by iperf3 between two network namespaces, for the benchmark:
#
#	netns.sh memtun|kernel|slirp4netns DIRECTORY
#
# DIRECTORY has memtun and memtund. Both namespaces are joined by two interfaces of memtun netns on a
# bridge of memtund, by two veth devices on a bridge of the kernel, or by a slirp4netns each, through
# the loopback interface between them. The first line of output is `ready`, or why the namespaces
# cannot be joined here. For each line of input, the script measures a second of TCP and prints a
# line: bits per second.
path=$1
PATH=$2:$PATH
LC_ALL=C
export PATH LC_ALL
directory=$(mktemp -d) || exit 1
started=
end() {
	# shellcheck disable=SC2086 # a word each
	kill $started 2>/dev/null
	wait
	rm -rf "$directory"
}
trap end EXIT
trap exit HUP INT TERM

cannot() {
	echo "cannot measure: $*"
	exit 0
}

for tool in iperf3:iperf3 ip:iproute2 unshare:util-linux nsenter:util-linux; do
	command -v ${tool%:*} >/dev/null || cannot "no ${tool%:*} here (Debian: ${tool#*:})"
done

# The user that measures is root in namespaces of its own.
if [ -z "$BENCH_IN_NAMESPACE" ] && [ "$path" != memtun ]; then
	rm -rf "$directory"
	trap - EXIT
	unshare -Urn true 2>/dev/null || cannot "no user and network namespaces here (unshare -Urn)"
	BENCH_IN_NAMESPACE=yes exec unshare -Urn sh "$0" "$@"
fi

# hears PATTERN COMMAND...: starts it in the background, and returns when it prints the pattern.
hears() {
	pattern=$1
	shift
	rm -f "$directory/heard"
	mkfifo "$directory/heard"
	"$@" </dev/null >"$directory/heard" 2>&1 &
	started="$started $!"
	exec 7<"$directory/heard"
	while read -r line <&7; do
		case $line in
		*"$pattern"*)
			# What it prints later is not read.
			cat <&7 >/dev/null &
			started="$started $!"
			exec 7<&-
			return
			;;
		esac
		last=$line
	done
	cannot "$last"
}

# --- memtun ---

memtun_start() {
	MEMTUN_SOCKET=$directory/control
	export MEMTUN_SOCKET
	mkfifo "$directory/ready"
	memtund --socket "$MEMTUN_SOCKET" --ready-fd 3 3>"$directory/ready" &
	started="$started $!"
	read -r _ <"$directory/ready"
	hears "Server listening" memtun netns -t s:bridge=lab,address=10.0.0.1/24 -- \
		iperf3 -s --forceflush
}

memtun_client() {
	memtun netns -t c:bridge=lab,address=10.0.0.2/24 -- "$@" 10.0.0.1
}

# --- the kernel ---

# namespace_start: a network namespace, whose first process is $namespace.
namespace_start() {
	hears ready unshare -n sh -c 'ip link set lo up; echo ready; exec sleep 1000'
	# The one before the cat.
	namespace=${started% *}
	namespace=${namespace##* }
}

kernel_join() {
	namespace_start
	ip link add "v$1" type veth peer name e0 netns "$namespace" || cannot "no veth in this kernel"
	ip link set "v$1" up master bridge0
	nsenter -t "$namespace" -n sh -c "ip addr add 10.0.0.$1/24 dev e0; ip link set e0 up"
}

kernel_start() {
	ip link add bridge0 type bridge forward_delay 0 || cannot "no bridge in this kernel"
	ip link set bridge0 up
	kernel_join 1
	hears "Server listening" nsenter -t "$namespace" -n iperf3 -s --forceflush
	kernel_join 2
}

kernel_client() {
	nsenter -t "$namespace" -n "$@" 10.0.0.1
}

# --- slirp4netns ---

slirp_join() {
	namespace_start
	mkfifo "$directory/joined$1"
	slirp4netns --configure --mtu=65520 --ready-fd=3 --api-socket "$directory/api$1" "$namespace" \
		tap0 3>"$directory/joined$1" </dev/null >/dev/null 2>&1 &
	started="$started $!"
	[ -n "$(head -c 1 "$directory/joined$1")" ] || cannot "slirp4netns does not start"
}

slirp4netns_start() {
	command -v slirp4netns >/dev/null || cannot "no slirp4netns here"
	command -v python3 >/dev/null || cannot "no Python here to ask slirp4netns for a port"
	ip link set lo up
	slirp_join 1
	python3 -c '
import json, socket, sys
api = socket.socket(socket.AF_UNIX)
api.connect(sys.argv[1])
api.sendall(json.dumps({"execute": "add_hostfwd", "arguments": {"proto": "tcp",
    "host_addr": "127.0.0.1", "host_port": 5201, "guest_port": 5201}}).encode())
api.shutdown(socket.SHUT_WR)
sys.exit(b"error" in api.recv(4096))' "$directory/api1" || cannot "slirp4netns forwards no port"
	hears "Server listening" nsenter -t "$namespace" -n iperf3 -s --forceflush
	slirp_join 2
}

# 10.0.2.2 is the loopback interface outside.
slirp4netns_client() {
	nsenter -t "$namespace" -n "$@" 10.0.2.2
}

# --- measuring ---

"${path}_start" 2>"$directory/errors"
echo ready
while read -r _; do
	"${path}_client" iperf3 -J -t 1 -c </dev/null >"$directory/result" 2>&1
	rate=$(sed -n '/"sum_received"/,/}/s/.*"bits_per_second":[^0-9]*\([0-9.e+]*\).*/\1/p' \
		"$directory/result")
	echo "${rate:-0}"
done
