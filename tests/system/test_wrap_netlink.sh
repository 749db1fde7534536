#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC3045 # words are meant
# The interface that programs see under memtun wrap: rtnetlink as ip, ifconfig, busybox and
# libraries use it, run by an ordinary user without capabilities.
#
# test_wrap_netlink_container.sh and test_wrap_netlink_container_root.sh run the same in a
# container.
TEST_SECONDS=150
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/wrap.sh"
cp "$top_builddir/tests/system/wrap-netlink" "$scratch/bin" || fail "wrap-netlink is not built"
rtnetlink_or_skip
container_variant
notify_or_skip
user_broker_start

# with_tun COMMAND: runs the shell command while tun0 is open, as run does.
with_tun() {
	run wrapped -- wrap-netlink open tun tun0 sh -c "$1"
}

# prints COMMAND PATTERN: its output, joined to one line, has the pattern.
prints() {
	with_tun "$1"
	[ "$status" = 0 ] || fail "status $status of: $1"
	has "$(echo "$output" | tr -s ' \n' ' ')" "$2"
}

# refuses COMMAND MESSAGE: the command fails with that message.
refuses() {
	with_tun "$1"
	[ "$status" != 0 ] || fail "no error of: $1"
	has "$errors" "$2"
}

# --- sockets ---

ends_with 0 $as_user wrap-netlink sockets
ends_with 0 wrapped -- wrap-netlink sockets
ok "netlink sockets behave as the kernel's: names, options, parts, signals, time limits, duplicates"
ends_with 0 wrapped -- wrap-netlink events tun0
ok "a program hears of an interface that comes, changes and goes"
# The supervisor keeps three descriptors for each of the 64 numbers, until it looks which are closed.
run wrapped -- sh -c 'wrap-netlink many && ls /proc/$PPID/fd | wc -l'
is "$status" 0 "the status of 300 sockets"
[ "$output" -lt 250 ] || fail "the supervisor has $output descriptors"
ok "300 sockets at once, five times, and the supervisor lets them go"
with_tun "wrap-netlink threads tun0"
is "$status" 0 "the status of 20 threads with getifaddrs"
ok "1,000 getifaddrs in 20 threads find the interface once each"
# The limits of the program's own shell, and of wrap.
prints "ulimit -Sn 200; wrap-netlink sockets && ulimit -n" 200
prints "ulimit -n 200; wrap-netlink sockets && ulimit -Hn" 200
(ulimit -n 250 && ends_with 0 wrapped -- wrap-netlink sockets) || exit 1
ok "limits of descriptors below 1,024 are kept"

# --- programs ---

configure='ip addr add 10.1.0.1/24 dev tun0 && ip link set tun0 up'
if ! command -v ip >/dev/null; then
	skip "no ip here (Debian: iproute2)"
fi
prints "ip link show tun0" "tun0: <POINTOPOINT,MULTICAST,NOARP> mtu 1500 "
prints "ip -d link show type tun" "tun type tun pi off "
prints "$configure && ip addr show tun0" "inet 10.1.0.1/24 scope global tun0"
prints "$configure && ip link set tun0 mtu 1400 && ip link show tun0" \
	"<POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1400 "
prints "$configure && ip route" "10.1.0.0/24 dev tun0 proto kernel scope link src 10.1.0.1"
prints "$configure && ip route add 10.9.0.0/16 via 10.1.0.2 && ip route show dev tun0" \
	"10.9.0.0/16 via 10.1.0.2"
prints "$configure && ip route add 10.9.0.0/16 via 10.1.0.2 && ip route get 10.9.0.1" \
	"10.9.0.1 via 10.1.0.2 dev tun0 src 10.1.0.1"
prints "$configure && ip route add 10.9.0.0/16 dev tun0 table 77 && ip route show table 77" \
	"10.9.0.0/16 dev tun0 scope link"
