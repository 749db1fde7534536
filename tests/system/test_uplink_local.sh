#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC3045 # words are meant
# Two memtund, an ordinary user's, joined by each type of local uplink: lwIP on a tunnel of the one
# fetches from lwIP on a tunnel of the other. Those that connect (bess, stream) meet at a hub, a few
# lines of Python that listen; those by vde at a vde_switch. Then one of the two is killed and
# started again, and the other finds it.
TEST_SECONDS=120
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

have_python || skip "no Python here"
[ -x "$scratch/bin/lwip-http-client" ] || skip "lwip-http-client is not built (Debian: liblwip-dev)"
home=$scratch/home

# one COMMAND..., other COMMAND...: with the one broker, or the other.
one() {
	MEMTUN_SOCKET=$home/one "$@"
}

other() {
	MEMTUN_SOCKET=$home/other "$@"
}

# ready_make: a FIFO that nobody of before has open, for who starts to say that it has.
ready_make() {
	rm -f "$scratch/ready"
	mkfifo "$scratch/ready"
}

# memtund_start NAME: its pid is $memtund.
memtund_start() {
	ready_make
	$as_user memtund --socket "$home/$1" --ready-fd 3 3>"$scratch/ready" 2>"$scratch/broker-log" &
	memtund=$!
	started="$started $memtund"
	read -r _ <"$scratch/ready" || fail "memtund did not start"
}

# hub_start TYPE PATH: passes what comes from either of two connections on to the other.
hub_start() {
	cat >"$scratch/hub.py" <<'EOF'
import os, select, socket, sys

kind, path = sys.argv[1:]
os.umask(0)  # the brokers' user need not be this one
listener = socket.socket(socket.AF_UNIX, getattr(socket, kind))
listener.bind(path)
listener.listen()
os.close(3)
ends = []
while True:
    for ready in select.select([listener] + ends, [], [])[0]:
        if ready is listener:
            ends.append(listener.accept()[0])
            continue
        try:
            data = ready.recv(1 << 17)
        except OSError:
            data = b""
        if not data:
            ends.remove(ready)
            ready.close()
        for end in ends:
            if end is not ready and data:
                end.sendall(data)
EOF
	ready_make
	"${PYTHON:-python3}" "$scratch/hub.py" "$1" "$2" 3>"$scratch/ready" &
	hub=$!
	started="$started $hub"
	read -r _ <"$scratch/ready"
}

# fetches: the one's guest from the other's.
fetches() {
	ends_with 0 one memtun wait up up --timeout 30
	ends_with 0 other memtun wait up up --timeout 30
	other $as_user memtun exec -t web:bridge=lab -- lwip-http-server once \
		>"$scratch/server-output" 2>&1 &
	server=$!
	ends_with 0 one $as_user memtun exec -t user:bridge=lab -- lwip-http-client \
		http://10.0.0.1/data
	has "$output" "16777216 bytes,*checksum"
	wait $server || fail "the server: $(cat "$scratch/server-output")"
}

# joins WHAT OPTIONS OTHERS-OPTIONS: fetches by uplinks with those, also after one was killed.
joins() {
	ends_with 0 one memtun uplink add up bridge lab $2
	ends_with 0 other memtun uplink add up bridge lab $3
	fetches
	ok "a fetch by $1 from one memtund to another"
	kill -KILL "$two"
	wait "$two" 2>/dev/null
	memtund_start other
	two=$memtund
	ends_with 0 other memtun uplink add up bridge lab $3
	fetches
	ok "the same after one of them was killed and started again"
	ends_with 0 one memtun uplink del up
	ends_with 0 other memtun uplink del up
}

memtund_start one
memtund_start other
two=$memtund

hub_start SOCK_SEQPACKET "$home/hub"
joins bess "type bess path $home/hub" "type bess path $home/hub"
kill "$hub"
wait "$hub" 2>/dev/null
rm "$home/hub"

hub_start SOCK_STREAM "$home/hub"
joins stream "type stream path $home/hub" "type stream path $home/hub"

joins dgram "type dgram path $home/a remote $home/b" "type dgram path $home/b remote $home/a"
[ ! -e "$home/a" ] && [ ! -e "$home/b" ] || fail "a socket's file was left behind"
ok "nothing is left of the uplinks' sockets"

if grep -q __asan_init "$scratch/bin/memtund"; then
	ok "vde: skipped, libvdeplug's RTLD_DEEPBIND is forbidden by AddressSanitizer"
elif command -v vde_switch >/dev/null && one memtun uplink add up bridge lab type vde path "$home/none" \
	2>"$scratch/errors"; then
	ends_with 0 one memtun uplink del up
	mkfifo "$scratch/in"
	# It ends with its standard input, and a FIFO that is open both ways doesn't.
	$as_user vde_switch -s "$home/switch" <>"$scratch/in" >/dev/null 2>&1 &
	started="$started $!"
	joins vde "type vde path $home/switch" "type vde path vde://$home/switch"
	is "$(find "$home/switch" -name '.*' ! -path "$home/switch")" "" "what is left in the switch's directory"
	ok "nothing is left of them in the switch's directory"
else
	ok "vde: skipped, no vde_switch here (Debian: vde2), or memtund was built without libvdeplug"
fi
