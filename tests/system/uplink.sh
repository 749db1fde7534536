# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154,SC2086,SC3045 # shared with check.sh and the tests; words
# What the tests of uplinks share: an ordinary user's broker and the news from it, a web server on
# the host for a guest to fetch from, and small tools that few systems have all of. Sourced after
# check.sh.
#
# The usual judge is a fetch: a TCP/IP stack of its own (lwIP) on a tunnel, beyond the uplink and its
# peer a server, and between them 512 KiB that have to arrive whole.

have_python || skip "no Python here"
python=${PYTHON:-python3}

# needs PROGRAM PACKAGE
needs() {
	command -v "$1" >/dev/null || skip "no $1 here (Debian: $2)"
}

# --- the broker ---

# user_broker_start [OPTION...]: a memtund of an ordinary user, as $broker. Its events are read from
# descriptor 8.
user_broker_start() {
	mkfifo "$scratch/news" "$scratch/watches"
	memtund_start "$scratch/home" $as_user memtund "$@"
	memtun -j monitor --ready-fd 9 >"$scratch/news" 2>"$scratch/news-errors" \
		9>"$scratch/watches" &
	started="$started $!"
	exec 8<"$scratch/news"
	read -r _ <"$scratch/watches" || fail "memtun monitor did not start"
	: >"$scratch/events"
}

# Waits for the next event of an uplink; they are kept in $scratch/events.
news_read() {
	while read -r news <&8; do
		case $news in
		*'"uplink-'*)
			echo "$news" >>"$scratch/events"
			return
			;;
		esac
	done
	fail "the broker's events ended"
}

# uplink_value NAME KEY
uplink_value() {
	ends_with 0 memtun -j -s uplink show "$1"
	json "d[0].get('$2')"
}

# uplink_until NAME KEY VALUE: waits for events, until it is so. Only the test's time limits it.
uplink_until() {
	until [ "$(uplink_value "$1" "$2")" = "$3" ]; do
		news_read
	done
}

# uplink_told EVENT NAME: waits until there has been such an event.
uplink_told() {
	until grep "\"$1\"" "$scratch/events" | grep -q "\"$2\""; do
		news_read
	done
}

# --- peers ---

# peer_start COMMAND...: in the background, as $peer; what it says is in $scratch/peer-output.
peer_start() {
	"$@" </dev/null >"$scratch/peer-output" 2>&1 &
	peer=$!
	started="$started $peer"
}

# peer_stop [SIGNAL]: ends $peer.
peer_stop() {
	kill -"${1:-TERM}" "$peer" || fail "the peer had ended by itself: $(cat "$scratch/peer-output")"
	wait "$peer" 2>/dev/null
}

# --- the judge ---

# web_start [COMMAND...]: an HTTP server on the loopback of where COMMAND runs it, at $web_port.
web_start() {
	cp "$top_srcdir/tests/system/web_server.py" "$scratch"
	mkfifo "$scratch/web"
	"$@" "$python" "$scratch/web_server.py" 127.0.0.1 0 >"$scratch/web" &
	started="$started $!"
	read -r web_port <"$scratch/web" || fail "the web server did not start"
}

# fetch SPEC [KEY VALUE...] URL: with lwIP on a tunnel. It tries for 20 seconds to connect.
fetch() {
	spec=$1
	shift
	ends_with 0 $as_user memtun exec -t "$spec" -- lwip-http-client "$@"
	has "$output" "524288 bytes,*checksum"
}

# uplink_carried NAME: there were frames both ways, and what became of each is known.
uplink_carried() {
	ends_with 0 memtun -j -s uplink show "$1"
	has "$(json 'd[0]["from-client-frames"] > 0, d[0]["to-client-frames"] > 0,
		d[0]["to-client-offered"] == d[0]["to-client-frames"] + d[0]["to-client-queued"]
		+ sum(v for k, v in d[0].items() if k.startswith("to-client-dropped"))')" \
		"True True True"
}

# --- a second memtund ---

# second_start: another memtund of the same user, as $second, with its socket at $second_socket.
second_start() {
	second_socket=$scratch/home/two
	mkfifo "$scratch/second-ready"
	$as_user memtund --socket "$second_socket" --ready-fd 3 3>"$scratch/second-ready" \
		2>"$scratch/second-log" 8<&- &
	second=$!
	started="$started $second"
	read -r _ <"$scratch/second-ready" || fail "the second memtund did not start"
}

# second_fetch PORT: 2 MiB by lwIP from a tunnel of the first memtund to one of the second, through the
# first's port of that name.
second_fetch() {
	mkfifo "$scratch/served"
	$as_user memtun exec -t server:bridge=lab -- lwip-http-server size 2 once >"$scratch/served" 8<&- &
	server=$!
	started="$started $server"
	ends_with 0 $as_user memtun --socket "$second_socket" exec -t client:bridge=lab -- \
		lwip-http-client http://10.0.0.1/data <"$scratch/served"
	has "$output" "2097152 bytes,*checksum"
	wait $server
	is $? 0 "the server's status"
	uplink_carried "$1"
}

# second_kill: the second memtund ends without a word.
second_kill() {
	kill -KILL $second
	wait $second 2>/dev/null
}

# --- in a namespace (TEST_NAMESPACES) ---

# kernel_asks ADDRESS ping|udp [COMMAND...]: the kernel's own stack gets its question answered, as
# run by COMMAND. ping(8) isn't everywhere, and this one tries until it is answered.
kernel_asks() {
	cat >"$scratch/ask.py" <<'EOF'
import socket, struct, sys, time

address, how = sys.argv[1:]
six = ":" in address
family = socket.AF_INET6 if six else socket.AF_INET
if how == "udp":
    asking = socket.socket(family, socket.SOCK_DGRAM)
    question = answer = b"question" * 100
else:
    asking = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    tail = struct.pack("!HH", 7, 1) + b"question" * 100
    total = sum(struct.unpack(f"!{len(tail) // 2}H", tail)) + 0x800
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    # The kernel sums for IPv6 itself.
    question = struct.pack("!BBH", 128 if six else 8, 0, 0 if six else 0xffff - total) + tail
    answer = bytes([129 if six else 0]) + b"\0"
asking.settimeout(0.3)
until = time.monotonic() + 15
while time.monotonic() < until:
    try:
        asking.sendto(question, (address, 7 if how == "udp" else 0))
        while True:
            data, source = asking.recvfrom(65535)
            if how != "udp" and not six:
                data = data[4 * (data[0] & 15):]
            if source[0] == address and data.startswith(answer) and data[4:] == question[4:]:
                sys.exit(0)
    except OSError:  # no answer yet, or no way there yet
        pass
sys.exit(f"no answer to {how} from {address}")
EOF
	address=$1
	how=$2
	shift 2
	ends_with 0 "$@" "$python" "$scratch/ask.py" "$address" "$how"
}

# kernel_fetch URL SIZE [COMMAND...]: the kernel's own TCP.
kernel_fetch() {
	cat >"$scratch/fetch.py" <<'EOF'
import sys, time, urllib.request

until = time.monotonic() + 15
while True:
    try:
        got = len(urllib.request.urlopen(sys.argv[1], timeout=5).read())
        break
    except OSError:
        if time.monotonic() > until:
            raise
if got != int(sys.argv[2]):
    sys.exit(f"{got} bytes of {sys.argv[1]}, not {sys.argv[2]}")
EOF
	url=$1
	size=$2
	shift 2
	ends_with 0 "$@" "$python" "$scratch/fetch.py" "$url" "$size"
}