prints "ip link set tun0 up && ip -6 addr add fd00::1/64 dev tun0 &&
	ip -6 route add fd01::/48 via fd00::2 && ip -6 route show dev tun0" "fd01::/48 via fd00::2"
prints "$configure && ip neigh add 10.1.0.9 dev tun0 nud permanent && ip neigh show dev tun0" \
	"10.1.0.9 PERMANENT"
prints "$configure && ip addr add 10.1.0.9/24 dev tun0 && ip addr flush dev tun0 2>&1 &&
	ip -j addr show tun0" '"addr_info":\[\]'
prints "ip addr replace 10.1.0.1/24 dev tun0 valid_lft 100 preferred_lft 50 && ip addr show tun0" \
	"10.1.0.1/24 scope global dynamic tun0"
prints "$configure && ip route add 10.9.0.0/16 via 10.1.0.2 &&
	ip route replace 10.9.0.0/16 via 10.1.0.3 && ip route append 10.9.0.0/16 via 10.1.0.4 &&
	ip -o route show 10.9.0.0/16; ip route flush dev tun0; ip route show dev tun0 | wc -l" \
	"10.9.0.0/16 via 10.1.0.3 dev tun0 10.9.0.0/16 via 10.1.0.4 dev tun0 0"
prints "$configure && ip neigh replace 10.1.0.9 dev tun0 nud permanent && ip neigh get 10.1.0.9 dev tun0 &&
	ip neigh flush dev tun0 nud permanent && ip neigh show dev tun0 | wc -l" "PERMANENT 0"
prints "ip tuntap add dev tun5 mode tap && ip -br link show tun5 &&
	ip tuntap del dev tun5 mode tap && ! ip link show tun5 2>/dev/null" "tun5 DOWN"
prints "ip link set tun0 up && ip -6 addr show dev tun0 && ip -6 route show dev tun0" \
	"inet6 fe80::*/64 scope link stable-privacy*fe80::/64 proto kernel metric 256"
prints "ip link set tun0 addrgenmode none && ip link set tun0 up && ip -d link show tun0 &&
	ip -6 addr show dev tun0 | wc -l" "addrgenmode none* 0"
prints "ip rule" "lookup main"
prints "ip -j addr" '"ifname":"lo"'
ok "ip shows and changes links, addresses, routes, neighbours; rules are the kernel's"

refuses "$configure; ip addr add 10.1.0.1/24 dev tun0" "File exists"
refuses "ip route add 10.9.0.0/16 dev tun0" "Network is down"
refuses "$configure; ip route add 10.9.0.0/16 via 10.99.0.1 dev tun0" "Network is unreachable"
refuses "$configure; ip addr del 10.1.0.2/24 dev tun0" "Cannot assign requested address"
refuses "$configure; ip route del 10.9.0.0/16 dev tun0" "No such process"
refuses "ip link del tun0; ip link show tun0" "does not exist"
refuses "ip link set lo mtu 1400" "Operation not permitted"
refuses "ip addr add 10.1.0.1/24 dev lo" "Operation not permitted"
ok "what the kernel refuses is refused, and its own interfaces stay the kernel's"

prints "$configure && wrap-netlink interfaces tun0 10.1.0.1" ""
ok "getifaddrs, if_nameindex and if_indextoname"
if [ -z "$container" ] && built netlink-static -static wrap-netlink; then
	prints "$configure && netlink-static interfaces tun0 10.1.0.1" ""
	with_tun "netlink-static threads tun0"
	is "$status" 0 "the status of 20 threads of a static program"
	ok "getifaddrs of a static program, once and 1,000 times in 20 threads"
fi
if [ -z "$container" ] && unshare -Urn true 2>/dev/null; then
	with_tun "unshare -Urn ip -o link"
	has "$output" "1: lo: "
	has "0 $(echo "$output" | grep -c tun0)" "0 0"
	ok "a program in another network namespace sees the interfaces of that one"
else
	echo "skipped a part: no user and network namespaces here (unshare -Urn)"
