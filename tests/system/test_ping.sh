#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086 # words are meant
# memtun ping: its lines and its status are those of ping(8) of iputils.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

for wrong in "" "lab" "lab 10.0.0" "lab web" "lab 10.0.0.1 10.0.0.2" "lab 10.0.0.1 -c 0" \
	"lab 10.0.0.1 -s 65001" "lab 10.0.0.1 -i 0" "lab 10.0.0.1 -w x" "lab 10.0.0.1 --from 10.0.0.9" \
	"lab 10.0.0.1 --from fd00::9/64" "lab 10.0.0.1 --gateway 192.0.2.1"; do
	ends_with 2 memtun ping $wrong
	says "memtun: "
done
ends_with 2 memtun ping lab 10.0.0.1 --from 10.0.0.9
says "--from 10.0.0.9: it takes an IPv4 or IPv6 address and its prefix"
ends_with 3 memtun --socket "$scratch/none" ping lab 10.0.0.1
ok "a wrong command line is a usage error; without a broker the status is 3"

[ -x "$scratch/bin/memtun-host" ] || skip "memtun-host is not built (Debian: liblwip-dev)"
have_python || skip "no Python here to be pinged wrongly"
python=${PYTHON:-python3}
cp "$top_srcdir/tests/system/ping_peer.py" "$scratch"
memtund_start "$scratch/home" $as_user memtund
ping="timeout 30 $as_user memtun ping"

# prints LINE: it is among the output, where N is a number and the times are dots.
prints() {
	sed -E 's/time=[0-9.]+ ms/time=. ms/; s/time [0-9]+ms/time .ms/; s,= [0-9.]+(/[0-9.]+)+ ms,= . ms,' \
		"$scratch/output" >"$scratch/plain"
	grep -qFx -e "$1" "$scratch/plain" || fail "no line '$1' in: $output"
}

# host_start WORD...: starts a host and waits until it answers.
host_start() {
	rm -f "$scratch/host-ready"
	mkfifo "$scratch/host-ready"
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 $as_user memtun host "$@" --ready-fd 3 \
		3>"$scratch/host-ready" &
	host=$!
	started="$started $host"
	read -r _ <"$scratch/host-ready" || fail "no host"
}

ends_with 1 $ping lab 10.0.0.1
says "lab"
host_start gw bridge lab address 10.0.0.1/24 address fd00::1/64
ends_with 0 $ping lab 10.0.0.1 -c 2 -i 0.01
prints "PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data."
prints "64 bytes from 10.0.0.1: icmp_seq=2 ttl=255 time=. ms"
prints "--- 10.0.0.1 ping statistics ---"
prints "2 packets transmitted, 2 received, 0% packet loss, time .ms"
prints "rtt min/avg/max/mdev = . ms"
ends_with 0 $ping gw fd00::1 -c 1 -s 3000
prints "PING fd00::1(fd00::1) 3000 data bytes"
prints "3008 bytes from fd00::1: icmp_seq=1 ttl=255 time=. ms"
ends_with 0 $ping gw fe80::aff:fe00:1 -c 1 -6
ends_with 0 $ping gw 10.0.0.1 -4nq -c 3 -i 10ms -I 10.0.0.77/24 -s 0
is "$(wc -l <"$scratch/output")" 5 "the lines of -q"
ok "it pings IPv4 and IPv6, by the name of the bridge or of a port, also with fragments"

$ping lab 10.0.0.99 -c 2 -i 0.01 >"$scratch/four" &
four=$!
$ping lab fd00::99 -c 1 >"$scratch/six" &
six=$!
ends_with 1 $ping lab 10.9.9.9 -c 1 --from 10.0.0.9/24
says "cannot send: Network is unreachable"
wait "$four"
is $? 1 "the status without a neighbour"
cp "$scratch/four" "$scratch/output"
prints "From 10.0.0.254 icmp_seq=2 Destination Host Unreachable"
prints "2 packets transmitted, 0 received, +2 errors, 100% packet loss, time .ms"
wait "$six"
is $? 1 "the status without an IPv6 neighbour"
cp "$scratch/six" "$scratch/output"
prints "From fd00::ffff:ffff:ffff:fffe icmp_seq=1 Destination unreachable: Address unreachable"
ok "a host that is not there is unreachable"

