#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC2119 # words are meant
# QEMUs that connect to listening uplinks, as an ordinary user: three PCs boot at once over one
# uplink, each with DHCP and TFTP from a QEMU without a machine on another one, and again after each of
# the three was killed and started anew. Then two memtund are joined by stream, and what memtun says
# about bad input.
TEST_SECONDS=120
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/uplink.sh" || exit 1

qemu="qemu-system-x86_64"
home=$scratch/home
user_broker_start
mkdir "$home/directory"

# --- what memtun says ---

ends_with 0 memtun uplink add vm bridge lab type stream listen "$home/vm" max 8
is "$errors" "" "what memtun says of an uplink that listens"
ends_with 0 memtun uplink add tcp bridge lab type stream listen 127.0.0.1:0
tcp=$(uplink_value tcp listen)
has "$tcp" "127.0.0.1:*[1-9]"
if part_needs tables; then
	ends_with 0 memtun uplink show
	has "$output" "listens on $tcp: 0 of 64 peers"
fi
while read -r keys; do
	run memtun uplink add bad bridge lab ${keys%%|*}
	[ "$status" != 0 ] || fail "memtun takes: $keys"
	says "${keys#*|}"
done <<EOT
type stream listen 192.0.2.1:80|is no loopback address
type stream listen localhost:80|listen takes PATH, @NAME, ADDRESS:PORT
type stream listen $home/vm|listens on $home/vm already
type stream listen $home/directory|is no socket
type stream listen $home/bad max 0|max 0 is not from 1 to 4096
type stream listen $home/bad socket-mode 0660|needs allow any
type stream listen $home/bad allow any socket-group no-such-group|there is no group 'no-such-group'
type stream listen $home/bad allow some|allow is one of own, any
type stream listen $home/bad path $home/bad|takes no path
type udp listen $home/bad|needs local
EOT
cd "$home" || exit 1
ends_with 0 memtun uplink add here bridge lab type bess listen relative
is "$(uplink_value here listen)" "$home/relative" "a relative path"
cd - >/dev/null || exit 1
ends_with 0 memtun uplink del here
[ ! -e "$home/relative" ] && [ ! -e "$home/relative.lock" ] || fail "a socket's file was left behind"
ok "memtun tells where uplinks listen, and what it refuses"

# --- a second memtund is a peer ---

if [ -x "$scratch/bin/lwip-http-client" ]; then
	second_start
	ends_with 0 memtun --socket "$second_socket" uplink add up bridge lab type stream path "$home/vm"
	uplink_told uplink-added vm0
	second_fetch vm0
	is "$(uplink_value vm0 program)" memtund "the program of the peer"
	second_kill
	uplink_told uplink-deleted vm0
	ok "2 MiB from one memtund to another whose uplink listens"
fi

# --- three PCs ---

command -v $qemu >/dev/null || skip "no $qemu here (Debian: qemu-system-x86)"
$qemu -netdev help 2>/dev/null | grep -qx stream || skip "this $qemu has no -netdev stream (7.2 has)"
for directory in $($qemu -L help) ''; do
	[ ! -e "$directory/efi-e1000.rom" ] || break
done
[ -n "$directory" ] || skip "no network boot ROM here (Debian: ipxe-qemu)"

mkdir "$scratch/tftp"
printf '#!ipxe\necho booted-through-a-listening-uplink\n' >"$scratch/tftp/boot.ipxe"
chmod 755 "$scratch/tftp"
chmod 644 "$scratch/tftp/boot.ipxe"
peer_start $as_user $qemu -M none -display none -nodefaults -monitor none \
	-netdev "user,id=u,tftp=$scratch/tftp,bootfile=boot.ipxe" \
	-netdev "socket,connect=$tcp,id=m" \
	-netdev hubport,hubid=0,id=p1,netdev=u -netdev hubport,hubid=0,id=p2,netdev=m
uplink_told uplink-added tcp0

# pc NUMBER: a PC that boots, as $pc; its console is the FIFO serial-NUMBER.
pc() {
	[ -p "$scratch/serial-$1" ] || mkfifo "$scratch/serial-$1"
	$as_user $qemu -M pc -m 64 -display none -nodefaults -nographic -serial stdio -monitor none \
		-boot n -no-reboot \
		-netdev "stream,id=m,server=off,addr.type=unix,addr.path=$home/vm" \
		-device "e1000,netdev=m,mac=52:54:00:00:00:0$1" \
		</dev/null >"$scratch/serial-$1" 2>"$scratch/pc-$1" 8<&- &
	pc=$!
	started="$started $pc"
}

# three_boot: sets $one, $two and $three.
three_boot() {
	pc 1
	one=$pc
	pc 2
	two=$pc
	pc 3
	three=$pc
	exec 5<"$scratch/serial-1" 6<"$scratch/serial-2" 7<"$scratch/serial-3"
	console_until booted-through-a-listening-uplink <&5
	console_until booted-through-a-listening-uplink <&6
	console_until booted-through-a-listening-uplink <&7
	for port in vm0 vm1 vm2; do
		uplink_carried $port
		case $(uplink_value $port pid) in
		"$one" | "$two" | "$three") ;;
		*) fail "the process of $port is none of the PCs" ;;
		esac
	done
}

three_boot
is "$(uplink_value vm connected)" 3 "how many PCs are connected"
ok "three PCs boot at once over one listening uplink, each with DHCP and TFTP"

kill -KILL $one $two $three
wait $one $two $three 2>/dev/null
uplink_until vm connected 0
exec 5<&- 6<&- 7<&-
three_boot
ok "the PCs boot again after each was killed and started anew"

ends_with 0 memtun uplink del vm
is "$(uplink_value tcp connected)" 1 "how many are connected to the other uplink"
run memtun -j uplink show vm0
is "$status" 1 "the status for a port of an uplink that was deleted"
[ ! -e "$home/vm" ] && [ ! -e "$home/vm.lock" ] || fail "a socket's file was left behind"
ok "an uplink that is deleted takes its ports with it, and no other's"
