#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2010,SC2016,SC2046,SC2086,SC2119,SC3045 # scripts in quotes and words are meant
# Frames from the command line: inject, expect, wait and capture, against each other and tshark.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

have_python || skip "no Python here to write frames with"
python=${PYTHON:-python3}

# --- usage ---

while read -r wrong; do
	ends_with 2 memtun $wrong
	says "memtun: "
done <<'END'
inject
inject vm
inject vm --udp 10.0.0.1:7
inject vm --udp
inject vm --udp 10.0.0.1:7 text more
inject vm --udp 10.0.0.1:7 text --hex 00
inject vm --hex 00 --rate 5
inject vm --hex 00 text
inject vm --pcap
inject vm --pcap file --rate 0
inject vm --pcap file --rate fast
inject vm --hex 00 --timing original
inject vm --pcap file --timing soon
inject vm --pcap file --timing 0
inject vm --pcap file --timing nan
inject vm --pcap file --timing clock --rate 5
inject vm --hex 00 --from 10.0.0.1:7
inject vm --loud
expect
expect vm
expect vm --timeout
expect vm --timeout soon udp
expect vm --timeout -1 udp
expect vm --limit 0 udp
expect vm --loud udp
wait
wait vm
wait vm asleep
wait vm open --timeout
wait vm open --timeout nan
wait vm open --often 5
capture
capture -c 5
capture vm -c
capture vm -c 0
capture vm -w
capture vm --loud
END
ok "a wrong command line is a usage error"

for command in "inject vm --hex 00" "expect vm udp" "wait vm open" "capture vm"; do
	ends_with 3 memtun --socket "$scratch/none" $command
	says "starts one"
done

broker_start
for command in "inject none --hex 00" "expect none udp" "capture none" "wait tap%s open"; do
	ends_with 1 memtun $command
	says "memtun: "
done
ends_with 0 memtun add left peer right
for command in "inject left --hex 00" "expect left udp" "capture left"; do
	ends_with 1 memtun $command
	says "peer"
done
ends_with 0 memtun wait left drained
ends_with 0 memtun wait left right quiet
ends_with 0 memtun del left
ok "a tunnel that does not exist, or has a peer, is refused"

# --- a client: writes each frame that it reads as a line of hex to a file ---

cat >"$scratch/client.py" <<'END'
import os, sys
fd, path = int(sys.argv[1]), sys.argv[2]
with open(path, "w", buffering=1) as out:
    while frame := os.read(fd, 70000):
        out.write(frame.hex() + "\n")
END
# client_start NAME SPEC: starts a client that reads the tunnel into $scratch/NAME.
client_start() {
	memtun exec -t "$2" -- "$python" "$scratch/client.py" "{$1}" "$scratch/$1" &
	started="$started $!"
	ends_with 0 memtun wait "$1" open --timeout 20
}
# has_read NAME NUMBER: the client has written this number of frames to its file.
has_read() {
	ends_with 0 memtun wait "$1" drained --timeout 20
	[ -e "$scratch/$1" ] && [ "$(wc -l <"$scratch/$1")" = "$2" ]
}

# --- wait ---

ends_with 124 memtun wait vm open --timeout 0.05
says "vm is not open"
ends_with 0 memtun wait vm closed
ends_with 1 memtun wait vm drained
memtun wait vm open --timeout 20 &
waiter=$!
client_start vm vm:bridge=lab
wait "$waiter"
is $? 0 "the status of who waited for the open"
ends_with 0 memtun wait vm drained --timeout 20
ends_with 124 memtun wait vm closed --timeout 0.05
ok "wait sees a tunnel open and close, and ends at its timeout"

# --- inject: one frame ---

ends_with 0 memtun inject vm --udp 10.0.0.1:7 --from 10.0.0.2:53 hello
ends_with 0 memtun inject vm --udp '[fd00::7]:7' hello
for address in fd00::1:7 10.0.0.1 10.0.0.1:seven 10.0.0.1: host:7; do
	ends_with 2 memtun inject vm --udp "$address" hello
	says "--udp $address: not HOST:PORT in numbers"
