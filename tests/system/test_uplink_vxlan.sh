#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC2119 # words are meant
# A bridge that goes on in the kernel's own vxlan device, over IPv4, over IPv6 and by a multicast
# group. The device is in a network namespace of its own, a veth away; tshark judges what is on it.
#
# Surprising: a veth promises to do checksums and segmentation for what is inside a tunnel, and never
# does. A network card would; here the vxlan device is told to do without.
TEST_SECONDS=90
TEST_NAMESPACES=yes
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/uplink.sh" || exit 1

needs tshark tshark
needs nsenter util-linux
[ -x "$scratch/bin/lwip-http-server" ] || skip "lwip-http-server is not built (Debian: liblwip-dev)"

# --- two namespaces and a veth ---

mkfifo "$scratch/apart"
unshare -n sh -c 'echo yes >"$0" && exec sleep 100' "$scratch/apart" &
far=$!
started="$started $far"
read -r _ <"$scratch/apart" || fail "no second namespace"
there="nsenter -t $far -n"

ip link set lo up
ip link add v0 type veth peer name v1 netns $far 2>/dev/null || skip "no veth in this kernel"
ip addr add 10.1.0.1/24 dev v0
ip addr add fd01::1/64 dev v0 nodad
ip link set v0 up
$there ip link set lo up
$there ip addr add 10.1.0.2/24 dev v1
$there ip addr add fd01::2/64 dev v1 nodad
$there ip link set v1 up
$there ip link add probe type vxlan id 1 local 10.1.0.2 remote 10.1.0.1 dstport 4789 2>/dev/null ||
	skip "no vxlan in this kernel"
$there ip link del probe

cat >"$scratch/vxlan.py" <<'EOF'
# without-offloads DEVICE; record DEVICE FILE
import array, fcntl, socket, struct, sys

def without_offloads(device):
    any_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # ETHTOOL_STXCSUM 0: without checksums, there is no segmentation either.
    value = array.array("B", struct.pack("II", 0x17, 0))
    request = struct.pack("16sP16x", device.encode(), value.buffer_info()[0])
    fcntl.ioctl(any_socket, 0x8946, request)  # SIOCETHTOOL

def record(device, path):
    everything = 3  # ETH_P_ALL
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(everything))
    packets.bind((device, everything))
    with open(path, "wb", 0) as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        print("recording", flush=True)
        for _ in range(200):
            packet = packets.recv(65535)
            out.write(struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)

{"without-offloads": without_offloads, "record": record}[sys.argv[1]](*sys.argv[2:])
EOF

# --- one way after the other ---

user_broker_start
mkfifo "$scratch/served" "$scratch/recording"

# on_wire FIELD...: the outer fields of the VXLAN packets as tshark prints them, a line each.
on_wire() {
	fields=
	for field in "$@"; do
		fields="$fields -e $field"
	done
	env HOME="$scratch/home" tshark -r "$scratch/packets" -Y vxlan -T fields -E occurrence=f $fields 2>/dev/null
}

# goes_through NAME OURS THEIRS: the words for our uplink, and those for the kernel's device.
goes_through() {
	name=$1
	$there ip link add vx0 type vxlan id 42 $3 dstport 4789
	$there ip addr add 10.9.0.1/24 dev vx0
	$there "$python" "$scratch/vxlan.py" without-offloads vx0
	$there ip link set vx0 up
	"$python" "$scratch/vxlan.py" record v0 "$scratch/packets" >"$scratch/recording" &
	recorder=$!
	started="$started $recorder"
	read -r _ <"$scratch/recording" || fail "no packets are recorded"

	ends_with 0 memtun uplink add "$name" bridge "$name" type vxlan vni 42 $2
	is "$(uplink_value "$name" state)" up "the state of $name"
	memtun exec -t "web:bridge=$name" -- lwip-http-server address 10.9.0.2/24 size 1 once \
		>"$scratch/served" &
	started="$started $!"
	exec 7<"$scratch/served"
	kernel_fetch http://10.9.0.2/data 1048576 $there
	exec 7<&-
	memtun host "host-$name" bridge "$name" address 10.9.0.3/24 2>"$scratch/host-errors" &
	host=$!
	started="$started $host"
	kernel_asks 10.9.0.3 ping $there
	kernel_asks 10.9.0.3 udp $there
	uplink_carried "$name"

	kill $recorder 2>/dev/null # unless it has enough
	wait $recorder 2>/dev/null
	on_wire udp.dstport vxlan.vni vxlan.flags | sort -u >"$scratch/headers"
	is "$(cat "$scratch/headers")" "4789	42	0x0800" "what tshark says of the headers"
}

# ends NAME
ends() {
	kill $host
	wait $host 2>/dev/null
	ends_with 0 memtun uplink del "$1"
	$there ip link del vx0
}

goes_through ipv4 "local 10.1.0.1 remote 10.1.0.2" "local 10.1.0.2 remote 10.1.0.1"
has "$(on_wire ip.src ip.dst)" "10.1.0.1*10.1.0.2"
ok "the kernel's vxlan device is on the bridge, over IPv4"

# --- frames that are another network's ---

# dropped NAME: what came from its peer and went nowhere.
dropped() {
	ends_with 0 memtun -j -s uplink show "$1"
	json "sum(v for k, v in d[0].items() if k.startswith('from-client-dropped'))"
}
before=$(dropped ipv4)
$there ip link add vx1 type vxlan id 43 local 10.1.0.2 remote 10.1.0.1 dstport 4789
$there ip addr add 10.9.1.1/24 dev vx1
$there ip link set vx1 up
# It can't know whom to send this to, so it asks everyone, by ARP.
run $there "$python" -c 'import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"stray", ("10.9.1.2", 9))'
were_dropped() {
	[ "$(dropped ipv4)" -gt "$before" ]
}
turns_until were_dropped
$there ip link del vx1
ok "frames with another VNI are dropped, and counted"

# --- a wire that is down for a while ---

ip link set v0 down
run memtun inject host-ipv4 --as-client --udp 10.9.0.1:9 text
ip link set v0 up
ip addr add fd01::1/64 dev v0 nodad # it went with the link
kernel_asks 10.9.0.3 ping $there
ok "the bridge is whole again when the wire is"
ends ipv4

goes_through ipv6 "local fd01::1 remote fd01::2" "local fd01::2 remote fd01::1"
has "$(on_wire ipv6.src ipv6.dst)" "fd01::1*fd01::2"
ends ipv6
ok "the kernel's vxlan device is on the bridge, over IPv6"

# The kernel learns from what address a neighbour's frames come, and answers there.
goes_through group "local 10.1.0.1 group 239.1.1.1" "local 10.1.0.2 group 239.1.1.1 dev v1"
has "$(on_wire ip.src ip.dst)" "10.1.0.1	239.1.1.1"
ends group
ok "the kernel's vxlan device is on the bridge, by a group"

ends_with 1 memtun uplink add none bridge lab type vxlan vni 42 local 10.7.7.7 remote 10.1.0.2
says "10.7.7.7"
ends_with 2 memtun uplink add none bridge lab type vxlan vni 16777216 local 10.1.0.1 remote 10.1.0.2
says "vni"
ends_with 1 memtun uplink add none bridge lab type vxlan vni 42 local 10.1.0.1 group 10.1.0.2
says "10.1.0.2"
ok "what can't be is refused, with a reason"
