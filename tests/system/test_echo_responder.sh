#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086 # words in quotes are for another shell
# The echo responder, an example that is tested in memory, on a broker that is there for it alone.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

responder=$top_builddir/examples/echo-responder
[ -x "$responder" ] || skip "the examples are not built"
export responder

# Linked with the shared library, it can't be copied as the programs are.
[ -z "$as_user" ] || $as_user test -x "$responder" || as_user=

ends_with 2 "$responder"
has "$errors" "usage:"
ends_with 1 env MEMTUN_SOCKET="$scratch/nobody" "$responder" ping
says "cannot reach memtund"
ok "usage and a broker that isn't there"

# Requests of id 1, number 2, "hi"; what is to come back, as filters.
ping4=4500001e00010000400166dc0a0000010a00000208008f93000100026869
pong4='src 10.0.0.2 and dst 10.0.0.1 and icmp[0] == 0 and icmp[2:2] == 0x9793'
ping6=60000000000a3a40fd000000000000000000000000000001fd00000000000000000000000000000280001d4a000100026869
pong6='src fd00::2 and dst fd00::1 and ip6[40] == 129 and ip6[42:2] == 0x1c4a'

# Under memtund. Nothing says when expect looks, so it is asked until it has seen the answer.
cat >"$scratch/ask" <<'ASK'
memtun add ping mode tun || exit 1
"$responder" ping &
started=$!
memtun wait ping open --timeout 20 || exit 1
while [ $# -gt 0 ]; do
	memtun expect ping --timeout 20 "$2" &
	watcher=$!
	while kill -0 $watcher 2>/dev/null; do
		memtun inject ping --hex "$1" || exit 1
	done
	wait $watcher || exit 1
	shift 2
done
memtun del ping || exit 1
wait $started
ASK
if part_needs filters; then
	ends_with 0 $as_user memtund -- sh "$scratch/ask" "$ping4" "$pong4" "$ping6" "$pong6"
	has "$output" "ICMP echo reply id 1 seq 2"
	has "$output" "ICMPv6 echo reply id 1 seq 2"
	has "$output" "ping has ended: * answers, 0 lost"
	ok "it answers on a broker, and ends with its tunnel"
fi

# --- on the kernel, in a network that is there for it alone ---

cat >"$scratch/ask-kernel" <<'ASK'
"$responder" -k tun0 &
started=$!
turns=0
until ip link show tun0 >/dev/null 2>&1; do
	turns=$((turns + 1))
	[ $turns -lt 1000 ] && kill -0 $started || exit 1
done
ip address add 10.9.0.1/24 dev tun0 && ip link set tun0 up || exit 1
python=${PYTHON:-python3}
$python -c 'import socket
asker = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
asker.settimeout(20)
asker.sendto(bytes.fromhex("0800f7f500010009"), ("10.9.0.2", 0))
print(asker.recv(100)[20:].hex())' || exit 1
ip link del tun0 || exit 1
wait $started
ASK
if ! have_python || ! command -v ip >/dev/null ||
	! unshare -rn sh -c 'ip tuntap add probe mode tun' 2>/dev/null; then
	ok "skipped: no rights, or no tools, for a network interface of the kernel's"
	exit 0
fi
ends_with 0 unshare -rn sh "$scratch/ask-kernel"
has "$output" 0000fff500010009
has "$output" "tun0 has ended: 1 answers, 0 lost"
ok "it answers on the kernel's device"
