#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC3045 # words are meant
# Two QEMUs, each on a tunnel that memtun exec hands it, and both tunnels on one bridge: one is a
# DHCP and TFTP server (its own user-mode network), the other a PC that boots from the network and
# runs the script it finds there.
TEST_SECONDS=90
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

qemu="qemu-system-x86_64"
command -v $qemu >/dev/null || skip "no $qemu here (Debian: qemu-system-x86)"
$qemu -netdev help 2>/dev/null | grep -qx dgram || skip "this $qemu has no -netdev dgram (7.2 has)"
for directory in $($qemu -L help) ''; do
	[ ! -e "$directory/efi-e1000.rom" ] || break
done
[ -n "$directory" ] || skip "no network boot ROM here (Debian: ipxe-qemu)"

broker_directory=$scratch/home/broker
mkdir "$scratch/tftp" "$broker_directory"
printf '#!ipxe\necho booted-through-memtun\n' >"$scratch/tftp/boot.ipxe"
chmod 755 "$scratch/tftp"
chmod 644 "$scratch/tftp/boot.ipxe"
mkfifo "$scratch/serial"

[ -z "$as_user" ] || chown 1000:1000 "$broker_directory"
MEMTUN_SOCKET=$broker_directory/control
export MEMTUN_SOCKET
mkfifo "$scratch/ready"
$as_user memtund --socket "$MEMTUN_SOCKET" --ready-fd 3 3>"$scratch/ready" 2>"$scratch/broker-log" &
started="$started $!"
read -r _ <"$scratch/ready" || fail "memtund did not start"

$as_user memtun exec -t srv:bridge=lab -- $qemu -M none -display none -nodefaults -monitor none \
	-netdev "user,id=u,tftp=$scratch/tftp,bootfile=boot.ipxe" \
	-netdev 'dgram,id=m,local.type=fd,local.str={srv}' \
	-netdev hubport,hubid=0,id=p1,netdev=u -netdev hubport,hubid=0,id=p2,netdev=m \
	</dev/null >"$scratch/server-output" 2>&1 &
started="$started $!"
server_has_tunnel() {
	memtun -j show srv >/dev/null 2>&1
}
turns_until server_has_tunnel

$as_user memtun exec -t vm0:bridge=lab -- $qemu -M pc -m 64 -display none -nodefaults -nographic \
	-serial stdio -monitor none -boot n -no-reboot \
	-netdev 'dgram,id=m,local.type=fd,local.str={vm0}' -device e1000,netdev=m \
	</dev/null >"$scratch/serial" 2>"$scratch/errors" &
started="$started $!"

console_until booted-through-memtun <"$scratch/serial"
ok "a PC has got its address and its script from another QEMU"

if part_needs tables; then
	ends_with 0 memtun -s show
	sed 's/^/  /' "$scratch/output"
fi
ends_with 0 memtun -j -s show vm0
case $output in
*'"from-client-frames": 0,'* | *'"to-client-frames": 0,'*) fail "no frames are counted: $output" ;;
esac
ok "the frames that went through the bridge are counted"
