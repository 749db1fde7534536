#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC2119 # words are meant
# QEMU's own wires as uplinks, and as tunnels: -netdev dgram over UNIX and UDP, stream, socket,fd=,
# and the multicast LAN. A QEMU without a machine is the peer, for its user networking: a gateway
# (10.0.2.2) that leads to the host's loopback, and a DHCP and TFTP server.
#
# Surprising: over the multicast LAN no TCP goes through that gateway, since QEMU hears its own
# frames there and its gateway resets the connection that it then sees twice. So there a PC boots.
TEST_SECONDS=120
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/uplink.sh" || exit 1

qemu="qemu-system-x86_64"
needs $qemu qemu-system-x86
$qemu -netdev help 2>/dev/null | grep -qx dgram || skip "this $qemu has no -netdev dgram (7.2 has)"
for directory in $($qemu -L help) ''; do
	[ ! -e "$directory/efi-e1000.rom" ] || break
done
[ -n "$directory" ] || skip "no network boot ROM here (Debian: ipxe-qemu)"
[ -x "$scratch/bin/lwip-http-client" ] || skip "lwip-http-client is not built (Debian: liblwip-dev)"

# Anywhere below the ports that the system gives out itself (from 32768).
port=$((10000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))
home=$scratch/home
mkdir "$scratch/tftp"
printf '#!ipxe\necho booted-through-an-uplink\n' >"$scratch/tftp/boot.ipxe"
chmod 755 "$scratch/tftp"
chmod 644 "$scratch/tftp/boot.ipxe"

# gateway NETDEV [COMMAND...]: the QEMU without a machine, its user networking wired to NETDEV. It
# is run by COMMAND.
gateway() {
	netdev=$1
	shift
	peer_start $as_user "$@" $qemu -M none -display none -nodefaults -monitor none \
		-netdev "user,id=u,tftp=$scratch/tftp,bootfile=boot.ipxe" -netdev "$netdev,id=m" \
		-netdev hubport,hubid=0,id=p1,netdev=u -netdev hubport,hubid=0,id=p2,netdev=m
}

user_broker_start
web_start

# --- the multicast LAN: a PC on a tunnel boots from a server on the LAN, while the rest goes on ---

mkfifo "$scratch/serial"
ends_with 0 memtun uplink add lan bridge boot type mcast group 230.0.0.1 port $port
is "$(uplink_value lan state)" up "the state of the LAN"
gateway "socket,mcast=230.0.0.1:$port,localaddr=127.0.0.1"
lan_server=$peer
$as_user memtun exec -t pc:bridge=boot,socket=stream -- $qemu -M pc -m 64 -display none -nodefaults \
	-nographic -serial stdio -monitor none -boot n -no-reboot \
	-netdev 'socket,id=m,fd={pc}' -device e1000,netdev=m \
	</dev/null >"$scratch/serial" 2>"$scratch/pc-errors" 8<&- &
started="$started $!"
exec 7<"$scratch/serial"

# --- uplinks to one QEMU each: what it fetches, also after that QEMU was killed and started again ---

# goes_through TYPE NETDEV KEY VALUE...: the uplink's keys.
goes_through() {
	type=$1
	netdev=$2
	shift 2
	ends_with 0 memtun uplink add "$type" bridge "$type" type "$type" "$@"
	gateway "$netdev"
	fetch "guest:bridge=$type" address 10.0.2.100/24 "http://10.0.2.2:$web_port/data"
	uplink_carried "$type"
	ok "lwIP fetches from the host through QEMU and an uplink of type $type"

	peer_stop KILL
	[ "$type" != stream ] || uplink_until "$type" state down
	gateway "$netdev"
	fetch "guest:bridge=$type" address 10.0.2.100/24 "http://10.0.2.2:$web_port/data"
	peer_stop
	ok "so it does when that QEMU was killed and started again"
}

goes_through stream "stream,server=on,addr.type=unix,addr.path=$home/stream" path "$home/stream"
is "$(uplink_value stream connects)" 2 "how often the stream has connected"
uplink_told uplink-up stream
uplink_told uplink-down stream
goes_through dgram \
	"dgram,local.type=unix,local.path=$home/qemu,remote.type=unix,remote.path=$home/dgram" \
	path "$home/dgram" remote "$home/qemu"
there="127.0.0.1:$((port + 1))" here="127.0.0.1:$((port + 2))"
netdev="dgram,local.type=inet,local.host=127.0.0.1,local.port=${there#*:}"
goes_through udp "$netdev,remote.type=inet,remote.host=127.0.0.1,remote.port=${here#*:}" \
	local $here remote $there

# --- no uplink, but a tunnel's descriptor ---

while read -r socket netdev; do
	gateway "$netdev" memtun exec -t "gw:bridge=$socket,socket=$socket" --
	fetch "guest:bridge=$socket" address 10.0.2.100/24 "http://10.0.2.2:$web_port/data"
	peer_stop
	ends_with 0 memtun wait gw closed --timeout 20
	ok "lwIP fetches from the host through a QEMU at a tunnel: $socket, $netdev"
done <<EOF
stream socket,fd={gw}
dgram socket,fd={gw}
stream stream,server=off,addr.type=fd,addr.str={gw}
dgram dgram,local.type=fd,local.str={gw}
EOF

# --- the PC's console ---

console_until booted-through-an-uplink <&7
uplink_carried lan
ok "a PC has got its address and its script over the multicast LAN"

peer=$lan_server
peer_stop
ends_with 0 memtun uplink del lan
uplink_told uplink-deleted lan
ok "the LAN's uplink is deleted"
