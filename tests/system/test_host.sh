#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC3045 # words are meant
# memtun host, run by an ordinary user: its refusals, its answers, garbage and floods, and its end.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

# --- usage ---

while read -r wrong; do
	ends_with 2 memtun host $wrong
	says "memtun: "
done <<'END'

vm
vm mode tun
vm address
vm gateway
vm address 10.0.0.1/24 color green
vm address 10.0.0.1/24 mtu
vm address 10.0.0.1/24 mtu large
vm address 10.0.0.1/24 mtu 67
vm address 10.0.0.1/24 --loud
vm address 10.0.0.1/24 --ready-fd
vm address 10.0.0.1/24 --ready-fd first
vm address 10.0.0.1/24 --ready-fd 77
END

# refuses WHY WORD...: `memtun host vm WORD...` is a usage error with that message.
refuses() {
	why=$1
	shift
	ends_with 2 memtun host vm "$@"
	says "$why"
}
for address in 10.0.0.1 10.0.0/24 10.0.0.1.2/24 web/24 fd00::g/64 /24 10.0.0.1,24; do
	refuses "address $address: it takes an IPv4 or IPv6 address and its prefix" address $address
done
for prefix in 0 33 24x -1 +1 "" 4294967297; do
	refuses "a prefix of IPv4 is from 1 to 32" address "10.0.0.1/$prefix"
done
refuses "a prefix of IPv6 is from 1 to 128" address fd00::1/129
for address in 127.0.0.1/8 0.0.0.0/8 224.0.0.1/24 255.255.255.255/32 ::/64 ::1/128 ff02::1/64 \
	::ffff:10.0.0.1/128; do
	refuses "address $address: no host on a network has that address" address $address
done
for address in 10.0.0.0/24 10.0.0.255/24 10.0.0.7/29; do
	refuses "that address is the network's, not a host's" address $address
done
refuses "the host makes its own address in fe80::/10" address fe80::1/64
refuses "one address of IPv4 and one of IPv6" address 10.0.0.1/24 address 10.0.0.2/24
refuses "one address of IPv4 and one of IPv6" address fd00::1/64 address fd00::2/64
refuses "host needs an address" mode tun
refuses "no address of IPv4" address fd00::1/64 gateway 10.0.0.3
refuses "no address of IPv6" gateway fd00::3 address 10.0.0.1/24
refuses "without a prefix" address 10.0.0.1/24 gateway 10.0.0.3/24
refuses "one gateway of IPv4" address 10.0.0.1/24 gateway 10.0.0.3 gateway 10.0.0.4
for gateway in 10.0.1.3 10.0.0.255 192.0.2.1; do
	refuses "the IPv4 gateway is no host within the prefix" gateway $gateway address 10.0.0.1/24
done
for gateway in fd00:0:0:1::1 ff02::1 ::; do
	refuses "the IPv6 gateway is neither within the prefix" address fd00::1/64 gateway $gateway
done
refuses "the IPv6 gateway is neither" address fd00::11/124 gateway fd00::1
refuses "the host's own address" address 10.0.0.1/24 gateway 10.0.0.1
refuses "the host's own address" address fd00::1/64 gateway fd00::1
ok "wrong addresses are a usage error that says why"

ends_with 3 memtun --socket "$scratch/none" host vm address 10.0.0.1/24
says "starts one"
ok "without a broker it exits with 3"

# --- a broker of that user ---

mkfifo "$scratch/host-ready"
memtund_start "$scratch/home" $as_user memtund

# unfit WHY WORD...: `memtun host vm WORD...` is refused because of the tunnel.
unfit() {
	why=$1
	shift
	ends_with 1 $as_user memtun host vm "$@"
	says "$why"
	ends_with 0 memtun wait vm closed --timeout 20
}
unfit "vm: its mtu is too large: lwIP takes at most 65500" address 10.0.0.1/24 mtu 65501
unfit "vm: its mtu is too small for IPv6" address fd00::1/64 mtu 1279
unfit "vm: with prefix 32 an address on a TAP has no neighbours" address 10.0.0.1/32
unfit "vm: on a TAP lwIP takes IPv6 prefixes from 64 to 128" address fd00::1/63
for option in pi vnet_hdr "socket dgram" "socket stream"; do
	unfit "vm: host can't use a tunnel with $option" address 10.0.0.1/24 $option
done
ends_with 0 $as_user memtun add vm mode tun pi
unfit "vm: host can't use a tunnel with pi" address 10.0.0.1/24
unfit "mode" address 10.0.0.1/24 mode tap
ends_with 0 memtun del vm
ok "a tunnel that a host can't use is refused, also one that exists already"

mkdir "$scratch/alone"
cp "$scratch/bin/memtun" "$scratch/alone"
run timeout 10 $as_user "$scratch/alone/memtun" host vm address 10.0.0.1/24
if [ "$status" = 124 ]; then
	ok "one is installed here: its absence was not checked"
else
	is "$status" 1 "the status without memtun-host"
	says "memtun-host is neither beside memtun nor in *built without lwIP?"
fi
ends_with 0 memtun wait vm closed --timeout 20
touch "$scratch/alone/memtun-host"
ends_with 1 $as_user "$scratch/alone/memtun" host vm address 10.0.0.1/24
says "cannot run memtun-host: Permission denied"
ok "without memtun-host one line says so"

