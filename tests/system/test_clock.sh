#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual clock, waiting until ports are quiet, and injecting at recorded times, from the command
# line.
. "${top_srcdir:-.}/tests/system/check.sh" || exit 1

have_python || skip "no Python here to write frames with"
python=${PYTHON:-python3}

ends_with 2 memtund --clock sundial
has "$errors" "--clock is real or manual, not sundial"

# --- the real clock ---

broker_start
ends_with 0 memtun -j clock show
is "$(json 'd[0]["clock"]')" real "the clock"
for command in "advance 1s" next; do
	ends_with 1 memtun clock $command
	says "only memtund --clock manual has a clock that can be moved"
done
kill "$broker"
wait "$broker"
ok "the clock of a broker without a manual one is not moved"

# --- the manual clock ---

broker_start --clock manual
ends_with 0 memtun clock advance 1.5s
is "$output" "moved 1.5s to 1.5s" "what the first advance says"
ends_with 0 memtun clock advance 1h
is "$output" "moved 3600s to 3601.5s" "what the second advance says"
ends_with 1 memtun clock advance 2562047h
says "the clock cannot show a time after 2^62 ns"
ends_with 1 memtun clock next
is "$errors" "memtun: nothing is due" "what next says of an empty queue"
ends_with 0 memtun add tap bridge lab
ends_with 0 memtun add tun bridge lab mode tun address 10.0.0.1/24
ends_with 0 memtun clock next --timeout 20
is "$output" "moved 2s to 3603.5s" "the time of the second announcement"
ends_with 0 memtun -j clock show
is "$(json '(d[0]["clock-time"], d[0]["due"], d[0].get("clock-next"))')" \
	"(3603500000000, 0, None)" "the clock in JSON"
if part_needs tables; then
	ends_with 0 memtun clock show
	# shellcheck disable=SC2086,SC2116 # words
	is "$(echo $output)" "CLOCK CLOCK-TIME CLOCK-NEXT DUE manual 3603.5s 0" "the clock as a table"
fi
ok "the manual clock moves by a time, and to the next event"

# --- quiet ---

ends_with 0 memtun wait quiet --timeout 20
ends_with 0 memtun wait lab tap tun quiet --idle 20ms --timeout 20
ends_with 1 memtun wait lab none quiet
says "there is no tunnel, uplink or bridge 'none'"
mkfifo "$scratch/go"
memtun exec -t tap:bridge=lab sh -c 'read -r _ <"$0"; exec "$1" -c "
import os, sys
os.read(int(sys.argv[1]), 2000)
sys.stdin.read()" {tap}' "$scratch/go" "$python" &
reader=$!
started="$started $reader"
ends_with 0 memtun wait tap open --timeout 20
ends_with 0 memtun inject tap --hex "$(printf 'ff:ff:ff:ff:ff:ff %018d 88b5' 0)"
for names in lab tap "tun tap" ""; do
	ends_with 124 memtun wait $names quiet --timeout 0.05
	says "not quiet within the time limit: 'tap' has not read all frames for it"
done
ends_with 124 memtun wait tap drained --timeout 0.05
says "tap is not drained"
ends_with 124 memtun clock next --timeout 0.05
ends_with 0 memtun wait tun quiet --timeout 20
memtun wait lab quiet --timeout 20 &
waiting=$!
started="$started $waiting"
echo go >"$scratch/go"
wait "$waiting"
is $? 0 "the status of the wait that was over when the frame was read"
wait "$reader"
ok "wait returns when the last frame was read, and says what it waits for"

# --- injecting at recorded times ---

part_needs filters || exit 0
# Three frames: at 100 s, 100.2 s, and half a second before that.
"$python" - "$scratch/frames.pcap" <<'END'
import struct, sys
with open(sys.argv[1], "wb") as out:
    out.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
    for seconds, nanoseconds in (100, 0), (100, 200000001), (99, 700000000):
        frame = b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x88\xb5" + bytes(46)
        out.write(struct.pack("<IIII", seconds, nanoseconds, len(frame), len(frame)) + frame)
END
watches "$scratch/nothing" memtun capture tap -c 3 -w "$scratch/times.pcapng"
capture=$!
ends_with 0 memtun inject tap --as-client --pcap "$scratch/frames.pcap" --timing clock
wait "$capture"
is "$(grep -aoE 'clock [0-9]+\.[0-9]+' "$scratch/times.pcapng" | tr '\n' ' ')" \
	"clock 3603.500000000 clock 3603.700000001 clock 3603.700000001 " \
	"the times on the clock that the capture has"
ok "with --timing clock, each frame has its time on the manual clock exactly"

kill "$broker"
wait "$broker"
broker_start
ends_with 0 memtun add tap bridge lab
ends_with 1 memtun inject tap --as-client --pcap "$scratch/frames.pcap" --timing clock
says "only memtund --clock manual has a clock that can be moved"
for timing in original 0.5; do
	begin=$("$python" -c 'import time; print(time.monotonic())')
	ends_with 0 memtun inject tap --as-client --pcap "$scratch/frames.pcap" --timing $timing
	"$python" -c 'import sys, time
sys.exit(time.monotonic() - float(sys.argv[1]) < (0.4 if sys.argv[2] == "0.5" else 0.2))' \
		"$begin" $timing || fail "--timing $timing took too little time"
done
ok "with --timing original or a factor, frames are not early"
