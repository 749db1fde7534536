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
# wireguard-go's directory, in a container.
container_options="--tmpfs /run --dir /run/wireguard"
case ${0##*/} in
test_wrap_netlink_container.sh)
	container_enter
	;;
test_wrap_netlink_container_root.sh)
	[ "$(id -u)" = 0 ] || skip "not root"
	as_user=
	# What Docker gives a container.
	container_enter CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD CAP_NET_RAW \
		CAP_SETGID CAP_SETUID CAP_SETFCAP CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_SYS_CHROOT \
		CAP_KILL CAP_AUDIT_WRITE
	;;
esac
notify_or_skip
user_broker_start

# An address of 127.64.0.0/10 for this test only, as tests that run at the same time use the same
# ports.
own_address=127.$((64 + ($$ >> 16) % 64)).$((($$ >> 8) % 256)).$(($$ % 256))

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
ends_with 0 wrapped -- wrap-netlink many
ok "300 sockets at once, five times"
with_tun "wrap-netlink threads tun0"
is "$status" 0 "the status of 20 threads with getifaddrs"
ok "1,000 getifaddrs in 20 threads find the interface once each"
# The limits of the program's own shell, and of wrap.
prints "ulimit -Sn 200; wrap-netlink sockets && ulimit -n" 200
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
	prints "'${PYTHON:-python3}' $scratch/pyroute.py" "'10.3.0.1'\]*'10.3.0.2'"
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
		prints "$configure && interfaces" "tun0 \[10.1.0.1/24\] <nil>"
		ok "Go's net.Interfaces"
	else
		echo "skipped: Go builds nothing here"
	fi
fi
if may openvpn openvpn; then
	ends_with 0 $as_user openvpn --genkey secret "$scratch/home/key"
	cat >"$scratch/bin/two-openvpn" <<-'END'
		#!/bin/sh
		# Two OpenVPN processes at the address $3 that configure their interfaces by rtnetlink.
		address=$3
		one() {
			exec openvpn --dev "$1" --proto udp --bind --local $address --remote $address \
				--lport "$2" --rport "$3" --ifconfig "$4" "$5" --secret key \
				--cipher AES-256-CBC --route "$6" 255.255.0.0 --writepid "$1.pid"
		}
		one tun0 "$1" "$2" 10.8.0.1 10.8.0.2 10.20.0.0 >one.log 2>&1 & one=$!
		one tun1 "$2" "$1" 10.8.0.2 10.8.0.1 10.21.0.0 >two.log 2>&1 & two=$!
		until grep -q 'Initialization Sequence Completed' one.log &&
			grep -q 'Initialization Sequence Completed' two.log; do
			kill -0 $one && kill -0 $two || { cat one.log two.log; exit 1; }
		done
		ip addr show tun0
		ip route
		kill $one $two
		wait
	END
	chmod 755 "$scratch/bin/two-openvpn"
	run wrapped -- two-openvpn 14001 14002 $own_address
	is "$status" 0 "the status of two OpenVPN"
	has "$output" "inet 10.8.0.1 peer 10.8.0.2/32"
	has "$output" "10.20.0.0/16 via 10.8.0.2 dev tun0"
	has "$output" "10.21.0.0/16 via 10.8.0.1 dev tun1"
	ok "two OpenVPN configure addresses and routes"
fi
if may wireguard-go wireguard-go && may wg wireguard-tools; then
	# Root gives the test a /run of its own, in a mount namespace that ends with the command.
	own_run=
	if [ "$(id -u)" = 0 ] && [ -z "$container" ]; then
		cat >"$scratch/bin/with-own-run" <<-'END'
			#!/bin/sh
			mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/wireguard &&
				chmod 1777 /run/wireguard && exec "$@"
		END
		chmod 755 "$scratch/bin/with-own-run"
		own_run="unshare --mount --propagation private with-own-run"
	fi
	if $own_run $as_user $container test -w /run/wireguard 2>/dev/null; then
		cat >"$scratch/bin/one-wireguard" <<-'END'
			#!/bin/sh
			LOG_LEVEL=verbose wireguard-go -f "$1" >wireguard.log 2>&1 & wireguard=$!
			until [ -S "/run/wireguard/$1.sock" ]; do kill -0 $wireguard || exit 1; done
			ip addr add 10.5.0.1/24 dev "$1" && ip link set "$1" mtu 1380 up || exit 1
			until grep -q 'Interface up requested' wireguard.log; do
				kill -0 $wireguard || exit 1
			done
			wg show "$1" && ip link show "$1"
			kill $wireguard
			wait
		END
		chmod 755 "$scratch/bin/one-wireguard"
		run sh -c 'cd "$1" && shift && exec "$@"' sh "$scratch/home" $own_run $as_user \
			$container memtun wrap -- one-wireguard "wgt$$"
		is "$status" 0 "the status of wireguard-go"
		has "$output" "interface: wgt"
		has "$output" "mtu 1380"
		ok "wireguard-go sees its interface go up, and wg shows it"
	else
		echo "skipped: /run/wireguard is not writable here"
	fi
fi
if may tincd tinc; then
	mkdir -p "$scratch/home/tinc/hosts"
	printf 'Name = near\nInterface = tun0\nBindToAddress = %s 14655\n' \
		$own_address >"$scratch/home/tinc/tinc.conf"
	printf 'Subnet = 10.6.0.1/32\n' >"$scratch/home/tinc/hosts/near"
	cat >"$scratch/home/tinc/tinc-up" <<-'END'
		#!/bin/sh
		ip addr add 10.6.0.1/24 dev "$INTERFACE" && ip link set "$INTERFACE" up
		(ip addr show "$INTERFACE" && ip route show dev "$INTERFACE") >up
		mv up up.log
	END
	chmod 755 "$scratch/home/tinc/tinc-up"
	[ -z "$as_user" ] || chown -R 1000:1000 "$scratch/home/tinc"
	run $as_user tincd -c "$scratch/home/tinc" -K 1024 </dev/null
	(cd "$scratch/home" && exec $as_user $container memtun wrap -- tincd -c "$scratch/home/tinc" \
		-D --pidfile="$scratch/home/tinc/pid" --bypass-security) 2>"$scratch/errors" &
	tinc=$!
	started="$started $tinc"
	until [ -e "$scratch/home/up.log" ]; do
		kill -0 $tinc 2>/dev/null || fail "tincd has ended"
	done
	kill $tinc
	has "$(cat "$scratch/home/up.log")" "inet 10.6.0.1/24 scope global tun0"
	has "$(cat "$scratch/home/up.log")" "10.6.0.0/24 proto kernel scope link src 10.6.0.1"
	ok "tinc's script configures the interface with ip"
fi
