#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC2119 # words are meant
# Two bridges joined by one vde_switch, each over an uplink of type vde, all of it an ordinary user's:
# a transfer between them, again when the switch was killed and started anew, frames to and from
# VDE's own client, and a switch that has no room.
#
# Surprising: vde_switch ends when its input does, and a FIFO that it has opened for writing as well
# never does.
TEST_SECONDS=60
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1
. "${top_srcdir:-.}/tests/system/uplink.sh" || exit 1

needs vde_switch vde2
! grep -q __asan_init "$scratch/bin/memtund" ||
	skip "AddressSanitizer forbids how libvdeplug loads its plugins (RTLD_DEEPBIND)"
[ -x "$scratch/bin/lwip-http-client" ] || skip "lwip-http-client is not built (Debian: liblwip-dev)"

directory=$scratch/home/switch
mkfifo "$scratch/home/console"
chmod 666 "$scratch/home/console"
# switch_start [OPTION...]
switch_start() {
	$as_user vde_switch -s "$directory" "$@" <>"$scratch/home/console" \
		>"$scratch/peer-output" 2>&1 &
	peer=$!
	started="$started $peer"
}

user_broker_start
for bridge in left right; do
	ends_with 0 memtun uplink add "to-$bridge" bridge $bridge type vde path "$directory"
	is "$(uplink_value to-$bridge state)" down "the state without a switch"
	has "$(uplink_value to-$bridge reason)" "No such file"
done
ok "an uplink is there before its switch is, and says why it is down"

# both_are STATE
both_are() {
	uplink_until to-left state "$1"
	uplink_until to-right state "$1"
}

# transfer: 2 MiB, from the left bridge to the right one.
transfer() {
	mkfifo "$scratch/served"
	$as_user memtun exec -t server:bridge=left -- lwip-http-server size 2 once >"$scratch/served" &
	server=$!
	started="$started $server"
	ends_with 0 $as_user memtun exec -t client:bridge=right -- \
		lwip-http-client http://10.0.0.1/data <"$scratch/served"
	has "$output" "2097152 bytes,*checksum"
	wait $server
	is $? 0 "the server's status"
	rm "$scratch/served"
}

switch_start
both_are up
transfer
uplink_carried to-left
uplink_carried to-right
ok "2 MiB from bridge to bridge through a vde_switch"

peer_stop KILL
both_are down
uplink_told uplink-down to-left
switch_start
both_are up
transfer
ok "the uplinks find a switch that was killed and started again"

# --- VDE's own client, a length of two bytes before each frame, and a program at a tunnel ---

if command -v vde_plug >/dev/null; then
	cat >"$scratch/plug.py" <<'EOF'
import os, select, subprocess, sys

def frame(source, target, text):
    return bytes.fromhex(f"02000000000{target} 02000000000{source} 88b5") + text.ljust(1500, b".")

def arrives(descriptor, expected, send):
    """Whether that is what comes, at last; until then it is sent, since VDE may lose it."""
    got = b""
    for attempt in range(50):
        send()
        while select.select([descriptor], [], [], 0.2)[0]:
            got = got[-4000:] + os.read(descriptor, 70000)
            if expected in got:
                return True
    return False

tunnel = int(sys.argv[1])
plug = subprocess.Popen(["vde_plug", sys.argv[2]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
outward, inward = plug.stdin.fileno(), plug.stdout.fileno()
try:
    hello, answer = frame(1, 2, b"from VDE's client"), frame(2, 1, b"from a tunnel")
    if not arrives(tunnel, hello, lambda: os.write(outward, b"\5\352" + hello)):
        sys.exit("nothing came from VDE's client")
    if not arrives(inward, b"\5\352" + answer, lambda: os.write(tunnel, answer)):
        sys.exit("nothing came to VDE's client")
finally:
    plug.kill()
EOF
	ends_with 0 $as_user memtun exec -t near:bridge=left -- \
		"$python" "$scratch/plug.py" '{near}' "$directory"
	ok "whole frames to and from a vde_plug"
fi

# --- a switch that has no room: it leaves who connects without any answer ---

ends_with 0 memtun uplink del to-right
peer_stop
uplink_until to-left state down
switch_start -n 2 # of which it gives out one
uplink_until to-left state up
ends_with 0 memtun uplink add to-right bridge right type vde path "$directory"
is "$(uplink_value to-right state)" down "the state with a full switch"
ends_with 0 memtun uplink del to-left
uplink_until to-right state up
ok "an uplink that finds no room gets the port that becomes free"
