#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2086,SC2119 # words are meant
# Bridges that the kernel is on: uplinks of type kernel, a TAP and a TUN with the kernel's own TCP/IP
# behind them, a TAP that is a port of a kernel bridge, and real devices that memtund hands out (add
# ... backend kernel). All of it in a network namespace of the test's own.
TEST_SECONDS=90
TEST_NAMESPACES=yes
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/uplink.sh" || exit 1

[ -x "$scratch/bin/lwip-http-server" ] || skip "lwip-http-server is not built (Debian: liblwip-dev)"
ip link set lo up
ip tuntap add dev probe mode tap 2>/dev/null ||
	skip "no TAP for this user: /dev/net/tun is $(stat -c %A /dev/net/tun 2>&1)"
ip link del probe

# --- a broker that wasn't told to ---

user_broker_start
ends_with 1 memtun uplink add none bridge lab type kernel device k0 mode tap
says "--kernel"
ends_with 1 memtun add none backend kernel
says "--kernel"
ends_with 1 ip link show k0
kill "$broker"
wait "$broker"
rm "$scratch/ready" "$scratch/news" "$scratch/watches"
ok "a broker without --kernel makes no interface, and says what it lacks"

# --- a TAP ---

user_broker_start --kernel
mkfifo "$scratch/served"
# serve NAME SPEC ADDRESS-AND-OPTIONS...: lwIP's web server, as $server; it listens.
serve() {
	spec=$1
	shift
	memtun exec -t "$spec" -- lwip-http-server size 1 once "$@" >"$scratch/served" &
	server=$!
	started="$started $server"
	exec 7<"$scratch/served"
	read -r _ <&7 || fail "the server did not start"
}
# served: it has sent all of it.
served() {
	wait $server
	is $? 0 "the server's status"
	exec 7<&-
}

ends_with 0 memtun uplink add tap bridge lab type kernel device k0 mode tap
is "$(uplink_value tap state)" up "the state of the TAP"
ip addr add 10.9.0.1/24 dev k0
ip link set k0 up
memtun host lab-host bridge lab address 10.9.0.2/24 2>"$scratch/host-errors" &
started="$started $!"
kernel_asks 10.9.0.2 ping
kernel_asks 10.9.0.2 udp
serve web:bridge=lab address 10.9.0.3/24
kernel_fetch http://10.9.0.3/data 1048576
served
uplink_carried tap
ok "the kernel's own TCP/IP is on the bridge, by a TAP"

# --- an interface that someone deletes ---

ip link del k0
uplink_told uplink-down tap
uplink_until tap connects 2
ip addr add 10.9.0.1/24 dev k0
ip link set k0 up
kernel_asks 10.9.0.2 ping
ok "an interface that was deleted is made again"

# --- a port of a kernel bridge ---

if ip link add kb type bridge forward_delay 0 2>/dev/null; then
	ip addr del 10.9.0.1/24 dev k0
	ip addr add 10.9.0.1/24 dev kb
	ip link set k0 master kb
	ip link set kb up
	kernel_asks 10.9.0.2 ping
	serve web:bridge=lab address 10.9.0.3/24
	kernel_fetch http://10.9.0.3/data 1048576
	served
	ok "the bridge and a kernel bridge are one"
	ip link del kb
else
	echo "no bridge in this kernel"
fi

ends_with 0 memtun uplink del tap
uplink_told uplink-deleted tap
ends_with 1 ip link show k0
ok "the interface goes with its uplink"

# --- a TUN ---

ends_with 0 memtun uplink add tun bridge ip type kernel device u0 mode tun
ip addr add 10.8.0.1/24 dev u0
ip link set u0 up
serve web:mode=tun,bridge=ip mode tun address 10.8.0.3/24
kernel_fetch http://10.8.0.3/data 1048576
served
uplink_carried tun
ends_with 0 memtun uplink del tun
ok "the kernel's own TCP/IP is on a bridge of IP, by a TUN"

# --- real devices, by the same request ---

ends_with 0 memtun add real backend kernel
serve real address 10.7.0.3/24
ip addr add 10.7.0.1/24 dev real
ip link set real up
kernel_fetch http://10.7.0.3/data 1048576
served
cat >"$scratch/what.py" <<'EOF'
import fcntl, struct, sys
request = bytearray(40)
fcntl.ioctl(int(sys.argv[1]), 0x800454d2, request)  # TUNGETIFF
name, flags = struct.unpack_from("16sH", request)
print(name.rstrip(b"\0").decode(), f"{flags & 0x1003:#x}")
EOF
ends_with 0 memtun exec -t real -- "$python" "$scratch/what.py" '{real}'
is "$output" "real 0x1002" "what the kernel calls the descriptor"
ends_with 0 memtun del real
ends_with 1 ip link show real
ok "memtund hands out a real TAP, and takes it back"

ends_with 1 memtun uplink add none bridge lab type kernel device lo mode tap
says "lo"
ok "an interface that is there already is refused"
