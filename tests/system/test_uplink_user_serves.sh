#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086 # words are meant
# What an uplink of type user serves: a PC of QEMU boots by DHCP and TFTP from it, TFTP keeps to its
# directory, and the name server asks the system's, unless restrict forbids it. In a network
# namespace, where the system's name server is a process of this test on the loopback interface.
TEST_SECONDS=90
TEST_NAMESPACES=yes
TEST_NEEDS=user-uplinks
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
have_python || skip "no Python here"
ip link set lo up || skip "cannot bring the loopback interface up"
python=${PYTHON:-python3}
guest="${top_srcdir:-.}/tests/system/udp_guest.py"

tftp=$scratch/tftp
mkdir "$tftp" "$tftp/sub"
printf '#!ipxe\necho booted-from-the-uplink\npoweroff\n' >"$tftp/boot.ipxe"
echo inner >"$tftp/sub/file"
echo outer >"$scratch/outer"
ln -s ../outer "$tftp/link"

# A mount namespace, for a resolv.conf of our own.
echo "nameserver 127.0.0.1" >"$scratch/resolv.conf"
MEMTUN_SOCKET=$scratch/home/control
export MEMTUN_SOCKET
mkfifo "$scratch/ready"
names=
mount='mount --bind "$0" "$(readlink -f /etc/resolv.conf)"'
! unshare -m sh -c "$mount" "$scratch/resolv.conf" 2>/dev/null || names="unshare -m"
[ -n "$names" ] || mount=true
$names sh -c "$mount && exec memtund --socket \"\$MEMTUN_SOCKET\" --ready-fd 3" \
	"$scratch/resolv.conf" 3>"$scratch/ready" 2>"$scratch/broker-log" &
broker=$!
started="$started $broker"
read -r _ <"$scratch/ready" || fail "memtund did not start"

run memtun uplink add out bridge lab type user restrict tftp "$tftp" bootfile boot.ipxe
is "$status" 0 "the status of uplink add"
ends_with 0 memtun wait out up --timeout 20

# --- a PC boots, while the rest goes on ---

qemu=qemu-system-x86_64
pc=no
for directory in $($qemu -L help 2>/dev/null) ''; do
	[ ! -e "$directory/efi-e1000.rom" ] || break
done
if [ -n "$directory" ]; then
	pc=yes
	mkfifo "$scratch/serial"
	memtun exec -t pc:bridge=lab,socket=stream -- $qemu -M pc -m 64 -display none -nodefaults \
		-nographic -serial stdio -monitor none -boot n -no-reboot \
		-netdev 'socket,id=m,fd={pc}' -device e1000,netdev=m \
		</dev/null >"$scratch/serial" 2>"$scratch/pc-errors" &
	started="$started $!"
	exec 7<"$scratch/serial"
fi

# asks KIND NAME...: what the guest prints, as $output.
asks() {
	ends_with 0 memtun exec -t guest:bridge=lab -- "$python" "$guest" 3 "$@"
}

asks tftp sub/file
is "$output" inner "what TFTP serves"
for name in ../outer sub/../../outer /../outer "sub/.." none; do
	asks tftp "$name"
	case $output in
	"error "*) ;;
	*) fail "TFTP answers '$output' to '$name'" ;;
	esac
done
asks tftp "$scratch/outer"
case $output in
"error "*) ;;
*) fail "TFTP serves an absolute path: '$output'" ;;
esac
asks tftp link
is "$output" outer "what TFTP serves by a symbolic link, as the manual page says"
ok "TFTP serves its directory, and no path that leads out of it"

# --- names ---

cat >"$scratch/names.py" <<'END'
import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("bound", flush=True)
while True:
    query, peer = server.recvfrom(512)
    with open(sys.argv[1], "a") as log:
        log.write("asked\n")
    server.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:] +
                  b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("192.0.2.7"), peer)
END
if [ -z "$names" ]; then
	echo "not tested: the name server, which needs a mount namespace"
else
	mkfifo "$scratch/bound"
	"$python" "$scratch/names.py" "$scratch/asked" >"$scratch/bound" &
	started="$started $!"
	read -r _ <"$scratch/bound" || fail "the test's name server did not start"
	asks dns example.test
	is "$output" silence "the answer to a query with restrict"
	[ ! -e "$scratch/asked" ] || fail "with restrict a query has gone out"
	ends_with 0 memtun uplink add free bridge lab2 type user
	ends_with 0 memtun wait free up --timeout 20
	ends_with 0 memtun exec -t guest:bridge=lab2 -- "$python" "$guest" 3 dns example.test
	is "$output" 192.0.2.7 "the answer to a query"
	ok "the name server asks the system's, and with restrict it asks nothing"
fi

# --- the PC's console ---

if [ $pc = no ]; then
	echo "not tested: a PC, which needs QEMU with a network boot ROM (Debian: qemu-system-x86, ipxe-qemu)"
else
	console_until booted-from-the-uplink <&7
	ok "a PC gets its address and its script from an uplink of type user with restrict"
fi
kill "$broker"
wait "$broker"
