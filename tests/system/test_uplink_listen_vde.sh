#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC2119 # words are meant
# An uplink of type vde that listens, in the place of a vde_switch, for the programs that know only
# that: vde_plug, QEMU's -netdev vde, and another memtund's uplink of type vde. All are an ordinary
# user's.
TEST_SECONDS=60
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/uplink.sh" || exit 1

switch=$scratch/home/switch
qemu="qemu-system-x86_64"
user_broker_start
ends_with 0 memtun uplink add sw bridge lab type vde listen "$switch"
is "$(uplink_value sw state)" up "the state of the uplink"
tried=

# --- VDE's own client, a length of two bytes before each frame ---

if command -v vde_plug >/dev/null; then
	cat >"$scratch/plugs.py" <<'EOT'
import os, select, subprocess, sys

def plug():
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    return process, process.stdin.fileno(), process.stdout.fileno()

def frame(source, text):
    return bytes.fromhex(f"ffffffffffff 02000000000{source} 88b5") + text.ljust(1500, b".")

def crosses(outward, inward, sent):
    """Whether the frame arrives, at last. It is sent until the other client is connected."""
    got = b""
    for attempt in range(100):
        os.write(outward, b"\5\352" + sent)
        while select.select([inward], [], [], 0.1)[0]:
            got = got[-4000:] + os.read(inward, 70000)
            if sent in got:
                return True
    return False

one, other = plug(), plug()
try:
    for source, target, number in ((one, other, 1), (other, one, 2)):
        if not crosses(source[1], target[2], frame(number, b"from a plug")):
            sys.exit(f"the frame of plug {number} did not arrive")
finally:
    for process in one, other:
        process[0].kill()
        process[0].wait()
EOT
	ends_with 0 "$python" "$scratch/plugs.py" $as_user vde_plug "$switch"
	uplink_until sw connected 0
	is "$(uplink_value sw accepted)" 2 "how many clients were accepted"
	ok "whole frames from one vde_plug to another"
	tried=yes
fi

[ -x "$scratch/bin/lwip-http-client" ] || skip "lwip-http-client is not built (Debian: liblwip-dev)"

# --- another memtund ---

second_start
if ! grep -q __asan_init "$scratch/bin/memtund" &&
	memtun --socket "$second_socket" uplink add up bridge lab type vde path "$switch" 2>"$scratch/errors"; then
	ends_with 0 memtun --socket "$second_socket" wait up up --timeout 20
	second_fetch sw0
	second_kill
	uplink_until sw connected 0
	ok "2 MiB from another memtund's uplink of type vde, which goes when that is killed"
	tried=yes
fi

# --- QEMU ---

if command -v $qemu >/dev/null && $qemu -netdev help 2>/dev/null | grep -qx vde; then
	web_start
	for time in first second; do
		peer_start $as_user $qemu -M none -display none -nodefaults -monitor none \
			-netdev user,id=u -netdev "vde,sock=$switch,id=m" \
			-netdev hubport,hubid=0,id=p1,netdev=u -netdev hubport,hubid=0,id=p2,netdev=m
		fetch "guest$time:bridge=lab" address 10.0.2.100/24 "http://10.0.2.2:$web_port/data"
		uplink_carried sw0
		is "$(uplink_value sw0 pid)" $peer "the process of the port"
		peer_stop KILL
		uplink_until sw connected 0
	done
	ok "lwIP fetches through a QEMU's -netdev vde, also when it was killed and started again"
	tried=yes
fi

[ -n "$tried" ] || skip "no client of VDE here (Debian: vde2, qemu-system-x86)"
ends_with 0 memtun uplink del sw
[ ! -e "$switch/ctl" ] && [ ! -e "$switch/1" ] || fail "a socket's file was left behind"
ok "nothing is left of the uplink's sockets"