# In a VLAN, and on a bridge of TUNs, which stays one.
ends_with 0 memtun set gw vlan 5
ends_with 0 $ping gw 10.0.0.1 -c 1
ends_with 1 $ping lab 10.0.0.1 -c 1 -W 0.1
kill "$host"
host_start ip mode tun bridge wan address 10.1.0.1/24
ends_with 0 $ping wan 10.1.0.1 -c 1
ends_with 0 memtun -j bridge show wan
is "$(json 'd[0]["mode"]')" tun "the mode of the bridge"
kill "$host"
host_start wire peer other address 10.0.0.1/24
ends_with 0 $ping other 10.0.0.1 -c 1
wait "$host"
is $? 4 "the status of a host whose peer has left"
ok "it is in the VLAN of the port, has the mode of the bridge, and opens a tunnel with a peer"

# peer CASE STATUS: pings one that answers so.
ends_with 0 memtun bridge add odd
peer() {
	$as_user memtun exec -t odd:bridge=odd -- "$python" "$scratch/ping_peer.py" 3 "$1" &
	peer=$!
	started="$started $peer"
	ends_with 0 memtun wait odd open --timeout 20
	ends_with "$2" $ping odd 10.0.0.1 -c 1 -w 5 --from 10.0.0.9/24 -s 16
	cp "$scratch/output" "$scratch/pinged"
	kill "$peer"
	ends_with 0 memtun wait odd closed --timeout 20
	cp "$scratch/pinged" "$scratch/output"
}
peer wrong 0
prints "wrong data byte #5 should be 0x5 but was 0xff"
prints "#0	0 1 2 3 4 ff 6 7 8 9 a b c d e f "
peer cut 0
prints "16 bytes from 10.0.0.1: icmp_seq=1 ttl=60 (truncated) time=. ms"
peer checksum 0
prints "24 bytes from 10.0.0.1: icmp_seq=1 ttl=60 time=. ms (BAD CHECKSUM!)"
prints "1 packets transmitted, 1 received, +1 corrupted, 0% packet loss, time .ms"
peer elsewhere 0
prints "24 bytes from 10.0.0.8: icmp_seq=1 ttl=60 time=. ms (DIFFERENT ADDRESS!)"
peer unreachable 1
prints "From 10.0.0.3 icmp_seq=1 Packet filtered"
prints "1 packets transmitted, 0 received, +1 errors, 100% packet loss, time .ms"
peer foreign 0
prints "1 packets transmitted, 1 received, 0% packet loss, time .ms"
ok "wrong replies and errors are shown as ping(8) shows them"

$as_user memtun exec -t odd:bridge=odd -- "$python" "$scratch/ping_peer.py" 3 twice &
started="$started $!"
ends_with 0 memtun wait odd open --timeout 20
mkfifo "$scratch/lines"
$as_user memtun ping odd 10.0.0.1 --from 10.0.0.9/24 -i 0.01 >"$scratch/lines" &
pinging=$!
started="$started $pinging"
exec 5<"$scratch/lines"
: >"$scratch/output"
while read -r line <&5; do
	printf '%s\n' "$line" >>"$scratch/output"
	case $line in
	*"(DUP!)") break ;;
	esac
done
kill -INT "$pinging"
cat <&5 >>"$scratch/output"
wait "$pinging"
is $? 0 "the status after SIGINT"
grep -q "duplicates, 0% packet loss\|duplicates, .* packet loss" "$scratch/output" ||
	fail "no statistics after SIGINT: $(cat "$scratch/output")"
ok "a signal ends it with the statistics, where a second reply is a duplicate"