done
ends_with 0 memtun inject vm --hex "$(printf 'ff:ff ff%018d 88b5' 0)"
turns_until has_read vm 3
client_start ip ip:mode=tun
ends_with 0 memtun inject ip --udp 10.0.0.1:7 --from 10.0.0.2:53 hello
ends_with 0 memtun inject ip --udp '[fd00::7]:7' --from '[fd00::8]:9' hello
turns_until has_read ip 2
"$python" - "$scratch/vm" "$scratch/ip" <<'END' || fail "$(cat "$scratch/vm" "$scratch/ip")"
import ipaddress, struct, sys
def total(data):
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value
def datagram(packet, source, target):
    if packet[0] >> 4 == 4:
        head, tail, pseudo = packet[:20], packet[20:], packet[12:20]
        assert total(head) == 0xffff and head[9] == 17
        addresses = packet[12:16], packet[16:20]
    else:
        head, tail, pseudo = packet[:40], packet[40:], packet[8:40]
        assert head[6] == 17
        addresses = packet[8:24], packet[24:40]
    ports = struct.unpack("!HH", tail[:4])
    assert total(pseudo + struct.pack("!HH", 17, len(tail)) + tail) == 0xffff
    assert [(str(ipaddress.ip_address(a)), p) for a, p in zip(addresses, ports)] == \
        [source, target], (addresses, ports)
    assert tail[8:] == b"hello"
vm, ip = [[bytes.fromhex(line) for line in open(path)] for path in sys.argv[1:]]
assert vm[0][12:14] == b"\x08\x00" and vm[1][12:14] == b"\x86\xdd"
datagram(vm[0][14:], ("10.0.0.2", 53), ("10.0.0.1", 7))
datagram(vm[1][14:], ("fd00::1:2:3", 21345), ("fd00::7", 7))
assert vm[2] == b"\xff\xff\xff" + bytes(9) + b"\x88\xb5"
datagram(ip[0], ("10.0.0.2", 53), ("10.0.0.1", 7))
datagram(ip[1], ("fd00::8", 9), ("fd00::7", 7))
END
ok "inject sends datagrams and bytes to a client, as Ethernet and as IP"

while read -r status words; do
	ends_with "$status" memtun inject $words
	says "memtun: "