fi

# The other interface is another program's under the same memtun wrap.
prints "$configure && wrap-netlink open tap tap0 ip -o link | grep -c ': t[ua][np]0:'" 2
ok "programs under one memtun wrap see each other's interfaces"

monitored='ip monitor >"$MONITOR" & monitor=$!
	while ! grep -q . "$MONITOR"; do
		ip link set tun0 up && ip link set tun0 down
	done
	'"$configure"' && ip link del tun0
	while ! grep -q "Deleted.*tun0: " "$MONITOR"; do kill -0 $monitor || exit 1; done
	kill $monitor; cat "$MONITOR"'
MONITOR=$scratch/home/monitor
export MONITOR
prints "$monitored" "tun0 inet 10.1.0.1/24 scope global tun0*dev tun0 proto kernel*Deleted *tun0: "
ok "ip monitor prints the changes"

# may PROGRAM PACKAGE: whether the program is here.
may() {
	command -v "$1" >/dev/null && return
	echo "skipped: no $1 here (Debian: $2)"
	return 1
}

if may busybox busybox-static; then
	prints "busybox ip addr add 10.1.0.1/24 dev tun0 && busybox ip link set tun0 up &&
		busybox ip addr show dev tun0" "inet 10.1.0.1/24 scope global tun0"
	prints "busybox ifconfig tun0 10.1.0.1 netmask 255.255.255.0 up && busybox ip route" \
		"10.1.0.0/24 dev tun0"
	ok "busybox"
fi
if may ifconfig net-tools; then
	prints "ifconfig tun0 10.1.0.1 netmask 255.255.255.0 mtu 1300 up &&
		route add -net 10.9.0.0 netmask 255.255.0.0 gw 10.1.0.2 && ip route show dev tun0 &&
		ifconfig tun0" "10.9.0.0/16 via 10.1.0.2*mtu 1300 inet 10.1.0.1 netmask 255.255.255.0"
	ok "ifconfig and route"
fi
if have_python && $as_user "${PYTHON:-python3}" -c 'import pyroute2' 2>/dev/null; then
	cat >"$scratch/pyroute.py" <<-'END'
		from pyroute2 import IPRoute
		with IPRoute() as ip:
		    index = ip.link_lookup(ifname="tun0")[0]
		    ip.addr("add", index=index, address="10.3.0.1", prefixlen=24)
		    ip.link("set", index=index, state="up")
		    ip.route("add", dst="10.33.0.0/16", gateway="10.3.0.2")
		    print([a.get_attr("IFA_LOCAL") for a in ip.get_addr(index=index)],
		          [r.get_attr("RTA_GATEWAY") for r in ip.get_routes(oif=index, table=254)])
	END
	chmod 644 "$scratch/pyroute.py"
	prints "'${PYTHON:-python3}' $scratch/pyroute.py" "'10.3.0.1'*'10.3.0.2'"
	ok "pyroute2"
else
	echo "skipped: no pyroute2 here (Debian: python3-pyroute2)"
fi
if may go golang-go; then
	mkdir "$scratch/go"
	cat >"$scratch/go/interfaces.go" <<-'END'
		package main

		import (
			"fmt"
			"net"
		)

		func main() {
			interfaces, err := net.Interfaces()
			if err != nil {
				panic(err)
			}
			for _, i := range interfaces {
				addresses, err := i.Addrs()
				fmt.Println(i.Name, addresses, err)
			}
		}
	END
	if HOME=$scratch/go GOFLAGS=-mod=mod GO111MODULE=off CGO_ENABLED=0 \
		go build -o "$scratch/bin/interfaces" "$scratch/go/interfaces.go" 2>"$scratch/errors"; then
		prints "$configure && interfaces" "tun0 \[10.1.0.1/24 fe80::*/64\] <nil>"
		ok "Go's net.Interfaces"
	else
		echo "skipped: Go builds nothing here"
	fi
fi