[ -x "$scratch/bin/memtun-host" ] || skip "memtun-host is not built (Debian: liblwip-dev)"
have_python || skip "no Python here to talk to a host with"
python=${PYTHON:-python3}
cp "$top_srcdir/tests/system/host_peer.py" "$scratch"

for wrong in "" "vm 0 -1 tap 1500 address" "vm 77 -1 tap 1500 address 10.0.0.1/24" \
	"vm 0 -1 tap 1500 gateway 10.0.0.1" "vm 0 -1 tap 1000 address fd00::1/64"; do
	ends_with 2 memtun-host $wrong
	says "memtun-host is started by: memtun host"
done
ends_with 1 $as_user memtun host vm address 10.0.0.1/24 --ready-fd 8 8</dev/null
says "cannot write to --ready-fd 8: Bad file descriptor"
ok "memtun-host is not for people, and says what goes wrong as it starts"

# --- answers ---

# host_start WORD...: starts $host and waits until it answers. At its end lwIP still has fragments,
# whose addresses are inside packets, where LeakSanitizer doesn't look.
host_start() {
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 $as_user memtun host "$@" --ready-fd 3 \
		3>"$scratch/host-ready" 2>"$scratch/host-errors" &
	host=$!
	started="$started $host"
	read -r _ <"$scratch/host-ready" || fail "no host: $(cat "$scratch/host-errors")"
}
# host_ends STATUS [MESSAGE]: the host ends with that status and only that message.
host_ends() {
	wait "$host"
	is $? "$1" "the host's status"
	is "$(cat "$scratch/host-errors")" "$2" "what the host has said"
}
# peer SPEC MODE CHECK...: these checks of host_peer.py succeed.
peer() {
	spec=$1
	shift
	run $as_user memtun exec -t "$spec" -- "$python" "$scratch/host_peer.py" 3 "$@"
	[ "$status" = 0 ] || fail "the other side ended with $status"
}
addresses="address 10.0.0.1/24 gateway 10.0.0.3 address fd00::1/64 gateway fd00::3"

# With overflow block, because the checks send faster than a host on a busy machine reads.
host_start vm bridge lab overflow block $addresses
peer pc:bridge=lab tap arp neighbour ping udp tcp
ok "it answers ARP, neighbour discovery and ping, and echoes UDP and TCP"
peer pc:bridge=lab tap udp_unanswered udp_lengths priority_tag card
ok "it ignores the frames that a host or a network card would"
peer pc:bridge=lab tap gateway
ok "packets outside its prefixes go to its gateways, and no others"
ends_with 1 $as_user memtun host vm $addresses
says "vm"
ok "a tunnel that another host has open is refused"

# --- garbage and floods ---

peer pc:bridge=lab tap tcp_slow connections syn_flood unresolved
ok "peers that don't read, don't continue or don't exist use bounded memory"
peer pc:bridge=lab tap garbage
ok "it survives garbage"
kill "$host"
host_ends 0 ""
ends_with 0 memtun wait vm closed --timeout 20
ok "a signal ends it"

# With a peer instead of a bridge, so that no bridge learns the addresses.
for mode in tap tun; do
	host_start "wire$mode" mode $mode peer "pc$mode" $addresses
	peer "pc$mode" $mode unread garbage
	host_ends 4 "memtun: wire$mode: the tunnel has ended"
done
ok "a full tunnel loses its frames and doesn't stop it; it ends with the tunnel's other end"

# --- a TUN, prefixes, and how it ends ---

ends_with 0 $as_user memtun add ip mode tun bridge wan overflow block
host_start ip address 10.0.0.1/32 address fd00::1/48
peer pc:mode=tun,bridge=wan tun ping udp udp_unanswered udp_lengths tcp tcp_slow connections syn_flood
ends_with 0 memtun del ip
host_ends 4 "memtun: ip: the tunnel has ended"
ok "it answers on a TUN that exists already, without neighbours"

host_start ip mode tun bridge ether address 10.0.0.1/24 address fd00::1/64
ends_with 0 memtun -j show ip
is "$(json 'd[0]["address"]')" "10.0.0.1/24+fd00::1/64" "what its adapter answers for"
kill "$host"
host_ends 0 ""
ok "a TUN's adapter gets its addresses"

host_start vm bridge lab address 10.0.0.1/30
peer pc:bridge=lab tap arp card
kill -INT "$host"
host_ends 0 ""
host_start vm bridge lab address fd00::1/112 gateway fd00::3
peer pc:bridge=lab tap gateway6
kill "$host"
host_ends 0 ""
host_start vm bridge lab address 10.0.0.4/31 mtu 9000
peer pc:bridge=lab,mtu=9000 tap point_to_point
kill "$host"
host_ends 0 ""
ok "one family is enough, with prefixes from 31 to a part of 64 bits"

host_start 'vm%d' bridge lab $addresses
ends_with 0 memtun wait vm0 open --timeout 20
kill "$broker"
wait "$broker"
host_ends 4 "memtun: vm0: the tunnel has ended"
ok "it ends with the broker"