done <<'END'
2 vm --udp 10.0.0.1 x
2 vm --udp host.example:7 x
2 vm --udp 10.0.0.1: x
2 vm --udp 10.0.0.1:65536 x
2 vm --udp 10.0.0.1:seven x
2 vm --udp [fd00::1:7 x
2 vm --udp 10.0.0.1:7 --from [fd00::1]:7 x
2 vm --hex 0
2 vm --hex 0g
2 vm --hex :
1 vm --hex 00
1 ip --hex 00000000000000000000000000000000000000000000000000
1 vm --pcap /nonexistent
1 vm --pcap /dev/null
END
ok "an error in a frame is one line"

# --- inject: a file ---

"$python" - "$scratch" <<'END'
import struct, sys
def pcap(name, link, frames):
    with open(f"{sys.argv[1]}/{name}", "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link))
        for number, frame in enumerate(frames):
            out.write(struct.pack("<IIII", number, 0, len(frame), len(frame)) + frame)
pcap("many.pcap", 1, [bytes(6) + b"\x02" + bytes(5) + b"\x88\xb5" + i.to_bytes(4, "big")
                      for i in range(3000)])
pcap("raw.pcap", 101, [bytes.fromhex("4500001400000000400066e70a0000010a000002")])
with open(f"{sys.argv[1]}/cut.pcap", "wb") as out:
    out.write(open(f"{sys.argv[1]}/many.pcap", "rb").read()[:100])
END
if part_needs filters; then
	ends_with 0 memtun inject vm --pcap "$scratch/many.pcap"
	is "$errors" "" "what a bar is where there is no terminal"
	turns_until has_read vm 3003
	tail -n 3000 "$scratch/vm" | cut -c29-36 >"$scratch/numbers"
	"$python" -c 'print("\n".join("%08x" % i for i in range(3000)))' | cmp - "$scratch/numbers" ||
		fail "not all frames of the file came, in order"
	ends_with 0 memtun -j -s show vm
	is "$(json 'd[0]["to-client-dropped-full"]')" 0 "frames dropped"
	begun=$(date +%s%N)
	ends_with 0 memtun inject ip --pcap "$scratch/raw.pcap" --rate 10
	head -c 280 "$scratch/many.pcap" >"$scratch/few.pcap" # 8 frames, the last of them cut
	ends_with 1 memtun inject vm --pcap "$scratch/few.pcap" --rate 20
	[ $(($(date +%s%N) - begun)) -ge 300000000 ] || fail "7 frames, 20 a second, took too little time"
	ends_with 1 memtun inject vm --pcap "$scratch/raw.pcap"
	says "raw.pcap has link type RAW, and vm is a tap"
	ends_with 1 memtun inject ip --pcap "$scratch/many.pcap"
	says "many.pcap has link type EN10MB, and ip is a tun"
	ends_with 1 memtun inject vm --pcap "$scratch/cut.pcap"
	says "cut.pcap"
	ok "inject replays a file, no faster than --rate, without a loss"
fi

# Two frames of 60 bytes, of which the file has 60 and 40 bytes; and two with an FCS.
"$python" - "$scratch" <<'END'
import struct, sys
frame = bytes(6) + b"\x02" + bytes(5) + b"\x88\xb5" + bytes(range(46))
def pcap(name, link, records):
    with open(f"{sys.argv[1]}/{name}", "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 96, link))
        for data, length in records:
            out.write(struct.pack("<IIII", 0, 0, len(data), length) + data)
pcap("snapped.pcap", 1, [(frame, 60), (frame[:40], 60)])
pcap("checked.pcap", 1 | 1 << 26 | 2 << 28, [(frame + b"fcs!", 64), (frame + b"fc", 64)])
END
if part_needs filters; then
	ends_with 1 memtun inject vm --pcap "$scratch/snapped.pcap"
	says "snapped.pcap: frame 2 is cut: 40 of 60 bytes are there"
	ends_with 0 memtun inject vm --pcap "$scratch/snapped.pcap" --allow-truncated
	ends_with 0 memtun inject vm --pcap "$scratch/checked.pcap"
	turns_until has_read vm 3017
	is "$(tail -n 5 "$scratch/vm" | awk '{ print length($0) / 2 }' | tr '\n' ' ')" "60 60 40 60 60 " \
		"the lengths of the frames"
	ends_with 1 memtun inject vm --pcap /dev/null
	says "/dev/null: "
	ok "cut frames are refused or allowed, and an FCS is not injected"
fi

ends_with 0 memtun add idle
ends_with 1 memtun inject idle --udp 10.0.0.1:7 x
says "idle dropped 1 of 1 frame: 1 no-client; --allow-drop accepts that"
ends_with 0 memtun inject idle --udp 10.0.0.1:7 x --allow-drop
is "$errors" "" "what --allow-drop prints"
if part_needs filters; then
	ends_with 1 memtun inject idle --pcap "$scratch/many.pcap"
	says "idle dropped 3000 of 3000 frames: 3000 no-client"
fi
ends_with 1 memtun inject idle --as-client --hex 00
says "idle dropped 1 of 1 frame: 1 refused"
ends_with 0 memtun inject idle --as-client --udp 10.0.0.1:7 x
ok "inject fails and says why if the tunnel drops a frame"

# A packet that a sender left to others to segment is captured in one piece.
ends_with 0 memtun set ip mtu 1000
ends_with 1 memtun inject ip --hex "45$("$python" -c 'print("00" * 1000)')"
says "a packet of 1001 bytes is too long for ip, whose mtu is 1000"
ends_with 0 memtun set ip mtu 1500
ok "inject refuses a packet that is longer than the mtu"

# A TCP segment of 4000 bytes, as a capture of its sender has it.
"$python" - "$scratch/gso.pcap" <<'EOF'
import struct, sys
packet = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 4040, 7, 0x4000, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
packet += struct.pack(">HHIIBBHHH", 5000, 6000, 1, 1, 0x50, 0x18, 500, 0, 0) + bytes(4000)
with open(sys.argv[1], "wb") as out:
    out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 101))
    out.write(struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)
EOF
if part_needs filters; then
	memtun exec -t cut:mode=tun,bridge=cuts -t whole:mode=tun,bridge=cuts,vnet_hdr -- sleep 60 &
	sleeper=$!
	ends_with 0 memtun wait cut open
	ends_with 0 memtun wait whole open
	ends_with 0 memtun inject cut --pcap "$scratch/gso.pcap"
	is "$(memtun show -s -j cut | "$python" -c 'import json, sys; print(json.load(sys.stdin)[0]["to-client-frames"])')" 3 \
		"the segments of a replayed frame"
	ends_with 0 memtun inject whole --pcap "$scratch/gso.pcap"
	is "$(memtun show -s -j whole | "$python" -c 'import json, sys; print(json.load(sys.stdin)[0]["to-client-frames"])')" 1 \
		"the frames where a replayed frame goes whole"
	ends_with 0 memtun inject whole --as-client --pcap "$scratch/gso.pcap"
	is "$(memtun show -s -j cut | "$python" -c 'import json, sys; print(json.load(sys.stdin)[0]["to-client-frames"])')" 6 \
		"the segments of a frame that is replayed as the client's"
	kill "$sleeper"
	ends_with 0 memtun add shut mode tun
	ends_with 1 memtun inject shut --pcap "$scratch/gso.pcap"
	says "shut dropped 3 of 3 pieces of 1 frame: 3 no-client; --allow-drop accepts that"
	ok "inject cuts a TCP segment of a capture that is longer than the mtu"
fi
ends_with 0 memtun add half mode tun vnet_hdr offload 0
ends_with 1 memtun set half offload 2
says "offload 2: TUNSETOFFLOAD takes 0, or 1 plus any of 2, 4, 16 and 96"
for words in csum=1 csum+tso4+tso6=7 uso4+uso6+csum+ufo=113 none=0; do
	ends_with 0 memtun set half offload "${words%=*}"
	ends_with 0 memtun -j show half
	is "$(json 'd[0]["offload"]')" "${words#*=}" "offload ${words%=*}"
done
ok "offload takes words and their sum"

# --- expect ---

mkfifo "$scratch/looks"
# looks PID: the process has its connection and the socket that it reads frames from.
looks() {
	ends_with 0 memtun -j show
	[ "$(ls -l "/proc/$1/fd" | grep -c ' socket:')" -ge 2 ]
}
# expect_start NAME OPTION-OR-FILTER...
expect_start() {
	memtun expect --ready-fd 3 "$@" 3>"$scratch/looks" \
		>"$scratch/expected" 2>"$scratch/expect-errors" &
	watcher=$!
	started="$started $watcher"
	read -r _ <"$scratch/looks" || fail "expect did not start"
}
# expect_ends STATUS
expect_ends() {
	wait "$watcher"
	is $? "$1" "expect's status"
	[ "$1" = 0 ] || is "$(wc -l <"$scratch/expect-errors")" 1 "the lines of its errors"
}

if part_needs filters; then
	expect_start vm --timeout 20 'tcp' 'udp and dst port 53' 'udp'
	ends_with 0 memtun inject vm --udp 10.0.0.1:53 answer
	ends_with 0 memtun inject vm --as-client --udp 10.0.0.1:53 question
	expect_ends 0
	is "$(sed -n 1p "$scratch/expected")" 1 "the filter that matched"
	has "$(sed -n 2p "$scratch/expected")" "10.1.2.3 > 10.0.0.1 UDP 21345 > 53"
	has "$(sed 1,2d "$scratch/expected" | tr -d '\n')" \
		"$(printf question | od -An -tx1 | tr -d ' \n')"
	expect_start vm --to-client udp
	ends_with 0 memtun inject vm --as-client --udp 10.0.0.1:53 question
	ends_with 0 memtun inject vm --udp 10.0.0.1:9 answer
	expect_ends 0
	has "$(sed -n 2p "$scratch/expected")" "21345 > 9"
	expect_start vm --limit 3 --timeout 20 tcp
	for _ in 1 2 3; do
		ends_with 0 memtun inject vm --as-client --udp 10.0.0.1:53 question
	done
	expect_ends 5
	ends_with 0 memtun add short
	expect_start short tcp
	ends_with 0 memtun del short
	expect_ends 4
	ends_with 124 memtun expect vm --timeout 0.05 udp
	says "no such frame"
	ends_with 2 memtun expect vm 'udp und port'
	says "und"
	ends_with 2 memtun expect vm ip 'port nonsense'
	says "nonsense"
	ok "expect prints the filter and the frame that matched, or why none did"
fi

# --- capture ---

# begun FILE: the file is not empty, so the capture has begun.
begun() {
	ends_with 0 memtun -j show
	[ -s "$1" ]
}
# capture_start NAME FILE [OPTION-OR-FILTER...]
capture_start() {
	file=$scratch/$2
	name=$1
	shift 2
	memtun capture "$name" -w "$file" "$@" 2>"$scratch/capture-errors" &
	capture=$!
	started="$started $capture"
	turns_until begun "$file"
}
# capture_ends FRAMES: the capture ends without a signal, after this number of frames.
capture_ends() {
	wait "$capture"
	is $? 0 "capture's status"
	frames=frames
	[ "$1" -ne 1 ] || frames=frame
	is "$(cat "$scratch/capture-errors")" "$1 $frames captured, 0 missed" "what capture says"
}

udp=
udp_port_8=
ip_frames=3
if part_needs filters; then
	ip_frames=4
	udp=udp
	udp_port_8="udp port 8"
fi
client_start other other:bridge=lab
capture_start lab lab.pcapng
ends_with 0 memtun inject vm --as-client --udp 10.0.0.1:7 out
ends_with 0 memtun inject vm --udp 10.0.0.2:7 in
client_start third third:bridge=lab
ends_with 0 memtun inject third --as-client --udp 10.0.0.3:7 out
# A frame is captured before the client reads it.
turns_until has_read other 2
kill -INT "$capture"
capture_ends 6
# In a build without filters, only the frames that match are sent.
capture_start vm vm.pcapng -c 2 $udp_port_8
[ -z "$udp" ] || ends_with 0 memtun inject vm --udp 10.0.0.1:7 no
ends_with 0 memtun inject vm --udp 10.0.0.1:8 yes
ends_with 0 memtun inject vm --udp 10.0.0.1:8 yes
capture_ends 2
capture_start ip ip.pcapng
ends_with 0 memtun inject ip --udp 10.0.0.1:7 in
turns_until has_read ip $ip_frames
kill -TERM "$capture"
capture_ends 1
memtun capture vm -c 1 $udp >"$scratch/captured" 2>"$scratch/capture-errors" &
capture=$!
started="$started $capture"
turns_until looks "$capture"
ends_with 0 memtun inject vm --udp 10.0.0.1:7 x
capture_ends 1
has "$(cat "$scratch/captured")" " vm to-client "
has "$(cat "$scratch/captured")" "10.0.0.1 UDP 21345 > 7"
if [ -n "$udp" ]; then
	capture_start vm again.pcapng -c 6
	ends_with 0 memtun inject vm --pcap "$scratch/lab.pcapng"
	capture_ends 6
fi
ok "capture ends after -c or a signal, and its file can be injected"

ends_with 2 memtun capture vm -w "$scratch/none" udp und
says "filter 'udp und'"
ends_with 1 memtun capture vm -w "$scratch/none/none"
says "cannot write $scratch/none/none: No such file"
[ ! -e "$scratch/none" ] || fail "a capture that was refused has made its file"
if [ -w /dev/full ]; then
	ends_with 1 memtun capture vm -w /dev/full
	says "cannot write /dev/full: No space"
fi
ok "a capture that can't begin says why"

# --- a slow reader of a capture slows no port ---

if part_needs filters; then
	mkfifo "$scratch/pipe"
	"$python" -c 'import os, signal, sys
pipe, out = os.open(sys.argv[1], os.O_RDONLY), open(sys.argv[2], "wb", 0)
os.kill(os.getpid(), signal.SIGSTOP)
while data := os.read(pipe, 65536):
    out.write(data)' "$scratch/pipe" "$scratch/late.pcapng" &
	reader=$!
	started="$started $reader"
	memtun capture vm -w "$scratch/pipe" 2>"$scratch/capture-errors" &
	capture=$!
	started="$started $capture"
	# A stopped process doesn't end before it continues.
	trap 'kill -CONT "$reader" 2>/dev/null; scratch_end' EXIT
	stands() {
		ends_with 0 memtun -j show
		grep -q '^State:.T' "/proc/$reader/status" && looks "$capture"
	}
	turns_until stands
	# More frames than fit into the pipe, the socket and the broker's limit of 8192 records.
	for _ in 1 2 3 4 5; do
		ends_with 0 memtun inject vm --pcap "$scratch/many.pcap"
		ends_with 0 memtun wait vm drained --timeout 20
	done
	ends_with 0 memtun -j -s show vm
	is "$(json 'd[0]["to-client-offered"] - d[0]["to-client-frames"]')" 0 "what vm did not get"
	kill -CONT "$reader"
	sent=15000
	# The first frame for which there is room again says how many were missed before it. One more frame
	# shows that everything before it was written.
	room_again() {
		ends_with 0 memtun inject vm --udp 10.0.0.1:7 room
		sent=$((sent + 1))
		grep -aq room "$scratch/late.pcapng"
	}
	turns_until room_again
	ends_with 0 memtun inject vm --udp 10.0.0.1:7 over
	sent=$((sent + 1))
	over() {
		ends_with 0 memtun -j show
		grep -aq over "$scratch/late.pcapng"
	}
	turns_until over
	kill -INT "$capture"
	wait "$capture"
	is $? 0 "the status of a capture with a slow reader"
	wait "$reader"
	frames=$(sed 's/ frames.*//' "$scratch/capture-errors")
	missed=$(sed -n 's/.* captured, \([0-9]*\) missed$/\1/p' "$scratch/capture-errors")
	[ "$missed" -gt 1000 ] || fail "only $missed frames were missed"
	is $((frames + missed)) $sent "frames that were captured or missed"
	ok "a capture with a stopped reader misses frames, counts them, and slows no port"

	# A pipe that is open, but has no reader.
	mkfifo "$scratch/unread"
	exec 8<>"$scratch/unread"
	memtun capture vm -w "$scratch/unread" 2>"$scratch/capture-errors" 8<&- &
	capture=$!
	started="$started $capture"
	turns_until looks "$capture"
	ends_with 0 memtun inject vm --pcap "$scratch/many.pcap"
	ends_with 0 memtun wait vm drained --timeout 20
	ended_by_force() {
		ends_with 0 memtun -j show
		kill "$capture" 2>/dev/null
		[ ! -e "/proc/$capture" ] || grep -q '^State:.Z' "/proc/$capture/status"
	}
	turns_until ended_by_force
	wait "$capture"
	is $? 143 "the status of a capture that was ended before it had written all"
	exec 8<&-
	ok "a capture without a reader can be ended"
fi

# --- the end of the captured port ---

capture_start lab end.pcapng
ends_with 0 memtun bridge del lab
capture_ends 0
capture_start third third.pcapng
ends_with 0 memtun del third
capture_ends 0
ok "a capture ends with its bridge or tunnel"
capture_start ip broker.pcapng
[ -z "$udp" ] || watches "$scratch/expected" memtun expect ip udp
expect=$!
kill "$broker"
wait "$broker" 2>/dev/null
wait "$capture"
is $? 1 "capture's status when the broker ends"
has "$(cat "$scratch/capture-errors")" "0 frames captured, 0 missed"
has "$(cat "$scratch/capture-errors")" "memtun: "
ok "a capture distinguishes the end of the broker from that"
if [ -n "$udp" ]; then
	wait "$expect"
	is $? 4 "expect's status when the broker ends"
	ok "expect does not distinguish them"
fi

# --- the files, as tshark reads them ---

if ! command -v tshark >/dev/null; then
	ok "no tshark here: what it reads in the files was not checked"
	exit 0
fi
# fields FILE NAME...: prints these fields of each frame in one line, sorted.
fields() {
	file=$scratch/$1
	shift
	HOME=$scratch/home tshark -r "$file" -T fields $(printf ' -e %s' "$@") 2>"$scratch/errors" |
		sort | tr '\t\n' ' ;'
}
# A frame on a bridge is captured where it comes in (1) and where it goes out (2).
seen="10.0.0.1 other 0x00000002;10.0.0.1 vm 0x00000001;10.0.0.2 vm 0x00000002;"
seen="${seen}10.0.0.3 other 0x00000002;10.0.0.3 third 0x00000001;10.0.0.3 vm 0x00000002;"
is "$(fields lab.pcapng ip.dst frame.interface_name frame.packet_flags_direction)" "$seen" \
	"what tshark reads of the bridge's file"
is "$(fields vm.pcapng frame.protocols udp.dstport data.data)" \
	"eth:ethertype:ip:udp:data 8 796573;eth:ethertype:ip:udp:data 8 796573;" \
	"what tshark reads of the filtered file"
is "$(fields ip.pcapng frame.protocols udp.dstport)" "raw:ip:udp:echo 7;" \
	"what tshark reads of the tun's file"
seconds=$(fields ip.pcapng frame.time_epoch)
[ $(($(date +%s) - ${seconds%%.*})) -lt 120 ] || fail "the frame's time is $seconds"
[ -z "$udp" ] || is "$(fields late.pcapng frame.drop_count | tr ';' '\n' | awk '{ sum += $1 } END { print sum }')" \
	"$missed" "the frames missed, as tshark reads them"
ok "tshark reads each frame, its direction, interface and time, and how many were missed"
